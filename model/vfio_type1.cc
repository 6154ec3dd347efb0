// SPDX-License-Identifier: Apache-2.0
//
// Groups that join and leave type1 (drivers/vfio/vfio_iommu_type1.c).
// vfio_iommu_type1_attach_group() has the kernel's order of steps; the comments on its error paths
// are the kernel's labels.
//
// ABSTRACTION: dirty tracking and its scopes are left out. 5.15 keeps emulated groups in an
// external_domain, with the same effect.
#include "model/kernel.h"

namespace iommucheck {
namespace {

bool OneBus(const Kernel& k, GroupId group) {  // vfio_bus_type(), up to and including 5.19
  const DeviceId first = k.first_device(group);
  for (DeviceId dev = first; dev != kNoId; dev = k.device(dev).next)
    if (k.topology.devices[dev].bus != k.topology.devices[first].bus) return false;
  return true;
}

// iommu_paging_domain_alloc(first device) from 6.12 on; iommu_domain_alloc(its bus) before.
int AllocForGroup(Kernel& k, GroupId group, DomainId* domain) {
  const DeviceId first = k.first_device(group);
  if (k.has(Rule::kAllocByDevice)) {
    if (first == kNoId) {
      // No device, no domain, no error: iommu_attach_group() gets a NULL domain.
      k.oops(Oops::kNullPointer, "iommu_attach_group", group);
      return -EFAULT;
    }
    if (k.device(first).instance == kNoId) return -ENODEV;  // a fake group
    const Instance& instance = k.topology.instances[k.device(first).instance];
    *domain = AllocDomain(k, DomainType::kPaging, instance.driver, instance.table, first);
    return *domain == kNoId ? -ENOMEM : 0;
  }
  // A fake group's device is on a bus without ops.
  if (first == kNoId || k.group(group).kind != DeviceKind::kReal) return -EIO;
  const DriverId driver = BusOps(k, k.topology.devices[first].bus);
  if (driver == kNoId) return -EIO;
  *domain = AllocDomain(k, DomainType::kPaging, driver, k.topology.drivers[driver].table, kNoId);
  return *domain == kNoId ? -EIO : 0;
}

// VFIO_TYPE1_NESTING_IOMMU: iommu_enable_nesting()
int EnableNesting(Kernel& k, ContainerId container, DomainId domain) {
  if (k.state.containers[container].type != IommuType::kNesting || !k.has(Rule::kType1Nesting) ||
      k.topology.drivers[k.domain(domain).driver].nesting)
    return 0;
  return k.refuse(Rule::kType1Nesting, -EINVAL);
}

// Narrows the valid IOVAs to the new domain's aperture, without the group's reserved regions.
int NarrowIova(Kernel& k, ContainerId container, GroupId group, DomainId domain, IovaList& copy) {
  const uint64_t aperture = ApertureOf(k, domain);
  if (k.has(Rule::kType1AperConflict) && vfio_iommu_aper_conflict(k, container, aperture))
    return k.refuse(Rule::kType1AperConflict, -EINVAL, kNoId, group);
  if (k.has(Rule::kType1ResvConflict) && vfio_iommu_resv_conflict(k, container, group))
    return k.refuse(Rule::kType1ResvConflict, -EINVAL, kNoId, group);
  if (const int ret = vfio_iommu_iova_get_copy(k, container, copy); ret != 0) return ret;
  if (const int ret =
          vfio_iommu_aper_resize(k, copy, k.has(Rule::kType1AperResize) ? aperture : ~uint64_t{0});
      ret != 0)
    return ret;
  if (!k.has(Rule::kType1ResvExclude)) return 0;
  const int ret = vfio_iommu_resv_exclude(k, copy, group);
  return ret == -EINVAL ? k.refuse(Rule::kType1ResvExclude, ret, kNoId, group) : ret;
}

bool DriverIsolatesMsi(const Kernel& k, DriverId driver) {
  const auto instances = std::span(k.topology.instances).first(k.topology.instances_count);
  return driver != kNoId && std::ranges::all_of(instances, [driver](const Instance& i) {
           return i.driver != driver || i.isolates_msi;
         });
}

// ops->capable(IOMMU_CAP_INTR_REMAP). Up to and including 6.0 it is told of no device, and the
// driver answers for all of its instances.
bool IsolatesMsi(const Kernel& k, DeviceId dev) {
  if (k.profile.era == Era::kBusSlots) return DriverIsolatesMsi(k, k.driver_of(dev));
  return k.topology.instances[k.device(dev).instance].isolates_msi;
}

// iommu_group_has_isolated_msi() from 6.6 on; from 6.0 on IOMMU_CAP_INTR_REMAP of any device, and
// of the bus before. ABSTRACTION: irq_domain_check_msi_remap() returns false.
bool HasIsolatedMsi(Kernel& k, GroupId group) {
  const DeviceId first = k.first_device(group);
  const bool every = k.has(Rule::kType1MsiEveryDevice);
  if (!every && !k.has(Rule::kType1MsiAnyDevice))
    return k.profile.era == Era::kBusSlots
               ? DriverIsolatesMsi(k, BusOps(k, k.topology.devices[first].bus))
               : IsolatesMsi(k, first);
  for (DeviceId dev = first; dev != kNoId; dev = k.device(dev).next)
    if (IsolatesMsi(k, dev) != every) return !every;
  return every;
}

bool AllowsInterrupts(Kernel& k, GroupId group) {
  return k.topology.settings.unsafe_interrupts || !k.has(Rule::kType1MsiSafety) ||
         HasIsolatedMsi(k, group);
}

// domain->enforce_cache_coherency; up to and including 5.18 IOMMU_CACHE in domain->prot, by the
// bus.
bool Coherency(Kernel& k, GroupId group) {
  const DeviceId first = k.first_device(group);
  if (!k.has(Rule::kType1EnforceCoherency)) {
    const DriverId driver = BusOps(k, k.topology.devices[first].bus);
    return driver != kNoId && k.topology.drivers[driver].coherent;
  }
  for (DeviceId dev = first; dev != kNoId; dev = k.device(dev).next)
    if (!k.topology.instances[k.device(dev).instance].enforces_coherency) return false;
  return true;
}

bool SameOps(const Kernel& k, const DomainState& d, const DomainState& domain) {
  if (k.has(Rule::kAllocOpsPerDriver)) return k.same_ops(d.driver, domain.driver);
  return k.topology.table_address(d.table) == k.topology.table_address(domain.table);
}

// d->domain->ops == domain->domain->ops && d->enforce_cache_coherency == ...
bool Comparable(Kernel& k, GroupId group, const DomainState& d, const DomainState& domain) {
  if (k.has(Rule::kType1SameOps) && !SameOps(k, d, domain)) {
    k.refuse(Rule::kType1SameOps, 0, kNoId, group);
    return false;
  }
  if (k.has(Rule::kType1SameCoherency) && d.coherent != domain.coherent) {
    k.refuse(Rule::kType1SameCoherency, 0, kNoId, group);
    return false;
  }
  return true;
}

// The end of the search for a domain to reuse. kNone: the new domain is used. kDone: an existing
// domain replaces it. kFailed: an error.
enum class Reuse : uint8_t { kNone, kDone, kFailed };

// The loop over iommu->domain_list, newest first. After kFailed the group is on no type1 domain.
Reuse ReuseDomain(Kernel& k, ContainerId container, GroupId group, DomainId domain, int* ret) {
  for (DomainId d = k.state.containers[container].domains; d != kNoId; d = k.domain(d).next) {
    if (!Comparable(k, group, k.domain(d), k.domain(domain))) continue;
    iommu_detach_group(k, group);
    if (iommu_attach_group(k, d, group) == 0) {
      k.group(group).vfio_domain = d;
      return Reuse::kDone;
    }
    *ret = iommu_attach_group(k, domain, group);
    if (*ret != 0) return Reuse::kFailed;
  }
  return Reuse::kNone;
}

// Makes a new domain one of the container's: adds its mappings and its MSI cookie, and lists it.
int AddDomain(Kernel& k, ContainerId container, GroupId group, DomainId domain,
              const IovaList& copy) {
  vfio_test_domain_fgsp(k, domain, copy, group);
  if (const int ret = vfio_iommu_replay(k, container, domain, group); ret != 0) return ret;
  if (k.has(Rule::kType1MsiCookie) && vfio_iommu_has_sw_msi(k, group))
    if (const int ret = iommu_get_msi_cookie(k, domain); ret != 0) return ret;
  ContainerState& c = k.state.containers[container];
  k.domain(domain).next = c.domains;
  c.domains = domain;
  k.group(group).vfio_domain = domain;
  return 0;
}

bool HoldsGroups(const Kernel& k, DomainId domain) {
  for (GroupId g = 0; g < k.state.groups_end; ++g)
    if (k.group(g).vfio_domain == domain) return true;
  return false;
}

void UnlinkDomain(Kernel& k, ContainerId container, DomainId domain) {
  DomainId* link = &k.state.containers[container].domains;
  while (*link != domain) link = &k.domain(*link).next;
  *link = k.domain(domain).next;
}

void DetachEmulated(Kernel& k, ContainerId container, GroupId group) {
  ContainerState& c = k.state.containers[container];
  k.group(group).emulated_listed = false;
  --c.emulated;
  if (c.emulated == 0 && c.domains == kNoId && k.has(Rule::kType1DetachUnmaps))
    vfio_iommu_unmap_unpin_all(k, container);
}

// Frees a domain whose last group has left. With the container's last domain its mappings go, too,
// unless the container still has emulated groups.
void FreeDomain(Kernel& k, ContainerId container, DomainId domain, IovaList& copy) {
  ContainerState& c = k.state.containers[container];
  const bool last = c.domains == domain && k.domain(domain).next == kNoId;
  if (last && c.emulated == 0 && k.has(Rule::kType1DetachUnmaps))
    vfio_iommu_unmap_unpin_all(k, container);
  else if (last && c.emulated != 0 && k.has(Rule::kType1DetachReaccounts))
    vfio_iommu_unmap_unpin_reaccount(k, container);
  UnlinkDomain(k, container, domain);
  c.iova_kept = last;
  iommu_domain_free(k, domain);
  vfio_iommu_aper_expand(k, container, copy);
}

}  // namespace

int vfio_iommu_type1_attach_group(Kernel& k, ContainerId container, GroupId group) {
  ContainerState& c = k.state.containers[container];
  GroupState& g = k.group(group);
  k.emit({.kind = Event::Kind::kAttachGroup, .group = group});

  if (k.has(Rule::kType1VaddrBusy) && c.vaddr_invalid_count != 0)
    return k.refuse(Rule::kType1VaddrBusy, -EBUSY, kNoId, group);
  if (k.has(Rule::kType1NoDuplicate) && (g.vfio_domain != kNoId || g.emulated_listed))
    return k.refuse(Rule::kType1NoDuplicate, -EINVAL, kNoId, group);
  const bool by_bus = k.has(Rule::kType1EmulatedByBus);
  if (!k.kmalloc()) return -ENOMEM;            // struct vfio_iommu_group
  if (by_bus && !k.kmalloc()) return -ENOMEM;  // struct vfio_domain
  const bool emulated = g.kind == DeviceKind::kEmulated && !(by_bus && g.devices == kNoId);
  if (emulated && k.has(Rule::kType1EmulatedApart)) {
    g.emulated_listed = true;
    ++c.emulated;
    return 0;
  }
  if (k.has(Rule::kType1SameBus) && !OneBus(k, group))
    return k.refuse(Rule::kType1SameBus, -EINVAL, kNoId, group);
  if (!by_bus && !k.kmalloc()) return -ENOMEM;  // struct vfio_domain

  DomainId domain = kNoId;
  if (const int ret = AllocForGroup(k, group, &domain); ret != 0) return ret;
  int ret = EnableNesting(k, container, domain);
  if (ret == 0) ret = iommu_attach_group(k, domain, group);
  if (ret != 0) {  // out_domain
    iommu_domain_free(k, domain);
    return ret;
  }

  IovaList copy;
  ret = NarrowIova(k, container, group, domain, copy);
  if (ret == 0 && !AllowsInterrupts(k, group))
    ret = k.refuse(Rule::kType1MsiSafety, -EPERM, kNoId, group);
  if (ret == 0) {
    k.domain(domain).coherent = Coherency(k, group);
    const Reuse reuse = ReuseDomain(k, container, group, domain, &ret);
    if (reuse == Reuse::kNone) ret = AddDomain(k, container, group, domain, copy);
    if (reuse != Reuse::kNone) iommu_domain_free(k, domain);
    if (reuse == Reuse::kFailed) return ret;
  }
  if (ret != 0) {  // out_detach
    iommu_detach_group(k, group);
    iommu_domain_free(k, domain);
    return ret;
  }
  vfio_iommu_iova_insert_copy(k, container, copy);
  return 0;
}

void vfio_iommu_type1_detach_group(Kernel& k, ContainerId container, GroupId group) {
  if (k.group(group).emulated_listed) return DetachEmulated(k, container, group);

  IovaList copy;
  vfio_iommu_iova_get_copy(k, container, copy);  // failed: `copy` is empty, iova_list stays
  if (const DomainId domain = k.group(group).vfio_domain; domain != kNoId) {
    iommu_detach_group(k, group);
    k.group(group).vfio_domain = kNoId;
    if (!HoldsGroups(k, domain)) FreeDomain(k, container, domain, copy);
  }
  if (k.has(Rule::kType1DetachRefresh) && vfio_iommu_resv_refresh(k, container, copy) == 0)
    vfio_iommu_iova_insert_copy(k, container, copy);
}

int vfio_iommu_type1_open(Kernel& k, ContainerId container, IommuType type) {
  if (!k.kmalloc()) return -ENOMEM;  // struct vfio_iommu
  k.state.containers[container].type = type;
  return 0;
}

void vfio_iommu_type1_release(Kernel& k, ContainerId container) {
  ContainerState& c = k.state.containers[container];
  for (GroupId g = 0; g < k.state.groups_end; ++g)
    if (k.group(g).container == container) k.group(g).emulated_listed = false;
  vfio_iommu_unmap_unpin_all(k, container);
  while (c.domains != kNoId) {  // vfio_release_domain()
    const DomainId domain = c.domains;
    for (GroupId g = 0; g < k.state.groups_end; ++g)
      if (k.group(g).vfio_domain == domain) {
        iommu_detach_group(k, g);
        k.group(g).vfio_domain = kNoId;
      }
    UnlinkDomain(k, container, domain);
    iommu_domain_free(k, domain);
  }
  // A dropped rule may have left domains or mappings; they are lost with the container.
  const GroupId groups = c.groups;
  c = {};
  c.groups = groups;
}

}  // namespace iommucheck
