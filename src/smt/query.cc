// SPDX-License-Identifier: Apache-2.0
//
// Bounded search by iterative deepening: over steps, for each number of them over devices; the
// first case found is the smallest. Then the plainest attributes.
#include "src/smt/query.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_format.h"
#include "src/case/engine_error.h"
#include "src/smt/size_search.h"
#include "src/tool/stop.h"

namespace iommucheck::smt {
namespace {

using Answer = Solver::Answer;

// Orders of the same ops, the one that reads most easily first: groups join in order when the rest
// is set up.
std::vector<std::vector<Op>> Orders(const std::vector<Op>& found) {
  const auto turn = [](const Op& op) { return SetUpTurn(op.kind); };
  const auto joins = [](const Op& op) {
    return op.kind == OpKind::kSetContainer || op.kind == OpKind::kSetIommu;
  };
  using Key = std::pair<int, int>;
  const auto sorted = [&](const std::function<Key(const Op&)>& key) {
    std::vector<std::pair<Key, size_t>> places;
    places.reserve(found.size());
    for (size_t i = 0; i < found.size(); ++i) places.emplace_back(key(found[i]), i);
    std::ranges::sort(places);
    std::vector<Op> ops;
    ops.reserve(found.size());
    for (const auto& [unused, i] : places) ops.push_back(found[i]);
    return ops;
  };
  return {sorted([&](const Op& op) { return Key(turn(op), op.a); }),
          sorted([&](const Op& op) { return Key(turn(op), joins(op) ? -op.a : op.a); }),
          sorted([&](const Op& op) { return joins(op) ? Key(turn(op), op.a) : Key(0, 0); }), found};
}

class Search {
 public:
  Search(Property property, const KernelSpec& kernel, RuleSet open, const Bounds& bounds,
         bool want_smt2, const std::optional<KernelSpec>& refusing)
      : property_(property),
        kernel_(kernel),
        open_(open),
        bounds_(bounds),
        want_smt2_(want_smt2),
        refusing_(refusing) {}
  // The result so far, where the search is stopped: a case that was found stays found.
  QueryResult Known(std::string reason) {
    result_.reason = std::move(reason);
    return std::move(result_);
  }

  QueryResult Run() {
    result_.proved_devices = bounds_.devices;
    Deepen(
        property_, bounds_, absl::StrFormat("on up to %d devices", bounds_.devices),
        [this](int steps) { return FindAt(steps); }, result_);
    return std::move(result_);
  }

 private:
  // A violation at that step on the fewest devices.
  Answer FindAt(int steps) {
    // A device that no driver takes does no harm: none on so many is none on fewer. With steps to
    // spare it is faster to look at few devices first.
    if (steps == StepsNeeded(property_)) {
      const Answer any = Find(bounds_.devices, steps);
      if (any != Answer::kSat) return any;
    }
    for (int devices = 1; devices <= bounds_.devices; ++devices) {
      const Answer answer = Find(devices, steps);
      if (answer == Answer::kUnsat) continue;
      if (answer == Answer::kUnknown) return answer;
      result_.verdict = Verdict::kViolated;
      return MakePlain(devices);
    }
    return Answer::kUnsat;
  }

  Answer Find(int devices, int steps) {
    for (const OpKinds& spare : SpareKinds(steps - StepsNeeded(property_), devices)) {
      runs_ = {.property = property_, .steps = steps, .spare = spare, .refusing = refusing_};
      const Answer answer = Look(devices);
      if (answer != Answer::kUnsat) return answer;
    }
    return Answer::kUnsat;
  }

