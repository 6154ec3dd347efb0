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
// that the profile has not, added that it has, or named twice. `may_drop`: what may be dropped
// though the profile has it not, assumptions that are made of some machines; the result has it as
// dropped (import::AssumingInTree()).
absl::StatusOr<KernelSpec> MakeKernel(const std::string& version, std::span<const std::string> drop,
                                      std::span<const std::string> add, RuleSet may_drop = {});

// The same of a kernel in one word, such as "v6.0,-type1.same_ops,+assume.homogeneous_groups", and
// what is dropped and added besides.
absl::StatusOr<KernelSpec> ParseKernel(const std::string& word, std::vector<std::string> drop,
                                       std::vector<std::string> add, RuleSet may_drop = {});

// The ids of the rules, in the order of AllRules().
std::vector<std::string> RuleIds(RuleSet rules);

}  // namespace iommucheck
