// SPDX-License-Identifier: Apache-2.0
#include "model/invariants.h"

#include <algorithm>
#include <array>

namespace iommucheck {
namespace {

bool Used(const State& s, DomainId d) {
  return d < s.domains_end && s.domains[d].type != DomainType::kFree;
}
bool Alive(const State& s, DomainId d) {
  return Used(s, d) && s.domains[d].type != DomainType::kFreed;
}
bool NoneOrAlive(const State& s, DomainId d) { return d == kNoId || Alive(s, d); }

bool SharedOut(const State& s, GroupId g) {
  return std::ranges::find(s.instance_group, g) != s.instance_group.end();
}

const char* BrokenDevice(DeviceKind kind, const DeviceState& d) {
  const bool served = kind == DeviceKind::kReal ? d.instance != kNoId : d.group != kNoId;
  if (!d.present && d.group != kNoId) return "an absent device is in no group";
  if (served != (d.group != kNoId)) return "a device is served if it is in a group";
  if (d.group == kNoId && d.hw != kNoId) return "a device that is not served is on no domain";
  if (d.group == kNoId && d.next != kNoId) return "a device in no group is on no list";
  if (!d.iommu && (d.fwspec != kNoId || d.instance != kNoId))
    return "a device with a fwspec or an instance has a dev->iommu";
  return nullptr;
}

// Each device with a group is on that group's list, once.
const char* BrokenDeviceLists(const Topology& t, const State& s) {
  std::array<uint8_t, kMaxDevices> seen{};
  for (GroupId g = 0; g < s.groups_end; ++g)
    for (DeviceId dev = s.groups[g].devices; dev != kNoId; dev = s.devices[dev].next) {
      if (seen[dev]++ != 0) return "a device is on one group's list, once";
      if (s.devices[dev].group != g) return "a group's list holds its devices alone";
    }
  for (DeviceId dev = 0; dev < t.devices_count; ++dev) {
    if (const char* broken = BrokenDevice(t.devices[dev].kind, s.devices[dev])) return broken;
    if (const GroupId g = s.devices[dev].vfio_in;
        g != kNoId && !s.groups[g].open && s.groups[g].container == kNoId)
      return "VFIO has a device that its IOMMU let go in an open group, or one in a container";
    if ((s.devices[dev].group != kNoId) != (seen[dev] != 0))
      return "a device in a group is on its list";
  }
  return nullptr;
}

const char* BrokenGroup(const State& s, GroupId id) {
  const GroupState& g = s.groups[id];
  if (!g.live) return g == GroupState{} ? nullptr : "a group that does not exist is blank";
  if (g.dead && (!g.open || g.open_devices != 0)) return "a file without devices is open";
  const bool used = g.container != kNoId || g.open || g.open_devices != 0;
  if (g.devices == kNoId && !used && !SharedOut(s, id))
    return "a group exists while something holds it";
  if (!NoneOrAlive(s, g.default_domain) || !NoneOrAlive(s, g.blocking_domain))
    return "a group's default and blocking domain are not freed";
  if (g.vfio_domain == kNoId) return nullptr;
  if (!Alive(s, g.vfio_domain)) return "a type1 domain lives while groups belong to it";
  if (g.container == kNoId) return "a group that is on a type1 domain is in a container";
  return nullptr;
}

// Each group with a container is on that container's list, once.
const char* BrokenGroupLists(const State& s) {
  std::array<uint8_t, kMaxGroups> seen{};
  for (ContainerId c = 0; c < kMaxContainers; ++c)
    for (GroupId g = s.containers[c].groups; g != kNoId; g = s.groups[g].next_in_container) {
      if (seen[g]++ != 0) return "a group is on one container's list, once";
      if (s.groups[g].container != c) return "a container's list holds its groups alone";
    }
  for (GroupId g = 0; g < s.groups_end; ++g) {
    if (const char* broken = BrokenGroup(s, g)) return broken;
    if ((s.groups[g].container != kNoId) != (seen[g] != 0))
      return "a group in a container is on its list";
  }
  return nullptr;
}

// A container lists the type1 domains of its groups, each once.
const char* BrokenDomainLists(const State& s) {
  std::array<ContainerId, kMaxDomains> holder;
  holder.fill(kNoId);
  for (ContainerId c = 0; c < kMaxContainers; ++c) {
    const ContainerState& container = s.containers[c];
    if (container.groups == kNoId && container.domains != kNoId)
      return "an empty container has no domains";
    if (!container.iommu && container.domains != kNoId)
      return "a container without an iommu has no domains";
    for (DomainId d = container.domains; d != kNoId; d = s.domains[d].next) {
      if (!Alive(s, d) || s.domains[d].type != DomainType::kPaging)
        return "a container lists type1 domains that live";
      if (holder[d] != kNoId) return "a type1 domain is on one container's list, once";
      holder[d] = c;
    }
  }
  std::array<bool, kMaxDomains> held{};
  for (GroupId g = 0; g < s.groups_end; ++g) {
    const DomainId d = s.groups[g].vfio_domain;
    if (d == kNoId) continue;
    if (holder[d] != s.groups[g].container)
      return "a group's type1 domain is on the list of its container";
    held[d] = true;
  }
  for (DomainId d = 0; d < s.domains_end; ++d)
    if (holder[d] != kNoId && !held[d]) return "a listed type1 domain holds a group";
  return nullptr;
}

const char* BrokenReferences(const Topology& t, const State& s) {
  std::array<uint8_t, kMaxDomains> refs{};
  for (DeviceId dev = 0; dev < t.devices_count; ++dev)
    if (const DomainId hw = s.devices[dev].hw; hw != kNoId) {
      if (!Used(s, hw)) return "a device points at a domain that is in use";
      ++refs[hw];
    }
  for (GroupId g = 0; g < s.groups_end; ++g)
    for (const DomainId d : {s.groups[g].domain, s.groups[g].pasid_domain}) {
      if (d == kNoId) continue;
      if (!Used(s, d)) return "a group points at a domain that is in use";
      ++refs[d];
    }
  for (DomainId d = 0; d < s.domains_end; ++d) {
    if (s.domains[d].refs != refs[d]) return "refs counts the pointers at a domain";
    if (s.domains[d].type == DomainType::kFreed && refs[d] == 0)
      return "a freed domain stays only while something points at it";
  }
  return nullptr;
}

const char* LeakedDomain(const State& s) {
  std::array<bool, kMaxDomains> owned{};
  const auto own = [&owned](DomainId d) {
    if (d != kNoId) owned[d] = true;
  };
  for (GroupId g = 0; g < s.groups_end; ++g) {
    own(s.groups[g].default_domain);
    own(s.groups[g].blocking_domain);
  }
  for (const ContainerState& c : s.containers)
    for (DomainId d = c.domains; d != kNoId; d = s.domains[d].next) own(d);
  for (DomainId d = 0; d < s.domains_end; ++d)
    // The PASID domain belongs to amd_iommu_v2, so it may outlive the group.
    if (Alive(s, d) && !owned[d] && s.domains[d].type != DomainType::kPasid)
      return "a domain that is nobody's has been freed";
  return nullptr;
}

const char* BrokenEnds(const State& s) {
  if (s.groups_end > 0 && !s.groups[s.groups_end - 1].live) return "groups_end follows a group";
  if (s.domains_end > 0 && !Used(s, static_cast<DomainId>(s.domains_end - 1)))
    return "domains_end follows a domain";
  return nullptr;
}

const char* BrokenRegistration(const Topology& t, const State& s) {
  std::array<bool, kMaxInstances> registered{};
  for (int i = 0; i < s.registered_count; ++i) {
    const InstanceId instance = s.registered[i];
    if (instance >= t.instances_count) return "instances that exist are registered";
    if (registered[instance]) return "an instance is registered once";
    registered[instance] = true;
  }
  for (InstanceId i = 0; i < t.instances_count; ++i) {
    if (s.instance_group[i] == kNoId) continue;
    if (!registered[i]) return "an instance that is not registered shares no group";
    if (!s.groups[s.instance_group[i]].live) return "an instance shares a group that exists";
  }
  return nullptr;
}

}  // namespace

const char* BrokenInvariant(const Topology& t, const State& s) {
  if (const char* broken = BrokenEnds(s)) return broken;
  if (const char* broken = BrokenRegistration(t, s)) return broken;
  if (const char* broken = BrokenDeviceLists(t, s)) return broken;
  if (const char* broken = BrokenGroupLists(s)) return broken;
  if (const char* broken = BrokenDomainLists(s)) return broken;
  if (const char* broken = BrokenReferences(t, s)) return broken;
  return LeakedDomain(s);
}

}  // namespace iommucheck
