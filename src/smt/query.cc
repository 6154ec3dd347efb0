// SPDX-License-Identifier: Apache-2.0
//
// Bounded search, one step more at a time, over all machines of the space at once; then the fewest
// devices; then the plainest attributes.
#include "src/smt/query.h"

#include <exception>

#include "absl/strings/str_format.h"
#include "src/smt/search_space.h"
#include "src/smt/smt2.h"
#include "src/smt/solver.h"

namespace iommucheck::smt {
namespace {

class Search {
 public:
  Search(Property property, const KernelSpec& kernel, const Bounds& bounds, bool want_smt2)
      : property_(property),
        kernel_(kernel),
        bounds_(bounds),
        want_smt2_(want_smt2),
        space_(ProfileOf(kernel), bounds),
        encoder_(ProfileOf(kernel), space_.topology(), space_.sizes()),
        solver_(space_.circuit(), bounds.budget) {}

  QueryResult Run();

 private:
  Bit NextStep();
  Solver::Answer Check(const std::vector<Bit>& assumptions);
  void FewestDevices(std::vector<Bit>& fixed);
  void Plainest(std::vector<Bit>& fixed);
  void Found(Bit violated, int steps);

  Property property_;
  const KernelSpec& kernel_;
  Bounds bounds_;
  bool want_smt2_;
  SearchSpace space_;
  Encoder encoder_;
  Solver solver_;
  QueryResult result_;
};

// One more step: which of them violates the property.
Bit Search::NextStep() {
  std::vector<Bit> constraints;
  const SymbolicOp op = space_.NextOp(constraints);
  const StepBits step = encoder_.Step(op);
  for (Bit constraint : constraints) solver_.Assert(constraint);
  solver_.Assert(~step.impossible);
  solver_.Assert(~step.outside);
  solver_.Assert(~step.out_of_groups);
  solver_.Assert(~step.futile);  // a smallest run has no such step
  for (Bit bit : encoder_.state().AllBits()) solver_.NameWhenUsed(bit);
  for (Bit fact : encoder_.Invariants()) solver_.Assert(fact);
  return step.violated[static_cast<size_t>(property_)];
}

Solver::Answer Search::Check(const std::vector<Bit>& assumptions) {
  const Solver::Answer answer = solver_.Check(assumptions);
  if (want_smt2_) result_.smt2 = ToSmt2(space_, solver_.asserted(), assumptions);
  return answer;
}

QueryResult Search::Run() {
  const auto nodes = static_cast<uint32_t>(space_.circuit().gates().size());
  for (uint32_t node = 1; node < nodes; ++node)
    solver_.NameWhenUsed(Bit(&space_.circuit(), node << 1U));
  for (Bit constraint : space_.constraints()) solver_.Assert(constraint);
  for (int steps = 1; steps <= bounds_.steps; ++steps) {
    const Bit violated = NextStep();
    const Solver::Answer answer = Check({violated});
    if (answer == Solver::Answer::kSat) {
      Found(violated, steps);
      break;
    }
    if (answer == Solver::Answer::kUnknown) {
      result_.reason = solver_.reason();
      break;
    }
    solver_.Assert(~violated);
    result_.proved_steps = steps;
    result_.proved_devices = bounds_.devices;
    if (steps == bounds_.steps) result_.verdict = Verdict::kHolds;
  }
  result_.resources = solver_.resources();
  result_.checks = solver_.checks();
  return std::move(result_);
}

void Search::Found(Bit violated, int steps) {
  std::vector<Bit> fixed = {violated};
  FewestDevices(fixed);
  if (!result_.reason.empty()) return;
  Plainest(fixed);
  // The last check may have failed; this one is of the case itself.
  Case c = space_.Decode(kernel_, [&](Bit bit) { return solver_.Value(bit); });
  c.expectations.push_back(
      {.kind = Expectation::Kind::kViolated, .property = property_, .at = steps});
  result_.verdict = Verdict::kViolated;
  result_.found = std::move(c);
}

// From one device up, so that the first that is found is the smallest.
void Search::FewestDevices(std::vector<Bit>& fixed) {
  for (int devices = 1; devices < bounds_.devices; ++devices) {
    fixed.push_back(~space_.exists(devices));
    const Solver::Answer answer = Check(fixed);
    if (answer == Solver::Answer::kSat) return;
    fixed.pop_back();
    if (answer == Solver::Answer::kUnknown) {
      result_.reason = solver_.reason();
      return;
    }
  }
}

// Fixes one preference after another that a case of this size can meet.
void Search::Plainest(std::vector<Bit>& fixed) {
  for (Bit preference : space_.Preferences()) {
    if (preference.is_constant()) continue;
    fixed.push_back(preference);
    if (!solver_.Value(preference) && Check(fixed) != Solver::Answer::kSat) fixed.pop_back();
  }
}

}  // namespace

absl::StatusOr<QueryResult> Query(Property property, const KernelSpec& kernel, const Bounds& bounds,
                                  bool want_smt2) {
  if (bounds.devices < 1 || bounds.devices > kMaxBoundDevices)
    return absl::InvalidArgumentError(
        absl::StrFormat("devices must be 1 to %d", kMaxBoundDevices));
  if (bounds.steps < 1 || bounds.steps > kMaxBoundSteps)
    return absl::InvalidArgumentError(absl::StrFormat("steps must be 1 to %d", kMaxBoundSteps));
  try {
    return Search(property, kernel, bounds, want_smt2).Run();
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrFormat("Z3: %s", e.what()));
  }
}

}  // namespace iommucheck::smt
