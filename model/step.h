// SPDX-License-Identifier: Apache-2.0
//
// One step of the model: state and op in, next state, errno and events out.
#pragma once

#include <cstdint>
#include <vector>

#include "model/events.h"
#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"

namespace iommucheck {

enum class Outcome : uint8_t {
  kDone,         // the kernel took the step; `error` is its result
  kNotPossible,  // no kernel, driver or admin can take it in this state
  kOutside,      // the assumption in `assumption` rules the step out
};

struct StepResult {
  Outcome outcome = Outcome::kDone;
  int error = 0;  // 0 or a negative errno, what the caller of the op sees
  Rule assumption{};
  const char* why = "";  // kNotPossible: the reason
  uint8_t struck = 0;    // bit per fault of the op: it made some call fail
};

// Takes one step in place. `events` is cleared first and then filled; keep one vector and no step
// allocates. When the outcome is not kDone, the state is as it was.
// Preconditions: Validate() passes for the topology and the op, and the state came from
// InitialState() and Step() with the same topology.
StepResult Step(const KernelProfile& kernel, const Topology& topology, const Op& op, State& state,
                std::vector<Event>& events);

}  // namespace iommucheck
