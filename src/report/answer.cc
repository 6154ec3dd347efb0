// SPDX-License-Identifier: Apache-2.0
#include "src/report/answer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/report/blame.h"
#include "src/report/certificate.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"
#include "src/smt/needed.h"

namespace iommucheck::report {
namespace {

absl::Status Disagreement(const Question& q, const Case& found, const Run& run) {
  return absl::InternalError(absl::StrCat(
      "solver and model disagree on ", std::string(PropertyName(q.property)),
      "\nthe solver says that the last op of this case violates it:\n\n", PrintCase(found),
      "\nthe model plays it so:\n\n", ReplayText(found, run, {.all_events = true})));
}

std::string ProofLine(const Answer& a) {
  if (!a.proof->proved) return "not for every size: " + a.proof->reason;
  const int lemmas = static_cast<int>(a.proof->invariant.size());
  if (a.question.invariant) return absl::StrFormat("%s, as given", Plural(lemmas, "lemma"));
  return absl::StrFormat("%s, of %d tried; --show-invariant prints them", Plural(lemmas, "lemma"),
                         a.proof->candidates);
}

// The smallest case within the bounds, replayed.
absl::Status Search(const Question& question, const smt::Bounds& bounds, Answer& answer) {
  absl::StatusOr<smt::QueryResult> result =
      smt::Query(question.property, question.kernel, bounds, question.want_smt2);
  if (!result.ok()) return result.status();
  result->resources += answer.result.resources;  // of an earlier search
  result->checks += answer.result.checks;
  answer.result = *std::move(result);
  if (answer.result.verdict != Verdict::kViolated) return absl::OkStatus();
  absl::StatusOr<Run> run = Replayed(question, answer.result.found);
  if (!run.ok()) return run.status();
  answer.run = *std::move(run);
  return absl::OkStatus();
}

absl::Status Prove(const Question& q, uint64_t budget, Answer& answer) {
  const KernelProfile kernel = ProfileOf(q.kernel);
  absl::StatusOr<prove::Proof> proof =
      q.invariant ? prove::CheckInvariant(q.property, kernel, *q.invariant, budget)
                  : prove::Prove(q.property, kernel, budget);
  if (!proof.ok()) return proof.status();
  answer.proof = *std::move(proof);
  return absl::OkStatus();
}

// What takes less time than an attempt to prove: as many steps as a violation takes, and one more
// on few devices.
absl::Status SearchWhatIsCheap(const Question& question, smt::Bounds& bounds, Answer& answer) {
  bounds.steps = std::min(question.bounds.steps, smt::StepsNeeded(question.property));
  if (absl::Status s = Search(question, bounds, answer); !s.ok()) return s;
  bounds.proved_steps = answer.result.proved_steps;
  if (answer.result.verdict != Verdict::kHolds || bounds.steps == question.bounds.steps)
    return absl::OkStatus();
  smt::Bounds few = bounds;
  few.devices = question.property == Property::kNoCrossDriverAttach ? 2 : 1;
  few.devices = std::min(few.devices, bounds.devices);
  ++few.steps;
  few.budget = smt::BudgetLeft(question.bounds.budget, answer.result.resources);
  Answer on_few = answer;
  if (absl::Status s = Search(question, few, on_few); !s.ok()) return s;
  if (on_few.result.verdict == Verdict::kViolated) {
    answer = on_few;
  } else {
    answer.result.resources = on_few.result.resources;
    answer.result.checks = on_few.result.checks;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Run> Replayed(const Question& question, Case& found) {
  Run run = Play(found);
  const int at = run.of(question.property).at;
  if (at != static_cast<int>(found.ops.size())) return Disagreement(question, found, run);
  found = Asserted(std::move(found), run, {question.property});
  return run;
}

absl::StatusOr<Answer> Ask(const Question& question) {
  Answer answer{.question = question, .result = {}, .run = {}};
  smt::Bounds bounds = question.bounds;
  if (absl::Status s = question.bounded ? Search(question, bounds, answer)
                                        : SearchWhatIsCheap(question, bounds, answer);
      !s.ok())
    return s;
  if (question.bounded || answer.result.verdict != Verdict::kHolds) return answer;

  if (absl::Status s =
          Prove(question, smt::BudgetLeft(question.bounds.budget, answer.result.resources), answer);
      !s.ok())
    return s;
  if (answer.proof->proved || bounds.steps == question.bounds.steps) return answer;
  if (!answer.proof->known && question.bounds.budget != 0) {
    answer.result.verdict = Verdict::kUnknown;
    answer.result.reason = answer.proof->reason;
    return answer;
  }
  bounds.steps = question.bounds.steps;
  bounds.budget =
      smt::BudgetLeft(question.bounds.budget, answer.result.resources + answer.proof->resources);
  const absl::Status status = Search(question, bounds, answer);
  return status.ok() ? absl::StatusOr<Answer>(answer) : status;
}

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

RuleSet AssumptionsNotMade(const Answer& a) {
  RuleSet missing;
  if (HoldsForEverySize(a)) return missing;
  const KernelProfile kernel = ProfileOf(a.question.kernel);
  for (const Promise& p : EncodedPromises())
    if (p.version == kernel.version && p.property == a.question.property)
      for (const Rule rule : p.assumptions)
        if (!kernel.has(rule)) missing.add(rule);
  return missing;
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

}  // namespace iommucheck::report
