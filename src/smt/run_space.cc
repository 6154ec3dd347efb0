// SPDX-License-Identifier: Apache-2.0
#include "src/smt/run_space.h"

#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::smt {
namespace {

constexpr int kReuseNeeds = 3;  // besides registers: see RunSpace::had_

bool IsReuse(const Runs& runs) { return runs.property == Property::kNoCrossDriverReuse; }

}  // namespace

bool Runs::MayBe(OpKind kind, int step) const {
  if (IsReuse(*this) && step == steps - 1)
    return kind == OpKind::kSetContainer || kind == OpKind::kSetIommu;
  return Needed(property, kind) || Spare(kind);
}

RunSpace::RunSpace(const Runs& runs, int registers)
    : runs_(runs), had_(Zeros(registers + (IsReuse(runs) ? kReuseNeeds : 0))) {}

Bit RunSpace::Input(std::string name) {
  const Bit input = circuit_.Input();
  names_.resize(input.node() + 1);
  names_[input.node()] = std::move(name);
  return input;
}

Bits RunSpace::Selector(const std::vector<bool>& choices, Bit needed, const std::string& name,
                        std::vector<Bit>& constraints) {
  Bits bits;
  for (size_t i = 0; i < choices.size(); ++i) {
    bits.push_back(choices[i] ? Input(absl::StrFormat("%s.%d", name, i)) : Bit(false));
    for (size_t j = 0; j < i; ++j) constraints.push_back(~(bits[i] & bits[j]));
  }
  constraints.push_back(Same(Any(bits), needed));
  return bits;
}

std::string RunSpace::StepName(const char* what) const {
  return absl::StrFormat("step%d.%s", ops_.size() + 1, what);
}

std::vector<bool> RunSpace::Kinds() const {
  std::vector<bool> kinds;
  kinds.reserve(kEncodedOps.size());
  for (const OpKind kind : kEncodedOps)
    kinds.push_back(runs_.MayBe(kind, static_cast<int>(ops_.size())));
  return kinds;
}

SymbolicOp RunSpace::ChooseOp(const Bits& kind, const std::vector<bool>& instances,
                              std::vector<Bit>& constraints) {
  using enum OpKind;
  const auto all = [](int size) { return std::vector<bool>(static_cast<size_t>(size), true); };
  SymbolicOp op;
  op.container = OneHot(1, 0);
  op.kind = kind;
  op.instance =
      Selector(instances, op.is(kRegister) | op.is(kUnregister), StepName("instance"), constraints);
  op.device = Selector(all(sizes_.devices), op.is(kAdd) | op.is(kRemove) | op.is(kConfigure),
                       StepName("device"), constraints);
  op.group = Selector(all(sizes_.groups), op.is(kSetContainer) | op.is(kUnsetContainer),
                      StepName("group"), constraints);
  return op;
}

void RunSpace::MustFit(std::vector<Bit>& constraints) {
  const SymbolicOp& op = ops_.back();
  if (IsReuse(runs_)) {
    Bit* const reuse = had_.data() + had_.size() - kReuseNeeds;
    Bit& iommu = reuse[0];
    Bit& one_group = reuse[1];
    Bit& two_groups = reuse[2];
    if (!runs_.Spare(OpKind::kSetContainer))
      constraints.push_back(~(two_groups & op.is(OpKind::kSetContainer)));
    iommu |= op.is(OpKind::kSetIommu);
    two_groups |= one_group & op.is(OpKind::kSetContainer);
    one_group |= op.is(OpKind::kSetContainer);
  }
  // No more needs may be open than steps are left: of each set that is larger by one, one was had.
  const int left = runs_.steps - static_cast<int>(ops_.size());
  for (unsigned set = 1; set < 1U << had_.size(); ++set) {
    if (std::popcount(set) != left + 1) continue;
    Bit one_had = false;
    for (size_t i = 0; i < had_.size(); ++i)
      if ((set >> i & 1U) != 0) one_had |= had_[i];
    constraints.push_back(one_had);
  }
}

std::vector<Op> RunSpace::Ops(const Value& value) const {
  std::vector<Op> ops;
  for (const SymbolicOp& from : ops_) {
    Op& op = ops.emplace_back();
    op.kind = kEncodedOps[IndexOf(from.kind, value)];
    for (const Bits* code : {&from.instance, &from.device, &from.group})
      if (const int index = IndexOf(*code, value); index >= 0) op.a = static_cast<uint8_t>(index);
  }
  return ops;
}

std::string RunSpace::ToSmt2(const std::vector<Bit>& asserted,
                             const std::vector<Bit>& assumptions) const {
  using Kind = Circuit::Gate::Kind;
  std::vector<Bit> bits = asserted;
  bits.insert(bits.end(), assumptions.begin(), assumptions.end());
  const std::vector<bool> cone = circuit_.ConeOf(bits);
  const auto name = [&](uint32_t literal) {
    const uint32_t node = literal >> 1U;
    if (node == 0) return std::string(literal == 0 ? "true" : "false");
    const bool input = circuit_.gates()[node].kind == Kind::kInput;
    const std::string positive = input ? names_[node] : absl::StrCat("n", node);
    return (literal & 1U) != 0 ? absl::StrCat("(not ", positive, ")") : positive;
  };
  std::string text = "(set-logic QF_UF)\n";
  for (uint32_t node = 1; node < cone.size(); ++node) {
    if (!cone[node]) continue;
    const Circuit::Gate& gate = circuit_.gates()[node];
    absl::StrAppend(&text, "(declare-const ", name(node << 1U), " Bool)\n");
    // Equations, not define-fun: solvers expand those.
    if (gate.kind == Kind::kAnd)
      absl::StrAppend(&text, "(assert (= n", node, " (and ", name(gate.a), " ", name(gate.b),
                      ")))\n");
    if (gate.kind == Kind::kIte)
      absl::StrAppend(&text, "(assert (= n", node, " (ite ", name(gate.a), " ", name(gate.b), " ",
                      name(gate.c), ")))\n");
  }
  for (Bit bit : bits) absl::StrAppend(&text, "(assert ", name(bit.literal()), ")\n");
  absl::StrAppend(&text, "(check-sat)\n");
  return text;
}

}  // namespace iommucheck::smt
