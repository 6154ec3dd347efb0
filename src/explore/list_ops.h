// SPDX-License-Identifier: Apache-2.0
//
// The ops that a search tries in a state, and which states and ops of a bounded search cannot lead
// to a violation within the steps left.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/op.h"
#include "model/properties.h"
#include "model/state.h"
#include "model/topology.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

// Without ops that are not possible or only give -EINVAL. Containers without groups have the same
// future, so that only the first of them is named.
void ListOps(const Topology& topology, const State& state, int containers, std::vector<Op>& ops);

bool IsRegistered(const State& state, InstanceId instance);

// Whether firmware describes the device to an instance.
bool HasFwnode(const Topology& topology, const Device& device);

// Two instances of one driver that have the same attributes and that no device is behind: until one
// of them registers, they have the same future, so that only the first needs to.
struct AlikeInstances {
  InstanceId first;
  InstanceId second;
  // Pairs of open attributes of the two: they are alike only while equal values are left in each.
  std::vector<std::pair<size_t, size_t>> open;
};
std::vector<AlikeInstances> FindAlikeInstances(const Shape& shape);

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
