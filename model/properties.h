// SPDX-License-Identifier: Apache-2.0
//
// The sentences that must hold in every reachable state, read from states and events alone.
// docs/properties.md says of each what it is there for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"

namespace iommucheck {

enum class Property : uint8_t {
  // These two are read from a step's events alone.
  kNoCrossDriverAttach,
  kNoCrossDriverReuse,
  // The core: domains and who is on them.
  kNoOops,
  kNoCallWaits,
  kNoFreedDomainInUse,
  kNoLeakedDomain,
  kGroupHasOneDriver,
  kGroupSharesADomain,
  kGroupDomainIsKnown,
  kProbedByFirmwaresDriver,
  kIdentityIsHonoured,
  kDirectRegionStaysMapped,
  kIncompatibleMeansEinval,
  // The core: owners, PASIDs, resets.
  kOwnershipBalances,
  kKernelUsersBalance,
  kNoDriverBesideUser,
  kDriverRefusedOnlyWhenOwned,
  kNoCrossDriverPasid,
  kOwnPasidDomainIsAccepted,
  kPasidKeepsItsDomain,
  kResettingDeviceIsBlocked,
  // VFIO: groups, containers, devices.
  kGroupIsOpenedOnce,
  kNoIommuWantsPrivilege,
  kNoIommuStaysApart,
  kGroupHasOneContainer,
  kSetIommuOnce,
  kOpenDeviceHasItsIommu,
  kEmptyContainerHasNoDriver,
  kEmulatedGroupsNeedNoIommu,
  // type1: groups and their domains.
  kFailedCallGoesBack,
  kContainerGroupsAreOnTheirDomain,
  kCoherentDomainIsEnforced,
  kNestingIsThere,
  kMsiIsIsolated,
  kMsiCookieOnce,
  kMsiIsMapped,
  // type1: mappings and pins.
  kUnmapTakesWholeMappings,
  kMappingsAreApart,
  kMappingsKeepTheirLimit,
  kMappedInEveryDomain,
  kNoStaleTranslation,
  kMappingsLieOffReserved,
  kMappingsLieInApertures,
  kValidIovaCanBeMapped,
  kNoValidIovaIsLost,
  kAttachMapsNothingReserved,
  kNoLeakedPin,
  kNoPinByStaleVaddr,
  kLockedMemoryBalances,
  kLockedMemoryKeepsItsLimit,
};
inline constexpr int kPropertyCount = static_cast<int>(Property::kLockedMemoryKeepsItsLimit) + 1;
inline constexpr auto kProperties = [] {
  std::array<Property, kPropertyCount> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Property>(i);
  return all;
}();

// All that a property reads: a step that was taken, and the states around it.
struct StepView {
  const Topology& topology;
  const Op& op;
  const StepResult& result;
  const State& before;
  const State& after;
  std::span<const Event> events;
};

// Where a step violates a property. Of the things it names kNoId are those that have no part in it.
struct Violation {
  std::string_view why;          // of this case, where the sentence is of more than one
  const Event* event = nullptr;  // one of the view's; nullptr: the state itself is at fault
  DeviceId device = kNoId;
  GroupId group = kNoId;
  DomainId domain = kNoId;
  ContainerId container = kNoId;
};

// A set of kinds of faults.
using FaultSet = uint8_t;
constexpr FaultSet FaultBit(Fault::Kind kind) {
  return static_cast<FaultSet>(1U << static_cast<unsigned>(kind));
}

// The property holds on these kernels once `assumptions` are added, in runs without faults of the
// kinds in `without`.
struct PromiseRange {
  VersionRange versions = kNoVersion;
  std::span<const Rule> assumptions{};
  FaultSet without = 0;
};

// All that there is to say of a property. Its row stands in the file that has its check.
struct PropertyInfo {
  Property property;
  std::string_view name;
  std::string_view sentence;
  std::optional<Violation> (*find)(const StepView& view);
  PromiseRange promised[3] = {};
  bool encoded = false;  // the encodings know it
};
const PropertyInfo& InfoOf(Property property);
std::string_view PropertyName(Property property);
std::string_view PropertySentence(Property property);
std::optional<Property> FindProperty(std::string_view name);

// The first event of a step that violates one of the first two, or nullptr. Of the others it knows
// nothing.
const Event* FindViolation(Property property, std::span<const Event> events);
// What is at fault first, in the order of events, containers, groups and devices. A state that
// violates a property goes on doing so in the steps that follow. Allocates nothing.
std::optional<Violation> FindViolation(Property property, const StepView& view);

// Whether the state itself has a device on a domain of another driver.
bool HasForeignDomain(const Topology& topology, const State& state);

struct Promise {
  KernelVersion version;
  Property property;
  std::span<const Rule> assumptions;
  FaultSet without = 0;
};
// What each kernel promises, by property, then by version.
std::span<const Promise> Promises();
// Whether the version promises it at all, under whatever assumptions.
bool IsPromised(KernelVersion version, Property property);

}  // namespace iommucheck
