// SPDX-License-Identifier: Apache-2.0
//
// Exhaustive search on one machine: every run of up to so many steps.
#pragma once

#include <cstdint>
#include <string>

#include "model/properties.h"
#include "src/case/case.h"

namespace iommucheck::explore {

enum class Verdict : uint8_t { kHolds, kViolated, kUnknown };

struct ExploreResult {
  Verdict verdict = Verdict::kUnknown;
  Case found;                // kViolated: a run with the fewest steps
  int depth = 0;             // no run of up to so many steps violates the property
  bool every_depth = false;  // nor does any longer one: all states that can be reached were seen
  uint64_t states = 0;       // that differ
  uint64_t transitions = 0;  // steps taken
  std::string reason;        // kUnknown: why; kHolds: the assumption that the machine is outside of
};

inline constexpr uint64_t kMaxStates = uint64_t{1} << 31;

// Searches breadth first the runs on the machine of `machine` (kernel, topology and names; its ops
// are not looked at). The ops are all those of the model without faults, on one container.
//
// One container stands for all. This is argued, not proved: a group is in one container at most,
// and vfio_iommu_type1_attach_group() compares with the domains of its own container only, so what
// a run does in another container can be left out; the groups there rest on their default domain
// then. The argument has one gap: a walk of a bus can end early at a device of such a group.
//
// At most `max_states` states, itself at most kMaxStates, are kept; beyond that the answer is
// kUnknown, with the depth that was covered.
ExploreResult ExploreMachine(const Case& machine, Property property, int max_steps,
                             uint64_t max_states);

}  // namespace iommucheck::explore
