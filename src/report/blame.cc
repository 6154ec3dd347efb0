// SPDX-License-Identifier: Apache-2.0
#include "src/report/blame.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/case/kernel.h"
#include "src/report/diff.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string BecauseText(Verdict after, Verdict before, bool proved) {
  const bool both = before == Verdict::kViolated;
  if (after != Verdict::kViolated)
    return both ? "of this change the violation is gone, as far as the verdict goes" : "";
  if (before == Verdict::kUnknown) return "of this change: unknown";
  return both     ? "of this change: no, the kernel without it violates it, too"
         : proved ? "of this change: yes, the kernel without it never violates it"
                  : "of this change: yes, the kernel without it does not, up to the same bounds";
}

std::string OnlyText(const smt::QueryResult& only) {
  if (only.verdict != Verdict::kViolated) return VerdictText(only, false);
  return absl::StrCat("yes, ", SizeText(SizeOf(only)), " (iommucheck diff shows it)");
}

Json ChangeJson(const Answer& a) {
  assert(a.change);
  const Change& change = *a.change;
  Json out = {{"before",
               {{"kernel", KernelJson(change.before)},
                {"verdict", VerdictName(change.result.verdict, change.every_size)},
                {"scope", ScopeJson(SizeOf(change.result), change.every_size)}}},
              {"because", BecauseOf(a.result.verdict, change.result.verdict)}};
  if (!change.only) return out;
  const smt::QueryResult& only = *change.only;
  out["only_with_it"] = {{"verdict", VerdictName(only.verdict, false)},
                         {"scope", ScopeJson(SizeOf(only))}};
  if (only.verdict == Verdict::kViolated) out["only_with_it"]["case"] = CaseJson(only.found);
  return out;
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
  Question question{.property = after.property,
                    .kernel = *before,
                    .bounds = after.bounds,
                    .bounded = after.bounded};
  question.bounds.budget = smt::BudgetLeft(after.bounds.budget, ResourcesOf(answer));
  const absl::StatusOr<Answer> asked = Ask(question);
  return asked.ok() ? AskChange(answer, *asked) : asked.status();
}

absl::Status AskChange(Answer& answer, const Answer& before) {
  const Question& after = answer.question;
  Change change{.before = before.question.kernel,
                .result = before.result,
                .every_size = HoldsForEverySize(before)};
  if (answer.result.verdict == Verdict::kViolated && before.result.verdict == Verdict::kViolated) {
    const absl::StatusOr<Direction> only = AskDirection(
        {.property = after.property,
         .kernels = {before.question.kernel, after.kernel},
         .bounds = after.bounds},
        1, answer, smt::BudgetLeft(after.bounds.budget, ResourcesOf(answer) + ResourcesOf(before)));
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

std::string BeforeText(const KernelSpec& before, const std::string& verdict, Verdict after_is,
                       Verdict before_is, bool proved) {
  std::string out = Field("before", absl::StrCat(KernelName(before), ": ", verdict));
  if (const std::string because = BecauseText(after_is, before_is, proved); !because.empty())
    out += Field("because", because);
  return out;
}

std::string ChangeText(const Answer& a) {
  if (!a.change) return "";
  const Change& change = *a.change;
  std::string out = BeforeText(change.before, VerdictText(change.result, change.every_size),
                               a.result.verdict, change.result.verdict, change.every_size);
  if (change.only)
    out += Field("", "a case that only the change allows: " + OnlyText(*change.only));
  return out;
}

void AddChange(const Answer& a, Json& out) {
  if (const RuleSet missing = AssumptionsNotMade(a); !missing.empty())
    out["assumptions_not_made"] = RuleIds(missing);
  if (a.change) out["change"] = ChangeJson(a);
}

}  // namespace iommucheck::report