  // Find() found one of runs_. Looks for a plainer one: one that the refusing kernel takes, the
  // plainest kinds of ops, a plain order, plain attributes. If the budget ends, the last one found
  // stands.
  Answer MakePlain(int devices) {
    if (refusing_) {
      runs_.taken = true;
      const Answer answer = Look(devices);
      if (answer == Answer::kUnknown) return Answer::kSat;
      runs_.taken = answer == Answer::kSat;
    }
    for (size_t i = kPlainFirst.size(); i-- > 0 && runs_.spare.count() > 1;) {
      const auto kind = static_cast<size_t>(kPlainFirst[i]);
      if (!runs_.spare[kind] || Needed(property_, kPlainFirst[i])) continue;
      runs_.spare.reset(kind);
      if (!Uses(kPlainFirst[i])) continue;
      const Answer answer = Look(devices);
      if (answer == Answer::kUnknown) return Answer::kSat;
      if (answer == Answer::kUnsat) runs_.spare.set(kind);
    }
    for (const std::vector<Op>& order : Orders(ops_)) {
      runs_.ops = order;
      if (Look(devices) != Answer::kUnsat) return Answer::kSat;
    }
    throw std::logic_error("a run that violates the property does not");
  }

  // Whether one of runs_ violates the property on so many devices; keeps the case.
  Answer Look(int devices) {
    if (bounds_.budget != 0 && result_.resources >= bounds_.budget) {
      result_.reason = "the budget is used up";
      return Answer::kUnknown;
    }
    const bool one_run = !runs_.ops.empty();
    SizeSearch size(kernel_, open_, devices, runs_, BudgetLeft(bounds_.budget, result_.resources));
    const Answer answer = size.Violated();
    if (answer == Answer::kSat) {
      result_.found = one_run ? size.Plainest() : size.Found();
      ops_ = size.Ops();
    }
    if (answer == Answer::kUnknown) result_.reason = size.solver().reason();
    if (want_smt2_ && (answer == Answer::kSat || !one_run)) result_.smt2 = size.LastCheck();
    result_.resources += size.solver().resources();
    result_.checks += size.solver().checks();
    return answer;
  }

  [[nodiscard]] bool Uses(OpKind kind) const {
    return std::ranges::find(ops_, kind, &Op::kind) != ops_.end();
  }

  Property property_;
  const KernelSpec& kernel_;
  RuleSet open_;
  Bounds bounds_;
  bool want_smt2_;
  const std::optional<KernelSpec>& refusing_;
  QueryResult result_;
  Runs runs_;            // of the last Look()
  std::vector<Op> ops_;  // of the last case found, as its search space numbers things
};

}  // namespace

bool Needed(Property property, OpKind kind) {
  const bool reuse = property == Property::kNoCrossDriverReuse;
  return kind == OpKind::kRegister ||
         (reuse && (kind == OpKind::kSetContainer || kind == OpKind::kSetIommu));
}

int StepsNeeded(Property property) { return property == Property::kNoCrossDriverReuse ? 5 : 2; }

int SetUpTurn(OpKind kind) {
  switch (kind) {
    case OpKind::kRegister:
      return 0;
    case OpKind::kConfigure:
      return 1;
    case OpKind::kSetContainer:
      return 3;
    case OpKind::kSetIommu:
      return 4;
    default:
      return 2;
  }
}

uint64_t BudgetLeft(uint64_t budget, uint64_t used) {
  if (budget == 0) return 0;
  return used < budget ? budget - used : 1;
}

absl::StatusOr<QueryResult> Query(Property property, const KernelSpec& kernel, const Bounds& bounds,
                                  bool want_smt2, RuleSet open,
                                  const std::optional<KernelSpec>& refusing) {
  if (!IsEncoded(property))
    return absl::InvalidArgumentError(
        absl::StrFormat("expected a property that is encoded, found %s", PropertyName(property)));
  if (bounds.devices < 1 || bounds.devices > kMaxBoundDevices)
    return absl::InvalidArgumentError(absl::StrFormat("devices must be 1 to %d", kMaxBoundDevices));
  if (bounds.steps < 1 || bounds.steps > kMaxBoundSteps)
    return absl::InvalidArgumentError(absl::StrFormat("steps must be 1 to %d", kMaxBoundSteps));
  Search search(property, kernel, open, bounds, want_smt2, refusing);
  try {
    return search.Run();
  } catch (const std::exception& e) {
    if (tool::Stopped()) return search.Known(tool::StopReason());
    if (IsOutOfMemory(e)) return search.Known("out of memory");
    return EngineError(e);
  }
}

}  // namespace iommucheck::smt
