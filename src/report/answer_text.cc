// SPDX-License-Identifier: Apache-2.0
#include "src/report/answer_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/report/blame_text.h"
#include "src/report/certificate_text.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string ProofLine(const Answer& a) {
  if (!a.proof->proved) return "not for every size: " + a.proof->reason;
  const int lemmas = static_cast<int>(a.proof->invariant.size());
  if (a.question.invariant) return absl::StrFormat("%s, as given", Plural(lemmas, "lemma"));
  return absl::StrFormat("%s, of %d tried; --show-invariant prints them", Plural(lemmas, "lemma"),
                         a.proof->candidates);
}

}  // namespace

std::string VerdictText(const smt::QueryResult& result, bool every_size) {
  const std::string size = absl::StrFormat("%s, %s", Plural(DevicesOf(result), "device"),
                                           Plural(StepsOf(result), "step"));
  switch (result.verdict) {
    case Verdict::kViolated:
      return "VIOLATED: " + size;
    case Verdict::kHolds:
      return every_size ? "holds for every size" : "none up to " + size;
    case Verdict::kUnknown:
      return absl::StrFormat("unknown: %s; none up to %s", result.reason, size);
  }
  return "";
}

std::string VerdictLineOf(const Answer& a) {
  const bool proved = HoldsForEverySize(a);
  return VerdictLine(
      a.question.property, a.question.kernel, VerdictName(a.result.verdict, proved),
      proved ? std::string(kEverySize) : SizeScope(DevicesOf(a.result), StepsOf(a.result)));
}

std::string HeadText(const Answer& a) {
  const Question& q = a.question;
  std::string out = Field("query", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  out += Field("kernel", KernelName(q.kernel));
  const std::string bounds =
      HoldsForEverySize(a)
          ? "machines of every size, runs of any length"
          : absl::StrFormat("up to 2 drivers, %s, %s", Plural(q.bounds.devices, "device"),
                            Plural(q.bounds.steps, "step"));
  out += ToolText() + Field("scope", bounds + " (docs/solver.md)");
  std::string verdict = VerdictText(a);
  if (a.result.verdict == Verdict::kViolated) verdict += "; no smaller case exists";
  out += Field("verdict", verdict);
  if (const std::vector<std::string> missing = RuleIds(AssumptionsNotMade(a)); !missing.empty())
    out += Field("promised",
                 absl::StrFormat("%s promises this with %s, which this kernel is not "
                                 "given (--add)",
                                 VersionName(q.kernel.version), absl::StrJoin(missing, ", ")));
  return out + ChangeText(a);
}

std::string AnswerText(const Answer& a, const std::string& next) {
  const Question& q = a.question;
  std::string out = HeadText(a);
  if (a.proof) out += Field("proof", ProofLine(a));
  if (a.certificate) out += RunsText("certified", a.certificate->runs);
  const std::string last = LastLines(next, VerdictLineOf(a));
  if (a.result.verdict != Verdict::kViolated) return out + last;

  const Case& c = a.result.found;
  out += Field("replayed",
               absl::StrFormat("in the model: yes, violated at %d", a.run.of(q.property).at));
  out += "\n" + TopologyText(c) + "trace\n" + TraceText(c, a.run);
  const std::string rules = StoppingRulesText(c, q.property);
  out += "rules that this kernel lacks, each of which alone would stop this run\n";
  return absl::StrCat(out, rules.empty() ? "  none\n" : rules, last);
}

std::string InvariantText(const Answer& a) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(AnswerText(a), '\n', absl::SkipEmpty()))
    absl::StrAppend(&out, "# ", line, "\n");
  return absl::StrCat(out, prove::Glossary(), prove::PrintLemmas(a.proof->invariant, kColumns));
}

std::string AnswerJson(const Answer& a) {
  const bool violated = a.result.verdict == Verdict::kViolated;
  Json out = Head("query", VerdictName(a.result.verdict, HoldsForEverySize(a)), DevicesOf(a.result),
                  StepsOf(a.result), a.question.kernel);
  if (HoldsForEverySize(a)) out["scope"] = {{"kind", "every-size"}};
  out["property"] = std::string(PropertyName(a.question.property));
  if (violated) out["case"] = Json::parse(CaseToJson(a.result.found));
  if (violated) out["steps"] = StepsJson(a.result.found, a.run);
  out["replayed"] = violated;
  if (violated) out["stopping_rules"] = StoppingRulesJson(a.result.found, a.question.property);
  AddChange(a, out);
  if (a.result.verdict == Verdict::kUnknown) out["reason"] = a.result.reason;
  if (HoldsForEverySize(a))
    for (const prove::Lemma& lemma : a.proof->invariant)
      out["invariant"].push_back(prove::PrintLemma(lemma));
  else if (a.proof)
    out["not_proved"] = a.proof->reason;
  if (a.certificate) out["certificate"] = RunsJson(a.certificate->runs);
  out["stats"] = {{"solver_resources", a.result.resources}, {"solver_checks", a.result.checks}};
  if (a.proof) {
    out["stats"]["proof_resources"] = a.proof->resources;
    out["stats"]["proof_checks"] = a.proof->checks;
  }
  out["verdict_line"] = VerdictLineOf(a);
  return JsonText(out);
}

}  // namespace iommucheck::report
