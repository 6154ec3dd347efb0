// SPDX-License-Identifier: Apache-2.0
#include "src/explore/pruning.h"

#include <algorithm>
#include <array>
#include <bit>

namespace iommucheck::explore {

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
