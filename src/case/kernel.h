// SPDX-License-Identifier: Apache-2.0
//
// A kernel as the user names it: a profile, and the rules that a patch drops and adds.
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
// Drops the rule from the kernel, or adds it. It is an error to name a rule twice, to drop one that
// the profile does not have and to add one that it has. `may_drop`: rules that may be dropped even
// if the profile does not have them.
std::optional<WrongRule> TakeRule(Rule rule, bool add, KernelSpec& kernel, RuleSet may_drop = {});

// Errors: InvalidArgument, "expected WHAT, found WHAT": no such profile or rule, or an error of
// TakeRule(). `may_drop`: assumptions that hold for some machines only; the result has them as
// dropped (import::AssumingInTree()).
absl::StatusOr<KernelSpec> MakeKernel(const std::string& version, std::span<const std::string> drop,
                                      std::span<const std::string> add, RuleSet may_drop = {});

// Makes a kernel from one word, such as "v6.0,-type1.same_ops,+assume.homogeneous_groups", and from
// the rules that `drop` and `add` name besides.
absl::StatusOr<KernelSpec> ParseKernel(const std::string& word, std::vector<std::string> drop,
                                       std::vector<std::string> add, RuleSet may_drop = {});

// The place of a release such as "6.12.117+deb12" among the profiles.
struct ReleasePlace {
  std::optional<KernelVersion> below;  // the newest profile that is not newer; empty: all are newer
  std::optional<KernelVersion> above;  // if `below` is older: the next profile; empty: none is
  bool exact = false;                  // `below` has its major and minor number
};
// nullopt if the release does not begin with two numbers.
std::optional<ReleasePlace> PlaceOf(std::string_view release);

// The profiles to ask about a release: its own, or those below and above it.
std::vector<KernelVersion> ProfilesFor(const ReleasePlace& place);
// Sentences that relate those profiles to the release; "" if one is its own.
std::string PlaceText(std::string_view release, const ReleasePlace& place);

// A kernel that the user names by its release, as `uname -r` prints it, and the profile that stands
// for it.
struct AskedAs {
  std::string word;  // as ParseKernel() takes it
  std::string note;  // says so, and in which rules the release may differ from the profile
};
// For a word such as "6.6.87-generic,-type1.same_ops": its own profile, or the nearer one of those
// before and after it; of two that are as near, the older. nullopt: the version is a profile, or
// older or newer than all of them, or no release.
std::optional<AskedAs> AskAs(std::string_view word);

// The ids of the rules, in the order of AllRules().
std::vector<std::string> RuleIds(RuleSet rules);

}  // namespace iommucheck
