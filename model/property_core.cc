// SPDX-License-Identifier: Apache-2.0
//
// Properties of the IOMMU core: domains and who is on them, owners, PASIDs, resets.
#include <bit>
#include <cerrno>

#include "model/property_checks.h"

namespace iommucheck {
namespace {

DriverId DriverOf(const StepView& v, const DeviceState& d) {
  return d.instance == kNoId ? kNoId : v.topology.instances[d.instance].driver;
}

bool IsReal(const StepView& v, DeviceId dev) {
  return v.topology.devices[dev].kind == DeviceKind::kReal;
}

bool IsFreed(const State& s, DomainId domain) {
  return domain != kNoId && s.domains[domain].type == DomainType::kFreed;
}

// Whether somebody who will free the domain one day still knows it.
bool IsKept(const State& s, DomainId domain) {
  for (GroupId g = 0; g < s.groups_end; ++g) {
    const GroupState& group = s.groups[g];
    if (group.live && (group.default_domain == domain || group.blocking_domain == domain ||
                       group.pasid_domain == domain))
      return true;
  }
  for (const ContainerState& c : s.containers)
    for (DomainId d = c.domains; d != kNoId; d = s.domains[d].next)
      if (d == domain) return true;
  return false;
}

bool IsIdentity(const State& s, DomainId domain) {
  return domain != kNoId && s.domains[domain].identity;
}

bool IsAligned(const StepView& v, const DeviceState& d, const Region& region) {
  const uint8_t page_sizes =
      d.instance == kNoId ? uint8_t{1} : v.topology.instances[d.instance].page_sizes;
  const int mask = (1 << std::countr_zero(page_sizes)) - 1;
  return ((region.first | (region.last + 1)) & mask) == 0;
}

bool DirectRegionsAreAligned(const StepView& v, GroupId group) {
  for (DeviceId dev = v.after.groups[group].devices; dev != kNoId; dev = v.after.devices[dev].next)
    for (const Region& region : v.topology.devices[dev].regions)
      if ((region.type == Region::Type::kDirect || region.type == Region::Type::kDirectRelaxable) &&
          !IsAligned(v, v.after.devices[dev], region))
        return false;
  return true;
}

int KernelDriversOf(const State& s, GroupId group) {
  int count = 0;
  for (DeviceId dev = s.groups[group].devices; dev != kNoId; dev = s.devices[dev].next)
    if (s.devices[dev].bound == BoundTo::kKernelDriver) ++count;
  return count;
}

Found NoOops(const StepView& v) {
  return AnyEvent(v, [](const Event& e) -> Found {
    if (e.kind != Event::Kind::kOops) return std::nullopt;
    return Violation{
        .why = "the kernel stops here", .event = &e, .device = e.device, .group = e.group};
  });
}

Found NoCallWaits(const StepView& v) {
  return AnyEvent(v, [](const Event& e) -> Found {
    if (e.kind != Event::Kind::kWait) return std::nullopt;
    return Violation{.why = "the call waits here", .event = &e, .group = e.group};
  });
}

// The domain of a PASID belongs to its driver, who must take it off the PASID in time.
Found NoFreedDomainInUse(const StepView& v) {
  const State& s = v.after;
  const Found device = AnyDevice(v, [&](DeviceId dev, const DeviceState& d) -> Found {
    if (!IsFreed(s, d.hw)) return std::nullopt;
    return Violation{.why = "the hardware points at it", .device = dev, .domain = d.hw};
  });
  if (device) return device;
  return AnyGroup(s, [&](GroupId group, const GroupState& g) -> Found {
    if (!IsFreed(s, g.domain)) return std::nullopt;
    return Violation{.why = "the group points at it", .group = group, .domain = g.domain};
  });
}

Found NoLeakedDomain(const StepView& v) {
  const State& s = v.after;
  for (DomainId domain = 0; domain < s.domains_end; ++domain) {
    const DomainType type = s.domains[domain].type;
    const bool core = type == DomainType::kDefault || type == DomainType::kBlocking;
    if ((!core && type != DomainType::kPaging) || IsKept(s, domain)) continue;
    return Violation{.why = "nobody is left to free it", .domain = domain};
  }
  return std::nullopt;
}

Found GroupHasOneDriver(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) {
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState& d) -> Found {
      if (DriverOf(v, d) == DriverOf(v, v.after.devices[g.devices])) return std::nullopt;
      return Violation{
          .why = "its driver is not that of the group's first", .device = dev, .group = group};
    });
  });
}

