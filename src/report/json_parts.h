// SPDX-License-Identifier: Apache-2.0
//
// What the JSON of several commands has in common.
#pragma once

#include <nlohmann/json.hpp>

#include "src/case/case.h"
#include "src/case/run.h"
#include "src/case/verdict.h"

namespace iommucheck::report {

using Json = nlohmann::ordered_json;

const char* VerdictName(Verdict verdict);
Json KernelJson(const KernelSpec& kernel);
// What made it, and by which command line: the first fields of every object.
Json ToolJson(const char* command);
// The fields that every answer has, in the schema's order.
Json Head(const char* command, const char* verdict, int devices, int steps,
          const KernelSpec& kernel);
Json StepsJson(const Case& c, const Run& run);

}  // namespace iommucheck::report
