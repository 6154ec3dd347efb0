// SPDX-License-Identifier: Apache-2.0
#include "src/report/diff.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

absl::Status Disagreement(const DiffQuestion& q, const Direction& d) {
  const Case other = RefusedCase(q, d);
  return absl::InternalError(absl::StrCat(
      "solver and model disagree on ", std::string(PropertyName(q.property)),
      "\nthe solver says that the last op of this case violates it, and no op on ",
      KernelName(other.kernel), ":\n\n", PrintCase(d.result.found), "\nthe model plays it so:\n\n",
      ReplayText(d.result.found, d.allowed, {.all_events = true}), "\nand so:\n\n",
      ReplayText(other, d.refused, {.all_events = true})));
}

// Plays the case found on both kernels.
absl::Status Replay(const DiffQuestion& q, Direction& d) {
  const Property property = q.property;
  Case& found = d.result.found;
  d.allowed = Play(found);
  d.refused = Play(RefusedCase(q, d));
  const int last = static_cast<int>(found.ops.size());
  if (d.allowed.of(property).at != last || d.refused.steps.empty() ||
      d.refused.of(property).at != 0)
    return Disagreement(q, d);
  found = Asserted(std::move(found), d.allowed, {property});
  return absl::OkStatus();
}

absl::Status Search(Diff& diff, int allows) {
  const Answer& alone = *diff.alone[allows];
  absl::StatusOr<Direction> found = AskDirection(
      diff.question, allows, alone, smt::BudgetLeft(diff.question.bounds.budget, diff.resources));
  if (!found.ok()) return found.status();
  diff.directions[allows] = *std::move(found);
  if (alone.result.verdict != Verdict::kViolated) return absl::OkStatus();
  diff.resources += diff.directions[allows].result.resources;
  diff.checks += diff.directions[allows].result.checks;
  return absl::OkStatus();
}

}  // namespace

Verdict Diff::verdict() const {
  const auto any = [this](Verdict v) {
    return std::ranges::any_of(directions, [v](const Direction& d) { return d.verdict == v; });
  };
  if (any(Verdict::kViolated)) return Verdict::kViolated;
  return any(Verdict::kUnknown) ? Verdict::kUnknown : Verdict::kHolds;
}

bool Diff::every_size() const { return std::ranges::all_of(directions, &Direction::every_size); }

absl::StatusOr<Diff> AskDiff(const DiffQuestion& question) {
  Diff diff{.question = question, .alone = {}, .directions = {}};
  diff.directions[1].allows = 1;
  const std::array profiles = {ProfileOf(question.kernels[0]), ProfileOf(question.kernels[1])};
  diff.same_rules = profiles[0].era == profiles[1].era && profiles[0].rules == profiles[1].rules;
  if (diff.same_rules) {
    for (Direction& d : diff.directions) {
      d.verdict = Verdict::kHolds;
      d.every_size = true;
    }
    return diff;
  }
  for (int i = 0; i < 2; ++i) {
    Question q{.property = question.property,
               .kernel = question.kernels[i],
               .bounds = question.bounds,
               .bounded = question.bounded};
    q.bounds.budget = smt::BudgetLeft(question.bounds.budget, diff.resources);
    absl::StatusOr<Answer> answer = Ask(q);
    if (!answer.ok()) return answer.status();
    diff.resources += answer->result.resources + (answer->proof ? answer->proof->resources : 0);
    diff.checks += answer->result.checks + (answer->proof ? answer->proof->checks : 0);
    diff.alone[i] = *std::move(answer);
  }
  for (int i = 0; i < 2; ++i)
    if (absl::Status s = Search(diff, i); !s.ok()) return s;
  return diff;
}

absl::StatusOr<Direction> AskDirection(const DiffQuestion& q, int allows, const Answer& alone,
                                       uint64_t budget) {
  Direction d{.allows = allows,
              .verdict = alone.result.verdict,
              .every_size = HoldsForEverySize(alone),
              .result = alone.result,
              .allowed = {},
              .refused = {}};
  if (d.verdict != Verdict::kViolated) return d;

  smt::Bounds bounds = q.bounds;
  bounds.proved_steps = static_cast<int>(alone.result.found.ops.size()) - 1;
  bounds.budget = budget;
  absl::StatusOr<smt::QueryResult> result =
      smt::Query(q.property, q.kernels[allows], bounds, false, {}, q.kernels[1 - allows]);
  if (!result.ok()) return result.status();
  d.result = *std::move(result);
  d.verdict = d.result.verdict;
  if (d.verdict != Verdict::kViolated) return d;
  const absl::Status replayed = Replay(q, d);
  return replayed.ok() ? absl::StatusOr<Direction>(d) : replayed;
}

Case RefusedCase(const DiffQuestion& question, const Direction& direction) {
  Case c = direction.result.found;
  c.kernel = question.kernels[1 - direction.allows];
  return c;
}

}  // namespace iommucheck::report
