// SPDX-License-Identifier: Apache-2.0
//
// Why a property holds: which rules suffice, and which removals break it. docs/guards.md says how
// to read the map.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/smt/query.h"

namespace iommucheck::guards {

struct Question {
  Property property = Property::kNoCrossDriverReuse;
  KernelSpec kernel;
  // Bounds of the search if there is no proof. Steps 0 means one more than the shortest violation
  // on the kernel without any rules, or exactly as many if `bounded`.
  smt::Bounds bounds{.steps = 0};
  bool bounded = false;  // do not try to prove anything
};

// Rules that suffice: no kernel that has them violates the property, whichever other rules it
// lacks. The set is minimal: without any one of them, some such kernel does violate it.
struct Sufficient {
  RuleSet rules;
  bool every_size = false;  // proved; otherwise the search found no violation within its bounds
  std::string why_not{};    // not proved: the reason
  RuleSet proved_with{};    // not proved: further rules with which they are; empty: unknown
};

// Rules without which the kernel violates the property. With any one of them back it does not.
struct Removal {
  RuleSet rules;
  Case found;  // the smallest case, as the model plays it
};

// The answer for a kernel that has exactly some of the rules.
struct Standing {
  Verdict verdict = Verdict::kUnknown;
  std::optional<size_t> by{};  // kHolds: index in Map::sufficient; none: within the bounds
  bool proved = false;         // kHolds: for every size
  Case found{};                // kViolated: the smallest case
};

// The effect of dropping one rule: the answers for kernels without it.
struct Alone {
  Rule rule;
  std::optional<Standing> as_is{};  // the kernel in question; none: it does not have the rule
  Standing with_all{};              // the kernel with all of Map::in_table
};

struct Map {
  Question question;  // with the number of steps that the search used
  // All rules that may be dropped: the kernel's rules, and the assumptions that the question keeps.
  RuleSet universe;
  std::vector<Sufficient> sufficient{};
  std::vector<Removal> removals{};  // fewest rules first
  RuleSet in_table{};               // `universe` without assumptions that suffice alone
  int as_is_steps = 0;              // steps for which the kernel in question was searched
  Standing kernel{};                // the kernel in question, with its rules and assumptions
  std::vector<Alone> alone{};       // one for each of in_table
  bool complete = false;            // false: there may be more of everything
  std::string why_cut{};            // not complete: why
  uint64_t resources = 0;           // solver resources used
  int checks = 0;                   // solver calls
};

// Errors: Internal if solver, proofs and model contradict each other; and the errors of
// smt::Query().
absl::StatusOr<Map> FindGuards(const Question& question);

// The rules that a question is about, and its kernel with only `rules` of them.
RuleSet UniverseOf(const KernelSpec& kernel);
KernelSpec KernelWith(const KernelSpec& kernel, RuleSet universe, RuleSet rules);

}  // namespace iommucheck::guards
