// SPDX-License-Identifier: Apache-2.0
//
// How devices get their iommu_ops: registration, probe, groups, release (drivers/iommu/iommu.c).
#include <algorithm>
#include <bitset>
#include <span>
#include <utility>

#include "model/kernel.h"
#include "model/pci.h"

namespace iommucheck {
namespace {

enum class ProbeFrom : uint8_t { kWalk, kHotplug };

std::span<const InstanceId> Registered(const Kernel& k) {
  return std::span(k.state.registered).first(k.state.registered_count);
}

// The order of bus_for_each_dev() on all buses: a device that was added again is the last.
std::span<const DeviceId> DevicesInOrder(const Kernel& k) {
  return std::span(k.state.listed).first(k.state.listed_count);
}

// Takes the instance off the list, and drops its reference to the group that its devices share.
void Unlist(Kernel& k, InstanceId instance) {
  auto& list = k.state.registered;
  auto* const end = list.begin() + k.state.registered_count;
  *std::remove(list.begin(), end, instance) = kNoId;
  --k.state.registered_count;
  if (const GroupId shared = std::exchange(k.state.instance_group[instance], kNoId);
      shared != kNoId)
    iommu_group_put(k, shared);
}

bool BusHasProbedDevice(const Kernel& k, Bus bus) {
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (k.topology.devices[dev].bus == bus && k.device(dev).group != kNoId) return true;
  return false;
}

// bus->iommu_ops = ops
void SetBusOps(Kernel& k, Bus bus, DriverId driver) {
  DriverId& slot = k.state.bus_ops[static_cast<size_t>(bus)];
  if (slot != kNoId && slot != driver && BusHasProbedDevice(k, bus))
    k.leave(Rule::kAssumeBusOpsNotReplaced);
  slot = driver;
}

// --- groups ---

GroupId AllocGroup(Kernel& k) {
  for (GroupId g = 0; g < kMaxGroups; ++g)
    if (!k.group(g).live) {
      k.group(g).live = true;
      k.state.groups_end = std::max(k.state.groups_end, static_cast<uint8_t>(g + 1));
      return g;
    }
  return kNoId;
}

// get_pci_alias_group() and get_pci_function_alias_group(): the group of the first device that a
// chain of aliases and shared slots leads to, whether or not the devices between have one.
class PciGroupSearch {
 public:
  explicit PciGroupSearch(const Kernel& k) : k_(k) {}

  GroupId AliasGroup(DeviceId dev) {
    if (((seen_ >> dev) & 1U) != 0) return kNoId;
    seen_ |= uint64_t{1} << dev;
    if (k_.device(dev).group != kNoId) return k_.device(dev).group;
    for (DeviceId other : DevicesInOrder(k_)) {
      if (other == dev || !k_.topology.aliases(dev, other)) continue;
      if (const GroupId group = AliasGroup(other); group != kNoId) return group;
      if (const GroupId group = FunctionGroup(other); group != kNoId) return group;
    }
    return kNoId;
  }

  GroupId FunctionGroup(DeviceId dev) {
    for (DeviceId other : DevicesInOrder(k_)) {
      if (other == dev || !k_.topology.same_slot(dev, other)) continue;
      if (const GroupId group = AliasGroup(other); group != kNoId) return group;
    }
    return kNoId;
  }

