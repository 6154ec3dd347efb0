// SPDX-License-Identifier: Apache-2.0
//
// Domains: allocation, attach, DMA ownership (drivers/iommu/iommu.c).
//
// ABSTRACTION: each group has one object for its static identity and blocked domains. No device is
// untrusted. Flush is strict (iommu.strict=1): a kernel with lazy flush tries a second time when it
// cannot allocate a default domain.
#include <utility>

#include "model/kernel.h"

namespace iommucheck {
namespace {

void Unref(Kernel& k, DomainId domain) {
  if (domain == kNoId) return;
  DomainState& d = k.domain(domain);
  --d.refs;
  // ABSTRACTION: the memory of a freed domain is not used again while something still points at it.
  if (d.refs == 0 && d.type == DomainType::kFreed) {
    d = {};
    k.state.mapped[domain] = 0;
  }
  while (k.state.domains_end > 0 &&
         k.domain(static_cast<DomainId>(k.state.domains_end - 1)).type == DomainType::kFree)
    --k.state.domains_end;
}

void PointAt(Kernel& k, DomainId& pointer, DomainId domain) {
  const DomainId old = std::exchange(pointer, domain);
  if (domain != kNoId) ++k.domain(domain).refs;
  Unref(k, old);
}

// Adds a domain without a call of the driver: the second half of AllocDomain(), and all that a
// static domain needs, which the driver has already.
DomainId NewDomain(Kernel& k, DomainType type, DriverId driver, TableId table) {
  for (DomainId id = 0; id < kMaxDomains; ++id) {
    DomainState& d = k.domain(id);
    if (d.type != DomainType::kFree) continue;
    d.type = type;
    d.driver = driver;
    d.table = table;
    if (id >= k.state.domains_end) k.state.domains_end = static_cast<uint8_t>(id + 1);
    return id;
  }
  return kNoId;
}

// The test of virtio, arm-smmu and others: is the domain bound to another instance? A domain that
// is not bound yet accepts any device, even one of another driver, unless the driver looks at the
// device's fwspec (arm-smmu and qcom_iommu up to and including 6.1). driver.same_instance: every
// driver makes both tests. ABSTRACTION: the errno is -EINVAL; up to and including 6.1 some drivers
// return -EXDEV or -ENXIO.
bool OtherInstance(const Kernel& k, const DomainState& d, DeviceId dev) {
  // A static domain belongs to all instances of its driver.
  const bool bound_elsewhere =
      !d.ownerless && d.instance != kNoId && d.instance != k.device(dev).instance;
  // It compares pointers to iommu_ops.
  const bool foreign = k.topology.ops_address(d.driver) != k.topology.ops_address(k.driver_of(dev));
  if (k.has(Rule::kDriverSameInstance)) return bound_elsewhere || foreign;
  const Driver& driver = k.topology.drivers[d.driver];
  return (driver.same_instance && bound_elsewhere) || (driver.refuses_foreign && foreign);
}

// The errno of attach_dev for a device that is incompatible with the domain. ABSTRACTION: up to and
// including 6.1 the first of these two tests returns -EINVAL for drivers without an errno of their
// own.
int CheckCompatible(Kernel& k, const DomainState& d, DeviceId dev) {
  const Driver& driver = k.topology.drivers[d.driver];
  if (driver.checks_snoop && k.has(Rule::kDriverSnoopChecked) && d.coherent &&
      !k.topology.instances[k.device(dev).instance].enforces_coherency)
    return k.refuse(Rule::kDriverSnoopChecked, -EINVAL, dev);
  if (!OtherInstance(k, d, dev)) return 0;
  if (driver.mismatch_errno == 0 || driver.mismatch_errno == EINVAL) return -EINVAL;
  return k.has(Rule::kDriverEinvalOnly) ? -EINVAL : -int{driver.mismatch_errno};
}

// In 6.6 only drivers without default domains have the op that takes a device off the domains of the
// core.
bool HasPlatformDma(const Kernel& k, DeviceId dev) {
  return !k.topology.drivers[k.driver_of(dev)].default_domains;
}

void SetPlatformDma(Kernel& k, DeviceId dev) {  // ops->set_platform_dma_ops() in 6.6
  k.emit({.kind = Event::Kind::kDetachDev,
          .device = dev,
          .group = k.device(dev).group,
          .domain = k.device(dev).hw});
  ClearHardware(k, dev);
}

// The error path of __iommu_group_set_domain_internal(): the devices before `failed`, and up to and
// including 6.12 that one too, go back to the domain they came from.
void Rollback(Kernel& k, GroupId group, DeviceId failed) {
  const DomainId old = k.group(group).domain;
  if (old == kNoId && k.profile.era != Era::kGroupSetup) return;
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next) {
    if (dev == failed && !k.has(Rule::kCoreRollbackFailing)) return;
    if (old == kNoId && HasPlatformDma(k, dev))
      SetPlatformDma(k, dev);
    else if (old != kNoId && DeviceSetDomain(k, group, dev, old, SetDomain::kMustSucceed) != 0)
      k.warn("__iommu_group_set_domain_internal", group);
    if (dev == failed) return;
  }
}

// The loop of __iommu_group_set_domain_internal() (from 6.6 on), __iommu_group_set_domain() (from
// 5.19 on) and __iommu_attach_group() (before 5.19).
int SetEveryDevice(Kernel& k, GroupId group, DomainId domain, SetDomain how) {
  int ret = 0;
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next) {
    if (k.device(dev).blocked()) continue;  // in reset: reset-done attaches it to group->domain
    const int error = DeviceSetDomain(k, group, dev, domain, how);
    if (error == 0) continue;
    ret = error;
    if (how == SetDomain::kMustSucceed) continue;
    if (k.has(Rule::kCoreAttachRollback)) Rollback(k, group, dev);
    return ret;
  }
  SetGroupDomainPointer(k, group, domain);
  return ret;
}

