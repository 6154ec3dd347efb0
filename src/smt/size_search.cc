// SPDX-License-Identifier: Apache-2.0
#include "src/smt/size_search.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "src/tool/progress.h"

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
  parts.reserve(kPlainFirst.size());
  for (OpKind kind : kPlainFirst) parts.push_back(OpKinds().set(EncodedIndex(kind)));
  return parts;
}

void Deepen(Property property, const Bounds& bounds, const std::string& where,
            const std::function<Solver::Answer(int)>& find_at, QueryResult& result) {
  result.proved_steps =
      std::min(bounds.steps, std::max(StepsNeeded(property) - 1, bounds.proved_steps));
  for (int steps = result.proved_steps + 1; steps <= bounds.steps; ++steps) {
    tool::Progress(absl::StrFormat("searching %d steps %s; none up to %d steps", steps, where,
                                   result.proved_steps));
    const Solver::Answer answer = find_at(steps);
    if (answer == Solver::Answer::kSat) result.verdict = Verdict::kViolated;
    if (answer != Solver::Answer::kUnsat) return;
    result.proved_steps = steps;
  }
  result.verdict = Verdict::kHolds;
}

SizeSearch::SizeSearch(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs,
                       uint64_t budget)
    : open_(open),
      space_(kernel, open, devices, runs),
      runs_(space_, space_.kernel()),
      solver_(space_.circuit(), budget) {
  for (Bit constraint : space_.constraints()) solver_.Assert(constraint);
  for (int step = 0; step < runs.steps; ++step) {
    for (const Constraint& constraint : runs_.NextStep()) solver_.Assert(constraint.bit);
  }
  if (runs.taken) solver_.Assert(~runs_.refusing_ended());
}

SizeSearch::Answer SizeSearch::Violated(RuleSet kept) {
  std::vector<Bit> assumptions = {runs_.violated()};
  for (const RuleInfo& info : AllRules())
    if (open_.has(info.rule) && kept.has(info.rule))
      assumptions.push_back(space_.kernel().has(info.rule));
  return Check(assumptions);
}

RuleSet SizeSearch::Core() {
  const std::vector<Bit> core = solver_.Core();
  RuleSet rules;
  for (const RuleInfo& info : AllRules())
    if (open_.has(info.rule) &&
        std::ranges::find(core, space_.kernel().has(info.rule)) != core.end())
      rules.add(info.rule);
  return rules;
}

SizeSearch::Answer SizeSearch::Check(const std::vector<Bit>& assumptions) {
  last_assumptions_ = assumptions;
  return solver_.Check(assumptions);
}

Case SizeSearch::Found() {
  Case c = space_.Decode(Model());
  c.expectations.push_back({.kind = Expectation::Kind::kViolated,
                            .property = space_.runs().property,
                            .at = static_cast<int>(c.ops.size())});
  return c;
}

// Fixes one preference after another that a case of this size can meet. Unknown: the budget ended
// before the last one.
SizeSearch::Answer SizeSearch::MakePlain(std::vector<Bit> fixed) {
  auto all = Answer::kSat;
  for (Bit preference : space_.Preferences()) {
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

}  // namespace iommucheck::smt
