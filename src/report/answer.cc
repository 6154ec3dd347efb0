// SPDX-License-Identifier: Apache-2.0
#include "src/report/answer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string Plural(int n, const char* what) {
  return absl::StrFormat("%d %s%s", n, what, n == 1 ? "" : "s");
}

absl::Status Disagreement(const Question& q, const smt::QueryResult& result, const Run& run) {
  return absl::InternalError(absl::StrCat(
      "solver and model disagree on ", std::string(PropertyName(q.property)),
      "\nthe solver says that the last op of this case violates it:\n\n", PrintCase(result.found),
      "\nthe model plays it so:\n\n", ReplayText(result.found, run, {.all_events = true})));
}

}  // namespace

absl::StatusOr<Answer> Ask(const Question& question) {
  absl::StatusOr<smt::QueryResult> result =
      smt::Query(question.property, question.kernel, question.bounds, question.want_smt2);
  if (!result.ok()) return result.status();
  Answer answer{.question = question, .result = *std::move(result), .run = {}};
  if (answer.result.verdict != smt::Verdict::kViolated) return answer;
  answer.run = Play(answer.result.found);
  if (answer.run.of(question.property).at != static_cast<int>(answer.result.found.ops.size()))
    return Disagreement(question, answer.result, answer.run);
  ExpectAsPlayed(answer.result.found, answer.run);
  answer.result.found.expectations = {{.kind = Expectation::Kind::kViolated,
                                       .property = question.property,
                                       .at = answer.run.of(question.property).at}};
  return answer;
}

std::string VerdictLine(const Answer& a) {
  const std::string covered = absl::StrFormat("%s, %s", Plural(a.result.proved_devices, "device"),
                                              Plural(a.result.proved_steps, "step"));
  switch (a.result.verdict) {
    case smt::Verdict::kViolated:
      return absl::StrFormat("VIOLATED: %s, %s",
                             Plural(a.result.found.topology.devices_count, "device"),
                             Plural(static_cast<int>(a.result.found.ops.size()), "step"));
    case smt::Verdict::kHolds:
      return "none up to " + covered;
    case smt::Verdict::kUnknown:
      return absl::StrFormat("unknown: %s; none up to %s", a.result.reason, covered);
  }
  return "";
}

std::string AnswerText(const Answer& a) {
  const Question& q = a.question;
  std::string out = Field("query", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  out += Field("kernel", KernelName(q.kernel));
  out += Field("tool", absl::StrFormat("iommucheck %s, up to 2 drivers, %s, %s (docs/solver.md)",
                                       IOMMUCHECK_VERSION, Plural(q.bounds.devices, "device"),
                                       Plural(q.bounds.steps, "step")));
  std::string verdict = VerdictLine(a);
  if (a.result.verdict == smt::Verdict::kViolated) verdict += "; no smaller case exists";
  out += Field("verdict", verdict);
  if (a.result.verdict != smt::Verdict::kViolated) return out;

  const Case& c = a.result.found;
  out += Field("replayed",
               absl::StrFormat("in the model: yes, violated at %d", a.run.of(q.property).at));
  out += "\n" + TopologyText(c) + "trace\n" + TraceText(c, a.run);
  const std::string rules = StoppingRulesText(c, q.property);
  out += "rules that this kernel lacks, each of which alone would stop this run\n";
  return out + (rules.empty() ? "  none\n" : rules);
}

}  // namespace iommucheck::report
