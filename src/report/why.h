// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck check --why`: why devices of a system share a group, or have none.
#pragma once

#include <string>
#include <vector>

#include "src/import/grouping.h"

namespace iommucheck::report {

std::string WhyText(const std::string& path, const std::vector<import::GroupStory>& stories);
std::string WhyJson(const std::string& path, const std::vector<import::GroupStory>& stories);

}  // namespace iommucheck::report
