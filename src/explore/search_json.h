// SPDX-License-Identifier: Apache-2.0
//
// The files of a search, as JSON: a checkpoint, and a shard's answer, which `explore merge` reads.
// Both carry the hash of model and encoding, and a hash of the whole record. A file of another
// model, one that was changed, and one that contradicts itself or its scope is refused. The hash
// has no key: it does not reveal a file that somebody made up together with its hash. Errors of
// reading are InvalidArgument: "FILE: /json/pointer: expected .., found ..", or "FILE: made by
// another model: ..".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/explore/search.h"

namespace iommucheck::explore {

// The question without property and kernel, and the fields of the answer that only this command
// has.
nlohmann::ordered_json ExplorationToJson(const ScopeAnswer& answer);
// Writes both hashes into /exploration. The rest of the record must be complete.
void Seal(nlohmann::ordered_json& record);

// The object that iommucheck explore --json prints; `tool` is what its "tool" must be. A case in it
// is played, on the kernel of the question. Fields that depend on the
// scope's shapes are for report::Merge() to compare, which lists the shapes once.
absl::StatusOr<ScopeAnswer> AnswerFromJson(std::string_view text, const std::string& file,
                                           std::string_view tool);

std::string PrintProgress(const Progress& progress);
absl::StatusOr<Progress> ParseProgress(std::string_view text, const std::string& file);

}  // namespace iommucheck::explore
