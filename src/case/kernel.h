// SPDX-License-Identifier: Apache-2.0
//
// A kernel by its words: a profile, and the rules that a patch drops and adds.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"

namespace iommucheck {

struct WrongRule {
  std::string expected;
  std::string found;
};
// Drops the rule from the kernel, or adds it, unless it is named a second time, or is dropped where
// the profile has it not, or added where it has it. `may_drop`: what may be dropped all the same.
std::optional<WrongRule> TakeRule(Rule rule, bool add, KernelSpec& kernel, RuleSet may_drop = {});

// Errors: InvalidArgument, "expected WHAT, found WHAT": no such profile or rule, or what TakeRule()
// says. `may_drop`: assumptions that are made of some machines; the result has them as dropped
// (import::AssumingInTree()).
absl::StatusOr<KernelSpec> MakeKernel(const std::string& version, std::span<const std::string> drop,
                                      std::span<const std::string> add, RuleSet may_drop = {});

// The same of a kernel in one word, such as "v6.0,-type1.same_ops,+assume.homogeneous_groups", and
// what is dropped and added besides.
absl::StatusOr<KernelSpec> ParseKernel(const std::string& word, std::vector<std::string> drop,
                                       std::vector<std::string> add, RuleSet may_drop = {});

// Where a release such as "6.12.117+deb12" lies among the profiles.
struct ReleasePlace {
  std::optional<KernelVersion> below;  // the newest profile that is not newer; empty: all are
  std::optional<KernelVersion> above;  // where `below` is older than it: the next; empty: none is
  bool exact = false;                  // `below` is of its major and minor number
};
// Nothing where it does not begin with two numbers.
std::optional<ReleasePlace> PlaceOf(std::string_view release);

// The profiles to ask about for a release: its own, or those below and above it.
std::vector<KernelVersion> ProfilesFor(const ReleasePlace& place);
// A sentence on what the profiles are to the release; "" where one is its own.
std::string PlaceText(std::string_view release, const ReleasePlace& place);

// The ids of the rules, in the order of AllRules().
std::vector<std::string> RuleIds(RuleSet rules);

}  // namespace iommucheck