// The error path of __iommu_attach_group() in 6.1.y: during the way back the group is on no domain,
// so a device that fails to attach leaves the group without one.
void Reattach(Kernel& k, GroupId group, DomainId old) {
  SetGroupDomainPointer(k, group, kNoId);
  if (old == kNoId) return;
  if (SetEveryDevice(k, group, old, SetDomain::kPlain) != 0) k.warn("__iommu_attach_group", group);
}

// __iommu_group_set_core_domain(); __iommu_detach_group() up to and including 5.18.
void SetCoreDomain(Kernel& k, GroupId group) {
  const GroupState& g = k.group(group);
  const DomainId domain = g.owner ? g.blocking_domain : g.default_domain;
  const SetDomain how =
      k.has(Rule::kCoreDetachNofail) ? SetDomain::kMustSucceed : SetDomain::kPlain;
  if (GroupSetDomain(k, group, domain, how) != 0) k.warn("__iommu_group_set_core_domain", group);
}

}  // namespace

DriverId BusOps(Kernel& k, Bus bus) {
  if (!k.fwnode_era()) return k.state.bus_ops[static_cast<size_t>(bus)];
  // The kernel's iommu_domain_alloc() of 6.8 to 6.10 asks the devices of the bus that are probed.
  DriverId found = kNoId;
  for (DeviceId dev = 0; dev < k.topology.devices_count; ++dev) {
    const DriverId driver = k.driver_of(dev);
    if (k.topology.devices[dev].bus != bus || driver == kNoId) continue;
    if (found == kNoId) found = driver;
    if (k.has(Rule::kAllocBusUnique) && !k.same_ops(found, driver)) {
      k.refuse(Rule::kAllocBusUnique, -EBUSY, dev);
      k.warn("iommu_domain_alloc", k.device(dev).group);
      return kNoId;
    }
  }
  return found;
}

DomainId AllocDomain(Kernel& k, DomainType type, DriverId driver, TableId table, DeviceId dev) {
  ++k.allocations;
  Event event{
      .kind = Event::Kind::kAlloc, .device = dev, .type = type, .driver = driver, .table = table};
  if (k.inject(Fault::Kind::kAlloc, static_cast<uint8_t>(k.allocations)) != 0) {
    event.error = ENOMEM;
    k.emit(event);
    return kNoId;
  }
  event.domain = NewDomain(k, type, driver, table);
  if (event.domain != kNoId) k.emit(event);
  return event.domain;
}

