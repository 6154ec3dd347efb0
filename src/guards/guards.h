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
  // Bounds of the search where nothing is proved. No steps: one more than the shortest violation on
  // the kernel without any rules; as many as that one where `bounded`.
  smt::Bounds bounds{.steps = 0};
  bool bounded = false;  // do not try to prove anything
};

// Rules that suffice: no kernel that has them violates the property, whichever others it lacks.
// Each of them is needed: without it, some such kernel does.
struct Sufficient {
  RuleSet rules;
  bool every_size = false;  // proved; otherwise none within the bounds
  std::string why_not{};    // not proved: the reason
  RuleSet proved_with{};    // not proved: rules that, together with these, are; none: not known
};

// Rules without which the kernel violates the property. With any one of them back it does not.
struct Removal {
  RuleSet rules;
  Case found;  // the smallest one, as the model plays it
};

// The answer for a kernel that has some of the rules and no others.
struct Standing {
  Verdict verdict = Verdict::kUnknown;
  std::optional<size_t> by{};  // kHolds: by this one of Map::sufficient; none: within the bounds
  bool proved = false;         // kHolds: for every size
  Case found{};                // kViolated: the smallest
};

// What dropping one rule does: the answers for kernels without it.
struct Alone {
  Rule rule;
  std::optional<Standing> as_is{};  // the kernel asked about; none: it has not got the rule
  Standing with_all{};              // that of Map::in_table
};

struct Map {
  Question question;  // with the number of steps that were looked at
  // All that may be dropped: the kernel's rules, and the assumptions that the question keeps.
  RuleSet universe;
  std::vector<Sufficient> sufficient{};
  std::vector<Removal> removals{};  // fewest rules first
  RuleSet in_table{};               // `universe` without assumptions that suffice alone
  int as_is_steps = 0;              // how far the kernel as it is was searched: as far as by query
  Standing kernel{};                // the kernel asked about, with what it has and assumes
  std::vector<Alone> alone{};       // one each of in_table
  bool complete = false;            // false: there may be more of all
  std::string why_cut{};            // not complete: why
  uint64_t resources = 0;           // solver resources used
  int checks = 0;                   // solver calls
};

// Errors: Internal where solver, proofs and model contradict each other; and the errors of
// smt::Query().
absl::StatusOr<Map> FindGuards(const Question& question);

// The rules that a question is about, and its kernel with only `rules` of them.
RuleSet UniverseOf(const KernelSpec& kernel);
KernelSpec KernelWith(const KernelSpec& kernel, RuleSet universe, RuleSet rules);

}  // namespace iommucheck::guards
