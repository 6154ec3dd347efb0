// SPDX-License-Identifier: Apache-2.0
//
// A question to the solver, its answer replayed in the model, and both in print.
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

// What the rules that a patch takes away and adds make of the answer: the kernel without them. What
// the question assumes besides stays.
struct Change {
  KernelSpec before;
  smt::QueryResult result;  // of `before`, within the same bounds
  bool every_size = false;  // kHolds: proved
  // Where both kernels violate the property: the smallest case that does so on the kernel asked
  // about and on `before` not, or none up to the bounds.
  std::optional<smt::QueryResult> only{};
};

struct Answer {
  Question question;
  smt::QueryResult result;
  std::optional<prove::Proof> proof{};  // tried where a first search found nothing
  std::optional<certificate::Certificate> certificate{};  // of a bounded answer, where asked for
  std::optional<Change> change{};                         // of a patch, where asked for
  Run run;  // kViolated: the model's run of result.found, which violates the property at the end
};

// Searches as many steps as a violation takes at least, then tries the proof, then searches up to
// the bounds. Replays what is found. When the model does not agree, the error is Internal and its
// message holds both sides: that is a bug of iommucheck, never a finding.
absl::StatusOr<Answer> Ask(const Question& question);

// Plays a case that the solver found, which violates the property at its last op, and writes down
// what is expected of it.
absl::StatusOr<Run> Replayed(const Question& question, Case& found);

inline bool HoldsForEverySize(const Answer& answer) { return answer.proof && answer.proof->proved; }

// The size of the case found, else what was shown to have none.
inline int DevicesOf(const smt::QueryResult& result) {
  return result.verdict == Verdict::kViolated ? result.found.topology.devices_count
                                              : result.proved_devices;
}
inline int StepsOf(const smt::QueryResult& result) {
  return result.verdict == Verdict::kViolated ? static_cast<int>(result.found.ops.size())
                                              : result.proved_steps;
}

// "VIOLATED: 2 devices, 5 steps" and so on, in one line.
std::string VerdictText(const smt::QueryResult& result, bool every_size);
inline std::string VerdictText(const Answer& answer) {
  return VerdictText(answer.result, HoldsForEverySize(answer));
}
// The line that is made to be grepped.
std::string VerdictLineOf(const Answer& answer);

// What the kernel's version promises the property with, and the kernel asked about has not; nothing
// where the property is proved all the same.
RuleSet AssumptionsNotMade(const Answer& answer);

// The question, and the answer in one line.
std::string HeadText(const Answer& answer);

// `iommucheck query`
// `next`: a command that goes on from here, if any.
std::string AnswerText(const Answer& answer, const std::string& next = "");
std::string AnswerJson(const Answer& answer);
// `iommucheck query --show-invariant`: a file that --invariant takes.
std::string InvariantText(const Answer& answer);

}  // namespace iommucheck::report