// Up to and including 6.1, a device that joins a group on the domain of amd_iommu_init_device()
// goes on the default domain.
Found GroupSharesADomain(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (g.domain != kNoId && v.after.domains[g.domain].type == DomainType::kPasid)
      return std::nullopt;
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState& d) -> Found {
      if (d.hw == g.domain || d.blocked() || d.attach_deferred) return std::nullopt;
      return Violation{.why = "its hardware points elsewhere than group->domain",
                       .device = dev,
                       .group = group,
                       .domain = d.hw};
    });
  });
}

Found GroupDomainIsKnown(const StepView& v) {
  return AnyGroup(v.after, [](GroupId group, const GroupState& g) -> Found {
    const bool core = g.domain == kNoId || g.domain == g.default_domain ||
                      g.domain == g.blocking_domain || g.domain == g.pasid_domain;
    if (core || (g.domain == g.vfio_domain && g.container != kNoId)) return std::nullopt;
    return Violation{.why = "nobody has put it there", .group = group, .domain = g.domain};
  });
}

Found ProbedByFirmwaresDriver(const StepView& v) {
  const auto driver = [&](InstanceId i) { return v.topology.instances[i].driver; };
  return AnyEvent(v, [&](const Event& e) -> Found {
    if (e.kind != Event::Kind::kProbe) return std::nullopt;
    const InstanceId fwspec = v.after.devices[e.device].fwspec;
    const Violation found = {
        .why = "firmware names an instance of another driver", .event = &e, .device = e.device};
    if (fwspec != kNoId && driver(fwspec) != e.device_driver) return found;
    for (InstanceId master : v.topology.devices[e.device].masters)
      if (master != kNoId && driver(master) == e.device_driver) return std::nullopt;
    return found;
  });
}

// A device in reset does no DMA. The check needs regions of whole pages of the IOMMU: otherwise a
// group's domain maps half a page of one region where another begins.
Found DirectRegionStaysMapped(const StepView& v) {
  return AnyDevice(v, [&](DeviceId dev, const DeviceState& d) -> Found {
    if (d.hw == kNoId || d.blocked() || IsIdentity(v.after, d.hw)) return std::nullopt;
    if (!DirectRegionsAreAligned(v, d.group)) return std::nullopt;
    for (const Region& region : v.topology.devices[dev].regions)
      if (region.type == Region::Type::kDirect && (MaskOf(region) & ~v.after.mapped[d.hw]) != 0)
        return Violation{
            .why = "its domain does not map the region", .device = dev, .domain = d.hw};
    return std::nullopt;
  });
}

Found IncompatibleMeansEinval(const StepView& v) {
  return AnyEvent(v, [&](const Event& e) -> Found {
    if (e.kind != Event::Kind::kAttachDev || e.error == 0 || e.error == EINVAL ||
        HasAttachFault(v.op, e.device))
      return std::nullopt;
    return Violation{
        .why = "attach_dev has another errno", .event = &e, .device = e.device, .domain = e.domain};
  });
}

// Checked only when the group gets its default domain: a device that joins later may want another.
Found IdentityIsHonoured(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    const bool fresh = v.before.groups[group].default_domain == kNoId;
    if (!fresh || g.default_domain == kNoId || v.after.domains[g.default_domain].identity)
      return std::nullopt;
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState&) -> Found {
      if (v.topology.devices[dev].default_type != DefaultType::kIdentity) return std::nullopt;
      return Violation{.why = "its driver asked for an identity domain",
                       .device = dev,
                       .group = group,
                       .domain = g.default_domain};
    });
  });
}

Found OwnershipBalances(const StepView& v) {
  return AnyGroup(v.after, [](GroupId group, const GroupState& g) -> Found {
    if (!g.owner || (g.kind == DeviceKind::kReal && g.container != kNoId)) return std::nullopt;
    return Violation{.why = "it is claimed and in no container", .group = group};
  });
}

