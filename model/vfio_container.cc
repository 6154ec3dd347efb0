// SPDX-License-Identifier: Apache-2.0
//
// Groups and containers (drivers/vfio/vfio.c; from 6.1 container.c, group.c).
//
// ABSTRACTION: every device of a group is bound to a VFIO driver, so groups are viable; type1 is
// the only backend; no device fd is open; groups and containers are opened by who has the right,
// while the group had a device. A device is VFIO's as long as its group has it: one that its IOMMU
// let go stays VFIO's in the kernel until it is unbound, and only then its old group's container
// loses it (docs/recording.md, vfio-stays).
#include "model/kernel.h"

namespace iommucheck {
namespace {

bool IsCoherent(const Kernel& k, DeviceId dev) {  // IOMMU_CAP_CACHE_COHERENCY
  return k.topology.drivers[k.driver_of(dev)].coherent;
}

// Whether VFIO registered any device of the group, so that /dev/vfio/N is there.
bool HasVfioDevice(const Kernel& k, GroupId group) {
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next)
    if (IsCoherent(k, dev)) return true;
  return false;
}

void LeaveContainer(Kernel& k, GroupId group) {
  GroupState& g = k.group(group);
  ContainerState& c = k.state.containers[g.container];
  GroupId* link = &c.groups;
  while (*link != group) link = &k.group(*link).next_in_container;
  *link = g.next_in_container;
  g.next_in_container = kNoId;
  g.container = kNoId;
  if (c.groups == kNoId) c.iommu = false;
}

// VFIO_SET_IOMMU failed at `failed`: the groups attached before it, newest first.
void DetachBefore(Kernel& k, ContainerId container, GroupId failed) {
  const auto attached_last = [&](GroupId stop) {
    GroupId g = k.state.containers[container].groups;
    while (g != stop && k.group(g).next_in_container != stop) g = k.group(g).next_in_container;
    return g;
  };
  for (GroupId stop = failed; stop != k.state.containers[container].groups;) {
    stop = attached_last(stop);
    vfio_iommu_type1_detach_group(k, container, stop);
  }
}

}  // namespace

int SetContainer(Kernel& k, GroupId group, ContainerId container) {
  GroupState& g = k.group(group);
  if (g.devices != kNoId && k.has(Rule::kVfioCacheCoherency) && !HasVfioDevice(k, group))
    return k.refuse(Rule::kVfioCacheCoherency, -ENOENT, kNoId, group);
  if (g.container != kNoId) return -EINVAL;
  if (g.devices == kNoId) return -ENODEV;
  if (const int ret = iommu_group_claim_dma_owner(k, group); ret != 0) return ret;

  ContainerState& c = k.state.containers[container];
  if (c.iommu) {
    if (const int ret = vfio_iommu_type1_attach_group(k, container, group); ret != 0) {
      iommu_group_release_dma_owner(k, group);
      return ret;
    }
  }
  g.container = container;
  g.next_in_container = c.groups;
  c.groups = group;
  return 0;
}

int SetIommu(Kernel& k, ContainerId container) {
  ContainerState& c = k.state.containers[container];
  if (c.groups == kNoId || c.iommu) return -EINVAL;
  for (GroupId g = c.groups; g != kNoId; g = k.group(g).next_in_container)
    if (const int ret = vfio_iommu_type1_attach_group(k, container, g); ret != 0) {
      DetachBefore(k, container, g);
      return ret;
    }
  c.iommu = true;
  return 0;
}

int UnsetContainer(Kernel& k, GroupId group) {
  const ContainerId container = k.group(group).container;
  if (container == kNoId) return -EINVAL;
  if (k.state.containers[container].iommu) vfio_iommu_type1_detach_group(k, container, group);
  iommu_group_release_dma_owner(k, group);
  LeaveContainer(k, group);
  iommu_group_put(k, group);
  return 0;
}

}  // namespace iommucheck
