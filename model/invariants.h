// SPDX-License-Identifier: Apache-2.0
//
// The invariants of model/state.h, which every state that Step() makes has, whatever the kernel. A
// state without them is a mistake of the model. Debug builds assert them after each step; the fuzz
// targets ask for them (fuzz/fuzzing.cc).
#pragma once

#include "model/state.h"
#include "model/topology.h"

namespace iommucheck {

// A sentence that does not hold, or nullptr.
const char* BrokenInvariant(const Topology& topology, const State& state);

}  // namespace iommucheck
