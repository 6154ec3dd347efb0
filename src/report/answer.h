// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query`: a question about all machines of a kernel, and its answer: searched by the
// solver, proved, and replayed in the model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/certificate/certificate.h"
#include "src/prove/prove.h"
#include "src/report/verdict_line.h"
#include "src/smt/query.h"

namespace iommucheck::report {

struct Question {
  Property property = Property::kNoCrossDriverReuse;
  KernelSpec kernel;
  smt::Bounds bounds;
  bool want_smt2 = false;
  bool bounded = false;  // do not try to prove it for every size
  // An invariant to check instead of looking for one.
  std::optional<std::vector<prove::Lemma>> invariant{};
  friend bool operator==(const Question&, const Question&) = default;
};

// The answer for the kernel without the rules that a patch takes away and adds. Assumptions of the
// question stay.
struct Change {
  KernelSpec before;
  smt::QueryResult result;  // of `before`, within the same bounds
  bool every_size = false;  // kHolds: proved
  // Where both kernels violate the property: the smallest case that violates it on the kernel asked
  // about and not on `before`, or none up to the bounds.
  std::optional<smt::QueryResult> only{};
};

struct Answer {
  Question question;
  smt::QueryResult result{};
  std::optional<prove::Proof> proof{};  // tried where a first search found nothing
  std::optional<certificate::Certificate> certificate{};  // of a bounded answer, where asked for
  std::optional<Change> change{};                         // of a patch, where asked for
  Run run{};  // kViolated: the model's run of result.found, which violates it at the end
};

// Searches as many steps as a violation takes at least, then tries a proof, then searches up to the
// bounds. Replays a case that is found. Errors: Internal, if solver and model disagree.
absl::StatusOr<Answer> Ask(const Question& question);

// Plays a case that an engine ("solver") found and that violates the property at its last op, and
// writes the outcome into the case as what is expected of it. If the model does not agree, the
// error is Internal and has both sides: that is a bug of iommucheck, never a finding.
absl::StatusOr<Run> ReplayFound(const char* engine, Property property, Case& found);

inline bool HoldsForEverySize(const Answer& answer) { return answer.proof && answer.proof->proved; }

// The size of the case found; if none was found, the size up to which that is known.
inline Size SizeOf(const smt::QueryResult& result) {
  if (result.verdict == Verdict::kViolated) return SizeOf(result.found);
  return {.devices = result.proved_devices, .steps = result.proved_steps};
}

// What the solver spent on it, and on the proof.
uint64_t ResourcesOf(const Answer& answer);
int ChecksOf(const Answer& answer);

// The assumptions with which the kernel's version promises the property and which the kernel asked
// about does not have. Nothing where the property is proved all the same.
RuleSet AssumptionsNotMade(const Answer& answer);
// The same of any kernel, whatever the answer is.
RuleSet AssumptionsNotMade(Property property, const KernelSpec& kernel);
// "v6.12.y promises this with .., which `whom` is not given (--add)", as a field; empty where no
// assumption is missing.
std::string PromisedText(KernelVersion version, RuleSet missing, const std::string& whom);

// "VIOLATED: 2 devices, 5 steps" and so on, in one line.
std::string VerdictText(const smt::QueryResult& result, bool every_size);
inline std::string VerdictText(const Answer& answer) {
  return VerdictText(answer.result, HoldsForEverySize(answer));
}
// The line that is made to be grepped.
std::string VerdictLineOf(const Answer& answer);

// The question, and the answer in one line.
std::string HeadText(const Answer& answer);

// `next`: a command that goes on from here, if any.
std::string AnswerText(const Answer& answer, const std::string& next = "");
std::string AnswerJson(const Answer& answer);
// `iommucheck query --show-invariant`: a file that --invariant takes. There must be a proof.
std::string InvariantText(const Answer& answer);

}  // namespace iommucheck::report
