// SPDX-License-Identifier: Apache-2.0
//
// JSON as text. iommucheck writes all of its JSON by these functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace iommucheck {

// With an end of line, in ASCII; characters that a terminal would act on are escaped. Names and
// paths may have bytes that are not UTF-8, which JSON cannot represent: each becomes U+FFFD.
std::string JsonText(const nlohmann::ordered_json& json, int indent = 2);

// On one line, without an end of line.
std::string JsonLine(const nlohmann::ordered_json& json);

}  // namespace iommucheck
