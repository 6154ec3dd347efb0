// SPDX-License-Identifier: Apache-2.0
//
// The sentences that must hold in every reachable state. They are read from states and events
// alone. docs/properties.md says why each is there.
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
#include "model/table.h"
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
  kResetsOfAGroupAreCounted,
  kResetIsRefusedOnlyByTheDriver,
  kUnownedGroupIsOnDefault,
  kOwnedGroupIsOffDefault,
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
  kRefusedForAReason,
  kFailedMapChangesNothing,
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
  kNoUnpinWhileMapped,
  kStaleVaddrsAreCounted,
  kMappedExactlyWithADomain,
  kNoPinByStaleVaddr,
  kLockedMemoryBalances,
  kLockedMemoryKeepsItsLimit,
};
inline constexpr int kPropertyCount = static_cast<int>(Property::kLockedMemoryKeepsItsLimit) + 1;
inline constexpr auto kProperties = kValuesOf<Property, kPropertyCount>;

// Everything that a property reads: a step that was taken, and the states before and after it.
struct StepView {
  const Topology& topology;
  const Op& op;
  const StepResult& result;
  const State& before;
  const State& after;
  std::span<const Event> events;
};

// Where a step violates a property. The ids of things that have no part in the violation are kNoId.
struct Violation {
  std::string_view why;          // the case at hand, where the sentence covers several
  const Event* event = nullptr;  // one of the view's; nullptr: the state itself violates it
  DeviceId device = kNoId;
  GroupId group = kNoId;
  DomainId domain = kNoId;
  ContainerId container = kNoId;
};

// A set of kinds of faults.
using FaultSet = uint16_t;
static_assert(kFaultKindCount < 16);
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

// The promises of all kernels: ranges, of which each kernel is in one at most. By default no kernel
// promises anything.
class PromisedOn {
 public:
  constexpr PromisedOn() = default;
  constexpr PromisedOn(VersionRange versions, std::span<const Rule> assumptions = {}) {  // NOLINT
    *this = And(versions, assumptions);
  }
  [[nodiscard]] constexpr PromisedOn And(VersionRange versions,
                                         std::span<const Rule> assumptions = {}) const {
    PromisedOn more = *this;
    more.ranges_[more.count_++] = {versions, assumptions};
    return more;
  }
  // Of the last range.
  [[nodiscard]] constexpr PromisedOn Without(FaultSet faults) const {
    PromisedOn less = *this;
    less.ranges_[less.count_ - 1].without = faults;
    return less;
  }
  [[nodiscard]] constexpr std::span<const PromiseRange> ranges() const {
    return std::span(ranges_).first(count_);
  }

 private:
  std::array<PromiseRange, 4> ranges_{};
  size_t count_ = 0;
};

// What a check reads, as a set of bits. Only a step that changed one of these can have made a
// property false that held before.
using Reads = uint8_t;
inline constexpr Reads kReadsEvents = 1;   // it is violated by an event alone
inline constexpr Reads kReadsDevices = 2;  // the state after the step
inline constexpr Reads kReadsGroups = 4;
inline constexpr Reads kReadsDomains = 8;
inline constexpr Reads kReadsMapped = 16;      // State::mapped
inline constexpr Reads kReadsContainers = 32;  // with their mappings
inline constexpr Reads kReadsMemory = 64;      // what is pinned and locked
inline constexpr Reads kReadsStep = 128;       // the op, its result, or the state before

// Which of these a step changed: the events if it has any, and the step itself always.
Reads ChangedBy(const StepView& view);

// A check, and what it reads; one that says nothing is made anew for each step.
struct Check {
  std::optional<Violation> (*find)(const StepView& view);
  Reads reads = kReadsStep;
  constexpr Check(std::optional<Violation> (*a_find)(const StepView&),  // NOLINT: as a function
                  Reads what = kReadsStep)
      : find(a_find), reads(what) {}
};

// Everything about a property. Its row is in the file that has its check.
struct PropertyInfo {
  Property property;
  std::string_view name;
  std::string_view sentence;
  Check check;
  PromisedOn promised{};
  bool encoded = false;  // the encodings know it
};
const PropertyInfo& InfoOf(Property property);
std::string_view PropertyName(Property property);
std::string_view PropertySentence(Property property);
std::optional<Property> FindProperty(std::string_view name);

// The first event that violates the property, or nullptr. Precondition: the row of the property says
// kEncoded. The events of a step alone decide these properties, so that engines need no states.
const Event* FindViolation(Property property, std::span<const Event> events);
// The first violation, in the order of events, containers, groups and devices. Once a state
// violates a property, the following steps report it again. Allocates nothing.
std::optional<Violation> FindViolation(Property property, const StepView& view);

// Whether in this state a device is on a domain of another driver.
bool HasForeignDomain(const Topology& topology, const State& state);

struct Promise {
  KernelVersion version;
  Property property;
  std::span<const Rule> assumptions;
  FaultSet without = 0;
};
// The promises of each kernel, by property, then by version.
std::span<const Promise> Promises();
// Whether the version promises the property at all, under any assumptions.
bool IsPromised(KernelVersion version, Property property);

}  // namespace iommucheck
