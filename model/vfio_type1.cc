// SPDX-License-Identifier: Apache-2.0
//
// Which domain a group ends on (drivers/vfio/vfio_iommu_type1.c). The steps of
// vfio_iommu_type1_attach_group() stand in the kernel's order.
//
// ABSTRACTION: no mappings, apertures, reserved regions, MSI cookies, emulated groups. They do not
// choose the domain; their places are marked where they would refuse.
#include "model/kernel.h"

namespace iommucheck {
namespace {

bool OneBus(const Kernel& k, GroupId group) {  // vfio_bus_type(), up to 5.18
  const DeviceId first = k.first_device(group);
  for (DeviceId dev = first; dev != kNoId; dev = k.device(dev).next)
    if (k.topology.devices[dev].bus != k.topology.devices[first].bus) return false;
  return true;
}

// iommu_paging_domain_alloc(first device), from 6.12; iommu_domain_alloc(bus of it) before.
int AllocForGroup(Kernel& k, GroupId group, DomainId* domain) {
  const DeviceId first = k.first_device(group);
  if (k.has(Rule::kAllocByDevice)) {
    if (first == kNoId) {
      // No device, no domain, no error: iommu_attach_group() gets a NULL domain.
      k.emit({.kind = Event::Kind::kOops, .group = group, .where = "iommu_attach_group"});
      return -EFAULT;
    }
    const Instance& instance = k.topology.instances[k.device(first).instance];
    *domain = AllocDomain(k, DomainType::kPaging, instance.driver, instance.table, first);
    return *domain == kNoId ? -ENOMEM : 0;
  }
  if (first == kNoId) return -EIO;
  const DriverId driver = BusOps(k, k.topology.devices[first].bus);
  if (driver == kNoId) return -EIO;
  *domain = AllocDomain(k, DomainType::kPaging, driver, k.topology.drivers[driver].table, kNoId);
  return *domain == kNoId ? -EIO : 0;
}

// domain->enforce_cache_coherency; up to 5.18 IOMMU_CACHE in domain->prot, by the bus.
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

bool HoldsGroups(const Kernel& k, DomainId domain) {
  for (GroupId g = 0; g < k.state.groups_end; ++g)
    if (k.group(g).vfio_domain == domain) return true;
  return false;
}

}  // namespace

int vfio_iommu_type1_attach_group(Kernel& k, ContainerId container, GroupId group) {
  ContainerState& c = k.state.containers[container];
  k.emit({.kind = Event::Kind::kAttachGroup, .group = group});

  if (k.has(Rule::kType1SameBus) && !OneBus(k, group))
    return k.refuse(Rule::kType1SameBus, -EINVAL, kNoId, group);

  DomainId domain = kNoId;
  if (const int ret = AllocForGroup(k, group, &domain); ret != 0) return ret;

  if (const int ret = iommu_attach_group(k, domain, group); ret != 0) {
    iommu_domain_free(k, domain);
    return ret;
  }
  // Aperture, reserved regions, iova list and MSI safety would refuse here: out_detach.

  k.domain(domain).coherent = Coherency(k, group);

  for (DomainId d = c.domains; d != kNoId; d = k.domain(d).next) {
    if (!Comparable(k, group, k.domain(d), k.domain(domain))) continue;
    iommu_detach_group(k, group);
    if (iommu_attach_group(k, d, group) == 0) {
      k.group(group).vfio_domain = d;
      iommu_domain_free(k, domain);
      return 0;
    }
    if (const int ret = iommu_attach_group(k, domain, group); ret != 0) {
      iommu_domain_free(k, domain);
      return ret;
    }
  }
  // The replay of the container's mappings into the new domain would fail here: out_detach.

  k.domain(domain).next = c.domains;
  c.domains = domain;
  k.group(group).vfio_domain = domain;
  return 0;
}

void vfio_iommu_type1_detach_group(Kernel& k, ContainerId container, GroupId group) {
  const DomainId domain = k.group(group).vfio_domain;
  if (domain == kNoId) return;
  iommu_detach_group(k, group);
  k.group(group).vfio_domain = kNoId;
  if (HoldsGroups(k, domain)) return;
  DomainId* link = &k.state.containers[container].domains;
  while (*link != domain) link = &k.domain(*link).next;
  *link = k.domain(domain).next;
  iommu_domain_free(k, domain);
}

}  // namespace iommucheck