Found KernelUsersBalance(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    const int users = KernelDriversOf(v.after, group) + (g.owner ? 1 : 0);
    if (g.kind != DeviceKind::kReal || g.owner_cnt >= users) return std::nullopt;
    return Violation{.why = "owner_cnt is less than its owner and devices that kernel drivers have",
                     .group = group};
  });
}

Found NoDriverBesideUser(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (g.kind != DeviceKind::kReal || (!g.owner && g.open_devices == 0)) return std::nullopt;
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState& d) -> Found {
      if (d.bound != BoundTo::kKernelDriver) return std::nullopt;
      return Violation{
          .why = "a kernel driver has it, and user space the group", .device = dev, .group = group};
    });
  });
}

Found DriverRefusedOnlyWhenOwned(const StepView& v) {
  return AnyEvent(v, [&](const Event& e) -> Found {
    if (e.kind != Event::Kind::kRefused || e.rule != Rule::kCoreUseDefault) return std::nullopt;
    const GroupState& g = v.before.groups[e.group];
    // Two identity domains are equivalent.
    const bool on_default =
        g.domain == g.default_domain ||
        (IsIdentity(v.before, g.domain) && IsIdentity(v.before, g.default_domain));
    // A PASID's domain keeps kernel drivers away, too; up to and including 6.1 it is the identity
    // domain above.
    const bool pasid =
        g.pasid_domain != kNoId && v.before.domains[g.pasid_domain].type != DomainType::kPasid;
    if (g.owner || pasid || !on_default) return std::nullopt;
    return Violation{.why = "nobody but kernel drivers has the group",
                     .event = &e,
                     .device = e.device,
                     .group = e.group};
  });
}

Found NoCrossDriverPasid(const StepView& v) {
  return AnyEvent(v, [](const Event& e) -> Found {
    if (e.kind != Event::Kind::kAttachPasid || e.driver == e.device_driver) return std::nullopt;
    return Violation{.why = "its PASID has a domain of another driver",
                     .event = &e,
                     .device = e.device,
                     .domain = e.domain};
  });
}

Found OwnPasidDomainIsAccepted(const StepView& v) {
  return AnyEvent(v, [&](const Event& e) -> Found {
    if (e.kind != Event::Kind::kRefused || e.rule != Rule::kCorePasidOwner) return std::nullopt;
    const DomainId domain = v.before.groups[v.before.devices[v.op.b].group].domain;
    if (v.before.domains[domain].driver != DriverOf(v, v.before.devices[e.device]))
      return std::nullopt;
    return Violation{.why = "the domain is of its own driver",
                     .event = &e,
                     .device = e.device,
                     .domain = domain};
  });
}

Found PasidKeepsItsDomain(const StepView& v) {
  if (v.op.kind != OpKind::kAttachPasid || v.result.error != 0 ||
      v.result.outcome != Outcome::kDone)
    return std::nullopt;
  const GroupId group = v.before.devices[v.op.a].group;
  if (v.before.groups[group].pasid_domain == kNoId) return std::nullopt;
  return Violation{.why = "its PASID had a domain already",
                   .device = v.op.a,
                   .group = group,
                   .domain = v.before.groups[group].pasid_domain};
}

Found ResettingDeviceIsBlocked(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState& d) -> Found {
      if (!d.blocked() || (d.hw == g.blocking_domain && IsReal(v, dev))) return std::nullopt;
      return Violation{.why = "it is in reset and not on the blocking domain",
                       .device = dev,
                       .group = group,
                       .domain = d.hw};
    });
  });
}

Found ResetsOfAGroupAreCounted(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    int blocked = 0;
    AnyDeviceOf(v.after, group, [&](DeviceId, const DeviceState& d) -> Found {
      if (d.blocked()) ++blocked;
      return std::nullopt;
    });
    if (blocked == g.recovery_cnt) return std::nullopt;
    return Violation{.why = "recovery_cnt is not the number of its devices in reset",
                     .group = group};
  });
}