void iommu_domain_free(Kernel& k, DomainId domain) {
  if (domain == kNoId) return;
  DomainState& d = k.domain(domain);
  if (!d.ownerless)  // the core does not free a static domain
    k.emit({.kind = Event::Kind::kFree, .domain = domain, .type = d.type, .driver = d.driver});
  d.type = DomainType::kFreed;
  d.next = kNoId;
  ++d.refs;
  Unref(k, domain);
}

void SetGroupDomainPointer(Kernel& k, GroupId group, DomainId domain) {
  PointAt(k, k.group(group).domain, domain);
}

void SetPasidPointer(Kernel& k, GroupId group, DomainId domain) {
  PointAt(k, k.group(group).pasid_domain, domain);
}

void ClearHardware(Kernel& k, DeviceId dev) { PointAt(k, k.device(dev).hw, kNoId); }

int AttachDevice(Kernel& k, DomainId domain, DeviceId dev) {
  DomainState& d = k.domain(domain);
  const DriverId driver = k.driver_of(dev);
  if (k.has(Rule::kCoreOwnerEvery) && !k.same_ops(d.driver, driver))
    return k.refuse(Rule::kCoreOwnerEvery, -EINVAL, dev);

  int ret = k.inject(Fault::Kind::kAttach, dev);
  if (ret == 0) ret = k.inject(Fault::Kind::kAttachCall, Kernel::Next(k.attaches));
  if (ret == 0) ret = CheckCompatible(k, d, dev);
  k.emit({.kind = Event::Kind::kAttachDev,
          .error = static_cast<uint8_t>(-ret),
          .device = dev,
          .group = k.device(dev).group,
          .domain = domain,
          .type = d.type,
          .driver = d.driver,
          .device_driver = driver});
  if (ret != 0) {
    if (k.topology.drivers[d.driver].drops_old && !k.has(Rule::kDriverAttachKeepsOld))
      ClearHardware(k, dev);
    return ret;
  }
  k.device(dev).attach_deferred = false;
  PointAt(k, k.device(dev).hw, domain);
  if (d.instance == kNoId) d.instance = k.device(dev).instance;
  return 0;
}

int DeviceSetDomain(Kernel& k, GroupId group, DeviceId dev, DomainId domain, SetDomain how) {
  if (!k.sets_up_groups()) return AttachDevice(k, domain, dev);
  const GroupState& g = k.group(group);
  DeviceState& d = k.device(dev);
  if (d.require_direct && domain == g.blocking_domain && k.has(Rule::kCoreRequireDirect))
    return k.refuse(Rule::kCoreRequireDirect, -EINVAL, dev, group);
  if (d.attach_deferred) {
    if (domain == g.default_domain) return 0;
    d.attach_deferred = false;
  }
  const int ret = AttachDevice(k, domain, dev);
  // A blocked group is better than one that stays on a domain that it must leave.
  if (ret != 0 && how == SetDomain::kMustSucceed && g.blocking_domain != kNoId &&
      g.blocking_domain != domain)
    AttachDevice(k, g.blocking_domain, dev);
  return ret;
}

int GroupSetDomain(Kernel& k, GroupId group, DomainId domain, SetDomain how) {
  if (k.group(group).domain == domain) return 0;
  if (k.group(group).recovery_cnt != 0 && k.has(Rule::kCoreResetBusy) &&
      (how == SetDomain::kPlain || !k.has(Rule::kCoreResetMustSucceed)))
    return k.refuse(Rule::kCoreResetBusy, -EBUSY, kNoId, group);
  if (domain != kNoId) return SetEveryDevice(k, group, domain, how);
  if (k.fwnode_era()) {
    k.warn("__iommu_group_set_domain_internal", group);
    return -EINVAL;
  }
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next) {
    if (k.sets_up_groups()) {
      if (HasPlatformDma(k, dev))
        SetPlatformDma(k, dev);
      else  // the device stays on its domain, whatever becomes of that
        k.warn("__iommu_group_set_domain_internal", group);
      continue;
    }
    if (k.device(dev).attach_deferred) continue;  // __iommu_detach_device()
    k.emit({.kind = Event::Kind::kDetachDev,
            .device = dev,
            .group = group,
            .domain = k.group(group).domain});
    ClearHardware(k, dev);
  }
  SetGroupDomainPointer(k, group, kNoId);
  return 0;
}

