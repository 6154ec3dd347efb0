// SPDX-License-Identifier: Apache-2.0
#include "fuzz/any_cases.h"

#include "src/case/bytes.h"

namespace iommucheck::fuzzing {

const Bytes& AnyCases::Next() {
  current_.resize(kOpsAt + kOpSize * (1 + Below(20)));
  for (uint8_t& byte : current_) byte = Byte();
  // The build decides the kernel; the other bits of its byte choose the warm start.
  current_[0] = static_cast<uint8_t>(Below(4) << 3U);
  const RuleSet changed = AnyAssumptions();
  for (size_t i = 0; i < kRulesSize; ++i)
    current_[kRulesAt + i] = static_cast<uint8_t>(changed.words()[i / 8] >> (i % 8 * 8));
  // An empty machine has no runs.
  uint8_t* const counts = &current_[kCountsAt];
  counts[1] = static_cast<uint8_t>(1 + Below(4));
  counts[3] = static_cast<uint8_t>(1 + Below(6));
  counts[4] = static_cast<uint8_t>(1 + Below(8));
  return current_;
}

// Small or zero most of the time, as in most cases.
uint8_t AnyCases::Byte() {
  const uint64_t word = words_();
  const uint64_t how = word & 3U;
  return static_cast<uint8_t>(how == 0 ? 0U : how == 1 ? word >> 8U : (word >> 8U) & 7U);
}

// Half of the time the assumptions under which kernels promise something.
RuleSet AnyCases::AnyAssumptions() {
  RuleSet changed;
  if (Below(2) == 0) return changed.add(Rule::kAssumeHomogeneousGroups);
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption && Below(4) == 0) changed.add(info.rule);
  return changed;
}

}  // namespace iommucheck::fuzzing
