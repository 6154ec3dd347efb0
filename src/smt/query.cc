// SPDX-License-Identifier: Apache-2.0
//
// Bounded search. The fewest steps are found among all machines within the bounds, so that nothing
// shorter exists; then the fewest devices for that many steps, in the smaller spaces of one device,
// two, and so on; then the plainest attributes.
#include "src/smt/query.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "src/smt/search_space.h"
#include "src/smt/smt2.h"
#include "src/smt/solver.h"

namespace iommucheck::smt {
namespace {

using Answer = Solver::Answer;

// Runs up to the first are looked at in one check, longer ones up to the second in another, then
// one step more at a time: what a check of each length learns does not pay for it.
constexpr int kShortRun = 3;
constexpr int kMediumRun = 5;

// All machines of up to so many devices.
class SizeSearch {
 public:
  SizeSearch(Property property, const KernelSpec& kernel, int devices, uint64_t budget);

  // The fewest steps, up to `limit`, in which the property is violated: 0 for none. After nullopt
  // (unknown), proved_steps() have been looked through.
  std::optional<int> FewestSteps(int limit);
  [[nodiscard]] int proved_steps() const { return proved_steps_; }
  // Whether it is violated in so many steps, given that it is not in fewer.
  std::optional<bool> ViolatedAt(int steps);
  // After one of these has found some: the plainest case of that many.
  Case Plainest(int steps);

  [[nodiscard]] const Solver& solver() const { return solver_; }
  [[nodiscard]] std::string LastCheck() {
    return ToSmt2(space_, solver_.asserted(), last_assumptions_);
  }

 private:
  Bit NextStep();
  Answer Check(const std::vector<Bit>& assumptions);

