// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck check` in print.
#pragma once

#include <string>

#include "src/report/system.h"

namespace iommucheck::report {

std::string SystemText(const SystemReport& report);
std::string SystemJson(const SystemReport& report);

}  // namespace iommucheck::report
