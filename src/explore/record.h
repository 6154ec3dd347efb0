// SPDX-License-Identifier: Apache-2.0
//
// What a search leaves in files, as JSON: a checkpoint, and the answer for merge. Errors of
// reading are InvalidArgument: "FILE: /json/pointer: expected .., found ..".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/explore/search.h"

namespace iommucheck::explore {

// The question without property and kernel, and what of the answer is not in every command's.
nlohmann::ordered_json ExplorationToJson(const ScopeAnswer& answer);
// The object that iommucheck explore --json prints.
absl::StatusOr<ScopeAnswer> AnswerFromJson(std::string_view text, const std::string& file);

std::string PrintProgress(const Progress& progress);
absl::StatusOr<Progress> ParseProgress(std::string_view text, const std::string& file);

}  // namespace iommucheck::explore
