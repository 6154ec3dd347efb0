// SPDX-License-Identifier: Apache-2.0
//
// Certificates in print.
#pragma once

#include <string>
#include <vector>

#include "src/certificate/certificate.h"
#include "src/report/json_parts.h"

namespace iommucheck::report {

// How each length of run was proved, a line each.
std::string RunsText(const std::string& label, const std::vector<certificate::ProvedRuns>& runs);
Json RunsJson(const std::vector<certificate::ProvedRuns>& runs);

// `iommucheck check-certificate`
std::string CheckedText(const certificate::Checked& checked);
std::string CheckedJson(const certificate::Checked& checked);

}  // namespace iommucheck::report