Found ResetIsRefusedOnlyByTheDriver(const StepView& v) {
  if (v.op.kind != OpKind::kReset || v.result.error != -EBUSY || HasAttachFault(v.op, v.op.a))
    return std::nullopt;
  return Violation{.why = "its reset is refused", .device = v.op.a};
}

// The group that a kernel driver or nobody has. Up to and including 6.1, a PASID takes the group to
// the identity domain of amd_iommu_init_device().
Found UnownedGroupIsOnDefault(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    const bool unowned = !g.owner && g.container == kNoId && g.default_domain != kNoId;
    if (!unowned || g.domain == g.default_domain || g.domain == g.pasid_domain) return std::nullopt;
    return Violation{
        .why = "nobody owns it, and it is on another domain", .group = group, .domain = g.domain};
  });
}

// The isolation from the kernel's own mappings that user space's group has.
Found OwnedGroupIsOffDefault(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (!g.owner || g.default_domain == kNoId) return std::nullopt;
    if (g.domain == g.default_domain)
      return Violation{.why = "user space owns it, and it is on the default domain",
                       .group = group,
                       .domain = g.domain};
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState& d) -> Found {
      if (d.hw != g.default_domain) return std::nullopt;
      return Violation{.why = "user space owns its group, and it is on the default domain",
                       .device = dev,
                       .group = group,
                       .domain = d.hw};
    });
  });
}

