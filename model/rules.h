// SPDX-License-Identifier: Apache-2.0
//
// The named checks, mechanisms and assumptions of the modelled kernels, as data.
//
// A rule is one test or mechanism of one kernel function. A kernel profile is an era plus a set of
// rules; a patch is a profile with rules dropped or added. The model never asks for the version, it
// asks whether the profile has a rule.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/profiles.h"

namespace iommucheck {

// The numbers are those of the bits of saved fuzz inputs (src/case/bytes.h) and never change: a new
// rule goes beside rules of its kind, and gets the next free number. Lists are in the order of
// AllRules().
enum class Rule : uint8_t {
  // Registration and probe.
  kBusOneOps = 0,
  kRegisterSingleDriver = 1,
  kRegisterStickyOps = 2,
  kProbeDmaConfigure = 3,
  kFwspecOneDriver = 4,
  kFwspecFreeOnError = 5,
  kFirmwareDtXorAcpi = 6,
  kFirmwareViot = 117,
  kBindProbeErrno = 116,
  // The core's attach paths.
  kCoreAttachBusy = 7,
  kCoreOwnerFirst = 8,
  kCoreOwnerEvery = 9,
  kCoreAttachRollback = 10,
  kCoreRollbackFailing = 11,
  kCoreRollbackReattach = 12,
  kCoreDetachNofail = 13,
  kCoreDmaOwner = 14,
  // Domain allocation.
  kAllocBusUnique = 15,
  kAllocByDevice = 16,
  kAllocOpsPerDriver = 17,
  // VFIO: container, groups, type1.
  kVfioCacheCoherency = 18,
  kVfioLeaveOnLast = 19,
  kVfioWaitOnLast = 103,
  kVfioCoherencyOfBus = 113,
  kType1SameBus = 20,
  kType1SameOps = 21,
  kType1SameCoherency = 22,
  kType1EnforceCoherency = 23,
  // Assumptions about drivers and machines.
  kAssumeTablesNotShared = 24,
  kAssumeAddressNotReused = 25,
  kAssumeProbeRejectsForeign = 26,
  kAssumeHomogeneousGroups = 27,
  kAssumeNoHotAddWhenAttached = 28,
  kAssumeNoUnregisterWhenAttached = 29,
  kAssumeBusOpsNotReplaced = 30,
  kAssumeDriversCompeteForABus = 31,
  kDriverSameInstance = 32,
  // The core's ownership, default domains, PASIDs and resets.
  kCoreClaimBlocking = 33,
  kCoreUseDefault = 34,
  kCoreIdentityIsDefault = 35,
  kCoreDeferUnset = 36,
  kCoreDeferredAlone = 108,
  kCoreDefaultTypeVote = 37,
  kCoreDirectMapped = 38,
  kCoreDirectRuns = 107,
  kCoreRequireDirect = 39,
  kCorePasidOwner = 40,
  kCorePasidStatic = 41,
  kCorePasidBusy = 42,
  kCoreResetBusy = 43,
  kCoreResetMustSucceed = 44,
  kCoreResetPerDevice = 45,
  kCorePasidRevert = 100,
  kFwspecWithoutOps = 101,
  kFwspecKeepsOps = 106,
  kType1Overflow = 102,
  // VFIO groups and containers.
  kVfioOpenOnce = 46,
  kVfioViable = 47,
  kVfioNoIommuCap = 48,
  kVfioNoIommuApart = 49,
  kVfioContainerOnce = 50,
  kVfioNeedsDevice = 104,
  kVfioClaimReal = 51,
  kVfioReleaseOnError = 52,
  kVfioSetIommuOnce = 53,
  kVfioSetIommuUnwind = 54,
  kVfioUnsetUnused = 55,
  kVfioDeviceNeedsIommu = 56,
  kVfioReleaseOnLast = 57,
  // type1: attach and detach.
  kType1VaddrBusy = 58,
  kType1NoDuplicate = 59,
  kType1EmulatedApart = 60,
  kType1EmulatedByBus = 114,
  kType1Nesting = 61,
  kType1NestingType = 105,
  kType1AperConflict = 62,
  kType1ResvConflict = 63,
  kType1AperResize = 64,
  kType1ResvExclude = 65,
  kType1MsiSafety = 66,
  kType1MsiAnyDevice = 67,
  kType1MsiEveryDevice = 68,
  kType1FgspProbe = 69,
  kType1FgspInList = 70,
  kType1Replay = 71,
  kType1ReplayUnwind = 72,
  kType1MsiCookie = 73,
  kType1DetachUnmaps = 74,
  kType1DetachReaccounts = 75,
  kType1DetachRefresh = 76,
  kType1DetachEmptyCopy = 77,
  // type1: mappings and pins.
  kType1MapAlign = 78,
  kType1MapWrap = 79,
  kType1MapOverlap = 80,
  kType1MapEntries = 81,
  kType1MapInList = 82,
  kType1MapUnwind = 83,
  kType1PinBatches = 109,
  kType1Memlock = 84,
  kType1UnmapNoSplit = 85,
  kType1UnmapAll = 110,
  kType1UnmapInOrder = 111,
  kType1UnmapNotifies = 86,
  kType1UnmapEveryDomain = 87,
  kType1UnmapTop = 88,
  kType1UpdateVaddr = 112,
  kType1VaddrNoEmulated = 89,
  kType1PinVaddrBusy = 90,
  kType1PinAccounts = 91,
  kType1UnpinZero = 92,
  kType1UnpinWarns = 115,
  // Contracts of drivers.
  kDriverSnoopChecked = 93,
  kDriverAttachKeepsOld = 94,
  kDriverEinvalOnly = 95,
  // More assumptions about machines and admins.
  kAssumeOneInstanceGroups = 96,
  kAssumeCommonPageSize = 97,
  kAssumeNoDriverBeforeIommu = 98,
  kAssumeNoUnregisterWhileServing = 99,
};
inline constexpr int kRuleCount = 118;

// A set of rules; a plain bit mask, so that a query is one instruction.
class RuleSet {
 public:
  static constexpr int kWords = 2;
  using Words = std::array<uint64_t, kWords>;

