// SPDX-License-Identifier: Apache-2.0
//
// A kernel whose rules are bits: constants of a given kernel, or inputs where the solver is to say
// which rules a patch drops.
#pragma once

#include <array>

#include "model/rules.h"
#include "src/smt/bits.h"

namespace iommucheck::smt {

class SymbolicProfile {
 public:
  explicit SymbolicProfile(const KernelProfile& kernel) : era_(kernel.era) {
    for (const RuleInfo& info : AllRules()) Set(info.rule, kernel.has(info.rule));
  }
  void Set(Rule rule, Bit present) { rules_[static_cast<size_t>(rule)] = present; }
  [[nodiscard]] Bit has(Rule rule) const { return rules_[static_cast<size_t>(rule)]; }
  [[nodiscard]] bool may_have(Rule rule) const { return !has(rule).is_false(); }
  [[nodiscard]] Era era() const { return era_; }

 private:
  Era era_;
  std::array<Bit, kRuleCount> rules_;
};

}  // namespace iommucheck::smt
