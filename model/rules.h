// SPDX-License-Identifier: Apache-2.0
//
// The named checks, mechanisms and assumptions of the modelled kernels, as data.
//
// A rule is one test or mechanism of one kernel function. A kernel profile is an era plus a set of
// rules; a patch is a profile with rules dropped or added. The model never asks which version it
// is: it asks whether it has a rule.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace iommucheck {

enum class Rule : uint8_t {
  // Registration and probe.
  kBusOneOps,
  kRegisterSingleDriver,
  kRegisterStickyOps,
  kProbeDmaConfigure,
  kFwspecOneDriver,
  kFwspecFreeOnError,
  kFirmwareDtXorAcpi,
  // The core's attach paths.
  kCoreAttachBusy,
  kCoreOwnerFirst,
  kCoreOwnerEvery,
  kCoreAttachRollback,
  kCoreRollbackFailing,
  kCoreRollbackReattach,
  kCoreDetachNofail,
  kCoreDmaOwner,
  // Domain allocation.
  kAllocBusUnique,
  kAllocByDevice,
  kAllocOpsPerDriver,
  // VFIO: container, groups, type1.
  kVfioCacheCoherency,
  kVfioLeaveOnLast,
  kType1SameBus,
  kType1SameOps,
  kType1SameCoherency,
  kType1EnforceCoherency,
  // Assumptions about drivers and machines.
  kAssumeTablesNotShared,
  kAssumeAddressNotReused,
  kAssumeProbeRejectsForeign,
  kAssumeHomogeneousGroups,
  kAssumeNoHotAddWhenAttached,
  kAssumeNoUnregisterWhenAttached,
  kAssumeBusOpsNotReplaced,
  kAssumeDriversCompeteForABus,
  kDriverSameInstance,
  // From here on: what does not choose a group's domain. Only machines and ops that use it can tell
  // whether a kernel has one of these.
  // The core's ownership, default domains, PASIDs and resets.
  kCoreClaimBlocking,
  kCoreUseDefault,
  kCoreIdentityIsDefault,
  kCoreDeferUnset,
  kCoreDefaultTypeVote,
  kCoreDirectMapped,
  kCoreRequireDirect,
  kCorePasidOwner,
  kCorePasidStatic,
  kCorePasidBusy,
  kCoreResetBusy,
  kCoreResetMustSucceed,
  kCoreResetPerDevice,
  // VFIO groups and containers.
  kVfioOpenOnce,
  kVfioViable,
  kVfioNoIommuCap,
  kVfioNoIommuApart,
  kVfioContainerOnce,
  kVfioClaimReal,
  kVfioReleaseOnError,
  kVfioSetIommuOnce,
  kVfioSetIommuUnwind,
  kVfioUnsetUnused,
  kVfioDeviceNeedsIommu,
  kVfioReleaseOnLast,
  // type1: attach and detach.
  kType1VaddrBusy,
  kType1NoDuplicate,
  kType1EmulatedApart,
  kType1Nesting,
  kType1AperConflict,
  kType1ResvConflict,
  kType1AperResize,
  kType1ResvExclude,
  kType1MsiSafety,
  kType1MsiAnyDevice,
  kType1MsiEveryDevice,
  kType1FgspProbe,
  kType1FgspInList,
  kType1Replay,
  kType1ReplayUnwind,
  kType1MsiCookie,
  kType1DetachUnmaps,
  kType1DetachReaccounts,
  kType1DetachRefresh,
  kType1DetachEmptyCopy,
  // type1: mappings and pins.
  kType1MapAlign,
  kType1MapWrap,
  kType1MapOverlap,
  kType1MapEntries,
  kType1MapInList,
  kType1MapUnwind,
  kType1Memlock,
  kType1UnmapNoSplit,
  kType1UnmapNotifies,
  kType1UnmapEveryDomain,
  kType1UnmapTop,
  kType1VaddrNoEmulated,
  kType1PinVaddrBusy,
  kType1PinAccounts,
  kType1UnpinZero,
  // Contracts of drivers.
  kDriverSnoopChecked,
  kDriverAttachKeepsOld,
  kDriverEinvalOnly,
  // More assumptions about machines and admins.
  kAssumeOneInstanceGroups,
  kAssumeCommonPageSize,
  kAssumeNoDriverBeforeIommu,
  kAssumeNoUnregisterWhileServing,
};
inline constexpr int kRuleCount = static_cast<int>(Rule::kAssumeNoUnregisterWhileServing) + 1;

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
  kMechanism,   // how the kernel does a thing, where versions differ
  kAssumption,  // nothing in the core enforces it: a contract of drivers, firmware or admin
};

// How ops come to devices. It decides registration, probe and default-domain set-up together;
// none of these can be dropped on its own, so it is not a rule.
enum class Era : uint8_t {
  kBusSlots,      // up to 6.0: bus->iommu_ops, written by bus_set_iommu()
  kSingleDriver,  // 6.1 to 6.7: bus->iommu_ops of every bus, written by iommu_device_register()
  kFwnode,        // 6.8 on: looked up by fwnode, no bus slot
};
std::string_view EraName(Era era);

// The profiles, oldest first. Each is the mainline .0 release, but for 6.1.y and 6.12.y, which are
// 6.1 and 6.12 with the fixes of the stable series.
enum class KernelVersion : uint8_t {
  kV5_15,
  kV5_18,
  kV6_0,
  kV6_1,
  kV6_1_y,
  kV6_8,
  kV6_12,
  kV6_12_y,
  kV7_1,
};
inline constexpr int kKernelVersionCount = 9;
inline constexpr std::array<KernelVersion, kKernelVersionCount> kKernelVersions = {
    KernelVersion::kV5_15, KernelVersion::kV5_18,   KernelVersion::kV6_0,
    KernelVersion::kV6_1,  KernelVersion::kV6_1_y,  KernelVersion::kV6_8,
    KernelVersion::kV6_12, KernelVersion::kV6_12_y, KernelVersion::kV7_1};

struct RuleInfo {
  Rule rule;
  RuleKind kind;
  std::string_view id;        // "where.what", as on the command line and in cases
  std::string_view file;      // kernel source file; empty for assumptions
  std::string_view function;  // kernel function, or the party that keeps the contract
  uint16_t versions;          // bit per KernelVersion that has it (for assumptions: is it on)
  std::string_view holds;     // one sentence: what it does where it is present
  std::string_view dropped;   // one sentence: what happens without it
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
  RuleSet added;    // rules that it has not
  friend bool operator==(const KernelSpec&, const KernelSpec&) = default;
};

// All rules, in the order of the enumeration.
std::span<const RuleInfo> AllRules();
const RuleInfo& InfoOf(Rule rule);
std::optional<Rule> FindRule(std::string_view id);

std::string_view VersionName(KernelVersion version);
std::optional<KernelVersion> FindVersion(std::string_view name);

// The profile as the kernel is: every rule the version has, and the assumptions that are on by
// default.
KernelProfile ProfileOf(KernelVersion version);
KernelProfile ProfileOf(const KernelSpec& spec);

}  // namespace iommucheck
