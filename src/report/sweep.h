// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck replay --sweep`
#pragma once

#include <string>
#include <vector>

#include "src/case/sweep.h"

namespace iommucheck::report {

// Whether a failure breaks a property or loses something for good.
bool IsBad(const SweptFailure& failure);

// `path` names the case in the lines made to be grepped, which are of the case as written.
std::string SweepText(const Case& c, const std::vector<SweptFailure>& sweep,
                      const std::string& path);
std::string SweepJson(const Case& c, const std::vector<SweptFailure>& sweep,
                      const std::string& path);

}  // namespace iommucheck::report
