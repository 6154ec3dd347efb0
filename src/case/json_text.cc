// SPDX-License-Identifier: Apache-2.0
#include "src/case/json_text.h"

namespace iommucheck {
namespace {

constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;

}  // namespace

std::string JsonText(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', true, kReplace) + '\n';
}

std::string JsonLine(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', true, kReplace);
}

}  // namespace iommucheck
