// SPDX-License-Identifier: Apache-2.0
#include "src/report/blame.h"

#include <utility>

#include "src/report/diff.h"

namespace iommucheck::report {
namespace {

uint64_t ResourcesOf(const Answer& a) {
  return a.result.resources + (a.proof ? a.proof->resources : 0);
}

}  // namespace

std::optional<KernelSpec> WithoutPatch(const KernelSpec& kernel) {
  KernelSpec before = kernel;
  for (const RuleInfo& info : AllRules()) {
    if (info.kind == RuleKind::kAssumption) continue;
    before.dropped.drop(info.rule);
    before.added.drop(info.rule);
  }
  return before == kernel ? std::nullopt : std::optional(before);
}

absl::Status AskChange(Answer& answer) {
  const std::optional<KernelSpec> before = WithoutPatch(answer.question.kernel);
  if (!before) return absl::OkStatus();
  const Question& after = answer.question;
  const uint64_t budget = after.bounds.budget;
  Question question{.property = after.property,
                    .kernel = *before,
                    .bounds = after.bounds,
                    .bounded = after.bounded};
  uint64_t used = ResourcesOf(answer);
  question.bounds.budget = smt::BudgetLeft(budget, used);
  absl::StatusOr<Answer> asked = Ask(question);
  if (!asked.ok()) return asked.status();
  used += ResourcesOf(*asked);
  Change change{
      .before = *before, .result = asked->result, .every_size = HoldsForEverySize(*asked)};
  if (answer.result.verdict == Verdict::kViolated && asked->result.verdict == Verdict::kViolated) {
    const absl::StatusOr<Direction> only = AskDirection(
        {.property = after.property, .kernels = {*before, after.kernel}, .bounds = after.bounds}, 1,
        answer, smt::BudgetLeft(budget, used));
    if (!only.ok()) return only.status();
    change.only = only->result;
  }
  answer.change = std::move(change);
  return absl::OkStatus();
}

const char* BecauseOf(Verdict after, Verdict before) {
  if (after == Verdict::kUnknown || before == Verdict::kUnknown) return "unknown";
  return after == Verdict::kViolated && before == Verdict::kHolds ? "yes" : "no";
}

}  // namespace iommucheck::report
