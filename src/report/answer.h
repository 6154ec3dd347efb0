// SPDX-License-Identifier: Apache-2.0
//
// A question about all machines of a kernel, and its answer: searched by the solver, proved, and
// replayed in the model.
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
  smt::QueryResult result;
  std::optional<prove::Proof> proof{};  // tried where a first search found nothing
  std::optional<certificate::Certificate> certificate{};  // of a bounded answer, where asked for
  std::optional<Change> change{};                         // of a patch, where asked for
  Run run;  // kViolated: the model's run of result.found, which violates the property at the end
};

// Searches as many steps as a violation takes at least, then tries a proof, then searches up to the
// bounds. Replays a case that is found. When the model does not agree, the error is Internal and
// its message holds both sides: that is a bug of iommucheck, never a finding.
absl::StatusOr<Answer> Ask(const Question& question);

// Plays a case that the solver found and that violates the property at its last op, and writes the
// outcome into the case as what is expected of it.
absl::StatusOr<Run> Replayed(const Question& question, Case& found);

inline bool HoldsForEverySize(const Answer& answer) { return answer.proof && answer.proof->proved; }

// The size of the case found, else the size up to which there is none.
inline int DevicesOf(const smt::QueryResult& result) {
  return result.verdict == Verdict::kViolated ? result.found.topology.devices_count
                                              : result.proved_devices;
}
inline int StepsOf(const smt::QueryResult& result) {
  return result.verdict == Verdict::kViolated ? static_cast<int>(result.found.ops.size())
                                              : result.proved_steps;
}

// The assumptions with which the kernel's version promises the property and which the kernel asked
// about does not have. Nothing where the property is proved all the same.
RuleSet AssumptionsNotMade(const Answer& answer);

}  // namespace iommucheck::report