 private:
  const Kernel& k_;
  uint64_t seen_ = 0;
  static_assert(kMaxDevices <= 64);
};

GroupId pci_device_group(Kernel& k, DeviceId dev) {
  DeviceId top = dev;
  if (k.topology.devices[dev].below != kNoId) {
    const Bridges bridges = SharedBridges(k.topology, dev);
    for (int i = 0; i < bridges.count; ++i) {
      top = bridges.devices[static_cast<size_t>(i)];
      if (k.device(top).group != kNoId) return k.device(top).group;
    }
  }
  PciGroupSearch search(k);
  if (const GroupId group = search.AliasGroup(top); group != kNoId) return group;
  if (const GroupId group = search.FunctionGroup(top); group != kNoId) return group;
  return AllocGroup(k);
}

// device_group() of drivers on other buses that know which devices send the same stream id
// (arm_smmu_device_group()) or are in the same container (fsl_mc_device_group()). ABSTRACTION: the
// other device's driver does not matter, as on pci. A real SMMU looks only at its own streams; here
// the machine decides which drivers can meet in a group.
GroupId StreamGroup(Kernel& k, DeviceId dev) {
  if (k.topology.devices[dev].slot == 0) return AllocGroup(k);  // generic_device_group()
  for (DeviceId other : DevicesInOrder(k))
    if (k.device(other).group != kNoId && k.topology.same_slot(dev, other))
      return k.device(other).group;
  return AllocGroup(k);
}

// ops->device_group()
GroupId DeviceGroup(Kernel& k, DeviceId dev) {
  const InstanceId instance = k.device(dev).instance;
  if (k.topology.drivers[k.topology.instances[instance].driver].instance_groups) {
    GroupId& shared = k.state.instance_group[instance];
    if (shared == kNoId) shared = AllocGroup(k);
    return shared;
  }
  return k.topology.devices[dev].bus == Bus::kPci ? pci_device_group(k, dev) : StreamGroup(k, dev);
}

void ListAddTail(Kernel& k, GroupId group, DeviceId dev) {
  uint8_t* link = &k.group(group).devices;
  while (*link != kNoId) link = &k.device(*link).next;
  *link = dev;
}

void ListDel(Kernel& k, GroupId group, DeviceId dev) {
  uint8_t* link = &k.group(group).devices;
  while (*link != dev) link = &k.device(*link).next;
  *link = k.device(dev).next;
  k.device(dev).next = kNoId;
}

void FreeGroupDomains(Kernel& k, GroupId group) {
  GroupState& g = k.group(group);
  SetGroupDomainPointer(k, group, kNoId);
  SetPasidPointer(k, group, kNoId);
  iommu_domain_free(k, std::exchange(g.default_domain, kNoId));
  iommu_domain_free(k, std::exchange(g.blocking_domain, kNoId));
}

// Up to and including 6.1 iommu_release_device() takes a device with a dev->iommu for a served one, and reads its
// instance and its ops: those of the instance, in 5.15 those in the slot of the bus. A device that
// waits for its IOMMU has no instance, and up to and including 6.0 an instance that goes leaves its
// devices behind. After an oops the model goes on as a fixed kernel does. ABSTRACTION: the
// release_device() of a driver that does not serve the device does nothing.
void ReadInstance(Kernel& k, DeviceId dev) {
  const InstanceId instance = k.device(dev).instance;
  const DriverId slot = k.state.bus_ops[static_cast<size_t>(k.topology.devices[dev].bus)];
  const bool has_ops = k.has(Rule::kAllocOpsPerDriver) ? slot != kNoId : instance != kNoId;
  if (instance != kNoId && !IsRegistered(k, instance))
    k.oops(Oops::kUseAfterFree, "iommu_device_unlink", kNoId, dev);
  else if (!has_ops)
    k.oops(Oops::kNullPointer, "iommu_release_device", kNoId, dev);
}

// --- probe ---

// Whether the instance is registered, belongs to the driver, and firmware put the device behind it.
bool Accepts(const Kernel& k, DeviceId dev, InstanceId instance, DriverId driver) {
  const Instance& i = k.topology.instances[instance];
  return i.driver == driver && IsRegistered(k, instance) &&
         (!i.fwnode || k.device(dev).fwspec == instance);
}

// ops->probe_device(): 0 and the instance, or a negative errno.
int ProbeDevice(Kernel& k, DeviceId dev, DriverId driver, InstanceId* instance) {
  if (const int ret = k.inject(Fault::Kind::kProbe, dev); ret != 0) return ret;
  for (InstanceId master : k.topology.devices[dev].masters)
    if (master != kNoId && Accepts(k, dev, master, driver)) {
      *instance = master;
      return 0;
    }
  if (!k.topology.drivers[driver].accepts_foreign) return -ENODEV;
  const auto list = Registered(k);
  const auto it = std::ranges::find_if(
      list, [&](InstanceId i) { return k.topology.instances[i].driver == driver; });
  if (it == list.end()) return -ENODEV;
  *instance = *it;
  return 0;
}

// dev_iommu_free()
void FreeDevIommu(Kernel& k, DeviceId dev) {
  k.device(dev).iommu = false;
  k.device(dev).fwspec = kNoId;
}

int iommu_fwspec_init(Kernel& k, DeviceId dev, InstanceId instance) {
  DeviceState& d = k.device(dev);
  const bool registered = IsRegistered(k, instance);
  // of_iommu_xlate() makes the fwspec with ops of NULL, and returns -EPROBE_DEFER only then. In the
  // model the device has no fwspec: the next of_iommu_configure() frees it, and no driver takes it.
  const bool without_ops = !registered && !k.acpi() && k.has(Rule::kFwspecWithoutOps);
  if (!registered && !without_ops) return -kEProbeDefer;
  const auto driver = [&](InstanceId i) { return k.topology.instances[i].driver; };
  if (d.fwspec != kNoId) {
    if (registered && k.same_ops(driver(d.fwspec), driver(instance))) return 0;
    if (k.has(Rule::kFwspecOneDriver)) return k.refuse(Rule::kFwspecOneDriver, -EINVAL, dev);
  }
  d.iommu = true;
  if (without_ops) return -kEProbeDefer;
  d.fwspec = instance;
  return 0;
}

// Whether an instance of the driver is registered or a device is served by it.
bool DriverLoaded(const Kernel& k, DriverId driver) {
  const auto of_driver = [&](InstanceId i) { return k.topology.instances[i].driver == driver; };
  if (std::ranges::any_of(Registered(k), of_driver)) return true;
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (k.driver_of(dev) == driver) return true;
  return false;
}

// The driver whose ops lie at the address of this one's now. ABSTRACTION: those of a driver that is
// not loaded any more stay as they were, until another is loaded there; it serves nothing then.
DriverId LoadedAt(const Kernel& k, DriverId driver) {
  for (DriverId d = 0; d < k.topology.drivers_count; ++d)
    if (k.same_ops(d, driver) && DriverLoaded(k, d)) return d;
  return driver;
}

// dev->driver. ABSTRACTION: VFIO's driver is bound while an open group has the device, or user space.
bool HasDriver(const Kernel& k, DeviceId dev) {
  const DeviceState& d = k.device(dev);
  return d.bound == BoundTo::kKernelDriver || d.vfio_in != kNoId || d.open_in != kNoId;
}

// The driver that the core asks to probe the device; kNoId: -ENODEV.
DriverId LookUpOps(Kernel& k, DeviceId dev) {
  if (!k.fwnode_era()) return k.state.bus_ops[static_cast<size_t>(k.topology.devices[dev].bus)];
  // It calls bus->dma_configure() here and ignores the result. A device with a driver had that when
  // its driver bound.
  if (k.has(Rule::kProbeDmaConfigure) && !HasDriver(k, dev)) ApplyFirmware(k, dev);
  // iommu_ops_from_fwnode(): of a fwspec's fwnode, else of the first instance without one.
  const InstanceId named = k.device(dev).fwspec;
  if (named != kNoId && k.has(Rule::kFwspecKeepsOps))
    return LoadedAt(k, k.topology.instances[named].driver);
  if (named != kNoId) return IsRegistered(k, named) ? k.topology.instances[named].driver : kNoId;
  for (InstanceId i : Registered(k))
    if (!k.topology.instances[i].fwnode) return k.topology.instances[i].driver;
  return kNoId;
}

// iommu_group_alloc_default_domain()
void AllocDefaultByBus(Kernel& k, GroupId group, Bus bus, DefaultType type) {
  GroupState& g = k.group(group);
  const DriverId driver = k.state.bus_ops[static_cast<size_t>(bus)];
  if (g.default_domain != kNoId || driver == kNoId || !k.topology.drivers[driver].default_domains)
    return;
  g.default_domain = AllocDefaultDomain(k, type, driver, k.topology.drivers[driver].table, kNoId);
  if (g.default_domain == kNoId) return;
  if (g.domain == kNoId) SetGroupDomainPointer(k, group, g.default_domain);
}

// Attaches a device that has joined a group to the group's current domain.
int JoinDomain(Kernel& k, GroupId group, DeviceId dev) {
  const GroupState& g = k.group(group);
  if (k.sets_up_groups() && g.default_domain != kNoId)
    CreateDirectMappings(k, g.default_domain, dev);
  if (g.domain == kNoId) return 0;
  if (!k.sets_up_groups() && k.device(dev).attach_deferred) return 0;
  return DeviceSetDomain(k, group, dev, g.domain, SetDomain::kPlain);
}

// __iommu_probe_device(): finds the ops and the instance, joins the group, and attaches the device
// to the group's current domain.
int InitDevice(Kernel& k, DeviceId dev) {
  const DriverId driver = LookUpOps(k, dev);
  if (driver == kNoId) {
    if (k.has(Rule::kProbeDmaConfigure)) FreeDevIommu(k, dev);  // iommu_init_device()
    return -ENODEV;
  }
  InstanceId instance = kNoId;
  if (const int ret = ProbeDevice(k, dev, driver, &instance); ret != 0) {
    FreeDevIommu(k, dev);
    return ret;
  }
  k.device(dev).iommu = true;
  k.device(dev).instance = instance;
  const GroupId group = DeviceGroup(k, dev);
  if (group == kNoId) {
    FreeDevIommu(k, dev);
    k.device(dev).instance = kNoId;
    return -ENOMEM;
  }
  if (k.group(group).container != kNoId) k.leave(Rule::kAssumeNoHotAddWhenAttached);
  if (k.device(dev).bound == BoundTo::kKernelDriver) k.leave(Rule::kAssumeNoDriverBeforeIommu);
  k.device(dev).group = group;
  ListAddTail(k, group, dev);
  k.emit({.kind = Event::Kind::kProbe,
          .device = dev,
          .group = group,
          .device_driver = k.driver_of(dev),
          .instance = instance});
  if (k.has(Rule::kProbeDmaConfigure) && HasDriver(k, dev)) k.warn("__iommu_probe_device", group);
  k.device(dev).attach_deferred = k.topology.drivers[k.driver_of(dev)].deferred;
  const int ret = JoinDomain(k, group, dev);
  if (ret != 0)
    iommu_release_device(k, dev);
  else if (k.group(group).container != kNoId && k.has(Rule::kVfioViable))
    k.warn("vfio_group_nb_add_dev", group);
  return ret;
}

// The hotplug half of iommu_probe_device(), up to and including 6.1. No other device of the group is
// asked for the type.
int AttachDefaultByBus(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  const GroupState& g = k.group(group);
  AllocDefaultByBus(k, group, k.topology.devices[dev].bus, k.topology.devices[dev].default_type);
  if (g.default_domain == kNoId) return 0;
  if (!g.owner)
    if (const int ret = AttachDevice(k, g.default_domain, dev); ret != 0) {
      iommu_release_device(k, dev);
      return ret;
    }
  CreateDirectMappings(k, g.default_domain, dev);  // the kernel ignores the result
  return 0;
}

int SetupDefault(Kernel& k, DeviceId dev) {
  const GroupState& g = k.group(k.device(dev).group);
  if (g.domain != kNoId || g.default_domain != kNoId) return 0;
  const int ret = iommu_setup_default_domain(k, k.device(dev).group);
  if (ret != 0) iommu_release_device(k, dev);
  return ret;
}

// --- walking a bus ---

// The second half of bus_iommu_probe(), for one group.
int FinishGroup(Kernel& k, GroupId group, Bus bus) {
  if (k.sets_up_groups()) return iommu_setup_default_domain(k, group);
  // 5.15 asks the slot of each device's bus for the default type, and expects ops there.
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next)
    if (HasNoOps(k, dev)) {
      k.oops(Oops::kNullPointer, "iommu_get_def_domain_type", group, dev);
      break;
    }
  AllocDefaultByBus(k, group, bus, DefaultTypeOf(k, group));
  const DomainId dom = k.group(group).default_domain;
  if (dom == kNoId) return 0;
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next)
    CreateDirectMappings(k, dom, dev);
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next) {
    if (k.device(dev).attach_deferred) continue;
    if (const int ret = AttachDevice(k, dom, dev); ret != 0) return ret;
  }
  return 0;
}