DefaultType DefaultTypeOf(const Kernel& k, GroupId group) {
  DefaultType type = DefaultType::kAny;
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next) {
    const DefaultType wanted = k.topology.devices[dev].default_type;
    if (wanted == DefaultType::kAny || wanted == type) continue;
    if (type == DefaultType::kAny) {
      type = wanted;
      if (k.fwnode_era() && !k.has(Rule::kCoreDefaultTypeVote)) return type;
      continue;
    }
    return k.has(Rule::kCoreDefaultTypeVote) ? DefaultType::kIdentity : DefaultType::kAny;
  }
  return type;
}

DomainId AllocDefaultDomain(Kernel& k, DefaultType type, DriverId driver, TableId table,
                            DeviceId dev) {
  const bool identity =
      type == DefaultType::kAny ? k.topology.settings.passthrough : type == DefaultType::kIdentity;
  if (identity && k.fwnode_era() && k.topology.drivers[driver].static_identity) {
    const DomainId dom = NewDomain(k, DomainType::kDefault, driver, table);
    if (dom != kNoId) k.domain(dom).identity = k.domain(dom).ownerless = true;
    return dom;
  }
  const DomainId dom = AllocDomain(k, DomainType::kDefault, driver, table, dev);
  if (dom != kNoId) k.domain(dom).identity = identity;
  // From 6.6 on the core tries no other type if a driver has asked for one.
  if (dom != kNoId || !identity || (k.sets_up_groups() && type != DefaultType::kAny)) return dom;
  return AllocDomain(k, DomainType::kDefault, driver, table, dev);
}

int iommu_setup_default_domain(Kernel& k, GroupId group) {
  const DeviceId first = k.first_device(group);
  const DefaultType type = DefaultTypeOf(k, group);
  DomainId dom = kNoId;
  if (k.fwnode_era()) {
    const TableId table = k.topology.instances[k.device(first).instance].table;
    dom = AllocDefaultDomain(k, type, k.driver_of(first), table, first);
    // iommu_group_alloc_default_domain(): if nobody asks for a type, the core tries nothing after
    // DMA.
    const bool any = type == DefaultType::kAny && !k.topology.settings.passthrough;
    if (dom == kNoId) return any ? -EINVAL : -ENOMEM;
  } else {
    const DriverId driver = BusOps(k, k.topology.devices[first].bus);
    if (driver != kNoId && k.topology.drivers[driver].default_domains)
      dom = AllocDefaultDomain(k, type, driver, k.topology.drivers[driver].table, kNoId);
    // In 6.6 the core takes any failure for a driver without default domains.
    if (dom == kNoId) return 0;
  }

  bool direct_failed = false;
  for (DeviceId dev = first; dev != kNoId; dev = k.device(dev).next)
    if (CreateDirectMappings(k, dom, dev) != 0) direct_failed = true;

  k.group(group).default_domain = dom;
  const SetDomain how =
      k.group(group).domain == kNoId ? SetDomain::kMustSucceed : SetDomain::kPlain;
  const int ret = GroupSetDomain(k, group, dom, how);
  if (ret != 0) {
    k.warn("iommu_setup_default_domain", group);
    return ret;
  }
  // Some drivers can map only once a device is attached.
  for (DeviceId dev = first; direct_failed && dev != kNoId; dev = k.device(dev).next)
    if (const int error = CreateDirectMappings(k, dom, dev); error != 0) return error;
  return 0;
}

