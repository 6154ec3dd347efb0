// SPDX-License-Identifier: Apache-2.0
//
// Who may use a device: kernel drivers, PASIDs, resets (drivers/iommu/iommu.c). The claim of a
// whole group is in iommu_domain.cc.
//
// ABSTRACTION: one PASID a group.
#include "model/kernel.h"

namespace iommucheck {
namespace {

constexpr uint8_t kMaxResetDepth = 4;  // ABSTRACTION: resets of one device nest no deeper

bool IsIdentity(const Kernel& k, DomainId domain) {
  return domain != kNoId && k.domain(domain).identity;
}

bool IsOnDefault(const Kernel& k, const GroupState& g) {  // iommu_is_default_domain()
  if (g.domain == g.default_domain) return true;
  return k.has(Rule::kCoreIdentityIsDefault) && IsIdentity(k, g.default_domain) &&
         IsIdentity(k, g.domain);
}

// Up to and including 6.1: amd_iommu_init_device(), which gives the group an identity domain that
// has PASIDs.
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

// dev_iommu_ops(dev) != domain->owner; domain_iommu_ops_compatible() from 6.16 on.
bool OwnerDiffers(const Kernel& k, DeviceId dev, const DomainState& d) {
  if (d.ownerless && !k.has(Rule::kCorePasidStatic)) return true;
  return !k.same_ops(d.driver, k.driver_of(dev));
}

// Up to and including 5.18 the core has neither a count of drivers nor an owner of a group.
bool CountsUsers(const Kernel& k, DeviceId dev) {
  return k.device(dev).group != kNoId && k.topology.devices[dev].kind == DeviceKind::kReal &&
         (k.has(Rule::kCoreDmaOwner) || k.has(Rule::kCoreUseDefault));
}

const char* CannotWithoutKernelDriver(const Kernel& k) {
  return k.device(k.op.a).bound == BoundTo::kKernelDriver ? nullptr
                                                          : "no kernel driver has the device";
}

void RemoveDevicePasid(Kernel& k, DeviceId dev, DomainId domain) {  // iommu_remove_dev_pasid()
  k.emit({.kind = Event::Kind::kRemovePasid,
          .device = dev,
          .group = k.device(dev).group,
          .domain = domain});
}

int SetDevicePasid(Kernel& k, DeviceId dev, DomainId domain) {  // domain->ops->set_dev_pasid()
  const int ret = k.inject(Fault::Kind::kAttach, dev);
  k.emit({.kind = Event::Kind::kAttachPasid,
          .error = static_cast<uint8_t>(-ret),
          .device = dev,
          .group = k.device(dev).group,
          .domain = domain,
          .type = k.domain(domain).type,
          .driver = k.domain(domain).driver,
          .device_driver = k.driver_of(dev)});
  return ret;
}

// ABSTRACTION: every device has PASIDs (dev->iommu->max_pasids), if one of its group has.
int SetGroupPasid(Kernel& k, GroupId group, DomainId domain) {  // __iommu_set_group_pasid()
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next) {
    const int ret = SetDevicePasid(k, dev, domain);
    if (ret == 0) continue;
    // From 6.12 on the devices before the failing one lose the PASID, in 6.8 all do.
    for (DeviceId d = k.first_device(group); d != kNoId; d = k.device(d).next) {
      if (d == dev && k.has(Rule::kCorePasidRevert)) break;
      RemoveDevicePasid(k, d, domain);
    }
    return ret;
  }
  SetPasidPointer(k, group, domain);
  return 0;
}

int iommu_attach_device_pasid(Kernel& k, DeviceId dev, DomainId domain) {
  const GroupId group = k.device(dev).group;
  if (group == kNoId) return -ENODEV;
  if (!k.sets_up_groups()) return InitPasids(k, dev, group);
  if (k.has(Rule::kCorePasidOwner) && OwnerDiffers(k, dev, k.domain(domain)))
    return k.refuse(Rule::kCorePasidOwner, -EINVAL, dev, group);
  const GroupState& g = k.group(group);
  if (g.recovery_cnt != 0 && k.has(Rule::kCoreResetBusy))
    return k.refuse(Rule::kCoreResetBusy, -EBUSY, dev, group);
  if (g.pasid_domain != kNoId && k.has(Rule::kCorePasidBusy))
    return k.refuse(Rule::kCorePasidBusy, -EBUSY, dev, group);
  return SetGroupPasid(k, group, domain);
}

}  // namespace

int iommu_device_use_default_domain(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (!CountsUsers(k, dev)) return 0;
  GroupState& g = k.group(group);
  if (g.default_domain == kNoId && k.has(Rule::kCoreDeferUnset))
    return k.refuse(Rule::kCoreDeferUnset, -kEProbeDefer, dev, group);
  const bool pasids = k.sets_up_groups() && g.pasid_domain != kNoId;
  if (g.owner_cnt != 0 && (g.owner || !IsOnDefault(k, g) || pasids) && k.has(Rule::kCoreUseDefault))
    return k.refuse(Rule::kCoreUseDefault, -EBUSY, dev, group);
  ++g.owner_cnt;
  return 0;
}