int bus_iommu_probe(Kernel& k, Bus bus) {
  std::array<GroupId, kMaxGroups> list;  // groups that wait for a default domain
  size_t listed = 0;
  for (DeviceId dev : DevicesInOrder(k)) {
    if (k.topology.devices[dev].bus != bus || k.device(dev).group != kNoId) continue;
    if (k.topology.devices[dev].kind != DeviceKind::kReal) continue;
    const int ret = InitDevice(k, dev);
    if (ret != 0 && ret != -ENODEV) return ret;
    const GroupId group = k.device(dev).group;
    if (ret != 0 || k.group(group).default_domain != kNoId) continue;
    // From 6.6 on the walk leaves a group alone that has a domain, even if not a default one.
    if (k.sets_up_groups() && k.group(group).domain != kNoId) continue;
    if (std::ranges::find(list.begin(), list.begin() + listed, group) == list.begin() + listed)
      list[listed++] = group;
  }
  for (size_t i = 0; i < listed; ++i)
    if (const int ret = FinishGroup(k, list[i], bus); ret != 0) return ret;
  return 0;
}

// --- registration, by era ---

using Devices = std::bitset<kMaxDevices>;

Devices Grouped(const Kernel& k) {
  Devices grouped;
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    grouped[dev] = k.device(dev).group != kNoId;
  return grouped;
}

