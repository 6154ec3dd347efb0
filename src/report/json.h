// SPDX-License-Identifier: Apache-2.0
//
// One JSON object a command, in the form of docs/output.schema.json.
#pragma once

#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

std::string KernelsJson();
std::string PropertiesJson();
// `path` is where the case was read from.
std::string ReplayJson(const Case& c, const Run& run, const std::string& path);

}  // namespace iommucheck::report
