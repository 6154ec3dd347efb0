// SPDX-License-Identifier: Apache-2.0
//
// Who may use a device: kernel drivers, PASIDs, resets (drivers/iommu/iommu.c). Claims of whole
// groups are in iommu_domain.cc.
//
// ABSTRACTION: one PASID a group. What 7.0 and 7.1 do in a reset was read in parts only.
#include "model/kernel.h"

namespace iommucheck {
namespace {

bool IsIdentity(const Kernel& k, DomainId domain) {
  return domain != kNoId && k.domain(domain).identity;
}

bool IsOnDefault(const Kernel& k, const GroupState& g) {  // iommu_is_default_domain()
  if (g.domain == g.default_domain) return true;
  return k.has(Rule::kCoreIdentityIsDefault) && IsIdentity(k, g.default_domain) &&
         IsIdentity(k, g.domain);
}

// Up to 6.1: amd_iommu_init_device(), which gives the group an identity domain that has PASIDs.
int InitPasids(Kernel& k, DeviceId dev, GroupId group) {
  const DriverId driver = k.driver_of(dev);
  const DomainId domain =
      AllocDomain(k, DomainType::kPasid, driver, k.topology.drivers[driver].table, kNoId);
  if (domain == kNoId) return -ENOMEM;
  k.domain(domain).identity = true;
  if (const int ret = iommu_attach_group(k, domain, group); ret != 0) {
    iommu_domain_free(k, domain);
    return ret;
  }
  SetPasidPointer(k, group, domain);
  return 0;
}

// dev_iommu_ops(dev) != domain->owner; domain_iommu_ops_compatible() from 6.16.
bool OwnerDiffers(const Kernel& k, DeviceId dev, const DomainState& d) {
  if (d.ownerless && !k.has(Rule::kCorePasidStatic)) return true;
  return !k.same_ops(d.driver, k.driver_of(dev));
}

}  // namespace

int iommu_device_use_default_domain(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId || k.topology.devices[dev].kind != DeviceKind::kReal) return 0;
  GroupState& g = k.group(group);
  if (g.default_domain == kNoId && k.has(Rule::kCoreDeferUnset))
    return k.refuse(Rule::kCoreDeferUnset, -kEProbeDefer, dev, group);
  const bool used = g.owner || g.kernel_users != 0;
  const bool pasids = k.fwnode_era() && g.pasid_domain != kNoId;
  if (used && (g.owner || !IsOnDefault(k, g) || pasids) && k.has(Rule::kCoreUseDefault))
    return k.refuse(Rule::kCoreUseDefault, -EBUSY, dev, group);
  ++g.kernel_users;
  return 0;
}

void iommu_device_unuse_default_domain(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId || k.topology.devices[dev].kind != DeviceKind::kReal) return;
  GroupState& g = k.group(group);
  const bool pasids = k.fwnode_era() && g.pasid_domain != kNoId;
  // ABSTRACTION: a driver that was bound before its device had a group gives back the owner's own
  // count, and the release of the owner WARNs and does nothing (assume.no_driver_before_iommu).
  if ((g.kernel_users == 0 && !g.owner) || pasids)
    k.warn("iommu_device_unuse_default_domain", group);
  else if (g.kernel_users != 0)
    --g.kernel_users;
}

int iommu_deferred_attach(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId || !k.device(dev).attach_deferred) return 0;
  const DomainId domain = k.group(group).default_domain;
  return domain == kNoId ? 0 : AttachDevice(k, domain, dev);
}

int iommu_attach_device_pasid(Kernel& k, DeviceId dev, DomainId domain) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId) return -ENODEV;
  if (!k.fwnode_era()) return InitPasids(k, dev, group);
  if (k.has(Rule::kCorePasidOwner) && OwnerDiffers(k, dev, k.domain(domain)))
    return k.refuse(Rule::kCorePasidOwner, -EINVAL, dev, group);
  GroupState& g = k.group(group);
  if (g.recovery_cnt != 0 && k.has(Rule::kCoreResetBusy))
    return k.refuse(Rule::kCoreResetBusy, -EBUSY, dev, group);
  if (g.pasid_domain != kNoId && k.has(Rule::kCorePasidBusy))
    return k.refuse(Rule::kCorePasidBusy, -EBUSY, dev, group);
  if (const int ret = k.inject(Fault::Kind::kAttach, dev); ret != 0) return ret;
  k.emit({.kind = Event::Kind::kAttachPasid,
          .device = dev,
          .group = group,
          .domain = domain,
          .type = k.domain(domain).type,
          .driver = k.domain(domain).driver,
          .device_driver = k.driver_of(dev)});
  SetPasidPointer(k, group, domain);
  return 0;
}

void iommu_detach_device_pasid(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  const DomainId domain = k.group(group).pasid_domain;
  SetPasidPointer(k, group, kNoId);
  if (k.fwnode_era()) return;
  iommu_detach_group(k, group);  // amd_iommu_free_device()
  iommu_domain_free(k, domain);
}

int pci_dev_reset_iommu_prepare(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId || k.device(dev).instance == kNoId) return 0;  // !dev_has_iommu()
  GroupState& g = k.group(group);
  if (const int ret = AllocBlockingDomain(k, group); ret != 0) return ret;
  if (const int ret = AttachDevice(k, g.blocking_domain, dev); ret != 0) return ret;
  k.device(dev).blocked = true;
  ++g.recovery_cnt;
  return 0;
}

void pci_dev_reset_iommu_done(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId) return;
  GroupState& g = k.group(group);
  for (DeviceId d = g.devices; d != kNoId; d = k.device(d).next) {
    if (!k.device(d).blocked || (d != dev && k.has(Rule::kCoreResetPerDevice))) continue;
    k.device(d).blocked = false;
    --g.recovery_cnt;
    if (g.domain != kNoId && AttachDevice(k, g.domain, d) != 0)
      k.warn("pci_dev_reset_iommu_done", group);
  }
}

}  // namespace iommucheck
