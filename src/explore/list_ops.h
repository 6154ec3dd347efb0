// SPDX-License-Identifier: Apache-2.0
//
// The ops that a search tries in a state.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/op.h"
#include "model/state.h"
#include "model/topology.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

// Without ops that are not possible or only give -EINVAL. Containers without groups have the same
// future, so that only the first of them is named.
void ListOps(const Topology& topology, const State& state, int containers, std::vector<Op>& ops);

// Whether firmware describes the device to an instance.
bool HasFwnode(const Topology& topology, const Device& device);

// Two instances of one driver that have the same attributes and that no device is behind: until one
// of them registers, they have the same future, so that only the first needs to.
struct AlikeInstances {
  InstanceId first;
  InstanceId second;
  // Pairs of open attributes of the two: they are alike only while equal values are left in each.
  std::vector<std::pair<uint8_t, uint8_t>> open;
};
std::vector<AlikeInstances> FindAlikeInstances(const Shape& shape);

}  // namespace iommucheck::explore
