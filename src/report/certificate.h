// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "src/certificate/certificate.h"
#include "src/report/answer.h"
#include "src/report/json_parts.h"

namespace iommucheck::report {

// Gives a bounded answer its certificate; other answers have none. Errors: those of
// certificate::Certify(), where the conflicts of each formula are limited by the question's budget.
absl::Status Certify(Answer& answer);

// What each length of run took, in a few lines.
std::string RunsText(const std::string& label, const std::vector<certificate::ProvedRuns>& runs);

Json RunsJson(const std::vector<certificate::ProvedRuns>& runs);

// `iommucheck check-certificate`
std::string CheckedText(const certificate::Checked& checked);
std::string CheckedJson(const certificate::Checked& checked);

}  // namespace iommucheck::report
