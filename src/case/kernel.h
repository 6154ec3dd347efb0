// SPDX-License-Identifier: Apache-2.0
//
// A kernel by its words: a profile, and the rules that a patch drops and adds.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"

namespace iommucheck {

// Errors: InvalidArgument, "expected WHAT, found WHAT": no such profile or rule, a rule dropped
// that the profile has not, added that it has, or named twice.
absl::StatusOr<KernelSpec> MakeKernel(const std::string& version, std::span<const std::string> drop,
                                      std::span<const std::string> add);

// The ids of the rules, in the order of AllRules().
std::vector<std::string> RuleIds(RuleSet rules);

}  // namespace iommucheck
