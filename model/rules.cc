// SPDX-License-Identifier: Apache-2.0
#include "model/rules.h"

#include <algorithm>

namespace iommucheck {
namespace {

using enum Rule;
using enum RuleKind;

constexpr uint16_t Bit(KernelVersion v) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(v));
}
// The versions from `first` to `last`, both included.
constexpr uint16_t From(KernelVersion first, KernelVersion last = KernelVersion::kV7_1) {
  uint16_t mask = 0;
  for (KernelVersion v : kKernelVersions)
    if (first <= v && v <= last) mask |= Bit(v);
  return mask;
}
constexpr uint16_t kAll = From(KernelVersion::kV5_15);
constexpr uint16_t kNone = 0;
constexpr auto k515 = KernelVersion::kV5_15;
constexpr auto k518 = KernelVersion::kV5_18;
constexpr auto k60 = KernelVersion::kV6_0;
constexpr auto k61 = KernelVersion::kV6_1;
constexpr auto k61y = KernelVersion::kV6_1_y;
constexpr auto k68 = KernelVersion::kV6_8;
constexpr auto k612 = KernelVersion::kV6_12;
constexpr auto k612y = KernelVersion::kV6_12_y;
constexpr auto k71 = KernelVersion::kV7_1;

constexpr std::string_view kIommuC = "drivers/iommu/iommu.c";
constexpr std::string_view kType1C = "drivers/vfio/vfio_iommu_type1.c";
// Up to 6.0 vfio.c and vfio_main.c have what is named by these two.
constexpr std::string_view kContainerC = "drivers/vfio/container.c";
constexpr std::string_view kGroupC = "drivers/vfio/group.c";

