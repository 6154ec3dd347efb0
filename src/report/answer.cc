// SPDX-License-Identifier: Apache-2.0
#include "src/report/answer.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/report/blame.h"
#include "src/report/certificate.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// The smallest case within the bounds, replayed.
absl::Status Search(const Question& question, const smt::Bounds& bounds, Answer& answer) {
  absl::StatusOr<smt::QueryResult> result =
      smt::Query(question.property, question.kernel, bounds, question.want_smt2);
  if (!result.ok()) return result.status();
  result->resources += answer.result.resources;  // of an earlier search
  result->checks += answer.result.checks;
  answer.result = *std::move(result);
  if (answer.result.verdict != Verdict::kViolated) return absl::OkStatus();
  absl::StatusOr<Run> run = ReplayFound("solver", question.property, answer.result.found);
  if (!run.ok()) return run.status();
  answer.run = *std::move(run);
  return absl::OkStatus();
}

absl::StatusOr<prove::Proof> Prove(const Question& q, uint64_t budget) {
  const KernelProfile kernel = ProfileOf(q.kernel);
  return q.invariant ? prove::CheckInvariant(q.property, kernel, *q.invariant, budget)
                     : prove::Prove(q.property, kernel, budget);
}

// Searches as far as that is cheaper than an attempt to prove: as many steps as a violation takes
// at least, and one more on few devices.
absl::Status SearchCheapBounds(const Question& question, smt::Bounds& bounds, Answer& answer) {
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

absl::StatusOr<Run> ReplayFound(const char* engine, Property property, Case& found) {
  Run run = Play(found);
  if (run.of(property).at != static_cast<int>(found.ops.size()))
    return absl::InternalError(absl::StrCat(
        engine, " and model disagree on ", std::string(PropertyName(property)), "\nthe ", engine,
        " says that the last op of this case violates it:\n\n", PrintCase(found),
        "\nthe model plays it so:\n\n", ReplayText(found, run, {.all_events = true})));
  found = Asserted(std::move(found), run, {property});
  return run;
}

absl::StatusOr<Answer> Ask(const Question& question) {
  Answer answer{.question = question};
  smt::Bounds bounds = question.bounds;
  if (absl::Status s = question.bounded ? Search(question, bounds, answer)
                                        : SearchCheapBounds(question, bounds, answer);
      !s.ok())
    return s;
  if (question.bounded || answer.result.verdict != Verdict::kHolds) return answer;

  const absl::StatusOr<prove::Proof> proof =
      Prove(question, smt::BudgetLeft(question.bounds.budget, answer.result.resources));
  if (!proof.ok()) return proof.status();
  answer.proof = *proof;
  if (proof->proved || bounds.steps == question.bounds.steps) return answer;
  if (!proof->known && question.bounds.budget != 0) {
    answer.result.verdict = Verdict::kUnknown;
    answer.result.reason = proof->reason;
    return answer;
  }
  bounds.steps = question.bounds.steps;
  bounds.budget = smt::BudgetLeft(question.bounds.budget, ResourcesOf(answer));
  const absl::Status status = Search(question, bounds, answer);
  return status.ok() ? absl::StatusOr<Answer>(answer) : status;
}

uint64_t ResourcesOf(const Answer& a) {
  return a.result.resources + (a.proof ? a.proof->resources : 0);
}

int ChecksOf(const Answer& a) { return a.result.checks + (a.proof ? a.proof->checks : 0); }

RuleSet AssumptionsNotMade(const Answer& a) {
  return HoldsForEverySize(a) ? RuleSet{}
                              : AssumptionsNotMade(a.question.property, a.question.kernel);
}

RuleSet AssumptionsNotMade(Property property, const KernelSpec& spec) {
  RuleSet missing;
  const KernelProfile kernel = ProfileOf(spec);
  for (const Promise& p : EncodedPromises())
    if (p.version == kernel.version && p.property == property)
      for (const Rule rule : p.assumptions)
        if (!kernel.has(rule)) missing.add(rule);
  return missing;
}

std::string PromisedText(KernelVersion version, RuleSet missing, const std::string& whom) {
  const std::vector<std::string> ids = RuleIds(missing);
  if (ids.empty()) return "";
  return Field("promised",
               absl::StrFormat("%s promises this with %s, which %s is not given (--add)",
                               VersionName(version), absl::StrJoin(ids, ", "), whom));
}

namespace {

std::string ProofLine(const prove::Proof& proof, bool given) {
  if (!proof.proved) return "not for every size: " + proof.reason;
  const std::string lemmas = Plural(proof.invariant.size(), "lemma");
  return given ? lemmas + ", as given"
               : absl::StrFormat("%s, of %d tried; --show-invariant prints them", lemmas,
                                 proof.candidates);
}

}  // namespace

std::string VerdictText(const smt::QueryResult& result, bool every_size) {
  const std::string size = SizeText(SizeOf(result));
  if (result.verdict == Verdict::kViolated) return "VIOLATED: " + size;
  if (result.verdict == Verdict::kHolds)
    return every_size ? "holds for every size" : "none up to " + size;
  return absl::StrFormat("unknown: %s; none up to %s", result.reason, size);
}

std::string VerdictLineOf(const Answer& a) {
  const bool proved = HoldsForEverySize(a);
  return VerdictLine(a.question.property, a.question.kernel, VerdictName(a.result.verdict, proved),
                     proved ? std::string(kEverySize) : SizeScope(SizeOf(a.result)));
}

std::string HeadText(const Answer& a) {
  const Question& q = a.question;
  const std::string bounds =
      HoldsForEverySize(a) ? "machines of every size, runs of any length"
                           : "up to 2 drivers, " + SizeText({q.bounds.devices, q.bounds.steps});
  std::string out = QuestionText("query", q.property, q.kernel) + ToolText();
  out += Field("scope", bounds + " (docs/solver.md)");
  std::string verdict = VerdictText(a);
  if (a.result.verdict == Verdict::kViolated) verdict += "; no smaller case exists";
  out += Field("verdict", verdict);
  out += PromisedText(q.kernel.version, AssumptionsNotMade(a), "this kernel");
  return out + ChangeText(a);
}

std::string AnswerText(const Answer& a, const std::string& next) {
  std::string out = HeadText(a);
  if (a.proof) out += Field("proof", ProofLine(*a.proof, a.question.invariant.has_value()));
  if (a.certificate) out += RunsText("certified", a.certificate->runs);
  if (a.result.verdict == Verdict::kViolated)
    out += FoundText(a.result.found, a.run, a.question.property);
  return out + LastLines(next, VerdictLineOf(a));
}

std::string InvariantText(const Answer& a) {
  assert(a.proof);
  std::string out;
  for (const absl::string_view line : absl::StrSplit(AnswerText(a), '\n', absl::SkipEmpty()))
    absl::StrAppend(&out, "# ", line, "\n");
  return absl::StrCat(out, prove::Glossary(), prove::PrintLemmas(a.proof->invariant, kColumns));
}

std::string AnswerJson(const Answer& a) {
  const Verdict verdict = a.result.verdict;
  Json out = Head("query", VerdictName(verdict, HoldsForEverySize(a)), SizeOf(a.result),
                  a.question.kernel);
  if (HoldsForEverySize(a)) out["scope"] = ScopeJson({}, true);
  AddFound(a.question.property, verdict == Verdict::kViolated ? &a.result.found : nullptr, a.run,
           out);
  AddChange(a, out);
  if (verdict == Verdict::kUnknown) out["reason"] = a.result.reason;
  if (a.proof) AddProof(*a.proof, out);
  if (a.certificate) out["certificate"] = RunsJson(a.certificate->runs);
  out["stats"] = {{"solver_resources", a.result.resources}, {"solver_checks", a.result.checks}};
  if (a.proof) AddProofStats(*a.proof, out["stats"]);
  out["verdict_line"] = VerdictLineOf(a);
  return JsonText(out);
}

}  // namespace iommucheck::report
