// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck diff` in print.
#pragma once

#include <string>

#include "src/report/diff.h"

namespace iommucheck::report {

// The first op that has another result on the refusing kernel, or that a rule refuses only there.
std::string PartingLine(const Diff& diff, const Direction& direction);

std::string DiffText(const Diff& diff);
std::string DiffJson(const Diff& diff);

}  // namespace iommucheck::report
