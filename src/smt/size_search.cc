// SPDX-License-Identifier: Apache-2.0
#include "src/smt/size_search.h"

#include <algorithm>

#include "src/smt/plain_order.h"
#include "src/smt/smt2.h"

namespace iommucheck::smt {

// With one spare step a circuit for each kind is faster than one for all, the more so the more
// devices there are.
std::vector<OpKinds> SpareKinds(int spare, int devices) {
  if (spare == 0) return {OpKinds()};
  if (spare > 1 || devices == 1) return {OpKinds().set()};
  if (devices == 2) {
    const auto leave =
        OpKinds().set(EncodedIndex(OpKind::kRemove)).set(EncodedIndex(OpKind::kUnregister));
    return {~leave, leave};
  }
  std::vector<OpKinds> parts;
  for (OpKind kind : kPlainFirst) parts.push_back(OpKinds().set(EncodedIndex(kind)));
  return parts;
}

SizeSearch::SizeSearch(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs,
                       Solver::Use use, uint64_t budget)
    : open_(open),
      runs_(kernel, open, devices, runs),
      solver_(runs_.space().circuit(), use, budget) {
  Circuit& circuit = runs_.space().circuit();
  const auto nodes = static_cast<uint32_t>(circuit.gates().size());
  for (uint32_t node = 1; node < nodes; ++node) solver_.NameWhenUsed(Bit(&circuit, node << 1U));
  for (Bit constraint : runs_.space().constraints()) solver_.Assert(constraint);
  for (int step = 0; step < runs.steps; ++step) {
    const std::vector<Constraint> constraints = runs_.NextStep();
    for (Bit bit : runs_.StateBits()) solver_.NameWhenUsed(bit);
    for (const Constraint& constraint : constraints) solver_.Assert(constraint.bit);
  }
  if (runs.taken) solver_.Assert(~runs_.refusing_ended());
}

SizeSearch::Answer SizeSearch::Violated(RuleSet kept) {
  std::vector<Bit> assumptions = {runs_.violated()};
  for (const RuleInfo& info : AllRules())
    if (open_.has(info.rule) && kept.has(info.rule))
      assumptions.push_back(runs_.space().kernel().has(info.rule));
  return Check(assumptions);
}

std::string SizeSearch::LastCheck() {
  return ToSmt2(runs_.space(), solver_.asserted(), last_assumptions_);
}

RuleSet SizeSearch::Core() {
  const std::vector<Bit> core = solver_.Core();
  RuleSet rules;
  for (const RuleInfo& info : AllRules())
    if (open_.has(info.rule) &&
        std::ranges::find(core, runs_.space().kernel().has(info.rule)) != core.end())
      rules.add(info.rule);
  return rules;
}

SizeSearch::Answer SizeSearch::Check(const std::vector<Bit>& assumptions) {
  last_assumptions_ = assumptions;
  return solver_.Check(assumptions);
}

Case SizeSearch::Found() {
  Case c = runs_.space().Decode(Model());
  c.expectations.push_back({.kind = Expectation::Kind::kViolated,
                            .property = runs_.property(),
                            .at = static_cast<int>(c.ops.size())});
  return c;
}

// Fixes one preference after another that a case of this size can meet. Unknown: the budget ended
// before the last one.
SizeSearch::Answer SizeSearch::MakePlain(std::vector<Bit> fixed) {
  auto all = Answer::kSat;
  for (Bit preference : runs_.space().Preferences()) {
    if (preference.is_constant()) continue;
    fixed.push_back(preference);
    // A check that fails keeps the model of the last one that did not.
    if (solver_.Value(preference)) continue;
    const Answer answer = Check(fixed);
    if (answer != Answer::kSat) fixed.pop_back();
    if (answer == Answer::kUnknown) all = answer;
  }
  last_assumptions_ = fixed;
  return all;
}

Case SizeSearch::Plainest() {
  MakePlain({runs_.violated()});
  return Found();
}

}  // namespace iommucheck::smt