int iommu_attach_group(Kernel& k, DomainId domain, GroupId group) {
  const GroupState& g = k.group(group);
  // Up to and including 5.18 a group without a default domain was never busy.
  const bool busy =
      k.has(Rule::kCoreDmaOwner)
          ? g.domain != kNoId && g.domain != g.default_domain && g.domain != g.blocking_domain
          : g.default_domain != kNoId && g.domain != g.default_domain;
  if (busy && k.has(Rule::kCoreAttachBusy))
    return k.refuse(Rule::kCoreAttachBusy, -EBUSY, kNoId, group);

  const DeviceId first = k.first_device(group);
  if (k.has(Rule::kCoreOwnerFirst) && first != kNoId &&
      !k.same_ops(k.domain(domain).driver, k.driver_of(first)))
    return k.refuse(Rule::kCoreOwnerFirst, -EINVAL, first, group);

  // Up to and including 6.1 the kernel attaches even if the group is on the domain already.
  if (k.sets_up_groups()) return GroupSetDomain(k, group, domain, SetDomain::kPlain);
  const DomainId old = g.domain;
  const int ret = SetEveryDevice(k, group, domain, SetDomain::kPlain);
  if (ret != 0 && k.has(Rule::kCoreRollbackReattach)) Reattach(k, group, old);
  return ret;
}

void iommu_detach_group(Kernel& k, GroupId group) { SetCoreDomain(k, group); }

int AllocBlockingDomain(Kernel& k, GroupId group) {
  GroupState& g = k.group(group);
  if (g.blocking_domain != kNoId) return 0;
  const DeviceId first = k.first_device(group);
  if (first == kNoId) {  // list_first_entry()
    k.oops(Oops::kEmptyList, "__iommu_group_alloc_blocking_domain", group);
    return -EFAULT;
  }
  // A fake group's device has no ops, and neither has its bus.
  if (k.device(first).instance == kNoId) {
    if (!k.fwnode_era()) return -EINVAL;
    k.oops(Oops::kNullPointer, "__iommu_group_alloc_blocking_domain", group);
    return -EFAULT;
  }
  const DriverId driver =
      k.fwnode_era() ? k.driver_of(first) : BusOps(k, k.topology.devices[first].bus);
  if (driver != kNoId && k.fwnode_era())
    g.blocking_domain = AllocDomain(k, DomainType::kBlocking, driver,
                                    k.topology.instances[k.device(first).instance].table, first);
  else if (driver != kNoId)
    g.blocking_domain =
        AllocDomain(k, DomainType::kBlocking, driver, k.topology.drivers[driver].table, kNoId);
  if (g.blocking_domain != kNoId) return 0;
  return k.fwnode_era() ? -ENOMEM : -EINVAL;
}

int iommu_group_claim_dma_owner(Kernel& k, GroupId group) {
  GroupState& g = k.group(group);
  if (!k.has(Rule::kCoreDmaOwner)) return 0;
  if (g.owner_cnt != 0) return k.refuse(Rule::kCoreDmaOwner, -EPERM, kNoId, group);
  const bool pasids = k.sets_up_groups() && g.pasid_domain != kNoId;
  if ((g.domain != kNoId && g.domain != g.default_domain) || pasids)
    return k.refuse(Rule::kCoreDmaOwner, -EBUSY, kNoId, group);

  if (k.has(Rule::kCoreClaimBlocking)) {
    if (const int ret = AllocBlockingDomain(k, group); ret != 0) return ret;
    if (const int ret = GroupSetDomain(k, group, g.blocking_domain, SetDomain::kPlain); ret != 0)
      return ret;
  } else {
    SetGroupDomainPointer(k, group, kNoId);  // the devices stay where they are
  }
  g.owner = true;
  ++g.owner_cnt;
  return 0;
}

void iommu_group_release_dma_owner(Kernel& k, GroupId group) {
  GroupState& g = k.group(group);
  if (!g.owner) return;
  // A kernel driver that was bound before the IOMMU came may have taken the owner's count, or have
  // attached a PASID (assume.no_driver_before_iommu): the owner stays then, and the domain.
  if (g.owner_cnt == 0 || (k.sets_up_groups() && g.pasid_domain != kNoId))
    return k.warn("__iommu_release_dma_ownership", group);
  g.owner = false;
  g.owner_cnt = 0;
  SetCoreDomain(k, group);
}

}  // namespace iommucheck
