// SPDX-License-Identifier: Apache-2.0
//
// Parts of the JSON of several commands.
#pragma once

#include <nlohmann/json.hpp>

#include "src/case/case.h"
#include "src/case/run.h"
#include "src/case/verdict.h"
#include "src/report/verdict_line.h"

namespace iommucheck::report {

using Json = nlohmann::ordered_json;

Json KernelJson(const KernelSpec& kernel);
// Machines of so many devices and runs of so many steps, or all.
Json ScopeJson(int devices, int steps, bool every_size);
// Which version made it, by which command line: the first fields of every object.
Json ToolJson(const char* command);
// The fields that every answer has, in the schema's order.
Json Head(const char* command, const char* verdict, int devices, int steps,
          const KernelSpec& kernel);
Json StepsJson(const Case& c, const Run& run);
// Lines of text, a string each.
Json LinesJson(const std::string& lines);
// The rules that the kernel of the case lacks, each of which alone would stop its violation.
Json StoppingRulesJson(const Case& c, Property property);

}  // namespace iommucheck::report
