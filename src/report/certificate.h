// SPDX-License-Identifier: Apache-2.0
//
// Certificates: of an answer, and as `iommucheck check-certificate` finds them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "src/report/answer.h"
#include "src/report/json.h"

namespace iommucheck::report {

// Gives a bounded answer its certificate; other answers have none. Errors: as
// certificate::Certify(), where the conflicts of each formula are limited by the question's budget.
absl::Status Certify(Answer& answer);

// How each length of run was proved, a line each.
std::string RunsText(const std::string& label, const std::vector<certificate::ProvedRuns>& runs);
Json RunsJson(const std::vector<certificate::ProvedRuns>& runs);

std::string CheckedText(const certificate::Checked& checked);
std::string CheckedJson(const certificate::Checked& checked);

}  // namespace iommucheck::report
