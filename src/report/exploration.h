// SPDX-License-Identifier: Apache-2.0
//
// The answer of an exhaustive search, in print and as JSON, and answers of shards joined.
#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "src/case/run.h"
#include "src/explore/search.h"

namespace iommucheck::report {

struct Exploration {
  explore::ScopeAnswer answer;
  Run run;  // kViolated: the model's run of answer.found, which violates the property at the end
};

// Replays what was found. Internal when the model does not agree: that is a bug of iommucheck.
absl::StatusOr<Exploration> Replayed(explore::ScopeAnswer answer);

std::string ExplorationText(const Exploration& exploration, const std::string& next = "");
std::string ExplorationJson(const Exploration& exploration);

// Of all shards of one search, in any order, the answer to the whole. Errors: InvalidArgument when
// they are not that, or when one does not speak of the shapes of its shard; `files` names them.
absl::StatusOr<explore::ScopeAnswer> Merge(std::span<const explore::ScopeAnswer> shards,
                                           std::span<const std::string> files);

}  // namespace iommucheck::report
