// SPDX-License-Identifier: Apache-2.0
//
// One JSON object a command, in the form of docs/output.schema.json.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

std::string KernelsJson(std::span<const Rule> rules, std::span<const KernelVersion> versions);
std::string PropertiesJson(std::span<const Property> properties);
// `path` names the case in the lines made to be grepped.
std::string ReplayJson(const Case& c, const Run& run, const std::string& path);

}  // namespace iommucheck::report
