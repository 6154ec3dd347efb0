// SPDX-License-Identifier: Apache-2.0
#include "src/smt/rule_query.h"

#include <cassert>
#include <optional>

#include "src/smt/size_search.h"

namespace iommucheck::smt {

struct RuleQuery::Part {
  Runs runs;
  std::optional<SizeSearch> search;  // made when it is first asked
  bool violated_before = false;
};

RuleQuery::RuleQuery(Property property, const KernelSpec& kernel, RuleSet open,
                     const Bounds& bounds)
    : kernel_(kernel), open_(open), bounds_(bounds) {
  for (int steps = StepsNeeded(property); steps <= bounds.steps; ++steps)
    for (const OpKinds& spare : SpareKinds(steps - StepsNeeded(property), bounds.devices)) {
      parts_.push_back(std::make_unique<Part>());
      parts_.back()->runs = {.property = property, .steps = steps, .spare = spare};
    }
}

RuleQuery::~RuleQuery() = default;

Verdict RuleQuery::Ask(RuleSet kept, bool as_before) {
  core_ = {};
  for (const std::unique_ptr<Part>& part : parts_) {
    if (as_before && !part->violated_before) continue;
    std::optional<SizeSearch>& begun = part->search;
    if (!begun) begun.emplace(kernel_, open_, bounds_.devices, part->runs, 0);
    SizeSearch& search = *begun;
    search.LimitRest(BudgetLeft(bounds_.budget, resources()));
    switch (search.Violated(kept)) {
      case Solver::Answer::kSat:
        part->violated_before = true;
        found_ = part.get();
        return Verdict::kViolated;
      case Solver::Answer::kUnsat:
        core_ = core_ | search.Core();
        break;
      case Solver::Answer::kUnknown:
        reason_ = search.solver().reason();
        return Verdict::kUnknown;
    }
  }
  return Verdict::kHolds;
}

Case RuleQuery::Found() {
  assert(found_ != nullptr && found_->search);
  return found_->search->Found();
}

uint64_t RuleQuery::resources() const {
  uint64_t resources = 0;
  for (const std::unique_ptr<Part>& part : parts_)
    if (const auto& search = part->search; search) resources += search->solver().resources();
  return resources;
}

int RuleQuery::checks() const {
  int checks = 0;
  for (const std::unique_ptr<Part>& part : parts_)
    if (const auto& search = part->search; search) checks += search->solver().checks();
  return checks;
}

}  // namespace iommucheck::smt
