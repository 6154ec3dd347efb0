// SPDX-License-Identifier: Apache-2.0
//
// What finds the violations of each property but the two that events alone decide. For
// properties.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/properties.h"

namespace iommucheck {

using Found = std::optional<Violation>;

// --- walks over a state; `find` returns what is at fault, and ends the walk ---

template <typename Find>
Found AnyGroup(const State& s, Find find) {  // of the groups there are
  for (GroupId g = 0; g < s.groups_end; ++g) {
    if (!s.groups[g].live) continue;
    if (const Found found = find(g, s.groups[g])) return found;
  }
  return std::nullopt;
}

template <typename Find>
Found AnyDeviceOf(const State& s, GroupId group, Find find) {
  for (DeviceId dev = s.groups[group].devices; dev != kNoId; dev = s.devices[dev].next)
    if (const Found found = find(dev, s.devices[dev])) return found;
  return std::nullopt;
}

template <typename Find>
Found AnyDevice(const StepView& v, Find find) {
  for (DeviceId dev = 0; dev < v.topology.devices_count; ++dev)
    if (const Found found = find(dev, v.after.devices[dev])) return found;
  return std::nullopt;
}

template <typename Find>
Found AnyContainer(const State& s, Find find) {
  for (ContainerId c = 0; c < kMaxContainers; ++c)
    if (const Found found = find(c, s.containers[c])) return found;
  return std::nullopt;
}

template <typename Find>
Found AnyEvent(const StepView& v, Find find) {
  for (const Event& e : v.events)
    if (const Found found = find(e)) return found;
  return std::nullopt;
}

inline std::span<const Dma> MappingsOf(const ContainerState& c) {
  return std::span(c.dmas).first(c.dmas_count);
}

inline uint64_t PagesOf(const Region& region) {
  return MaskOf({region.first, static_cast<uint8_t>(region.last - region.first + 1)});
}

// Whether the op may make the driver fail attach_dev for the device.
inline bool HasAttachFault(const Op& op, DeviceId dev) {
  for (const Fault& fault : op.faults)
    if ((fault.kind == Fault::Kind::kAttach && fault.target == dev) ||
        fault.kind == Fault::Kind::kAttachCall)
      return true;
  return false;
}

// --- property_core.cc ---

Found NoOops(const StepView& v);
Found NoCallWaits(const StepView& v);
Found NoFreedDomainInUse(const StepView& v);
Found NoLeakedDomain(const StepView& v);
Found GroupHasOneDriver(const StepView& v);
Found GroupSharesADomain(const StepView& v);
Found GroupDomainIsKnown(const StepView& v);
Found ProbedByFirmwaresDriver(const StepView& v);
Found DirectRegionStaysMapped(const StepView& v);
Found IncompatibleMeansEinval(const StepView& v);
Found IdentityIsHonoured(const StepView& v);
Found OwnershipBalances(const StepView& v);
Found KernelUsersBalance(const StepView& v);
Found NoDriverBesideUser(const StepView& v);
Found DriverRefusedOnlyWhenOwned(const StepView& v);
Found NoCrossDriverPasid(const StepView& v);
Found OwnPasidDomainIsAccepted(const StepView& v);
Found PasidKeepsItsDomain(const StepView& v);
Found ResettingDeviceIsBlocked(const StepView& v);

// --- property_vfio.cc ---

Found GroupIsOpenedOnce(const StepView& v);
Found NoIommuWantsPrivilege(const StepView& v);
Found NoIommuStaysApart(const StepView& v);
Found GroupHasOneContainer(const StepView& v);
Found SetIommuOnce(const StepView& v);
Found OpenDeviceHasItsIommu(const StepView& v);
Found EmptyContainerHasNoDriver(const StepView& v);
Found EmulatedGroupsNeedNoIommu(const StepView& v);

// --- property_type1.cc ---

Found FailedCallGoesBack(const StepView& v);
Found ContainerGroupsAreOnTheirDomain(const StepView& v);
Found CoherentDomainIsEnforced(const StepView& v);
Found NestingIsThere(const StepView& v);
Found MsiIsIsolated(const StepView& v);
Found MsiCookieOnce(const StepView& v);
Found MsiIsMapped(const StepView& v);
Found UnmapTakesWholeMappings(const StepView& v);
Found MappingsAreApart(const StepView& v);
Found MappingsKeepTheirLimit(const StepView& v);
Found MappedInEveryDomain(const StepView& v);
Found NoStaleTranslation(const StepView& v);
Found MappingsLieOffReserved(const StepView& v);
Found MappingsLieInApertures(const StepView& v);
Found ValidIovaCanBeMapped(const StepView& v);
Found NoValidIovaIsLost(const StepView& v);
Found AttachMapsNothingReserved(const StepView& v);
Found NoLeakedPin(const StepView& v);
Found NoPinByStaleVaddr(const StepView& v);
Found LockedMemoryBalances(const StepView& v);
Found LockedMemoryKeepsItsLimit(const StepView& v);

}  // namespace iommucheck