  Property property_;
  const KernelSpec& kernel_;
  SearchSpace space_;
  Encoder encoder_;
  Solver solver_;
  std::vector<Bit> taken_;        // by step: the run is that long
  std::vector<Bit> violated_;     // by step: the run violates the property there
  std::vector<Bit> held_before_;  // facts of the last step's state, if it did not violate it
  std::vector<Bit> last_assumptions_;
  int proved_steps_ = 0;  // no run of so many steps or fewer violates the property
};

SizeSearch::SizeSearch(Property property, const KernelSpec& kernel, int devices, uint64_t budget)
    : property_(property),
      kernel_(kernel),
      space_(ProfileOf(kernel), devices),
      encoder_(ProfileOf(kernel), space_.topology(), space_.sizes()),
      solver_(space_.circuit(), budget) {
  const auto nodes = static_cast<uint32_t>(space_.circuit().gates().size());
  for (uint32_t node = 1; node < nodes; ++node)
    solver_.NameWhenUsed(Bit(&space_.circuit(), node << 1U));
  for (Bit constraint : space_.constraints()) solver_.Assert(constraint);
}

// Encodes one more step: where it violates the property.
Bit SizeSearch::NextStep() {
  std::vector<Bit> constraints;
  const SymbolicOp op = space_.NextOp(constraints);
  const StepBits step = encoder_.Step(op);
  // A smallest run has no step that changes nothing.
  for (Bit excluded : {step.impossible, step.outside, step.out_of_groups, step.futile})
    constraints.push_back(~excluded);
  for (Bit fact : encoder_.Invariants()) constraints.push_back(fact);
  for (Bit bit : encoder_.state().AllBits()) solver_.NameWhenUsed(bit);
  // Runs end where they violate the property: later steps need not be possible.
  const Bit taken = taken_.empty() ? Bit(true) : space_.Taken();
  if (!taken_.empty()) solver_.Assert(~taken | taken_.back());
  taken_.push_back(taken);
  // A run that goes on has not violated the property before.
  constraints.insert(constraints.end(), held_before_.begin(), held_before_.end());
  if (property_ == Property::kNoCrossDriverAttach)
    held_before_ = encoder_.InvariantsWhileAttachHolds();
  for (Bit constraint : constraints)
    if (!constraint.is_true()) solver_.Assert(~taken | constraint);
  return taken & step.violated[static_cast<size_t>(property_)];
}

Answer SizeSearch::Check(const std::vector<Bit>& assumptions) {
  last_assumptions_ = assumptions;
  return solver_.Check(assumptions);
}

std::optional<int> SizeSearch::FewestSteps(int limit) {
  Bit any = false;
  for (int steps = 1; steps <= limit; ++steps) {
    violated_.push_back(NextStep());
    any |= violated_.back();
    if (steps != limit && steps != kShortRun && steps < kMediumRun) continue;
    Answer answer = Check({any});
    for (int fewest = proved_steps_ + 1; answer == Answer::kSat; ++fewest) {
      const Answer here = fewest == steps ? Answer::kSat : Check({violated_[fewest - 1]});
      if (here == Answer::kSat) return fewest;
      if (here == Answer::kUnknown) answer = here;
      if (here == Answer::kUnsat) proved_steps_ = fewest;
    }
    if (answer == Answer::kUnknown) return std::nullopt;
    solver_.Assert(~any);
    any = false;
    proved_steps_ = steps;
  }
  return 0;
}

std::optional<bool> SizeSearch::ViolatedAt(int steps) {
  for (int step = 1; step <= steps; ++step) {
    violated_.push_back(NextStep());
    if (step < steps) solver_.Assert(~violated_.back());
  }
  const Answer answer = Check({violated_.back()});
  if (answer == Answer::kUnknown) return std::nullopt;
  return answer == Answer::kSat;
}

Case SizeSearch::Plainest(int steps) {
  // Fixes one preference after another that a case of this size can meet.
  std::vector<Bit> fixed = {violated_[steps - 1]};
  for (Bit preference : space_.Preferences(steps)) {
    if (preference.is_constant()) continue;
    fixed.push_back(preference);
    // A check that fails keeps the model of the last one that did not.
    if (!solver_.Value(preference) && Check(fixed) != Answer::kSat) fixed.pop_back();
  }
  last_assumptions_ = fixed;
  Case c = space_.Decode(kernel_, steps, [&](Bit bit) { return solver_.Value(bit); });
  c.expectations.push_back(
      {.kind = Expectation::Kind::kViolated, .property = property_, .at = steps});
  return c;
}

// The smallest case of so many steps, or the reason why it is not known.
std::string Smallest(Property property, const KernelSpec& kernel, const Bounds& bounds, int steps,
                     SizeSearch& all, bool want_smt2, QueryResult& result) {
  for (int devices = 1; devices < bounds.devices; ++devices) {
    const uint64_t used = result.resources + all.solver().resources();
    if (bounds.budget != 0 && used >= bounds.budget) return "the budget is used up";
    SizeSearch some(property, kernel, devices, bounds.budget == 0 ? 0 : bounds.budget - used);
    const std::optional<bool> violated = some.ViolatedAt(steps);
    if (violated.value_or(false)) result.found = some.Plainest(steps);
    result.resources += some.solver().resources();
    result.checks += some.solver().checks();
    if (!violated.has_value()) return some.solver().reason();
    if (*violated) {
      if (want_smt2) result.smt2 = some.LastCheck();
      return "";
    }
  }
  result.found = all.Plainest(steps);
  if (want_smt2) result.smt2 = all.LastCheck();
  return "";
}

QueryResult Search(Property property, const KernelSpec& kernel, const Bounds& bounds,
                   bool want_smt2) {
  QueryResult result;
  SizeSearch all(property, kernel, bounds.devices, bounds.budget);
  const std::optional<int> steps = all.FewestSteps(bounds.steps);
  result.proved_steps = steps.value_or(0) > 0 ? *steps - 1 : all.proved_steps();
  result.proved_devices = result.proved_steps > 0 ? bounds.devices : 0;
  if (want_smt2) result.smt2 = all.LastCheck();
  if (!steps.has_value()) {
    result.reason = all.solver().reason();
  } else if (*steps == 0) {
    result.verdict = Verdict::kHolds;
  } else {
    result.reason = Smallest(property, kernel, bounds, *steps, all, want_smt2, result);
    if (result.reason.empty()) result.verdict = Verdict::kViolated;
  }
  result.resources += all.solver().resources();
  result.checks += all.solver().checks();
  return result;
}

}  // namespace

absl::StatusOr<QueryResult> Query(Property property, const KernelSpec& kernel, const Bounds& bounds,
                                  bool want_smt2) {
  if (bounds.devices < 1 || bounds.devices > kMaxBoundDevices)
    return absl::InvalidArgumentError(absl::StrFormat("devices must be 1 to %d", kMaxBoundDevices));
  if (bounds.steps < 1 || bounds.steps > kMaxBoundSteps)
    return absl::InvalidArgumentError(absl::StrFormat("steps must be 1 to %d", kMaxBoundSteps));
  try {
    return Search(property, kernel, bounds, want_smt2);
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrFormat("Z3: %s", e.what()));
  }
}

}  // namespace iommucheck::smt
