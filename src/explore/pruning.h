// SPDX-License-Identifier: Apache-2.0
//
// Which states and ops of a bounded search cannot lead to a violation within the steps left.
#pragma once

#include "model/op.h"
#include "model/properties.h"
#include "model/state.h"
#include "model/topology.h"

namespace iommucheck::explore {

// With so many steps left, StepsToGo() leaves out no state that one of them comes to, and every
// kind of step is taken.
inline constexpr int kNothingPruned = 5;

// How many drivers a domain or a device can be of by now: they have been loaded, and are still in a
// bus slot, on the list, behind a device or in a domain.
int DriversAbout(const Topology& topology, const State& state);

// A lower bound: no run violates the property in fewer steps from here.
int StepsToGo(Property property, const Topology& topology, const State& state);

// Whether an op of the kind can be the one that violates the property. `two_drivers`: at least so
// many are about.
bool CanViolate(Property property, OpKind kind, bool two_drivers);

}  // namespace iommucheck::explore
