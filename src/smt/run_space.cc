// SPDX-License-Identifier: Apache-2.0
#include "src/smt/run_space.h"

#include <bit>

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

std::string RunSpace::StepName(const char* what) const {
  return absl::StrFormat("step%d.%s", ops_.size() + 1, what);
}

std::vector<bool> RunSpace::Kinds() const {
  std::vector<bool> kinds;
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
  // Of any so many that one more would not fit, one has been had.
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
  for (const SymbolicOp& op : ops_) ops.push_back(OpOf(op, value));
  return ops;
}

}  // namespace iommucheck::smt