// No driver of VFIO has come to those that the walk has just probed.
void ReleaseBus(Kernel& k, Bus bus, const Devices& before_walk) {
  for (DeviceId dev : DevicesInOrder(k)) {
    if (k.topology.devices[dev].bus != bus) continue;
    if (before_walk[dev]) StayVfios(k, dev);
    iommu_release_device(k, dev);
  }
}

int bus_set_iommu(Kernel& k, Bus bus, DriverId driver) {
  if (driver == kNoId) {
    // The kernel leaves the notifiers and the devices as they are.
    SetBusOps(k, bus, kNoId);
    return 0;
  }
  if (k.state.bus_ops[static_cast<size_t>(bus)] != kNoId && k.has(Rule::kBusOneOps))
    return k.refuse(Rule::kBusOneOps, -EBUSY);
  SetBusOps(k, bus, driver);
  uint16_t& notifiers = k.state.bus_notifiers[static_cast<size_t>(bus)];
  ++notifiers;
  const Devices grouped = Grouped(k);
  const int ret = bus_iommu_probe(k, bus);
  if (ret == 0) return 0;
  ReleaseBus(k, bus, grouped);
  --notifiers;
  SetBusOps(k, bus, kNoId);
  return ret;
}

// Whether the device is behind a registered instance of the driver.
bool IsBehind(const Kernel& k, DeviceId dev, DriverId driver) {
  return std::ranges::any_of(k.topology.devices[dev].masters, [&](InstanceId i) {
    return i != kNoId && k.topology.instances[i].driver == driver && IsRegistered(k, i);
  });
}