constexpr std::array<RuleInfo, kRuleCount> kRules = {{
    {kBusOneOps, kCheck, "bus.one_ops", kIommuC, "bus_set_iommu", From(k515, k60),
     "a bus that has iommu_ops refuses any others, and the same again, with -EBUSY",
     "the newest bus_set_iommu() wins the bus"},
    {kRegisterSingleDriver, kCheck, "register.single_driver", kIommuC, "iommu_device_register",
     From(k61, k61y), "a second driver's instance is refused with -EBUSY",
     "instances of any driver register, and each overwrites the slots of all buses"},
    {kRegisterStickyOps, kMechanism, "register.sticky_ops", kIommuC, "iommu_device_unregister",
     From(k61, k61y), "the bus slots are never cleared, so the first driver keeps them for good",
     "unregister and a failed register set the slots of all buses to NULL"},
    {kProbeDmaConfigure, kMechanism, "probe.dma_configure", kIommuC, "iommu_init_device", From(k71),
     "probe asks the bus to apply the firmware description before it looks ops up",
     "a device has a fwspec only once a driver binds to it"},
    {kFwspecOneDriver, kCheck, "fwspec.one_driver", kIommuC, "iommu_fwspec_init", kAll,
     "a device described by instances of two drivers is refused with -EINVAL",
     "the last description wins"},
    {kFwspecFreeOnError, kMechanism, "fwspec.free_on_error", "drivers/iommu/of_iommu.c",
     "of_iommu_configure", From(k612),
     "a firmware description that fails half-way leaves no fwspec behind",
     "the fwspec of the part that went well stays"},
    {kFirmwareDtXorAcpi, kCheck, "firmware.dt_xor_acpi", "drivers/base/platform.c",
     "platform_dma_configure", kAll,
     "a machine is described by device tree or by ACPI, and only drivers of that kind probe",
     "drivers of both kinds probe on one machine"},

    {kCoreAttachBusy, kCheck, "core.attach_busy", kIommuC, "__iommu_attach_group", kAll,
     "a group that is on a domain of somebody else is refused with -EBUSY",
     "attach replaces whatever domain the group is on"},
    {kCoreOwnerFirst, kCheck, "core.owner_first", kIommuC, "__iommu_attach_group", From(k68),
     "a domain whose owner is not the driver of the group's first device is refused with -EINVAL",
     "attach never looks at the domain's owner"},
    {kCoreOwnerEvery, kCheck, "core.owner_every", kIommuC, "__iommu_device_set_domain", kNone,
     "a domain is refused with -EINVAL for every device that its owner does not serve",
     "no mainline kernel has it"},
    {kCoreAttachRollback, kMechanism, "core.attach_rollback", kIommuC,
     "__iommu_group_set_domain_internal", From(k68),
     "when one device of a group fails, the others go back to the old domain",
     "when one device of a group fails, the earlier ones stay on the new domain"},
    {kCoreRollbackFailing, kMechanism, "core.rollback_failing", kIommuC,
     "__iommu_group_set_domain_internal", From(k68, k612y),
     "the failing device itself is set back to the old domain, too",
     "the failing device is left to its driver"},
    {kCoreRollbackReattach, kMechanism, "core.rollback_reattach", kIommuC, "__iommu_attach_group",
     From(k61y, k61y),
     "when one device of a group fails, group->domain is NULL until all are back on the old domain",
     "when one device of a group fails, __iommu_attach_group() leaves it at that"},
    {kCoreDetachNofail, kMechanism, "core.detach_nofail", kIommuC,
     "__iommu_group_set_domain_nofail", From(k68),
     "detach and release move group->domain even when a driver fails",
     "a failing detach leaves group->domain where it was"},
    {kCoreDmaOwner, kCheck, "core.dma_owner", kIommuC, "iommu_group_claim_dma_owner", From(k60),
     "VFIO claims a group (-EPERM if owned, -EBUSY if in use) and it rests on a blocking domain",
     "groups are not claimed, and rest on the default domain or on none"},

    {kAllocBusUnique, kCheck, "alloc.bus_unique", kIommuC, "iommu_domain_alloc", From(k68, k68),
     "allocating by bus fails while devices of two drivers are on the bus",
     "allocating by bus takes the driver of the bus's first probed device"},
    {kAllocByDevice, kMechanism, "alloc.by_device", kIommuC, "iommu_paging_domain_alloc",
     From(k612), "VFIO allocates for the group's first device",
     "VFIO allocates by the bus of the group's first device"},
    {kAllocOpsPerDriver, kMechanism, "alloc.ops_per_driver", kIommuC, "__iommu_domain_alloc",
     From(k515, k515), "domain->ops is the driver's one iommu_ops",
     "domain->ops is a table of iommu_domain_ops, of which a driver may have several"},

    {kVfioCacheCoherency, kCheck, "vfio.cache_coherency", "drivers/vfio/vfio_main.c",
     "vfio_group_find_or_alloc", From(k60),
     "a device whose IOMMU lacks IOMMU_CAP_CACHE_COHERENCY gets no /dev/vfio group",
     "VFIO takes devices of any IOMMU driver"},
    {kVfioLeaveOnLast, kMechanism, "vfio.leave_on_last", "drivers/vfio/vfio_main.c",
     "vfio_device_remove_group", From(k61),
     "when its last device goes, a group leaves its container",
     "a group stays in its container after its last device has gone"},
    {kType1SameBus, kCheck, "type1.same_bus", kType1C, "vfio_bus_type", From(k515, k518),
     "a group with devices on two buses is refused with -EINVAL",
     "the bus of the group's first device stands for all"},
    {kType1SameOps, kCheck, "type1.same_ops", kType1C, "vfio_iommu_type1_attach_group", kAll,
     "an existing domain is tried only if its ops equal the new domain's",
     "every existing domain of the container is tried: the 2022 patch"},
    {kType1SameCoherency, kCheck, "type1.same_coherency", kType1C, "vfio_iommu_type1_attach_group",
     kAll, "an existing domain is tried only if it equals the new one in cache coherency",
     "domains are shared whatever their cache coherency"},
    {kType1EnforceCoherency, kMechanism, "type1.enforce_coherency", kType1C,
     "vfio_iommu_type1_attach_group", From(k60),
     "coherency is what the new domain's enforce_cache_coherency op answers",
     "coherency is the bus's IOMMU_CAP_CACHE_COHERENCY"},

    {kAssumeTablesNotShared, kAssumption, "assume.tables_not_shared", "", "drivers", kAll,
     "no two drivers share a domain-ops table", "two drivers may share a domain-ops table"},
    {kAssumeAddressNotReused, kAssumption, "assume.address_not_reused", "", "module loader", kAll,
     "the ops of an unloaded driver are never at the address of another's",
     "a driver's ops may lie where those of an unloaded one lay"},
    {kAssumeProbeRejectsForeign, kAssumption, "assume.probe_rejects_foreign", "", "drivers", kAll,
     "probe_device refuses a device that firmware did not put behind the driver's instances",
     "a driver may accept any device it is asked to probe"},
    {kAssumeHomogeneousGroups, kAssumption, "assume.homogeneous_groups", "", "machine", kNone,
     "devices that can share a group are behind instances of one driver",
     "a group may hold devices of two drivers"},
    {kAssumeNoHotAddWhenAttached, kAssumption, "assume.no_hot_add_when_attached", "", "admin",
     kNone, "no device joins a group that is in a container",
     "devices may join a group that is in a container"},
    {kAssumeNoUnregisterWhenAttached, kAssumption, "assume.no_unregister_when_attached", "",
     "admin", kNone, "no instance unregisters while a group it serves is in a container",
     "instances may unregister under groups that are in a container"},
    {kAssumeBusOpsNotReplaced, kAssumption, "assume.bus_ops_not_replaced", "", "drivers", kNone,
     "no driver clears or overwrites a bus slot while devices of that bus are probed",
     "drivers may clear and overwrite bus slots, as some in-tree drivers do"},
    {kAssumeDriversCompeteForABus, kAssumption, "assume.drivers_compete_for_a_bus", "", "drivers",
     kNone, "any two drivers of a machine claim a bus in common",
     "two drivers may claim disjoint buses"},
    {kDriverSameInstance, kAssumption, "driver.same_instance", "", "drivers", kNone,
     "attach_dev refuses a domain that belongs to another instance with -EINVAL",
     "attach_dev accepts any domain it is given"},

    {kCoreClaimBlocking, kMechanism, "core.claim_blocking", kIommuC, "__iommu_take_dma_ownership",
     kAll, "a claimed group is put on a blocking domain",
     "a claimed group keeps the default domain in hardware, and group->domain is NULL"},
    {kCoreUseDefault, kCheck, "core.use_default", kIommuC, "iommu_device_use_default_domain",
     From(k60), "a driver that does DMA by the kernel's API cannot bind in an owned group: -EBUSY",
     "a kernel driver binds whoever owns the group"},
    {kCoreIdentityIsDefault, kMechanism, "core.identity_is_default", kIommuC,
     "iommu_is_default_domain", From(k60, k61y),
     "an identity domain in place of an identity default domain counts as the default domain",
     "a group is on its default domain if the pointers are equal"},
    {kCoreDeferUnset, kCheck, "core.defer_unset", kIommuC, "iommu_device_use_default_domain",
     From(k612y), "a driver of a group without a default domain waits: -EPROBE_DEFER",
     "a driver binds in a group that has no default domain yet"},
    {kCoreDefaultTypeVote, kMechanism, "core.default_type_vote", kIommuC,
     "iommu_get_default_domain_type", From(k68),
     "every device of a group has a say in the default domain's type, and identity wins",
     "the group's first device chooses the default domain's type"},
    {kCoreDirectMapped, kMechanism, "core.direct_mapped", kIommuC,
     "iommu_create_device_direct_mappings", kAll,
     "the default domain maps a device's direct regions before the device is attached",
     "the default domain lacks the regions that firmware's own DMA needs"},
    {kCoreRequireDirect, kCheck, "core.require_direct", kIommuC, "__iommu_device_set_domain",
     From(k68), "a device with a direct region is refused on a blocking domain with -EINVAL",
     "a device with a direct region can be blocked, and handed to user space"},
    {kCorePasidOwner, kCheck, "core.pasid_owner", kIommuC, "iommu_attach_device_pasid", From(k68),
     "a domain whose owner is not the device's driver is refused for a PASID with -EINVAL",
     "a PASID takes a domain of any driver"},
    {kCorePasidStatic, kMechanism, "core.pasid_static", kIommuC, "domain_iommu_ops_compatible",
     From(k71), "the driver's static domains, which have no owner, are its own",
     "a static domain is refused for having no owner"},
    {kCorePasidBusy, kCheck, "core.pasid_busy", kIommuC, "iommu_attach_device_pasid", From(k68),
     "a PASID that has a domain is refused with -EBUSY", "a PASID's domain is replaced"},
    {kCoreResetBusy, kCheck, "core.reset_busy", kIommuC, "__iommu_group_set_domain_internal",
     From(k71), "a group with a device in reset changes its domain only if it must: else -EBUSY",
     "a device in reset is attached to another domain"},
    {kCoreResetMustSucceed, kMechanism, "core.reset_must_succeed", kIommuC,
     "__iommu_group_set_domain_internal", From(k71),
     "a change that must succeed moves group->domain while a device is in reset",
     "while a device is in reset even a detach is refused, and group->domain stays"},
    {kCoreResetPerDevice, kMechanism, "core.reset_per_device", kIommuC,
     "pci_dev_reset_iommu_prepare", From(k71),
     "each device of a group is blocked for its own reset, and leaves when that is done",
     "the first reset that is done puts every device of the group back"},

    {kVfioOpenOnce, kCheck, "vfio.open_once", kGroupC, "vfio_group_fops_open", kAll,
     "a group that is open is refused with -EBUSY", "a group may be opened twice"},
    {kVfioViable, kCheck, "vfio.viable", "drivers/vfio/vfio.c", "vfio_group_viable",
     From(k515, k518), "no device of a group is handed out while a kernel driver has one: -EINVAL",
     "devices are handed out whoever drives the rest of the group"},
    {kVfioNoIommuCap, kCheck, "vfio.noiommu_cap", kGroupC, "vfio_group_fops_open", kAll,
     "a group without an IOMMU wants CAP_SYS_RAWIO: -EPERM",
     "any user opens a group without an IOMMU"},
    {kVfioNoIommuApart, kCheck, "vfio.noiommu_apart", kContainerC, "vfio_container_attach_group",
     kAll, "groups with and without an IOMMU do not share a container: -EPERM",
     "a container has groups with and without an IOMMU"},
    {kVfioContainerOnce, kCheck, "vfio.container_once", kGroupC, "vfio_group_ioctl_set_container",
     kAll, "a group that has a container is refused with -EINVAL",
     "a group is put on the lists of two containers, which corrupts both"},
    {kVfioClaimReal, kMechanism, "vfio.claim_real", kContainerC, "vfio_container_attach_group",
     From(k60), "only groups with an IOMMU are claimed",
     "a fake group is claimed, too, and has no IOMMU that could block it: -EINVAL"},
    {kVfioReleaseOnError, kMechanism, "vfio.release_on_error", kContainerC,
     "vfio_container_attach_group", kAll, "a group that its container's driver refuses is released",
     "a group that its container's driver refuses stays claimed"},
    {kVfioSetIommuOnce, kCheck, "vfio.set_iommu_once", kContainerC, "vfio_ioctl_set_iommu", kAll,
     "a container that has a driver, or no group, is refused with -EINVAL",
     "a container is given a second driver instance, and the first is lost"},
    {kVfioSetIommuUnwind, kMechanism, "vfio.set_iommu_unwind", kContainerC,
     "__vfio_container_attach_groups", kAll,
     "when a group fails, those attached before it are detached",
     "when a group fails, those attached before it stay attached"},
    {kVfioUnsetUnused, kCheck, "vfio.unset_unused", kGroupC, "vfio_group_ioctl_unset_container",
     kAll, "a group with open devices keeps its container: -EBUSY",
     "a container is taken from under an open device"},
    {kVfioDeviceNeedsIommu, kCheck, "vfio.device_needs_iommu", kContainerC,
     "vfio_group_use_container", kAll,
     "no device is handed out before the container has a driver: -EINVAL",
     "a device is handed out without an IOMMU domain"},
    {kVfioReleaseOnLast, kMechanism, "vfio.release_on_last", kContainerC,
     "vfio_group_detach_container", kAll, "a container without groups gives up its driver",
     "a container keeps its driver, and its mappings, after its last group"},

    {kType1VaddrBusy, kCheck, "type1.vaddr_busy", kType1C, "vfio_iommu_type1_attach_group",
     From(k61y), "no group is attached while a mapping has no valid vaddr: -EBUSY",
     "attach waits for a valid vaddr, or pins by a stale one"},
    {kType1NoDuplicate, kCheck, "type1.no_duplicate", kType1C, "vfio_iommu_type1_attach_group",
     kAll, "a group that the container has is refused with -EINVAL",
     "a group is attached a second time"},
    {kType1EmulatedApart, kMechanism, "type1.emulated_apart", kType1C,
     "vfio_iommu_type1_attach_group", kAll, "a group of emulated devices joins without a domain",
     "a domain is asked for a group that has no IOMMU: -EIO or -ENODEV"},
    {kType1Nesting, kCheck, "type1.nesting", kType1C, "vfio_iommu_type1_attach_group",
     From(k515, k612y), "VFIO_TYPE1_NESTING_IOMMU wants a driver with the op: -EINVAL",
     "VFIO_TYPE1_NESTING_IOMMU is VFIO_TYPE1v2_IOMMU"},
    {kType1AperConflict, kCheck, "type1.aper_conflict", kType1C, "vfio_iommu_aper_conflict", kAll,
     "a domain whose aperture leaves a mapping out is refused with -EINVAL",
     "mappings lie outside of a domain's aperture"},
    {kType1ResvConflict, kCheck, "type1.resv_conflict", kType1C, "vfio_iommu_resv_conflict", kAll,
     "a group with a reserved region that is mapped is refused with -EINVAL",
     "a reserved region of a device is mapped"},
    {kType1AperResize, kMechanism, "type1.aper_resize", kType1C, "vfio_iommu_aper_resize", kAll,
     "the list of valid IOVAs is cut to the new domain's aperture",
     "the list of valid IOVAs has what the new domain cannot map"},
    {kType1ResvExclude, kMechanism, "type1.resv_exclude", kType1C, "vfio_iommu_resv_exclude", kAll,
     "reserved regions leave the list of valid IOVAs; where nothing is left, -EINVAL",
     "reserved regions stay on the list of valid IOVAs"},
    {kType1MsiSafety, kCheck, "type1.msi_safety", kType1C, "vfio_iommu_type1_attach_group", kAll,
     "a group whose interrupts are not isolated is refused with -EPERM",
     "a group's devices may forge interrupts"},
    {kType1MsiAnyDevice, kMechanism, "type1.msi_any_device", kType1C,
     "vfio_iommu_type1_attach_group", From(k60, k61y),
     "one device with isolated interrupts speaks for its group",
     "the bus, or every device, is asked for isolated interrupts"},
    {kType1MsiEveryDevice, kMechanism, "type1.msi_every_device", kIommuC,
     "iommu_group_has_isolated_msi", From(k68),
     "every device of a group must have isolated interrupts",
     "the bus, or any device, speaks for the group"},
    {kType1FgspProbe, kMechanism, "type1.fgsp_probe", kType1C, "vfio_test_domain_fgsp",
     From(k515, k612y), "a new domain maps and unmaps two pages to see how it splits them",
     "a new domain is not tried"},
    {kType1FgspInList, kMechanism, "type1.fgsp_in_list", kType1C, "vfio_test_domain_fgsp",
     From(k61y, k612y), "the pages of the trial lie in the list of valid IOVAs",
     "the trial maps IOVA 0, whatever is reserved there"},
    {kType1Replay, kMechanism, "type1.replay", kType1C, "vfio_iommu_replay", kAll,
     "a new domain is given every mapping of its container",
     "a new domain lacks the mappings made before it"},
    {kType1ReplayUnwind, kMechanism, "type1.replay_unwind", kType1C, "vfio_iommu_replay", kAll,
     "a replay that fails unpins what it pinned", "a replay that fails leaves its pins behind"},
    {kType1MsiCookie, kMechanism, "type1.msi_cookie", kType1C, "vfio_iommu_type1_attach_group",
     kAll, "a new domain of a group with a software MSI region has an MSI cookie",
     "interrupts of such a group have no mapping"},
    {kType1DetachUnmaps, kMechanism, "type1.detach_unmaps", kType1C,
     "vfio_iommu_type1_detach_group", kAll,
     "the last group of a container takes its mappings with it",
     "mappings and pins stay after the last group"},
    {kType1DetachReaccounts, kMechanism, "type1.detach_reaccounts", kType1C,
     "vfio_iommu_unmap_unpin_reaccount", kAll,
     "where emulated groups stay, mappings are unpinned but for what those pinned",
     "where emulated groups stay, pages stay pinned without a domain"},
    {kType1DetachRefresh, kMechanism, "type1.detach_refresh", kType1C, "vfio_iommu_resv_refresh",
     kAll, "the list of valid IOVAs grows when a domain or a group goes",
     "the list of valid IOVAs stays as narrow as it was"},
    {kType1DetachEmptyCopy, kMechanism, "type1.detach_empty_copy", kType1C,
     "vfio_iommu_resv_refresh", kAll, "a copy of the list that could not be made is not refreshed",
     "the head of an empty list is read for its first and last range"},

    {kType1MapAlign, kCheck, "type1.map_align", kType1C, "vfio_dma_do_map", kAll,
     "a mapping of no size, or not aligned to the smallest IOMMU page, is refused: -EINVAL",
     "the IOMMU driver is asked to map what it cannot"},
    {kType1MapWrap, kCheck, "type1.map_wrap", kType1C, "vfio_dma_do_map", kAll,
     "a mapping that wraps around is refused with -EINVAL", "a mapping may wrap around"},
    {kType1MapOverlap, kCheck, "type1.map_overlap", kType1C, "vfio_dma_do_map", kAll,
     "a mapping that overlaps another is refused with -EEXIST", "a page may be mapped twice"},
    {kType1MapEntries, kCheck, "type1.map_entries", kType1C, "vfio_dma_do_map", kAll,
     "a container has as many mappings as dma_entry_limit says: -ENOSPC",
     "a user makes as many mappings as memory allows"},
    {kType1MapInList, kCheck, "type1.map_in_list", kType1C, "vfio_iommu_iova_dma_valid", kAll,
     "a mapping outside of the list of valid IOVAs is refused with -EINVAL",
     "a mapping may cover what is reserved or cannot be addressed"},
    {kType1MapUnwind, kMechanism, "type1.map_unwind", kType1C, "vfio_iommu_map", kAll,
     "when one domain fails to map, those before it are unmapped",
     "when one domain fails to map, those before it keep the mapping"},
    {kType1Memlock, kCheck, "type1.memlock", kType1C, "vfio_pin_pages_remote", kAll,
     "pages beyond RLIMIT_MEMLOCK are refused with -ENOMEM", "a user pins as much as there is"},
    {kType1UnmapNoSplit, kCheck, "type1.unmap_no_split", kType1C, "vfio_dma_do_unmap", kAll,
     "an unmap that cuts a mapping in two is refused (version 2: -EINVAL)",
     "an unmap takes whole mappings that it meets in part"},
    {kType1UnmapNotifies, kMechanism, "type1.unmap_notifies", kType1C, "vfio_notify_dma_unmap",
     kAll, "emulated devices let go of their pages before a mapping goes",
     "a mapping goes with pages of it pinned"},
    {kType1UnmapEveryDomain, kMechanism, "type1.unmap_every_domain", kType1C, "vfio_unmap_unpin",
     kAll, "a page is unmapped from every domain before it is unpinned",
     "a page is unmapped from the first domain alone"},
    {kType1UnmapTop, kMechanism, "type1.unmap_top", kType1C, "vfio_unmap_unpin", From(k71),
     "a mapping that ends with the address space is unmapped, too",
     "the end of such a mapping is 0, and neither unmapped nor unpinned is any of it"},
    {kType1VaddrNoEmulated, kCheck, "type1.vaddr_no_emulated", kType1C, "vfio_dma_do_unmap",
     From(k61y), "no vaddr is made invalid while there are emulated devices: -EBUSY",
     "an emulated device may pin by a stale vaddr"},
    {kType1PinVaddrBusy, kCheck, "type1.pin_vaddr_busy", kType1C, "vfio_iommu_type1_pin_pages",
     From(k61y), "no page is pinned while a mapping has no valid vaddr: -EBUSY",
     "a page is pinned by a stale vaddr, or waited for"},
    {kType1PinAccounts, kMechanism, "type1.pin_accounts", kType1C, "vfio_iommu_type1_pin_pages",
     kAll, "a page that an emulated device pins is accounted once",
     "a page that an emulated device pins is not accounted"},
    {kType1UnpinZero, kMechanism, "type1.unpin_zero", kType1C, "vaddr_get_pfns", From(k60),
     "the zero page is unpinned as often as it was pinned",
     "each mapping of the zero page leaves a reference to it behind"},

    {kDriverSnoopChecked, kCheck, "driver.snoop_checked", "drivers/iommu/intel/iommu.c",
     "prepare_domain_attach_device", From(k60),
     "a domain that enforces coherency refuses a device whose IOMMU cannot: -EINVAL",
     "a domain that enforces coherency takes a device whose IOMMU cannot"},
    {kDriverAttachKeepsOld, kMechanism, "driver.attach_keeps_old", "drivers/iommu/s390-iommu.c",
     "s390_iommu_attach_device", From(k612), "an attach that fails leaves the device on a domain",
     "an attach that fails has taken the device off its old domain already"},
    {kDriverEinvalOnly, kMechanism, "driver.einval_only", "drivers/iommu/virtio-iommu.c",
     "viommu_attach_dev", From(k68),
     "attach_dev says -EINVAL for what is incompatible, and for nothing else",
     "attach_dev has an errno of its own for what is incompatible"},

    {kAssumeOneInstanceGroups, kAssumption, "assume.one_instance_groups", "", "machine", kNone,
     "devices that can share a group are behind the same instances",
     "a group may hold devices behind two instances"},
    {kAssumeCommonPageSize, kAssumption, "assume.common_page_size", "", "machine", kNone,
     "every IOMMU maps pages of the CPU's size",
     "an IOMMU may map larger pages only, and two of them none of a common size"},
    {kAssumeNoDriverBeforeIommu, kAssumption, "assume.no_driver_before_iommu", "", "admin", kNone,
     "no device has a kernel driver when its IOMMU probes it",
     "a kernel driver may have a device that its IOMMU does not know yet"},
    {kAssumeNoUnregisterWhileServing, kAssumption, "assume.no_unregister_while_serving", "",
     "driver", kNone,
     "an instance that serves a device does not unregister: its driver sets suppress_bind_attrs, "
     "and __iommu_probe_device() holds its module (try_module_get())",
     "an instance may unregister while it serves devices"},
}};

