// SPDX-License-Identifier: Apache-2.0
//
// Groups and devices as user space sees them (drivers/vfio/vfio.c; from 6.1 on group.c,
// vfio_main.c).
//
// ABSTRACTION: if no `open` opened a group, the call that needs it opens it, and the group is
// closed when it leaves its container. VFIO's driver has the devices of groups that are open, and of
// the others when a call needs their files. A device that its IOMMU lets go stays VFIO's in the
// group that is open, until that is closed. An open group keeps its number after its last device has
// gone.
#include <utility>

#include "model/kernel.h"

namespace iommucheck {
namespace {

bool IsOpen(const GroupState& g) { return g.open || g.container != kNoId; }

// Whether VFIO registered the device. From 5.19 on VFIO asks IOMMU_CAP_CACHE_COHERENCY of devices
// with an IOMMU.
bool IsVfioDevice(const Kernel& k, DeviceId dev) {
  if (k.device(dev).bound != BoundTo::kVfio) return false;
  const Device& device = k.topology.devices[dev];
  if (device.kind != DeviceKind::kReal || !k.has(Rule::kVfioCacheCoherency)) return true;
  const DriverId asked = k.has(Rule::kVfioCoherencyOfBus)
                             ? k.state.bus_ops[static_cast<size_t>(device.bus)]
                             : k.driver_of(dev);
  return asked != kNoId && k.topology.drivers[asked].coherent;
}

// Up to and including 5.18: whether every device of the group is VFIO's or has no driver.
bool IsViable(const Kernel& k, GroupId group) {
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next)
    if (k.device(dev).bound == BoundTo::kKernelDriver) return false;
  return true;
}

bool NeedsRawIo(const Kernel& k, GroupId group) {
  return k.group(group).kind == DeviceKind::kNoIommu && (k.op.flags & kUnprivileged) != 0 &&
         k.has(Rule::kVfioNoIommuCap);
}

// vfio_group_use_container(): whether the container can be used for a device.
int UseContainer(Kernel& k, DeviceId dev, GroupId group) {
  const ContainerId container = k.group(group).container;
  if (container == kNoId) return -EINVAL;
  if (!k.state.containers[container].iommu && k.has(Rule::kVfioDeviceNeedsIommu))
    return k.refuse(Rule::kVfioDeviceNeedsIommu, -EINVAL, dev, group);
  if (k.has(Rule::kVfioViable) && !IsViable(k, group))
    return k.refuse(Rule::kVfioViable, -EINVAL, dev, group);
  return NeedsRawIo(k, group) ? k.refuse(Rule::kVfioNoIommuCap, -EPERM, dev, group) : 0;
}

// vfio_device->group; kNoId: VFIO does not have the device.
GroupId VfioGroupOf(const Kernel& k, DeviceId dev) {
  const DeviceState& d = k.device(dev);
  if (d.vfio_in != kNoId) return d.vfio_in;
  if (d.group == kNoId || (k.has(Rule::kVfioCoherencyOfBus) && IsOpen(k.group(d.group))))
    return kNoId;
  return IsVfioDevice(k, dev) ? d.group : kNoId;
}

// Whether VFIO has a device in the group, besides `but`. If it has any, /dev/vfio/N exists.
bool HasVfioDevice(const Kernel& k, GroupId group, DeviceId but = kNoId) {
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (dev != but && VfioGroupOf(k, dev) == group) return true;
  return false;
}

// Whether the device is the last that VFIO has in its group.
bool IsLastInGroup(const Kernel& k, DeviceId dev) {
  const GroupId group = VfioGroupOf(k, dev);
  // A device that its IOMMU released and that is open is VFIO's, too.
  return group != kNoId && k.group(group).open_devices == 0 && !HasVfioDevice(k, group, dev);
}

// The call opens the group if nobody has, for which it needs /dev/vfio/N.
bool CanOpen(const Kernel& k, GroupId group) {
  const GroupState& g = k.group(group);
  return IsOpen(g) || HasVfioDevice(k, group);
}

// VFIO's driver unbinds from the devices of a group that is not open any more.
void UnbindFromClosed(Kernel& k, GroupId group) {
  if (IsOpen(k.group(group))) return;
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (k.device(dev).vfio_in == group) k.device(dev).vfio_in = kNoId;
}

// A file whose devices have all left VFIO is of no use. ABSTRACTION: a user who opens the group
// again has closed that file.
void CloseDead(Kernel& k, GroupId group) {
  if (!k.group(group).dead) return;
  k.group(group).open = k.group(group).dead = false;
  iommu_group_put(k, group);
}

bool AnyEmulatedOpen(const Kernel& k, ContainerId container) {
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (k.device(dev).open_in != kNoId && k.topology.devices[dev].kind == DeviceKind::kEmulated &&
        k.group(k.device(dev).open_in).container == container)
      return true;
  return false;
}

}  // namespace

const char* CannotOpen(const Kernel& k) { return k.group(k.op.a).live ? nullptr : kNoSuchGroup; }

int Open(Kernel& k) {  // vfio_group_fops_open()
  const GroupId group = k.op.a;
  GroupState& g = k.group(group);
  CloseDead(k, group);
  // Up to and including 6.0 a file that is open keeps /dev/vfio/N.
  if (!(k.has(Rule::kVfioLeaveOnLast) ? HasVfioDevice(k, group) : CanOpen(k, group)))
    return -ENOENT;
  if (NeedsRawIo(k, group)) return k.refuse(Rule::kVfioNoIommuCap, -EPERM, kNoId, group);
  if ((g.open || g.container != kNoId) && k.has(Rule::kVfioOpenOnce))
    return k.refuse(Rule::kVfioOpenOnce, -EBUSY, kNoId, group);
  g.open = true;
  return 0;
}

