// SPDX-License-Identifier: Apache-2.0
#include "src/explore/list_ops.h"

#include <algorithm>
#include <array>

namespace iommucheck::explore {

bool HasFwnode(const Topology& t, const Device& device) {
  return std::ranges::any_of(device.masters,
                             [&](InstanceId i) { return i != kNoId && t.instances[i].fwnode; });
}

std::vector<AlikeInstances> FindAlikeInstances(const Shape& shape) {
  const Topology& t = shape.topology;
  std::array<bool, kMaxInstances> named{};
  for (DeviceId d = 0; d < t.devices_count; ++d)
    for (InstanceId m : t.devices[d].masters)
      if (m != kNoId) named[m] = true;
  std::vector<AlikeInstances> all;
  for (InstanceId j = 1; j < t.instances_count; ++j)
    for (InstanceId i = 0; i < j; ++i) {
      if (named[i] || named[j] || t.instances[i] != t.instances[j] ||
          t.drivers[t.instances[i].driver].accepts_foreign)
        continue;
      AlikeInstances& alike = all.emplace_back(AlikeInstances{i, j, {}});
      for (uint8_t a = 0; a < shape.open.size(); ++a)
        for (uint8_t b = 0; b < shape.open.size(); ++b)
          if (shape.open[a].attribute >= Attribute::kFwnode && shape.open[a].owner == i &&
              shape.open[b].owner == j && shape.open[a].attribute == shape.open[b].attribute)
            alike.open.emplace_back(a, b);
      break;
    }
  return all;
}

void ListOps(const Topology& t, const State& state, int containers, std::vector<Op>& ops) {
  ops.clear();
  const auto add = [&](OpKind kind, uint8_t a, uint8_t b = 0) { ops.push_back({kind, a, b, {}}); };
  unsigned registered = 0;
  for (uint8_t n = 0; n < state.registered_count; ++n) registered |= 1U << state.registered[n];
  for (InstanceId i = 0; i < t.instances_count; ++i)
    add((registered >> i & 1U) != 0 ? OpKind::kUnregister : OpKind::kRegister, i);
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    const bool present = state.devices[d].present;
    add(present ? OpKind::kRemove : OpKind::kAdd, d);
    if (present && HasFwnode(t, t.devices[d])) add(OpKind::kConfigure, d);
  }
  for (GroupId g = 0; g < state.groups_end; ++g) {
    if (!state.groups[g].live) continue;
    if (state.groups[g].container != kNoId) {
      add(OpKind::kUnsetContainer, g);
      continue;
    }
    bool empty_named = false;
    for (ContainerId c = 0; c < containers; ++c) {
      const bool empty = state.containers[c].groups == kNoId;
      if (!empty || !empty_named) add(OpKind::kSetContainer, g, c);
      empty_named |= empty;
    }
  }
  for (ContainerId c = 0; c < containers; ++c)
    if (state.containers[c].groups != kNoId && !state.containers[c].iommu)
      add(OpKind::kSetIommu, c);
}

}  // namespace iommucheck::explore
