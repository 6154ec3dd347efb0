// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck explore` in print.
#pragma once

#include <string>

#include "src/report/exploration.h"

namespace iommucheck::report {

std::string ExplorationText(const Exploration& exploration, const std::string& next = "");
std::string ExplorationJson(const Exploration& exploration);

}  // namespace iommucheck::report