const char* CannotClose(const Kernel& k) {
  const GroupState& g = k.group(k.op.a);
  if (!g.live) return kNoSuchGroup;
  if (g.open_devices != 0) return "a device of the group is open";
  return g.open || g.container != kNoId ? nullptr : "the group is not open";
}

int Close(Kernel& k) {  // vfio_group_fops_release()
  const GroupId group = k.op.a;
  if (k.group(group).container != kNoId) vfio_group_detach_container(k, group);
  k.group(group).open = k.group(group).dead = false;
  UnbindFromClosed(k, group);
  iommu_group_put(k, group);
  return 0;
}

const char* CannotSetContainer(const Kernel& k) { return CannotOpen(k); }

int SetContainer(Kernel& k) {  // vfio_group_ioctl_set_container()
  const GroupId group = k.op.a;
  const GroupState& g = k.group(group);
  if (!CanOpen(k, group))
    return g.devices != kNoId && k.has(Rule::kVfioCacheCoherency)
               ? k.refuse(Rule::kVfioCacheCoherency, -ENOENT, kNoId, group)
               : -ENOENT;
  if (g.container != kNoId && k.has(Rule::kVfioContainerOnce))
    return k.refuse(Rule::kVfioContainerOnce, -EINVAL, kNoId, group);
  // vfio_device_remove_group() sets vfio_group->iommu_group to NULL.
  if ((g.dead || !HasVfioDevice(k, group)) && k.has(Rule::kVfioNeedsDevice))
    return k.refuse(Rule::kVfioNeedsDevice, -ENODEV, kNoId, group);
  if (g.container != kNoId) {  // the kernel adds its container_next to a second list
    k.oops(Oops::kListCorruption, "list_add", group);
    return -EFAULT;
  }
  return vfio_container_attach_group(k, k.op.b, group);
}

const char* CannotUnsetContainer(const Kernel& k) { return CannotOpen(k); }

int UnsetContainer(Kernel& k) {  // vfio_group_ioctl_unset_container()
  const GroupId group = k.op.a;
  const GroupState& g = k.group(group);
  if (g.container == kNoId) return CanOpen(k, group) ? -EINVAL : -ENOENT;
  if (g.open_devices != 0 && k.has(Rule::kVfioUnsetUnused))
    return k.refuse(Rule::kVfioUnsetUnused, -EBUSY, kNoId, group);
  vfio_group_detach_container(k, group);
  UnbindFromClosed(k, group);
  iommu_group_put(k, group);
  return 0;
}

const char* CannotGetDevice(const Kernel& k) {
  const DeviceState& d = k.device(k.op.a);
  if (d.open_in != kNoId) return kIsOpen;
  return d.group == kNoId ? "the device has no group" : nullptr;
}

int GetDevice(Kernel& k) {  // vfio_group_ioctl_get_device_fd()
  const DeviceId dev = k.op.a;
  const GroupId group = k.device(dev).group;
  if (!CanOpen(k, group)) return -ENOENT;
  if (!k.group(group).open && k.group(group).container == kNoId && NeedsRawIo(k, group))
    return k.refuse(Rule::kVfioNoIommuCap, -EPERM, dev, group);
  const bool found = VfioGroupOf(k, dev) == group && !k.group(group).dead;
  // Up to and including 5.18 the kernel looks the name up last.
  if (!k.has(Rule::kVfioViable) && !found) return -ENODEV;
  if (const int ret = UseContainer(k, dev, group); ret != 0) return ret;
  if (!found) return -ENODEV;
  k.device(dev).open_in = group;
  ++k.group(group).open_devices;
  return 0;
}

const char* CannotPutDevice(const Kernel& k) {
  return k.device(k.op.a).open_in != kNoId ? nullptr : "the device is not open";
}

int PutDevice(Kernel& k) {  // vfio_device_fops_release()
  const GroupId group = std::exchange(k.device(k.op.a).open_in, kNoId);
  --k.group(group).open_devices;
  const ContainerId container = k.group(group).container;
  if (container != kNoId && !AnyEmulatedOpen(k, container))
    vfio_iommu_type1_unpin_all(k, container);
  iommu_group_put(k, group);
  return 0;
}

void RememberVfios(Kernel& k) {
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev) {
    DeviceState& d = k.device(dev);
    if (d.vfio_in == kNoId && d.group != kNoId && IsOpen(k.group(d.group)) &&
        !k.group(d.group).dead && IsVfioDevice(k, dev))
      d.vfio_in = d.group;
  }
}

void StayVfios(Kernel& k, DeviceId dev) {
  const GroupId group = VfioGroupOf(k, dev);
  if (group != kNoId && IsOpen(k.group(group)) && !k.group(group).dead)
    k.device(dev).vfio_in = group;
}

void LeaveVfio(Kernel& k, DeviceId dev) {  // vfio_device_remove_group()
  const GroupId group = VfioGroupOf(k, dev);
  const bool last = k.has(Rule::kVfioLeaveOnLast) && IsLastInGroup(k, dev);
  k.device(dev).vfio_in = kNoId;
  if (!last) return;
  if (k.group(group).container != kNoId) vfio_group_detach_container(k, group);
  k.group(group).dead = k.group(group).open;
  iommu_group_put(k, group);
}

bool WaitsToLeaveVfio(const Kernel& k, DeviceId dev) {  // vfio_unregister_group_dev()
  return k.has(Rule::kVfioWaitOnLast) && IsLastInGroup(k, dev) &&
         k.group(VfioGroupOf(k, dev)).container != kNoId;
}

}  // namespace iommucheck
