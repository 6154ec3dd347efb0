// SPDX-License-Identifier: Apache-2.0
//
// Containers and their backends (drivers/vfio/vfio.c; from 6.1 on container.c).
//
// ABSTRACTION: two backends are loaded, type1 and the one without an IOMMU, in this order.
#include "model/kernel.h"

namespace iommucheck {
namespace {

bool IsNoIommu(const Kernel& k, ContainerId container) {  // container->noiommu
  const GroupId first = k.state.containers[container].groups;
  return first != kNoId && k.group(first).kind == DeviceKind::kNoIommu;
}

// driver->ops->attach_group(); the backend without an IOMMU accepts every group.
int AttachGroup(Kernel& k, ContainerId container, GroupId group) {
  if (k.group(group).kind == DeviceKind::kNoIommu) return 0;
  return vfio_iommu_type1_attach_group(k, container, group);
}

// __vfio_container_attach_groups() failed at `failed`: detaches the groups before it, latest first.
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

int AttachGroups(Kernel& k, ContainerId container) {  // __vfio_container_attach_groups()
  for (GroupId g = k.state.containers[container].groups; g != kNoId;
       g = k.group(g).next_in_container)
    if (const int ret = AttachGroup(k, container, g); ret != 0) {
      if (k.has(Rule::kVfioSetIommuUnwind)) DetachBefore(k, container, g);
      return ret;
    }
  return 0;
}

// VFIO_CHECK_EXTENSION of vfio_noiommu_ioctl() and vfio_iommu_type1_ioctl().
bool Supports(const Kernel& k, ContainerId container, IommuType type) {
  if (IsNoIommu(k, container)) return type == IommuType::kNoIommu;
  if (type == IommuType::kNesting) return k.has(Rule::kType1NestingType);
  return type == IommuType::kType1 || type == IommuType::kType1v2;
}

int OpenAndAttach(Kernel& k, ContainerId container, IommuType type) {
  if (type == IommuType::kNoIommu)
    return (k.op.flags & kUnprivileged) != 0 && k.has(Rule::kVfioNoIommuCap)
               ? k.refuse(Rule::kVfioNoIommuCap, -EPERM)
               : 0;
  if (const int ret = vfio_iommu_type1_open(k, container, type); ret != 0) return ret;
  const int ret = AttachGroups(k, container);
  if (ret != 0) vfio_iommu_type1_release(k, container);
  return ret;
}

void Unlink(Kernel& k, GroupId group) {  // list_del(&group->container_next)
  GroupState& g = k.group(group);
  GroupId* link = &k.state.containers[g.container].groups;
  while (*link != group && *link != kNoId) link = &k.group(*link).next_in_container;
  if (*link == group) *link = g.next_in_container;
  g.next_in_container = kNoId;
  g.container = kNoId;
}

// vfio_fops_unl_ioctl(): -EINVAL before VFIO_SET_IOMMU. vfio_noiommu_ioctl() knows no other ioctl.
int ContainerIoctl(Kernel& k, int (*ioctl)(Kernel&, ContainerId)) {
  if (!k.state.containers[k.op.a].iommu) return -EINVAL;
  return IsNoIommu(k, k.op.a) ? -ENOTTY : ioctl(k, k.op.a);
}

// The driver of an emulated device calls vfio_device_container_pin_pages() or its opposite.
const char* CannotPinOrUnpin(const Kernel& k) {
  if (k.topology.devices[k.op.a].kind != DeviceKind::kEmulated) return "it is not emulated";
  return k.device(k.op.a).open_in != kNoId ? nullptr : "the device is not open";
}
int PinOrUnpin(Kernel& k, int (*pin)(Kernel&, ContainerId)) {
  const ContainerId container = k.group(k.device(k.op.a).group).container;
  if (container == kNoId || !k.state.containers[container].iommu) return -ENOTTY;
  return pin(k, container);
}

}  // namespace

int vfio_container_attach_group(Kernel& k, ContainerId container, GroupId group) {
  ContainerState& c = k.state.containers[container];
  GroupState& g = k.group(group);
  const bool noiommu = g.kind == DeviceKind::kNoIommu;
  if (noiommu && (k.op.flags & kUnprivileged) != 0 && k.has(Rule::kVfioNoIommuCap))
    return k.refuse(Rule::kVfioNoIommuCap, -EPERM, kNoId, group);
  if (c.groups != kNoId && IsNoIommu(k, container) != noiommu && k.has(Rule::kVfioNoIommuApart))
    return k.refuse(Rule::kVfioNoIommuApart, -EPERM, kNoId, group);

  if (g.kind == DeviceKind::kReal || !k.has(Rule::kVfioClaimReal))
    if (const int ret = iommu_group_claim_dma_owner(k, group); ret != 0) return ret;
  if (c.iommu) {
    if (const int ret = AttachGroup(k, container, group); ret != 0) {
      if (k.has(Rule::kVfioReleaseOnError)) iommu_group_release_dma_owner(k, group);
      return ret;
    }
  }
  g.container = container;
  g.next_in_container = c.groups;
  c.groups = group;
  return 0;
}

void vfio_group_detach_container(Kernel& k, GroupId group) {
  const ContainerId container = k.group(group).container;
  ContainerState& c = k.state.containers[container];
  if (c.iommu && k.group(group).kind != DeviceKind::kNoIommu)
    vfio_iommu_type1_detach_group(k, container, group);
  iommu_group_release_dma_owner(k, group);
  Unlink(k, group);
  if (c.groups == kNoId && c.iommu && k.has(Rule::kVfioReleaseOnLast))
    vfio_iommu_type1_release(k, container);
}

const char* CannotSetIommu(const Kernel&) { return nullptr; }

int SetIommu(Kernel& k) {  // vfio_ioctl_set_iommu()
  const ContainerId container = k.op.a;
  const auto type = static_cast<IommuType>(k.op.b);
  ContainerState& c = k.state.containers[container];
  if (c.groups == kNoId || c.iommu) {
    if (k.has(Rule::kVfioSetIommuOnce)) return k.refuse(Rule::kVfioSetIommuOnce, -EINVAL);
    if (c.groups == kNoId) return -EINVAL;
  }
  if (!Supports(k, container, type)) return -ENODEV;
  const int ret = OpenAndAttach(k, container, type);
  if (ret == 0) c.iommu = true;
  return ret;
}

const char* CannotMap(const Kernel&) { return nullptr; }
int Map(Kernel& k) { return ContainerIoctl(k, vfio_dma_do_map); }

const char* CannotUnmap(const Kernel&) { return nullptr; }
int Unmap(Kernel& k) { return ContainerIoctl(k, vfio_dma_do_unmap); }

const char* CannotPin(const Kernel& k) { return CannotPinOrUnpin(k); }
int Pin(Kernel& k) { return PinOrUnpin(k, vfio_iommu_type1_pin_pages); }

const char* CannotUnpin(const Kernel& k) { return CannotPinOrUnpin(k); }
int Unpin(Kernel& k) { return PinOrUnpin(k, vfio_iommu_type1_unpin_pages); }

}  // namespace iommucheck