void iommu_device_unuse_default_domain(Kernel& k, DeviceId dev) {
  const GroupId group = k.device(dev).group;
  if (!CountsUsers(k, dev)) return;
  GroupState& g = k.group(group);
  const bool pasids = k.sets_up_groups() && g.pasid_domain != kNoId;
  // A driver that was bound before its device had a group takes the count of another, or of the
  // owner (assume.no_driver_before_iommu).
  if (g.owner_cnt == 0 || pasids)
    k.warn("iommu_device_unuse_default_domain", group);
  else
    --g.owner_cnt;
}

const char* CannotDeferredAttach(const Kernel& k) { return CannotWithoutKernelDriver(k); }

int DeferredAttach(Kernel& k) {  // iommu_deferred_attach(); before, iommu_dma_deferred_attach()
  const DeviceId dev = k.op.a;
  const GroupId group = k.device(dev).group;
  if (group == kNoId || !k.device(dev).attach_deferred) return 0;
  const DomainId domain = k.group(group).default_domain;
  if (domain == kNoId) return 0;
  if (k.has(Rule::kCoreDeferredAlone)) return AttachDevice(k, domain, dev);
  if (k.device(k.first_device(group)).next != kNoId) return -EINVAL;  // iommu_attach_device()
  return iommu_attach_group(k, domain, group);
}

const char* CannotAttachPasid(const Kernel& k) {
  if (const char* why = CannotWithoutKernelDriver(k); why != nullptr) return why;
  const GroupId group = k.device(k.op.a).group;
  if (k.topology.devices[k.op.a].kind != DeviceKind::kReal) return "the device has no IOMMU";
  if (group == kNoId) return "the device has no group";
  if (!k.sets_up_groups())
    return k.group(group).pasid_domain == kNoId ? nullptr : "the device has PASIDs";
  const GroupId of = k.device(k.op.b).group;
  return of != kNoId && k.group(of).domain != kNoId ? nullptr : "there is no domain";
}

int AttachPasid(Kernel& k) {
  const GroupId of = k.device(k.op.b).group;
  return iommu_attach_device_pasid(k, k.op.a, of == kNoId ? kNoId : k.group(of).domain);
}

const char* CannotDetachPasid(const Kernel& k) {
  const GroupId group = k.device(k.op.a).group;
  return group == kNoId || k.group(group).pasid_domain == kNoId ? "there is no PASID" : nullptr;
}

int DetachPasid(Kernel& k) {  // iommu_detach_device_pasid()
  const GroupId group = k.device(k.op.a).group;
  const DomainId domain = k.group(group).pasid_domain;
  if (k.sets_up_groups())
    for (DeviceId d = k.first_device(group); d != kNoId; d = k.device(d).next)
      if (!k.device(d).blocked()) RemoveDevicePasid(k, d, domain);
  SetPasidPointer(k, group, kNoId);
  if (k.sets_up_groups()) return 0;
  iommu_detach_group(k, group);  // amd_iommu_free_device()
  iommu_domain_free(k, domain);
  return 0;
}

const char* CannotReset(const Kernel& k) {
  const DeviceState& d = k.device(k.op.a);
  const Device& device = k.topology.devices[k.op.a];
  if (!d.present || device.bus != Bus::kPci || device.kind == DeviceKind::kEmulated)
    return "it is no pci device";
  if (!k.has(Rule::kCoreResetBusy) && !k.has(Rule::kCoreResetMustSucceed))
    return "resets of this kernel leave the IOMMU alone";
  return d.reset_depth == kMaxResetDepth ? "the device's resets nest too deep" : nullptr;
}

int Reset(Kernel& k) {  // pci_dev_reset_iommu_prepare()
  const DeviceId dev = k.op.a;
  DeviceState& d = k.device(dev);
  // !pci_ats_supported(), !dev_has_iommu()
  if (!k.topology.devices[dev].ats || d.instance == kNoId) return 0;
  GroupState& g = k.group(d.group);
  if (g.recovery_cnt != 0 && !k.has(Rule::kCoreResetPerDevice)) {
    k.warn("pci_dev_reset_iommu_prepare", d.group);
    return -EBUSY;
  }
  if (d.blocked()) {
    ++d.reset_depth;
    return 0;
  }
  if (const int ret = AllocBlockingDomain(k, d.group); ret != 0) return ret;
  if (g.domain != g.blocking_domain)
    if (const int ret = AttachDevice(k, g.blocking_domain, dev); ret != 0) return ret;
  d.reset_depth = 1;
  if (g.pasid_domain != kNoId) RemoveDevicePasid(k, dev, g.pasid_domain);
  ++g.recovery_cnt;
  return 0;
}

const char* CannotResetDone(const Kernel& k) {
  return k.device(k.op.a).blocked() ? nullptr : "the device is not in reset";
}

int ResetDone(Kernel& k) {  // pci_dev_reset_iommu_done()
  const DeviceId dev = k.op.a;
  DeviceState& d = k.device(dev);
  if (--d.reset_depth != 0) return 0;
  GroupState& g = k.group(d.group);
  if (g.domain != kNoId && g.domain != g.blocking_domain && AttachDevice(k, g.domain, dev) != 0)
    k.warn("pci_dev_reset_iommu_done", d.group);
  // ABSTRACTION: whoever frees a PASID's domain takes it off the PASID first. A case need not; then
  // this reads freed memory, and the model goes on.
  if (g.pasid_domain != kNoId && SetDevicePasid(k, dev, g.pasid_domain) != 0)
    k.warn("pci_dev_reset_iommu_done", d.group);
  --g.recovery_cnt;
  return 0;
}

}  // namespace iommucheck
