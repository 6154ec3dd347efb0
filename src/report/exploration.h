// SPDX-License-Identifier: Apache-2.0
//
// The answer of an exhaustive search, replayed in the model, and answers of shards joined.
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

// Replays the case found. Internal when the model does not agree: that is a bug of iommucheck.
absl::StatusOr<Exploration> Replayed(explore::ScopeAnswer answer);

// Joins the answers of all shards of one search, in any order. Errors: InvalidArgument when they
// are not all shards of one search, or when one is not about the shapes of its shard; `files` names
// them.
absl::StatusOr<explore::ScopeAnswer> Merge(std::span<const explore::ScopeAnswer> shards,
                                           std::span<const std::string> files);

}  // namespace iommucheck::report
