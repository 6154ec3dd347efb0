// SPDX-License-Identifier: Apache-2.0
//
// A question to the solver, its answer replayed in the model, and both in print.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/smt/query.h"

namespace iommucheck::report {

struct Question {
  Property property = Property::kNoCrossDriverReuse;
  KernelSpec kernel;
  smt::Bounds bounds;
  bool want_smt2 = false;
  friend bool operator==(const Question&, const Question&) = default;
};

struct Answer {
  Question question;
  smt::QueryResult result;
  Run run;  // kViolated: the model's run of result.found, which violates the property at the end
};

// Asks the solver and replays what it finds. When the model does not agree, the error is Internal
// and its message holds both sides: that is a bug of iommucheck, never a finding.
absl::StatusOr<Answer> Ask(const Question& question);

// "VIOLATED: 2 devices, 5 steps" and so on, in one line.
std::string VerdictLine(const Answer& answer);

// `iommucheck query`
std::string AnswerText(const Answer& answer);
std::string AnswerJson(const Answer& answer);

}  // namespace iommucheck::report
