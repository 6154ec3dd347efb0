// SPDX-License-Identifier: Apache-2.0
#include "src/explore/list_ops.h"

#include <algorithm>
#include <array>
#include <bit>

namespace iommucheck::explore {

bool IsRegistered(const State& state, InstanceId instance) {
  const auto* const end = state.registered.begin() + state.registered_count;
  return std::find(state.registered.begin(), end, instance) != end;
}

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
      for (size_t a = 0; a < shape.open.size(); ++a)
        for (size_t b = 0; b < shape.open.size(); ++b)
          if (shape.open[a].attribute >= Attribute::kFwnode && shape.open[a].owner == i &&
              shape.open[b].owner == j && shape.open[a].attribute == shape.open[b].attribute)
            alike.open.emplace_back(a, b);
      break;
    }
  return all;
}

void ListOps(const Topology& t, const State& state, int containers, std::vector<Op>& ops) {
  ops.clear();
  const auto containers_end = static_cast<ContainerId>(containers);
  const auto add = [&](OpKind kind, uint8_t a, uint8_t b = 0) { ops.push_back({kind, a, b, {}}); };
  for (InstanceId i = 0; i < t.instances_count; ++i)
    add(IsRegistered(state, i) ? OpKind::kUnregister : OpKind::kRegister, i);
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
    for (ContainerId c = 0; c < containers_end; ++c) {
      const bool empty = state.containers[c].groups == kNoId;
      if (!empty || !empty_named) add(OpKind::kSetContainer, g, c);
      empty_named |= empty;
    }
  }
  for (ContainerId c = 0; c < containers_end; ++c)
    if (state.containers[c].groups != kNoId && !state.containers[c].iommu)
      add(OpKind::kSetIommu, c);
}

int DriversAbout(const Topology& t, const State& state) {
  unsigned about = 0;
  for (const DriverId d : state.bus_ops)
    if (d != kNoId) about |= 1U << d;
  for (uint8_t n = 0; n < state.registered_count; ++n)
    about |= 1U << t.instances[state.registered[n]].driver;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (const InstanceId i = state.devices[d].instance; i != kNoId)
      about |= 1U << t.instances[i].driver;
  for (DomainId d = 0; d < state.domains_end; ++d)
    if (state.domains[d].type != DomainType::kFree) about |= 1U << state.domains[d].driver;
  return std::popcount(about);
}

// A violation is between two drivers, and each one that is not about takes a register, which may be
// the op that violates no-cross-driver-attach. To reuse a domain, a group must be on it and another
// group be attached: each takes a set-container that it has not had yet, and the container a
// set-iommu; and a group or a driver that is not there yet takes a step that is neither.
int StepsToGo(Property property, const Topology& t, const State& state) {
  const int drivers = DriversAbout(t, state);
  if (property == Property::kNoCrossDriverAttach) return std::max(1, 2 - drivers);
  std::array<int, kMaxContainers> contained{};
  int groups = 0;
  for (GroupId g = 0; g < state.groups_end; ++g) {
    groups += state.groups[g].live ? 1 : 0;
    if (const ContainerId c = state.groups[g].container; c != kNoId) ++contained[c];
  }
  int steps = 3;
  for (size_t c = 0; c < contained.size(); ++c)
    steps = std::min(steps, state.containers[c].iommu ? 1 : 3 - std::min(2, contained[c]));
  return steps + (drivers < 2 || groups < 2 ? 1 : 0);
}

bool CanViolate(Property property, OpKind kind, bool two_drivers) {
  if (property == Property::kNoCrossDriverAttach) return two_drivers || kind == OpKind::kRegister;
  return kind == OpKind::kSetContainer || kind == OpKind::kSetIommu;
}

}  // namespace iommucheck::explore
