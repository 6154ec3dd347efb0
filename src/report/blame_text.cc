// SPDX-License-Identifier: Apache-2.0
#include "src/report/blame_text.h"

#include "absl/strings/str_cat.h"
#include "src/case/kernel.h"
#include "src/report/answer_text.h"
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
  return absl::StrCat("yes, ", Plural(DevicesOf(only), "device"), ", ",
                      Plural(StepsOf(only), "step"), " (iommucheck diff shows it)");
}

}  // namespace

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

namespace {

Json ChangeJson(const Answer& a) {
  const Change& change = *a.change;
  Json out = {
      {"before",
       {{"kernel", KernelJson(change.before)},
        {"verdict", VerdictName(change.result.verdict, change.every_size)},
        {"scope", ScopeJson(DevicesOf(change.result), StepsOf(change.result), change.every_size)}}},
      {"because", BecauseOf(a.result.verdict, change.result.verdict)}};
  if (!change.only) return out;
  const smt::QueryResult& only = *change.only;
  out["only_with_it"] = {{"verdict", VerdictName(only.verdict, false)},
                         {"scope", ScopeJson(DevicesOf(only), StepsOf(only), false)}};
  if (only.verdict == Verdict::kViolated)
    out["only_with_it"]["case"] = Json::parse(CaseToJson(only.found));
  return out;
}

}  // namespace

void AddChange(const Answer& a, Json& out) {
  if (const RuleSet missing = AssumptionsNotMade(a); !missing.empty())
    out["assumptions_not_made"] = RuleIds(missing);
  if (a.change) out["change"] = ChangeJson(a);
}

}  // namespace iommucheck::report
