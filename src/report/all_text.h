// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query --all` in print.
#pragma once

#include <string>

#include "src/report/all.h"

namespace iommucheck::report {

std::string AllText(const AllCases& all);
std::string AllJson(const AllCases& all);

}  // namespace iommucheck::report