// probe_acpi_namespace_devices() of Intel's driver, which takes the bus of each device that a DRHD
// names and that has no group. The driver ignores the error that ends the loop. ABSTRACTION: the
// devices come in the order of their bus, not of the DMAR table.
void ProbeNamespaceDevices(Kernel& k, Bus bus, DriverId driver) {
  for (DeviceId dev : DevicesInOrder(k)) {
    if (k.topology.devices[dev].bus != bus || k.device(dev).group != kNoId ||
        !IsBehind(k, dev, driver))
      continue;
    SetBusOps(k, bus, driver);
    if (iommu_probe_device(k, dev) != 0) return;
  }
}

int ClaimBus(Kernel& k, Bus bus, DriverId driver) {
  if (bus == Bus::kCdx) return 0;  // came with 6.4, after the last driver that claims buses
  const DriverId slot = k.state.bus_ops[static_cast<size_t>(bus)];
  switch (k.topology.drivers[driver].claims[static_cast<size_t>(bus)]) {
    case Claim::kNone:
      return 0;
    case Claim::kStrict:
      return bus_set_iommu(k, bus, driver);
    case Claim::kOwnOk:
      return slot == driver ? 0 : bus_set_iommu(k, bus, driver);
    case Claim::kSkip:
      return slot != kNoId ? 0 : bus_set_iommu(k, bus, driver);
    case Claim::kIgnore:
      bus_set_iommu(k, bus, driver);
      return 0;
    case Claim::kStore:
      ProbeNamespaceDevices(k, bus, driver);
      return 0;
  }
  return 0;
}

