// SPDX-License-Identifier: Apache-2.0
#include "model/rules.h"

#include <algorithm>

namespace iommucheck {
namespace {

using enum Rule;
using enum RuleKind;

constexpr uint8_t Bit(KernelVersion v) {
  return static_cast<uint8_t>(1U << static_cast<unsigned>(v));
}
// The versions from `first` to `last`, both included.
constexpr uint8_t From(KernelVersion first, KernelVersion last = KernelVersion::kV7_1) {
  uint8_t mask = 0;
  for (KernelVersion v : kKernelVersions)
    if (first <= v && v <= last) mask |= Bit(v);
  return mask;
}
constexpr uint8_t kAll = From(KernelVersion::kV5_15);
constexpr uint8_t kNone = 0;
constexpr auto k515 = KernelVersion::kV5_15;
constexpr auto k518 = KernelVersion::kV5_18;
constexpr auto k60 = KernelVersion::kV6_0;
constexpr auto k61 = KernelVersion::kV6_1;
constexpr auto k61y = KernelVersion::kV6_1_y;
constexpr auto k68 = KernelVersion::kV6_8;
constexpr auto k612 = KernelVersion::kV6_12;
constexpr auto k71 = KernelVersion::kV7_1;

constexpr std::string_view kIommuC = "drivers/iommu/iommu.c";
constexpr std::string_view kType1C = "drivers/vfio/vfio_iommu_type1.c";

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
     "__iommu_group_set_domain_internal", From(k68, k612),
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
}};

constexpr bool InOrder() {
  for (int i = 0; i < kRuleCount; ++i)
    if (static_cast<int>(kRules[i].rule) != i) return false;
  return true;
}
static_assert(InOrder(), "AllRules() is indexed by Rule");

constexpr std::array<std::string_view, kKernelVersionCount> kVersionNames = {
    "v5.15", "v5.18", "v6.0", "v6.1", "v6.1.y", "v6.8", "v6.12", "v7.1"};

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
