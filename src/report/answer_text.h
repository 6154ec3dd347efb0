// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query` in print.
#pragma once

#include <string>

#include "src/report/answer.h"

namespace iommucheck::report {

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
// `iommucheck query --show-invariant`: a file that --invariant takes.
std::string InvariantText(const Answer& answer);

}  // namespace iommucheck::report