constexpr bool InOrder() {
  for (int i = 0; i < kRuleCount; ++i)
    if (static_cast<int>(kRules[i].rule) != i) return false;
  return true;
}
static_assert(InOrder(), "AllRules() is indexed by Rule");

constexpr std::array<std::string_view, kKernelVersionCount> kVersionNames = {
    "v5.15", "v5.18", "v6.0", "v6.1", "v6.1.y", "v6.8", "v6.12", "v6.12.y", "v7.1"};

}  // namespace

std::string_view EraName(Era era) {
  switch (era) {
    case Era::kBusSlots:
      return "ops by bus slot, set by bus_set_iommu()";
    case Era::kSingleDriver:
      return "ops by bus slot, set by iommu_device_register()";
    case Era::kFwnode:
      return "ops by fwnode";
  }
  return "";
}

std::span<const RuleInfo> AllRules() { return kRules; }
const RuleInfo& InfoOf(Rule rule) { return kRules[static_cast<size_t>(rule)]; }

std::optional<Rule> FindRule(std::string_view id) {
  const auto* it = std::ranges::find(kRules, id, &RuleInfo::id);
  return it == kRules.end() ? std::nullopt : std::optional(it->rule);
}

std::string_view VersionName(KernelVersion version) {
  return kVersionNames[static_cast<size_t>(version)];
}

std::optional<KernelVersion> FindVersion(std::string_view name) {
  const auto* it = std::ranges::find(kVersionNames, name);
  if (it == kVersionNames.end()) return std::nullopt;
  return kKernelVersions[static_cast<size_t>(it - kVersionNames.begin())];
}

KernelProfile ProfileOf(KernelVersion version) {
  KernelProfile profile{version, Era::kFwnode, {}};
  if (version <= k60) profile.era = Era::kBusSlots;
  if (version == k61 || version == k61y) profile.era = Era::kSingleDriver;
  for (const RuleInfo& info : kRules)
    if ((info.versions & Bit(version)) != 0) profile.rules.add(info.rule);
  return profile;
}

KernelProfile ProfileOf(const KernelSpec& spec) {
  KernelProfile profile = ProfileOf(spec.version);
  for (const RuleInfo& info : kRules) {
    if (spec.dropped.has(info.rule)) profile.rules.drop(info.rule);
    if (spec.added.has(info.rule)) profile.rules.add(info.rule);
  }
  return profile;
}

}  // namespace iommucheck
