// SPDX-License-Identifier: Apache-2.0
//
// Devices that come and go, and the drivers that bind to them (drivers/base/core.c, bus.c, dd.c).
#include <algorithm>

#include "model/kernel.h"

namespace iommucheck {
namespace {

bool HasFirmwareDescription(const Topology& t, DeviceId dev) {
  for (InstanceId master : t.devices[dev].masters)
    if (master != kNoId && t.instances[master].fwnode) return true;
  return false;
}

// How many notifiers of the core's the bus has, for devices that come and go.
int CountNotifiers(const Kernel& k, DeviceId dev) {
  return k.profile.era == Era::kBusSlots
             ? k.state.bus_notifiers[static_cast<size_t>(k.topology.devices[dev].bus)]
             : 1;
}

bool HasDevicesBelow(const Kernel& k, DeviceId bridge) {
  if (k.topology.devices[bridge].bridge == Bridge::kNone) return false;
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (k.device(dev).present && k.topology.devices[dev].below == bridge) return true;
  return false;
}

// vfio_unregister_group_dev(); a fake group goes with its device.
void UnregisterDevice(Kernel& k, DeviceId dev) {
  LeaveVfio(k, dev);
  if (k.topology.devices[dev].kind != DeviceKind::kReal) RemoveFakeGroup(k, dev);
}

}  // namespace

const char* CannotAdd(const Kernel& k) {
  if (k.device(k.op.a).present) return "the device is there";
  const DeviceId bridge = k.topology.devices[k.op.a].below;
  return bridge == kNoId || k.device(bridge).present ? nullptr : "its bridge is not there";
}

int Add(Kernel& k) {  // device_add(), BUS_NOTIFY_ADD_DEVICE
  const DeviceId dev = k.op.a;
  k.device(dev).present = true;
  k.state.listed[k.state.listed_count++] = dev;  // bus_add_device()
  if (k.topology.devices[dev].kind != DeviceKind::kReal) {
    AddFakeGroup(k, dev);
    return 0;
  }
  for (int n = CountNotifiers(k, dev); n > 0; --n) iommu_bus_notifier(k, dev);
  return 0;
}

const char* CannotRemove(const Kernel& k) {
  if (k.device(k.op.a).open_in != kNoId) return kIsOpen;
  if (WaitsToLeaveVfio(k, k.op.a)) return kWaits;
  // pci_stop_and_remove_bus_device() removes what is below a bridge before it.
  if (HasDevicesBelow(k, k.op.a)) return "devices below the bridge are there";
  return k.device(k.op.a).present ? nullptr : kNotThere;
}

// device_del(): unbind, BUS_NOTIFY_REMOVED_DEVICE. ABSTRACTION: a device that is served leaves its
// group also where its bus has no notifier; in the kernel the group keeps a pointer to it.
int Remove(Kernel& k) {
  const DeviceId dev = k.op.a;
  if (k.device(dev).bound == BoundTo::kKernelDriver) iommu_device_unuse_default_domain(k, dev);
  if (k.device(dev).bound == BoundTo::kVfio) UnregisterDevice(k, dev);
  if (k.topology.devices[dev].kind == DeviceKind::kReal &&
      (CountNotifiers(k, dev) != 0 || k.device(dev).group != kNoId))
    iommu_release_device(k, dev);
  k.device(dev).iommu = false;
  k.device(dev).fwspec = kNoId;
  k.device(dev).bound = BoundTo::kVfio;
  k.device(dev).configure_deferred = false;
  k.device(dev).present = false;
  auto* const end = k.state.listed.begin() + k.state.listed_count;
  *std::remove(k.state.listed.begin(), end, dev) = kNoId;
  --k.state.listed_count;
  return 0;
}

const char* CannotConfigure(const Kernel& k) {
  if (!k.device(k.op.a).present) return kNotThere;
  return HasFirmwareDescription(k.topology, k.op.a)
             ? nullptr
             : "firmware does not describe the device by a fwnode";
}

// bus->dma_configure() of a driver that binds: of_iommu_configure(), acpi_iommu_configure_id().
int Configure(Kernel& k) {
  const DeviceId dev = k.op.a;
  DeviceState& d = k.device(dev);
  d.configure_deferred = false;
  if (d.fwspec != kNoId) return 0;  // nor is it probed
  if (const int ret = ApplyFirmware(k, dev); ret != 0) {
    d.configure_deferred = ret == -kEProbeDefer;  // then really_probe() stops
    return ret;
  }
  // From 6.13 on acpi_iommu_configure_id() leaves the probe to the walks of the buses.
  if (k.has(Rule::kProbeDmaConfigure) && k.acpi()) return 0;
  return iommu_probe_device(k, dev);
}

const char* CannotBind(const Kernel& k) {
  const DeviceState& d = k.device(k.op.a);
  if (!d.present) return kNotThere;
  if (d.open_in != kNoId) return kIsOpen;
  if (WaitsToLeaveVfio(k, k.op.a)) return kWaits;
  if (d.configure_deferred) return "dma_configure() of the device has deferred its drivers";
  return d.bound == BoundTo::kKernelDriver ? "a kernel driver has the device" : nullptr;
}

int Bind(Kernel& k) {  // unbind from VFIO, then really_probe() of another driver
  const DeviceId dev = k.op.a;
  DeviceState& d = k.device(dev);
  if (d.bound == BoundTo::kVfio) UnregisterDevice(k, dev);
  d.bound = BoundTo::kNobody;
  // really_probe(): dma_configure() of the bus, then the driver's probe().
  int ret = iommu_device_use_default_domain(k, dev);
  if (ret == 0) {
    ret = k.inject(Fault::Kind::kDriver, dev);
    if (ret != 0) iommu_device_unuse_default_domain(k, dev);  // dma_cleanup()
  }
  if (ret != 0) {
    // really_probe() keeps the errno to itself, and bind_store() takes that for a driver that does
    // not want the device.
    if (!k.has(Rule::kBindProbeErrno)) return -ENODEV;
    return ret == -kEProbeDefer ? -EAGAIN : ret;  // device_driver_attach()
  }
  d.bound = BoundTo::kKernelDriver;
  // A fake group's device is on a bus without an IOMMU, and so without a notifier.
  if (k.has(Rule::kVfioViable) && k.topology.devices[dev].kind == DeviceKind::kReal &&
      d.group != kNoId && k.group(d.group).container != kNoId)
    k.oops(Oops::kBug, "vfio_iommu_group_notifier", d.group, dev);
  return 0;
}

const char* CannotUnbind(const Kernel& k) {
  return k.device(k.op.a).bound != BoundTo::kVfio ? nullptr : "VFIO has the device";
}

int Unbind(Kernel& k) {
  DeviceState& d = k.device(k.op.a);
  if (d.bound == BoundTo::kKernelDriver) iommu_device_unuse_default_domain(k, k.op.a);
  d.bound = BoundTo::kVfio;
  if (k.topology.devices[k.op.a].kind != DeviceKind::kReal) AddFakeGroup(k, k.op.a);
  return 0;
}

}  // namespace iommucheck
