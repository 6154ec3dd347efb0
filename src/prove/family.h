// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/rules.h"

namespace iommucheck::prove {

// A kernel, and every kernel that a patch makes of it by dropping some of the rules `open`. A proof
// about a family is one about each kernel in it.
struct KernelFamily {
  KernelFamily(const KernelProfile& kernel,
               RuleSet open_rules = {})  // NOLINT: a kernel is a family
      : profile(kernel), open(open_rules) {}
  // Whether all kernels of the family have the rule, or some.
  [[nodiscard]] bool has(Rule rule) const { return profile.has(rule) && !open.has(rule); }
  [[nodiscard]] bool may_have(Rule rule) const { return profile.has(rule); }

  KernelProfile profile;
  RuleSet open;
};

}  // namespace iommucheck::prove