bool AllRegistered(const Kernel& k, DriverId driver) {
  for (InstanceId i = 0; i < k.topology.instances_count; ++i)
    if (k.topology.instances[i].driver == driver && !IsRegistered(k, i)) return false;
  return true;
}

// The calls of bus_set_iommu() that drivers make when an instance probes, up to and including 6.0.
int ClaimBuses(Kernel& k, InstanceId instance) {
  const DriverId id = k.topology.instances[instance].driver;
  const Driver& driver = k.topology.drivers[id];
  if (driver.claims_once && !AllRegistered(k, id)) return 0;
  for (size_t n = 0; n < driver.claim_order.size(); ++n) {
    const int ret = ClaimBus(k, driver.claim_order[n], id);
    if (ret == 0) continue;
    for (size_t m = 0; driver.unwinds && m < n; ++m)
      if (driver.claims[static_cast<size_t>(driver.claim_order[m])] != Claim::kNone)
        bus_set_iommu(k, driver.claim_order[m], kNoId);
    return ret;
  }
  return 0;
}

// The buses that iommu_device_register() walks: cdx came with 6.4.
std::span<const Bus> IommuBuses(const Kernel& k) {
  static constexpr std::array kBuses = {Bus::kPlatform, Bus::kPci,    Bus::kAmba,
                                        Bus::kFslMc,    Bus::kHost1x, Bus::kCdx};
  return std::span(kBuses).first(k.sets_up_groups() ? 6 : 5);
}

int WalkBuses(Kernel& k, DriverId driver) {
  for (Bus bus : IommuBuses(k)) {
    if (!k.fwnode_era()) SetBusOps(k, bus, driver);
    if (const int ret = bus_iommu_probe(k, bus); ret != 0) return ret;
  }
  return 0;
}

bool OtherFirmware(const Kernel& k, const Driver& driver) {
  return driver.firmware != Firmware::kAny && k.topology.firmware != Firmware::kAny &&
         driver.firmware != k.topology.firmware;
}

