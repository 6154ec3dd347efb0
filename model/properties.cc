// SPDX-License-Identifier: Apache-2.0
#include "model/properties.h"

#include <algorithm>

#include "model/property_checks.h"

namespace iommucheck {
namespace {

bool IsForeign(const Event& e) {
  return e.kind == Event::Kind::kAttachDev && e.error == 0 && e.driver != e.device_driver;
}

const Event* FindForeignAttach(std::span<const Event> events) {
  const auto it = std::ranges::find_if(events, IsForeign);
  return it == events.end() ? nullptr : &*it;
}

// A type1 domain is already existing unless this very vfio_iommu_type1_attach_group() allocated it.
const Event* FindForeignReuse(std::span<const Event> events) {
  bool in_type1_attach = false;
  DomainId fresh = kNoId;
  for (const Event& e : events) {
    if (e.kind == Event::Kind::kAttachGroup) {
      in_type1_attach = true;
      fresh = kNoId;
    } else if (e.kind == Event::Kind::kAlloc && e.type == DomainType::kPaging) {
      fresh = e.domain;
    } else if (in_type1_attach && IsForeign(e) && e.type == DomainType::kPaging &&
               e.domain != fresh) {
      return &e;
    }
  }
  return nullptr;
}

Found FromEvent(const Event* event) {
  if (event == nullptr) return std::nullopt;
  return Violation{.why = "the domain is of another driver",
                   .event = event,
                   .device = event->device,
                   .group = event->group,
                   .domain = event->domain};
}

Found NoCrossDriverAttach(const StepView& v) { return FromEvent(FindForeignAttach(v.events)); }
Found NoCrossDriverReuse(const StepView& v) { return FromEvent(FindForeignReuse(v.events)); }

struct PropertyInfo {
  Property property;
  std::string_view name;
  std::string_view sentence;
  Found (*find)(const StepView& view);
};

using enum Property;
constexpr std::array<PropertyInfo, kPropertyCount> kInfos = {{
    {kNoCrossDriverAttach, "no-cross-driver-attach",
     "every device's attached domain was allocated by the driver that serves the device",
     NoCrossDriverAttach},
    {kNoCrossDriverReuse, "no-cross-driver-reuse",
     "attaching a group never puts a device on an already existing domain of another driver",
     NoCrossDriverReuse},

    {kNoOops, "no-oops",
     "no NULL or wild pointer is followed, no BUG hit, no list corrupted, nothing loops for ever "
     "or is undefined",
     NoOops},
    {kNoCallWaits, "no-call-waits", "no call waits inside the kernel for another call of the user",
     NoCallWaits},
    {kNoFreedDomainInUse, "no-freed-domain-in-use",
     "no device's hardware and no group points at a domain that was freed", NoFreedDomainInUse},
    {kNoLeakedDomain, "no-leaked-domain",
     "every domain belongs to a group or is on the list of a container", NoLeakedDomain},
    {kGroupHasOneDriver, "group-has-one-driver", "all devices of a group are served by one driver",
     GroupHasOneDriver},
    {kGroupSharesADomain, "group-shares-a-domain",
     "the hardware of every device of a group points at group->domain, but for devices in reset "
     "and those that wait for their first DMA",
     GroupSharesADomain},
    {kGroupDomainIsKnown, "group-domain-is-known",
     "group->domain is NULL, the default, blocking or PASID domain, or, in a container, type1's",
     GroupDomainIsKnown},
    {kProbedByFirmwaresDriver, "probed-by-firmwares-driver",
     "the driver that serves a device is that of an instance which firmware names for it",
     ProbedByFirmwaresDriver},
    {kIdentityIsHonoured, "identity-is-honoured",
     "a default domain is identity where the driver of any device of the group asked for that",
     IdentityIsHonoured},
    {kDirectRegionStaysMapped, "direct-region-stays-mapped",
     "a device with a direct region is on a domain that maps it one to one",
     DirectRegionStaysMapped},
    {kIncompatibleMeansEinval, "incompatible-means-einval",
     "attach_dev says EINVAL, and no other errno, to what is incompatible",
     IncompatibleMeansEinval},

    {kOwnershipBalances, "ownership-balances", "a group is claimed only while it is in a container",
     OwnershipBalances},
    {kKernelUsersBalance, "kernel-users-balance",
     "a group counts at least each of its devices that a kernel driver has", KernelUsersBalance},
    {kNoDriverBesideUser, "no-driver-beside-user",
     "no kernel driver has a device of a group that user space has", NoDriverBesideUser},
    {kDriverRefusedOnlyWhenOwned, "driver-refused-only-when-owned",
     "a kernel driver is kept from a device only where somebody else has the group",
     DriverRefusedOnlyWhenOwned},
    {kNoCrossDriverPasid, "no-cross-driver-pasid",
     "a PASID's domain was allocated by the driver that serves the device", NoCrossDriverPasid},
    {kOwnPasidDomainIsAccepted, "own-pasid-domain-is-accepted",
     "a PASID is not refused a domain of the device's own driver as that of another",
     OwnPasidDomainIsAccepted},
    {kPasidKeepsItsDomain, "pasid-keeps-its-domain",
     "no attach replaces the domain that a PASID has", PasidKeepsItsDomain},
    {kResettingDeviceIsBlocked, "resetting-device-is-blocked",
     "a device in reset is on the blocking domain, and its group counts it",
     ResettingDeviceIsBlocked},

    {kGroupIsOpenedOnce, "group-is-opened-once", "a group is open once at a time",
     GroupIsOpenedOnce},
    {kNoIommuWantsPrivilege, "noiommu-wants-privilege",
     "no user without CAP_SYS_RAWIO gets at a group without an IOMMU", NoIommuWantsPrivilege},
    {kNoIommuStaysApart, "noiommu-stays-apart",
     "no container has groups with an IOMMU and groups without", NoIommuStaysApart},
    {kGroupHasOneContainer, "group-has-one-container",
     "a group is on the list of the container that it is in, and on no other",
     GroupHasOneContainer},
    {kSetIommuOnce, "set-iommu-once", "a container is given a driver once", SetIommuOnce},
    {kOpenDeviceHasItsIommu, "open-device-has-its-iommu",
     "the group of a device that user space has is in a container with a driver",
     OpenDeviceHasItsIommu},
    {kEmptyContainerHasNoDriver, "empty-container-has-no-driver",
     "a container without groups has no driver, no domains and no mappings",
     EmptyContainerHasNoDriver},
    {kEmulatedGroupsNeedNoIommu, "emulated-groups-need-no-iommu",
     "a group of emulated devices joins and leaves without the IOMMU", EmulatedGroupsNeedNoIommu},

    {kFailedCallGoesBack, "failed-call-goes-back",
     "a call that joins a container or sets its driver, and fails, leaves all as it was",
     FailedCallGoesBack},
    {kContainerGroupsAreOnTheirDomain, "container-groups-are-on-their-domain",
     "a group in a container with a driver is on one of its domains, as type1 has it",
     ContainerGroupsAreOnTheirDomain},
    {kCoherentDomainIsEnforced, "coherent-domain-is-enforced",
     "a domain that enforces cache coherency has only devices whose IOMMUs can",
     CoherentDomainIsEnforced},
    {kNestingIsThere, "nesting-is-there",
     "a container with nesting has only domains whose drivers can", NestingIsThere},
    {kMsiIsIsolated, "msi-is-isolated",
     "a device that type1 has isolates its interrupts, unless unsafe ones are allowed",
     MsiIsIsolated},
    {kMsiCookieOnce, "msi-cookie-once", "no domain is given an MSI cookie twice", MsiCookieOnce},
    {kMsiIsMapped, "msi-is-mapped",
     "a group whose interrupts software maps is on a domain with an MSI cookie", MsiIsMapped},

    {kUnmapTakesWholeMappings, "unmap-takes-whole-mappings",
     "an unmap takes mappings that start in what it names, and with version 2 end there",
     UnmapTakesWholeMappings},
    {kMappingsAreApart, "mappings-are-apart",
     "the mappings of a container are not empty, do not meet and do not wrap around",
     MappingsAreApart},
    {kMappingsKeepTheirLimit, "mappings-keep-their-limit",
     "a container has no more mappings than dma_entry_limit", MappingsKeepTheirLimit},
    {kMappedInEveryDomain, "mapped-in-every-domain",
     "every domain of a container has each of its mappings", MappedInEveryDomain},
    {kNoStaleTranslation, "no-stale-translation",
     "a domain of a container maps nothing but its mappings", NoStaleTranslation},
    {kMappingsLieOffReserved, "mappings-lie-off-reserved",
     "no mapping of a container meets a reserved region of a device in it", MappingsLieOffReserved},
    {kMappingsLieInApertures, "mappings-lie-in-apertures",
     "every mapping of a container is within the aperture of each of its domains",
     MappingsLieInApertures},
    {kValidIovaCanBeMapped, "valid-iova-can-be-mapped",
     "every IOVA listed as valid is within all apertures and off every reserved region",
     ValidIovaCanBeMapped},
    {kNoValidIovaIsLost, "no-valid-iova-is-lost",
     "every IOVA within all apertures and off every reserved region is listed as valid",
     NoValidIovaIsLost},
    {kAttachMapsNothingReserved, "attach-maps-nothing-reserved",
     "attaching a group maps nothing in its reserved regions, not even for a moment",
     AttachMapsNothingReserved},
    {kNoLeakedPin, "no-leaked-pin",
     "every page that is pinned belongs to a mapping, and is counted", NoLeakedPin},
    {kNoPinByStaleVaddr, "no-pin-by-stale-vaddr",
     "nothing is pinned while a mapping of the container has no valid vaddr", NoPinByStaleVaddr},
    {kLockedMemoryBalances, "locked-memory-balances",
     "the user pays for each page that is pinned, once", LockedMemoryBalances},
    {kLockedMemoryKeepsItsLimit, "locked-memory-keeps-its-limit",
     "no more is locked than RLIMIT_MEMLOCK", LockedMemoryKeepsItsLimit},
}};

constexpr bool InOrder() {
  for (int i = 0; i < kPropertyCount; ++i)
    if (static_cast<int>(kInfos[i].property) != i) return false;
  return true;
}
static_assert(InOrder(), "kInfos is indexed by Property");

const PropertyInfo& InfoOf(Property property) { return kInfos[static_cast<size_t>(property)]; }

// --- what each kernel promises; found by running random machines, and held to by tests ---

// Devices stay probed while their bus's slot does, up to 6.0; groups are of one driver, from 6.8:
// the core tests the first device of a group alone.
constexpr std::array kSlotsStay = {Rule::kAssumeBusOpsNotReplaced};
constexpr std::array kOneDriverGroups = {Rule::kAssumeHomogeneousGroups};
// Where one of a group's devices may be refused, what becomes of the others is not promised.
constexpr std::array kOneInstance = {Rule::kAssumeOneInstanceGroups,
                                     Rule::kAssumeBusOpsNotReplaced};
constexpr std::array kOneInstanceNoHotAdd = {Rule::kAssumeOneInstanceGroups,
                                             Rule::kAssumeBusOpsNotReplaced,
                                             Rule::kAssumeNoHotAddWhenAttached};
constexpr std::array kNoHotAdd = {Rule::kAssumeNoHotAddWhenAttached};
constexpr std::array kNoUnregister = {Rule::kAssumeNoUnregisterWhenAttached};
constexpr std::array kCommonPage = {Rule::kAssumeCommonPageSize};
constexpr std::array kCommonPageNoUnregister = {Rule::kAssumeCommonPageSize,
                                                Rule::kAssumeNoUnregisterWhenAttached};
constexpr std::array kDriversCome = {Rule::kAssumeNoDriverBeforeIommu};
constexpr std::array kOneErrno = {Rule::kDriverEinvalOnly};
constexpr std::array kUnmapTop = {Rule::kType1UnmapTop};
constexpr std::array kNoHotAddUnmapTop = {Rule::kAssumeNoHotAddWhenAttached, Rule::kType1UnmapTop};

constexpr FaultSet kAttachFaults =
    FaultBit(Fault::Kind::kAttach) | FaultBit(Fault::Kind::kAttachCall);
constexpr FaultSet kMapFaults = FaultBit(Fault::Kind::kMap);

struct PromiseRange {
  Property property;
  KernelVersion first = KernelVersion::kV5_15;
  KernelVersion last = KernelVersion::kV7_1;
  std::span<const Rule> assumptions{};
  FaultSet without = 0;
};

// In the order of the properties, then of the versions.
using enum KernelVersion;
constexpr PromiseRange kRanges[] = {
    {kNoCrossDriverAttach, kV5_15, kV6_0, kSlotsStay},
    {kNoCrossDriverAttach, kV6_1, kV6_1_y},
    {kNoCrossDriverAttach, kV6_8, kV7_1, kOneDriverGroups},
    {kNoCrossDriverReuse, kV5_15, kV6_0, kSlotsStay},
    {kNoCrossDriverReuse, kV6_1, kV6_1_y},
    {kNoCrossDriverReuse, kV6_8, kV7_1, kOneDriverGroups},

    {kNoOops, kV6_0, kV6_0, kCommonPage},
    {kNoOops, kV6_8, kV6_8, kCommonPage},
    {kNoOops, kV6_12, kV7_1, kCommonPageNoUnregister},
    {kNoCallWaits, kV6_1_y, kV7_1},
    {kNoFreedDomainInUse, kV5_15, kV6_1_y, kOneInstance, kAttachFaults},
    {kNoFreedDomainInUse, kV6_8, kV7_1, {}, kAttachFaults},
    {kNoLeakedDomain},
    {kGroupHasOneDriver, kV5_15, kV6_0, kSlotsStay},
    {kGroupHasOneDriver, kV6_1, kV6_1_y},
    {kGroupHasOneDriver, kV6_8, kV7_1, kOneDriverGroups},
    {kGroupSharesADomain, kV5_15, kV5_18, kOneInstanceNoHotAdd, kAttachFaults},
    {kGroupSharesADomain, kV6_0, kV7_1, kOneInstance, kAttachFaults},
    {kGroupDomainIsKnown, kV5_15, kV5_18, kOneInstance, kAttachFaults},
    {kGroupDomainIsKnown, kV6_0, kV6_1_y, {}, kAttachFaults},
    {kGroupDomainIsKnown, kV6_8, kV7_1},
    {kProbedByFirmwaresDriver, kV6_1, kV7_1},
    {kDirectRegionStaysMapped, kV6_8, kV7_1, kOneInstanceNoHotAdd, kAttachFaults | kMapFaults},
    {kIncompatibleMeansEinval, kV5_15, kV6_1_y, kOneErrno},
    {kIncompatibleMeansEinval, kV6_8, kV7_1},

    {kOwnershipBalances, kV6_0, kV7_1},
    {kKernelUsersBalance, kV5_15, kV7_1, kDriversCome},
    {kNoDriverBesideUser, kV6_0, kV7_1, kDriversCome},
    {kDriverRefusedOnlyWhenOwned},
    {kNoCrossDriverPasid, kV5_15, kV6_0, kSlotsStay},
    {kNoCrossDriverPasid, kV6_1, kV7_1},
    {kOwnPasidDomainIsAccepted, kV5_15, kV6_1_y},
    {kOwnPasidDomainIsAccepted, kV7_1, kV7_1},
    {kPasidKeepsItsDomain},
    {kResettingDeviceIsBlocked},

    {kGroupIsOpenedOnce},
    {kNoIommuWantsPrivilege},
    {kNoIommuStaysApart},
    {kGroupHasOneContainer},
    {kSetIommuOnce},
    {kOpenDeviceHasItsIommu},
    {kEmptyContainerHasNoDriver},
    {kEmulatedGroupsNeedNoIommu},

    {kFailedCallGoesBack, kV6_0, kV6_1_y, kOneInstance, kAttachFaults},
    {kFailedCallGoesBack, kV6_8, kV6_12_y, {}, kAttachFaults},
    {kFailedCallGoesBack, kV7_1, kV7_1, {}, kAttachFaults},
    {kContainerGroupsAreOnTheirDomain, kV6_0, kV6_1_y},
    {kContainerGroupsAreOnTheirDomain, kV6_8, kV7_1, kNoUnregister},
    {kCoherentDomainIsEnforced, kV6_0, kV7_1, kNoHotAdd},
    {kNestingIsThere, kV5_15, kV6_12_y},
    {kMsiIsIsolated, kV5_15, kV6_1_y, kOneInstanceNoHotAdd},
    {kMsiIsIsolated, kV6_8, kV7_1, kNoHotAdd},
    {kMsiCookieOnce},

    {kUnmapTakesWholeMappings, kV5_15, kV7_1, kUnmapTop},
    {kMappingsAreApart, kV5_15, kV7_1, kUnmapTop},
    {kMappingsKeepTheirLimit},
    {kMappedInEveryDomain, kV5_15, kV7_1, kUnmapTop},
    {kNoStaleTranslation, kV7_1, kV7_1, kUnmapTop},
    {kMappingsLieOffReserved, kV5_15, kV7_1, kNoHotAddUnmapTop},
    {kValidIovaCanBeMapped, kV5_15, kV7_1, kNoHotAdd},
    {kAttachMapsNothingReserved, kV6_1_y, kV7_1, kUnmapTop},
    {kNoLeakedPin, kV6_0, kV7_1, kUnmapTop},
    {kNoPinByStaleVaddr},
    {kLockedMemoryBalances, kV5_15, kV7_1, kUnmapTop},
    {kLockedMemoryKeepsItsLimit},
};

constexpr size_t kPromiseCount = [] {
  size_t n = 0;
  for (const PromiseRange& r : kRanges)
    n += static_cast<size_t>(r.last) - static_cast<size_t>(r.first) + 1;
  return n;
}();

constexpr auto kPromises = [] {
  std::array<Promise, kPromiseCount> promises{};
  size_t n = 0;
  for (const PromiseRange& r : kRanges)
    for (KernelVersion v : kKernelVersions)
      if (r.first <= v && v <= r.last) promises[n++] = {v, r.property, r.assumptions, r.without};
  return promises;
}();

}  // namespace

std::string_view PropertyName(Property property) { return InfoOf(property).name; }

std::string_view PropertySentence(Property property) { return InfoOf(property).sentence; }

std::optional<Property> FindProperty(std::string_view name) {
  const auto* it = std::ranges::find(kInfos, name, &PropertyInfo::name);
  return it == kInfos.end() ? std::nullopt : std::optional(it->property);
}

const Event* FindViolation(Property property, std::span<const Event> events) {
  switch (property) {
    case kNoCrossDriverAttach:
      return FindForeignAttach(events);
    case kNoCrossDriverReuse:
      return FindForeignReuse(events);
    default:
      return nullptr;
  }
}

std::optional<Violation> FindViolation(Property property, const StepView& view) {
  return InfoOf(property).find(view);
}

bool HasForeignDomain(const Topology& topology, const State& state) {
  return std::ranges::any_of(
      std::span(state.devices).first(topology.devices_count), [&](const DeviceState& d) {
        return d.hw != kNoId && d.instance != kNoId &&
               state.domains[d.hw].driver != topology.instances[d.instance].driver;
      });
}

std::span<const Promise> Promises() { return kPromises; }

bool IsPromised(KernelVersion version, Property property) {
  return std::ranges::any_of(kPromises, [&](const Promise& promise) {
    return promise.version == version && promise.property == property;
  });
}

}  // namespace iommucheck
