// SPDX-License-Identifier: Apache-2.0
//
// JSON as text. All that iommucheck writes goes this way.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace iommucheck {

// With an end of line, in ASCII: what a terminal would act on is escaped. Names and paths may have
// bytes that are not UTF-8, which JSON cannot say: U+FFFD stands for each.
std::string JsonText(const nlohmann::ordered_json& json, int indent = 2);

// The same on one line, without its end.
std::string JsonLine(const nlohmann::ordered_json& json);

}  // namespace iommucheck