// A slot that still holds the address of an unloaded driver belongs to the new driver from now on.
void AdoptSlots(Kernel& k, DriverId driver) {
  for (DriverId& slot : k.state.bus_ops)
    if (slot != kNoId && k.same_ops(slot, driver)) slot = driver;
}

// remove_iommu_group() for each device of each bus; up to and including 6.0 the core releases none.
void ReleaseServedBy(Kernel& k, InstanceId instance) {
  for (Bus bus : IommuBuses(k))
    for (DeviceId dev : DevicesInOrder(k)) {
      if (k.device(dev).instance != instance || k.topology.devices[dev].bus != bus) continue;
      if (k.group(k.device(dev).group).container != kNoId)
        k.leave(Rule::kAssumeNoUnregisterWhenAttached);
      if (k.profile.era != Era::kBusSlots) iommu_release_device(k, dev);
    }
}

// Whether another driver is loaded at the address where this one's ops would lie.
bool AddressTaken(const Kernel& k, DriverId driver) {
  for (DriverId d = 0; d < k.topology.drivers_count; ++d)
    if (d != driver && k.same_ops(d, driver) && DriverLoaded(k, d)) return true;
  return false;
}

// iommu_device_unregister()
void UnregisterInstance(Kernel& k, InstanceId instance) {
  const Driver& driver = k.topology.drivers[k.topology.instances[instance].driver];
  ReleaseServedBy(k, instance);
  Unlist(k, instance);
  if (WritesEverySlot(k.profile.era) && !k.has(Rule::kRegisterStickyOps))
    for (Bus bus : IommuBuses(k)) SetBusOps(k, bus, kNoId);
  if (k.profile.era == Era::kBusSlots && driver.clears)
    for (Bus bus : driver.claim_order)
      if (driver.claims[static_cast<size_t>(bus)] != Claim::kNone) bus_set_iommu(k, bus, kNoId);
}

}  // namespace

bool IsRegistered(const Kernel& k, InstanceId instance) {
  return std::ranges::find(Registered(k), instance) != Registered(k).end();
}

const char* CannotRegister(const Kernel& k) {
  if (IsRegistered(k, k.op.a)) return "the instance is registered";
  return AddressTaken(k, k.topology.instances[k.op.a].driver)
             ? "another driver is loaded at the driver's address"
             : nullptr;
}

int Register(Kernel& k) {  // iommu_device_register() and claims
  const InstanceId instance = k.op.a;
  const DriverId id = k.topology.instances[instance].driver;
  if (OtherFirmware(k, k.topology.drivers[id]) && k.has(Rule::kFirmwareDtXorAcpi))
    return k.refuse(Rule::kFirmwareDtXorAcpi, -ENODEV);
  AdoptSlots(k, id);
  const DriverId platform = k.state.bus_ops[static_cast<size_t>(Bus::kPlatform)];
  if (WritesEverySlot(k.profile.era) && platform != kNoId && !k.same_ops(platform, id) &&
      k.has(Rule::kRegisterSingleDriver))
    return k.refuse(Rule::kRegisterSingleDriver, -EBUSY);

  k.state.registered[k.state.registered_count++] = instance;
  if (k.profile.era == Era::kBusSlots) {
    const int ret = ClaimBuses(k, instance);
    if (ret != 0) Unlist(k, instance);
    return ret;
  }
  const int ret = WalkBuses(k, id);
  if (ret != 0) UnregisterInstance(k, instance);
  return ret;
}

const char* CannotUnregister(const Kernel& k) {
  return IsRegistered(k, k.op.a) ? nullptr : "the instance is not registered";
}

int Unregister(Kernel& k) {
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev)
    if (k.device(dev).instance == k.op.a && k.profile.era != Era::kBusSlots) StayVfios(k, dev);
  UnregisterInstance(k, k.op.a);
  return 0;
}

