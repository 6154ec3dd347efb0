// SPDX-License-Identifier: Apache-2.0
#include "src/report/answer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "src/case/encoded.h"
#include "src/report/text.h"
#include "src/smt/needed.h"

namespace iommucheck::report {
namespace {

absl::Status Disagreement(const Question& q, const Case& found, const Run& run) {
  return absl::InternalError(absl::StrCat(
      "solver and model disagree on ", std::string(PropertyName(q.property)),
      "\nthe solver says that the last op of this case violates it:\n\n", PrintCase(found),
      "\nthe model plays it so:\n\n", ReplayText(found, run, {.all_events = true})));
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

// Searches as far as that takes less time than an attempt to prove: as many steps as a violation
// takes, and one more on few devices.
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
                                        : SearchCheapBounds(question, bounds, answer);
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

}  // namespace iommucheck::report
