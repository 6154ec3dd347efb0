// SPDX-License-Identifier: Apache-2.0
#include "model/step.h"

#include <algorithm>

#include "model/kernel.h"

namespace iommucheck {
namespace {

// The assumptions about steps that a step may leave on its way. It is undone then, so it needs the
// state before.
constexpr RuleSet kStepAssumptions = RuleSet()
                                         .add(Rule::kAssumeNoHotAddWhenAttached)
                                         .add(Rule::kAssumeNoUnregisterWhenAttached)
                                         .add(Rule::kAssumeBusOpsNotReplaced)
                                         .add(Rule::kAssumeNoDriverBeforeIommu);

// Only what registers, probes and lets go can leave one; the other ops need not keep the state.
bool MayLeaveAssumption(OpKind kind) {
  return kind == OpKind::kRegister || kind == OpKind::kUnregister || kind == OpKind::kAdd ||
         kind == OpKind::kConfigure;
}

// Another driver is loaded where this one's ops would lie.
bool AddressTaken(const Kernel& k, DriverId driver) {
  for (DriverId d = 0; d < k.topology.drivers_count; ++d)
    if (d != driver && k.same_ops(d, driver) && DriverLoaded(k, d)) return true;
  return false;
}

bool HasFirmwareDescription(const Topology& t, DeviceId dev) {
  for (InstanceId master : t.devices[dev].masters)
    if (master != kNoId && t.instances[master].fwnode) return true;
  return false;
}

// dev->iommu->iommu_dev of some device.
bool ServesADevice(const Kernel& k, InstanceId instance) {
  return std::any_of(k.state.devices.begin(), k.state.devices.begin() + k.topology.devices_count,
                     [instance](const DeviceState& d) { return d.instance == instance; });
}

constexpr const char* kNotThere = "the device is not there";
constexpr const char* kIsOpen = "user space has the device open";

// The same for what user space does with files.
const char* WhyNoFile(const Kernel& k, const Op& op) {
  if (op.kind == OpKind::kOpen || op.kind == OpKind::kClose) {
    const GroupState& g = k.group(op.a);
    if (!g.live) return "there is no such group";
    if (op.kind == OpKind::kOpen) return nullptr;
    if (g.open_devices != 0) return "a device of the group is open";
    return g.open || g.container != kNoId ? nullptr : "the group is not open";
  }
  const DeviceState& d = k.device(op.a);
  if (op.kind == OpKind::kPutDevice) return d.open_in != kNoId ? nullptr : "the device is not open";
  if (d.open_in != kNoId) return kIsOpen;
  return d.group == kNoId ? "the device has no group" : nullptr;
}

// The same for what takes a driver, a kernel driver's device, or a container with type1.
const char* WhyNotDriven(const Kernel& k, const Op& op) {
  if (op.kind == OpKind::kMap || op.kind == OpKind::kUnmap) return nullptr;
  const DeviceState& d = k.device(op.a);
  const bool kernel_driver = d.bound == BoundTo::kKernelDriver;
  switch (op.kind) {
    case OpKind::kPin:
    case OpKind::kUnpin:
      if (k.topology.devices[op.a].kind != DeviceKind::kEmulated) return "it is not emulated";
      return d.open_in != kNoId ? nullptr : "the device is not open";
    case OpKind::kBind:
      if (!d.present) return kNotThere;
      if (d.open_in != kNoId) return kIsOpen;
      if (d.configure_deferred) return "dma_configure() of the device has deferred its drivers";
      return kernel_driver ? "a kernel driver has the device" : nullptr;
    case OpKind::kUnbind:
      return d.bound != BoundTo::kVfio ? nullptr : "VFIO has the device";
    case OpKind::kAttachPasid: {
      if (!kernel_driver) break;
      if (k.topology.devices[op.a].kind != DeviceKind::kReal) return "the device has no IOMMU";
      if (d.group == kNoId) return "the device has no group";
      if (!k.fwnode_era())
        return k.group(d.group).pasid_domain == kNoId ? nullptr : "the device has PASIDs";
      const GroupId of = k.device(op.b).group;
      return of != kNoId && k.group(of).domain != kNoId ? nullptr : "there is no domain";
    }
    case OpKind::kDetachPasid:
      if (d.group == kNoId || k.group(d.group).pasid_domain == kNoId) return "there is no PASID";
      return nullptr;
    case OpKind::kReset:
      if (!d.present || k.topology.devices[op.a].bus != Bus::kPci) return "it is no pci device";
      if (!k.has(Rule::kCoreResetBusy) && !k.has(Rule::kCoreResetMustSucceed))
        return "resets of this kernel leave the IOMMU alone";
      return d.blocked ? "the device is in reset" : nullptr;
    case OpKind::kResetDone:
      return d.blocked ? nullptr : "the device is not in reset";
    default:
      break;
  }
  return kernel_driver ? nullptr : "no kernel driver has the device";
}

// Why no kernel, driver or admin can take the op now; nullptr: it is possible.
const char* WhyNotPossible(const Kernel& k, const Op& op) {
  switch (op.kind) {
    case OpKind::kRegister:
      if (IsRegistered(k, op.a)) return "the instance is registered";
      if (AddressTaken(k, k.topology.instances[op.a].driver))
        return "another driver is loaded at the driver's address";
      return nullptr;
    case OpKind::kUnregister:
      return IsRegistered(k, op.a) ? nullptr : "the instance is not registered";
    case OpKind::kAdd:
      return k.device(op.a).present ? "the device is there" : nullptr;
    case OpKind::kRemove:
      if (k.device(op.a).open_in != kNoId) return kIsOpen;
      return k.device(op.a).present ? nullptr : kNotThere;
    case OpKind::kConfigure:
      if (!k.device(op.a).present) return kNotThere;
      return HasFirmwareDescription(k.topology, op.a)
                 ? nullptr
                 : "firmware does not describe the device by a fwnode";
    case OpKind::kSetContainer:
    case OpKind::kUnsetContainer:
      return k.group(op.a).live ? nullptr : "there is no such group";
    case OpKind::kSetIommu:
      return nullptr;
    default:
      return op.kind < OpKind::kMap ? WhyNoFile(k, op) : WhyNotDriven(k, op);
  }
}

int AddDevice(Kernel& k, DeviceId dev) {  // device_add(), BUS_NOTIFY_ADD_DEVICE
  k.device(dev).present = true;
  k.state.listed[k.state.listed_count++] = dev;  // bus_add_device()
  if (k.topology.devices[dev].kind != DeviceKind::kReal) {
    AddFakeGroup(k, dev);
    return 0;
  }
  const auto bus = static_cast<unsigned>(k.topology.devices[dev].bus);
  const bool notified =
      k.profile.era != Era::kBusSlots || ((k.state.bus_notifier >> bus) & 1U) != 0;
  if (notified) iommu_probe_device(k, dev);
  return 0;
}

int RemoveDevice(Kernel& k, DeviceId dev) {  // device_del(): unbind, BUS_NOTIFY_REMOVED_DEVICE
  const GroupId group = k.device(dev).group;
  if (k.device(dev).bound == BoundTo::kKernelDriver) iommu_device_unuse_default_domain(k, dev);
  if (k.device(dev).bound == BoundTo::kVfio) LeaveVfio(k, dev);
  // 6.1 takes dev->iommu for a sign of a driver; a fwspec alone makes one, too. The model goes on
  // as a fixed kernel does.
  if (k.profile.era == Era::kSingleDriver && k.device(dev).fwspec != kNoId && group == kNoId)
    k.emit({.kind = Event::Kind::kOops,
            .device = dev,
            .oops = Oops::kNullPointer,
            .where = "iommu_release_device"});
  if (k.topology.devices[dev].kind == DeviceKind::kReal)
    iommu_release_device(k, dev);
  else
    RemoveFakeGroup(k, dev);
  k.device(dev).bound = BoundTo::kVfio;
  k.device(dev).configure_deferred = false;
  k.device(dev).present = false;
  auto* const end = k.state.listed.begin() + k.state.listed_count;
  *std::remove(k.state.listed.begin(), end, dev) = kNoId;
  --k.state.listed_count;
  return 0;
}

int ConfigureDevice(Kernel& k, DeviceId dev) {  // bus->dma_configure() of a driver that binds
  const int ret = ApplyFirmware(k, dev);
  k.device(dev).configure_deferred = ret == -kEProbeDefer;  // really_probe() goes no further
  return ret != 0 ? ret : iommu_probe_device(k, dev);
}

int BindDriver(Kernel& k, DeviceId dev) {  // VFIO unbinds, and really_probe() of another driver
  DeviceState& d = k.device(dev);
  if (d.bound == BoundTo::kVfio) LeaveVfio(k, dev);
  d.bound = BoundTo::kNobody;
  if (const int ret = iommu_device_use_default_domain(k, dev); ret != 0) return ret;
  d.bound = BoundTo::kKernelDriver;
  // A fake group's device is on a bus without an IOMMU, and so without a notifier.
  if (k.has(Rule::kVfioViable) && k.topology.devices[dev].kind == DeviceKind::kReal &&
      d.group != kNoId && k.group(d.group).container != kNoId)
    k.emit({.kind = Event::Kind::kOops,
            .device = dev,
            .group = d.group,
            .oops = Oops::kBug,
            .where = "vfio_iommu_group_notifier"});
  return 0;
}

int UnbindDriver(Kernel& k, DeviceId dev) {
  DeviceState& d = k.device(dev);
  if (d.bound == BoundTo::kKernelDriver) iommu_device_unuse_default_domain(k, dev);
  d.bound = BoundTo::kVfio;
  return 0;
}

// An ioctl of a container: -EINVAL before VFIO_SET_IOMMU. vfio_noiommu_ioctl() knows none.
int ContainerIoctl(Kernel& k, ContainerId container, int (*ioctl)(Kernel&, ContainerId)) {
  const ContainerState& c = k.state.containers[container];
  if (!c.iommu) return -EINVAL;
  const bool noiommu = c.groups != kNoId && k.group(c.groups).kind == DeviceKind::kNoIommu;
  return noiommu ? -ENOTTY : ioctl(k, container);
}

// vfio_pin_pages(), vfio_unpin_pages() by the driver of an emulated device
int PinIoctl(Kernel& k, DeviceId dev, int (*pin)(Kernel&, ContainerId)) {
  const ContainerId container = k.group(k.device(dev).group).container;
  if (container == kNoId || !k.state.containers[container].iommu) return -ENOTTY;
  return pin(k, container);
}

int DispatchDriver(Kernel& k, const Op& op) {
  switch (op.kind) {
    case OpKind::kPin:
      return PinIoctl(k, op.a, vfio_iommu_type1_pin_pages);
    case OpKind::kUnpin:
      return PinIoctl(k, op.a, vfio_iommu_type1_unpin_pages);
    case OpKind::kBind:
      return BindDriver(k, op.a);
    case OpKind::kUnbind:
      return UnbindDriver(k, op.a);
    case OpKind::kDma:
      return iommu_deferred_attach(k, op.a);
    case OpKind::kAttachPasid: {
      const GroupId of = k.device(op.b).group;
      return iommu_attach_device_pasid(k, op.a, of == kNoId ? kNoId : k.group(of).domain);
    }
    case OpKind::kDetachPasid:
      iommu_detach_device_pasid(k, op.a);
      return 0;
    case OpKind::kReset:
      return pci_dev_reset_iommu_prepare(k, op.a);
    case OpKind::kResetDone:
      pci_dev_reset_iommu_done(k, op.a);
      return 0;
    default:
      return -EINVAL;
  }
}

int Dispatch(Kernel& k, const Op& op) {
  switch (op.kind) {
    case OpKind::kRegister:
      return RegisterInstance(k, op.a);
    case OpKind::kUnregister:
      UnregisterInstance(k, op.a);
      return 0;
    case OpKind::kAdd:
      return AddDevice(k, op.a);
    case OpKind::kRemove:
      return RemoveDevice(k, op.a);
    case OpKind::kConfigure:
      return ConfigureDevice(k, op.a);
    case OpKind::kSetContainer:
      return SetContainer(k, op.a, op.b);
    case OpKind::kSetIommu:
      return vfio_ioctl_set_iommu(k, op.a, static_cast<IommuType>(op.b));
    case OpKind::kUnsetContainer:
      return UnsetContainer(k, op.a);
    case OpKind::kOpen:
      return OpenGroup(k, op.a);
    case OpKind::kClose:
      CloseGroup(k, op.a);
      return 0;
    case OpKind::kGetDevice:
      return GetDevice(k, op.a);
    case OpKind::kPutDevice:
      PutDevice(k, op.a);
      return 0;
    case OpKind::kMap:
      return ContainerIoctl(k, op.a, vfio_dma_do_map);
    case OpKind::kUnmap:
      return ContainerIoctl(k, op.a, vfio_dma_do_unmap);
    default:
      return DispatchDriver(k, op);
  }
}

StepResult Done(const Kernel& k, int error) { return {.error = error, .struck = k.struck()}; }

}  // namespace

State InitialState(const Topology& topology) {
  static const State kBlank;  // one copy is cheaper than to initialise every entry
  State state = kBlank;
  for (DeviceId dev = 0; dev < topology.devices_count; ++dev) {
    if (topology.devices[dev].absent) continue;
    state.devices[dev].present = true;
    state.listed[state.listed_count++] = dev;
    if (topology.devices[dev].kind == DeviceKind::kReal) continue;
    const GroupId group = state.groups_end++;  // AddFakeGroup(), of the first groups there are
    state.groups[group].live = true;
    state.groups[group].kind = topology.devices[dev].kind;
    state.groups[group].devices = dev;
    state.devices[dev].group = group;
  }
  return state;
}

StepResult Step(const KernelProfile& kernel, const Topology& topology, const Op& op, State& state,
                std::vector<Event>& events) {
  events.clear();
  Kernel k{.profile = kernel, .topology = topology, .op = op, .state = state, .events = events};
  if (const char* why = WhyNotPossible(k, op); why != nullptr)
    return {.outcome = Outcome::kNotPossible, .why = why};
  // A register that fails unregisters by itself, and may.
  if (op.kind == OpKind::kUnregister && k.has(Rule::kAssumeNoUnregisterWhileServing) &&
      ServesADevice(k, op.a))
    return {.outcome = Outcome::kOutside, .assumption = Rule::kAssumeNoUnregisterWhileServing};

  if (!kernel.rules.has_any(kStepAssumptions) || !MayLeaveAssumption(op.kind))
    return Done(k, Dispatch(k, op));

  const State before = state;
  const int error = Dispatch(k, op);
  if (!k.outside) return Done(k, error);
  state = before;
  events.clear();
  return {.outcome = Outcome::kOutside, .assumption = *k.outside};
}

}  // namespace iommucheck