using enum KernelVersion;
using enum Property;
constexpr PropertyInfo kCoreRows[] = {
    {kNoOops,
     "no-oops",
     "no NULL or wild pointer is followed, no BUG hit, no list corrupted, nothing loops for ever "
     "or is undefined",
     {NoOops, kReadsEvents},
     PromisedOn(Since(kV6_6), kCommonPageNoUnregister)},
    {kNoCallWaits,
     "no-call-waits",
     "no ioctl of the user, and no pin of a driver, waits inside the kernel for another ioctl",
     {NoCallWaits, kReadsEvents},
     Since(kV6_1_y)},
    {kNoFreedDomainInUse,
     "no-freed-domain-in-use",
     "no device's hardware and no group points at a domain that was freed",
     {NoFreedDomainInUse, kReadsDevices | kReadsGroups | kReadsDomains},
     PromisedOn(Until(kV6_6), kOneInstance)
         .Without(kAttachFaults)
         .And(Since(kV6_6))
         .Without(kAttachFaults)},
    {kNoLeakedDomain,
     "no-leaked-domain",
     "every domain belongs to a group or is on the list of a container",
     {NoLeakedDomain, kReadsGroups | kReadsDomains | kReadsContainers},
     kEveryVersion},
    {kGroupHasOneDriver,
     "group-has-one-driver",
     "all devices of a group are served by one driver",
     {GroupHasOneDriver, kReadsDevices | kReadsGroups},
     kOneDriverAGroup},
    {kGroupSharesADomain,
     "group-shares-a-domain",
     "the hardware of every device of a group points at group->domain, but for devices in reset "
     "and those that wait for their first DMA",
     {GroupSharesADomain, kReadsDevices | kReadsGroups | kReadsDomains},
     PromisedOn(Until(kV5_19), kOneInstanceNoHotAdd)
         .Without(kAttachFaults | kAllocFaults)
         .And(Since(kV5_19).Until(kV6_8), kOneInstance)
         .Without(kAttachFaults | kAllocFaults)
         .And(Since(kV6_8), kOneInstance)
         .Without(kAttachFaults)},
    {kGroupDomainIsKnown,
     "group-domain-is-known",
     "group->domain is NULL, the default, blocking or PASID domain, or, in a container, type1's",
     {GroupDomainIsKnown, kReadsGroups},
     PromisedOn(Until(kV5_19), kOneInstance)
         .Without(kAttachFaults)
         .And(Since(kV5_19).Until(kV6_6))
         .Without(kAttachFaults)
         .And(Since(kV6_6))},
    {kProbedByFirmwaresDriver,
     "probed-by-firmwares-driver",
     "the driver that serves a device is that of an instance which firmware names for it",
     {ProbedByFirmwaresDriver, kReadsEvents},
     Since(kV6_1)},
    {kIdentityIsHonoured, "identity-is-honoured",
     "a default domain is identity where the driver of any device of the group asked for that",
     IdentityIsHonoured},
    {kDirectRegionStaysMapped,
     "direct-region-stays-mapped",
     "a device with a direct region is on a domain that maps it one to one",
     {DirectRegionStaysMapped, kReadsDevices | kReadsGroups | kReadsDomains | kReadsMapped},
     PromisedOn(Since(kV6_8), kOneInstanceNoHotAdd).Without(kAttachFaults | kMapFaults)},
    {kIncompatibleMeansEinval,
     "incompatible-means-einval",
     "attach_dev says EINVAL, and no other errno, to what is incompatible",
     {IncompatibleMeansEinval, kReadsEvents},
     PromisedOn(Until(kV6_6), kOneErrno).And(Since(kV6_6))},
    {kOwnershipBalances,
     "ownership-balances",
     "a group is claimed only while it is in a container",
     {OwnershipBalances, kReadsGroups},
     PromisedOn(Since(kV5_19), kDriversCome)},
    {kKernelUsersBalance,
     "kernel-users-balance",
     "a group counts its owner, and each of its devices that a kernel driver has",
     {KernelUsersBalance, kReadsDevices | kReadsGroups},
     PromisedOn(Since(kV5_19), kDriversCome)},
    {kNoDriverBesideUser,
     "no-driver-beside-user",
     "no kernel driver has a device of a group that user space has",
     {NoDriverBesideUser, kReadsDevices | kReadsGroups},
     PromisedOn(Since(kV5_19), kDriversCome)},
    {kDriverRefusedOnlyWhenOwned,
     "driver-refused-only-when-owned",
     "a kernel driver is kept from a device only where somebody else has the group",
     {DriverRefusedOnlyWhenOwned, kReadsEvents},
     PromisedOn(Until(kV5_19)).And(Since(kV6_0))},
    {kNoCrossDriverPasid,
     "no-cross-driver-pasid",
     "a PASID's domain was allocated by the driver that serves the device",
     {NoCrossDriverPasid, kReadsEvents},
     kOneDriverAGroup},
    {kOwnPasidDomainIsAccepted,
     "own-pasid-domain-is-accepted",
     "a PASID is not refused a domain of the device's own driver as that of another",
     {OwnPasidDomainIsAccepted, kReadsEvents},
     PromisedOn(Until(kV6_8)).And(Since(kV6_18))},
    {kPasidKeepsItsDomain, "pasid-keeps-its-domain",
     "no attach replaces the domain that a PASID has", PasidKeepsItsDomain, kEveryVersion},
    {kResettingDeviceIsBlocked,
     "resetting-device-is-blocked",
     "a device in reset is on the blocking domain",
     {ResettingDeviceIsBlocked, kReadsDevices | kReadsGroups},
     PromisedOn(Until(kV7_1)).And(Since(kV7_1)).Without(kAttachFaults)},
    {kResetsOfAGroupAreCounted,
     "resets-of-a-group-are-counted",
     "a group's count of devices in reset is the number of its devices in reset",
     {ResetsOfAGroupAreCounted, kReadsDevices | kReadsGroups}},
    {kResetIsRefusedOnlyByTheDriver, "reset-is-refused-only-by-the-driver",
     "no reset is refused since another of the group is not done", ResetIsRefusedOnlyByTheDriver,
     kEveryVersion},
    {kUnownedGroupIsOnDefault,
     "unowned-group-is-on-default",
     "a group that nobody owns is on its default domain",
     {UnownedGroupIsOnDefault, kReadsGroups},
     PromisedOn(Until(kV6_6), kOneInstance).Without(kAttachFaults).And(Since(kV6_6))},
    {kOwnedGroupIsOffDefault,
     "owned-group-is-off-default",
     "no device of a group that user space owns is on the group's default domain",
     {OwnedGroupIsOffDefault, kReadsDevices | kReadsGroups},
     PromisedOn(Since(kV5_19), kDriversCome)},
};

}  // namespace

std::span<const PropertyInfo> CoreProperties() { return kCoreRows; }

}  // namespace iommucheck
