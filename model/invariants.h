// SPDX-License-Identifier: Apache-2.0
//
// The invariants of model/state.h. Every state that Step() makes has them, on every kernel; a state
// without them is a bug of the model. Debug builds assert them after each step, and the fuzz
// targets check them (fuzz/fuzzing.cc).
#pragma once

#include "model/state.h"
#include "model/topology.h"

namespace iommucheck {

// Returns the first invariant that does not hold, as a sentence, or nullptr.
const char* BrokenInvariant(const Topology& topology, const State& state);

// Whether Validate() of model/topology.h passes. Does not allocate, for those who try many machines.
bool IsValid(const Topology& topology);

}  // namespace iommucheck
