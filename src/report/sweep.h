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

std::string SweepText(const Case& c, const std::vector<SweptFailure>& sweep);
std::string SweepJson(const Case& c, const std::vector<SweptFailure>& sweep);

}  // namespace iommucheck::report
