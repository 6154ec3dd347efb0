// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck explore`: an exhaustive search, replayed in the model; and the shards of one, joined.
#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "src/case/run.h"
#include "src/explore/search.h"

namespace iommucheck::report {

struct Exploration {
  explore::ScopeAnswer answer;
  Run run{};  // kViolated: the model's run of answer.found, which violates the property at the end
};

// Replays the case found. Errors: as ReplayFound().
absl::StatusOr<Exploration> Replayed(explore::ScopeAnswer answer);

// Joins the answers of all shards of one search, in any order. Errors: InvalidArgument when they
// are not all shards of one search, or when one is not about the shapes of its shard; `files` names
// them.
absl::StatusOr<explore::ScopeAnswer> Merge(std::span<const explore::ScopeAnswer> shards,
                                           std::span<const std::string> files);

std::string ExplorationText(const Exploration& exploration, const std::string& next = "");
std::string ExplorationJson(const Exploration& exploration);

}  // namespace iommucheck::report