int ApplyFirmware(Kernel& k, DeviceId dev) {
  DeviceState& d = k.device(dev);
  const bool had_iommu = d.iommu;
  if (d.fwspec != kNoId) return 0;
  for (InstanceId master : k.topology.devices[dev].masters) {
    if (master == kNoId || !k.topology.instances[master].fwnode) continue;
    const int ret = iommu_fwspec_init(k, dev, master);
    if (ret == 0) continue;
    if (k.has(Rule::kFwspecFreeOnError) && !k.acpi()) {
      d.fwspec = kNoId;
      d.iommu = had_iommu;
    }
    const bool asks_viot = k.acpi() && ret != -kEProbeDefer && k.has(Rule::kFirmwareViot);
    return asks_viot ? -ENODEV : ret;
  }
  return 0;
}

int iommu_probe_device(Kernel& k, DeviceId dev) {
  if (k.device(dev).group != kNoId) return 0;
  if (k.topology.devices[dev].kind != DeviceKind::kReal) return -ENODEV;
  if (const int ret = InitDevice(k, dev); ret != 0) return ret;
  return k.sets_up_groups() ? SetupDefault(k, dev) : AttachDefaultByBus(k, dev);
}

void iommu_bus_notifier(Kernel& k, DeviceId dev) {
  const InstanceId instance = k.device(dev).instance;
  if (instance == kNoId) {
    iommu_probe_device(k, dev);
    return;
  }
  // Up to and including 6.0 each bus_set_iommu() that succeeds adds a notifier. ABSTRACTION: the
  // driver finds the instance that it found before. The device takes a second reference to the
  // driver's module, which it never gives back.
  k.emit({.kind = Event::Kind::kProbe,
          .device = dev,
          .group = k.device(dev).group,
          .device_driver = k.driver_of(dev),
          .instance = instance});
  AttachDefaultByBus(k, dev);
}

void iommu_release_device(Kernel& k, DeviceId dev) {
  DeviceState& d = k.device(dev);
  if (d.iommu && !k.sets_up_groups()) ReadInstance(k, dev);
  FreeDevIommu(k, dev);
  if (d.instance == kNoId) return;  // an emulated device keeps its group
  const GroupId group = d.group;
  // group->recovery_cnt goes on counting a device that leaves in reset.
  d.reset_depth = 0;
  d.attach_deferred = false;
  d.require_direct = false;
  k.emit({.kind = Event::Kind::kRelease,
          .device = dev,
          .group = group,
          .device_driver = k.driver_of(dev)});
  ClearHardware(k, dev);
  ListDel(k, group, dev);
  d.group = kNoId;
  d.instance = kNoId;
  const GroupState& g = k.group(group);
  if (g.devices == kNoId && k.sets_up_groups()) {
    if (g.owner_cnt != 0 || g.domain != g.default_domain)
      k.warn("__iommu_group_free_device", group);
    FreeGroupDomains(k, group);
  }
  iommu_group_put(k, group);
}

void AddFakeGroup(Kernel& k, DeviceId dev) {
  const GroupId group = AllocGroup(k);
  k.group(group).kind = k.topology.devices[dev].kind;
  k.group(group).devices = dev;
  k.device(dev).group = group;
}

void RemoveFakeGroup(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  k.group(group).devices = kNoId;
  k.device(dev).group = kNoId;
  iommu_group_put(k, group);
}

void iommu_group_put(Kernel& k, GroupId group) {
  GroupState& g = k.group(group);
  const bool shared =
      std::ranges::find(k.state.instance_group, group) != k.state.instance_group.end();
  if (!g.live || g.devices != kNoId || g.container != kNoId || (g.open && !g.dead) ||
      g.open_devices != 0 || shared)
    return;
  FreeGroupDomains(k, group);
  g = g.dead ? GroupState{.live = true, .open = true, .dead = true} : GroupState{};
  while (k.state.groups_end > 0 && !k.group(static_cast<GroupId>(k.state.groups_end - 1)).live)
    --k.state.groups_end;
}

}  // namespace iommucheck
