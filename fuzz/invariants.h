// SPDX-License-Identifier: Apache-2.0
//
// What is true of every state that Step() makes, whatever the kernel. A state that is not so is a
// mistake of the model.
#pragma once

#include "model/state.h"
#include "model/topology.h"

namespace iommucheck {

// A sentence that does not hold, or nullptr.
const char* BrokenInvariant(const Topology& topology, const State& state);

}  // namespace iommucheck