  constexpr RuleSet() = default;
  constexpr explicit RuleSet(const Words& words) : words_(words) {}
  [[nodiscard]] constexpr bool has(Rule r) const {
    return ((words_[Word(r)] >> Shift(r)) & 1U) != 0;
  }
  constexpr RuleSet& add(Rule r) {
    words_[Word(r)] |= uint64_t{1} << Shift(r);
    return *this;
  }
  constexpr RuleSet& drop(Rule r) {
    words_[Word(r)] &= ~(uint64_t{1} << Shift(r));
    return *this;
  }
  [[nodiscard]] constexpr bool has_all(RuleSet s) const { return (s - *this).empty(); }
  [[nodiscard]] constexpr bool has_any(RuleSet s) const { return !(s & *this).empty(); }
  [[nodiscard]] constexpr bool empty() const { return words_ == Words{}; }
  [[nodiscard]] constexpr int size() const {
    return std::popcount(words_[0]) + std::popcount(words_[1]);
  }
  // Rule n is bit n % 64 of word n / 64.
  [[nodiscard]] constexpr const Words& words() const { return words_; }
  friend constexpr bool operator==(const RuleSet&, const RuleSet&) = default;
  friend constexpr RuleSet operator|(const RuleSet& a, const RuleSet& b) {
    return RuleSet({a.words_[0] | b.words_[0], a.words_[1] | b.words_[1]});
  }
  friend constexpr RuleSet operator&(const RuleSet& a, const RuleSet& b) {
    return RuleSet({a.words_[0] & b.words_[0], a.words_[1] & b.words_[1]});
  }
  friend constexpr RuleSet operator-(const RuleSet& a, const RuleSet& b) {
    return RuleSet({a.words_[0] & ~b.words_[0], a.words_[1] & ~b.words_[1]});
  }

 private:
  static constexpr size_t Word(Rule r) { return static_cast<size_t>(r) / 64; }
  static constexpr unsigned Shift(Rule r) { return static_cast<unsigned>(r) % 64; }
  Words words_{};
};
static_assert(kRuleCount <= RuleSet::kWords * 64);

enum class RuleKind : uint8_t {
  kCheck,       // a test that refuses with an errno, or picks another way
  kMechanism,   // how the kernel does something, where versions differ
  kAssumption,  // a contract of drivers, firmware or admin that nothing in the core enforces
};

struct RuleInfo {
  Rule rule;
  RuleKind kind;
  std::string_view id;        // "where.what", as on the command line and in cases
  std::string_view file;      // kernel source file; empty for assumptions
  std::string_view function;  // kernel function, or the party that keeps the contract
  VersionRange versions;      // the mainline releases that have it (an assumption: that have it on)
  std::string_view holds;     // one sentence: what the rule does
  std::string_view dropped;   // one sentence: what happens without the rule
  bool encoded = false;       // chooses a group's domain: the encodings know it
};

struct KernelProfile {
  KernelVersion version;
  Era era;
  RuleSet rules;
  [[nodiscard]] bool has(Rule r) const { return rules.has(r); }
};

// A kernel as users name it: a version, and what a patch drops and adds.
struct KernelSpec {
  KernelVersion version = KernelVersion::kV6_0;
  RuleSet dropped;  // rules that the version has
  RuleSet added;    // rules that the version does not have
  // The same kernel with a rule that it lacks: no longer dropped, or added.
  [[nodiscard]] KernelSpec With(Rule rule) const {
    KernelSpec with = *this;
    if (with.dropped.has(rule))
      with.dropped.drop(rule);
    else
      with.added.add(rule);
    return with;
  }
  friend bool operator==(const KernelSpec&, const KernelSpec&) = default;
};

// All rules, in the order of lists.
std::span<const RuleInfo> AllRules();
const RuleInfo& InfoOf(Rule rule);
std::optional<Rule> FindRule(std::string_view id);

// The unpatched kernel: every rule of the version, and the assumptions that are on by default.
KernelProfile ProfileOf(KernelVersion version);
KernelProfile ProfileOf(const KernelSpec& spec);

}  // namespace iommucheck
