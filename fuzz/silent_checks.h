// SPDX-License-Identifier: Apache-2.0
//
// Checks that never refuse on a kernel that has all its others: another check always refuses before.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "model/rules.h"

namespace iommucheck::fuzzing {

struct SilentCheck {
  Rule rule;
  std::string_view why;
};
inline constexpr auto kSilentChecks = std::to_array<SilentCheck>({
    {Rule::kCoreDeferUnset, "only a race binds a driver before the default domain is there"},
    {Rule::kType1NoDuplicate, "the group layer refuses the group before"},
    {Rule::kType1PinVaddrBusy, "type1.vaddr_no_emulated and type1.vaddr_busy stand before it"},
});

// Why the check never refuses; "": it can refuse.
constexpr std::string_view WhySilent(Rule rule) {
  const auto* it = std::ranges::find(kSilentChecks, rule, &SilentCheck::rule);
  return it == kSilentChecks.end() ? std::string_view() : it->why;
}

}  // namespace iommucheck::fuzzing
