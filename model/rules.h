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
};
inline constexpr int kRuleCount = static_cast<int>(Rule::kDriverSameInstance) + 1;

// A set of rules; a plain bit mask, so that a query is one instruction.
class RuleSet {
 public:
  constexpr RuleSet() = default;
  [[nodiscard]] constexpr bool has(Rule r) const { return ((bits_ >> Shift(r)) & 1U) != 0; }
  constexpr RuleSet& add(Rule r) {
    bits_ |= uint64_t{1} << Shift(r);
    return *this;
  }
  constexpr RuleSet& drop(Rule r) {
    bits_ &= ~(uint64_t{1} << Shift(r));
    return *this;
  }
  [[nodiscard]] constexpr bool has_all(RuleSet s) const { return (s.bits_ & ~bits_) == 0; }
  [[nodiscard]] constexpr bool has_any(RuleSet s) const { return (s.bits_ & bits_) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] int size() const { return std::popcount(bits_); }
  [[nodiscard]] constexpr uint64_t bits() const { return bits_; }
  friend constexpr bool operator==(RuleSet, RuleSet) = default;
  friend constexpr RuleSet operator|(RuleSet a, RuleSet b) { return RuleSet(a.bits_ | b.bits_); }
  friend constexpr RuleSet operator-(RuleSet a, RuleSet b) { return RuleSet(a.bits_ & ~b.bits_); }

 private:
  constexpr explicit RuleSet(uint64_t bits) : bits_(bits) {}
  static constexpr unsigned Shift(Rule r) { return static_cast<unsigned>(r); }
  uint64_t bits_ = 0;
};

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

// The profiles, oldest first. Each is the mainline .0 release, but for 6.1.y, which is 6.1 with the
// fixes of the stable series. 6.12.y has none that the model could tell.
enum class KernelVersion : uint8_t { kV5_15, kV5_18, kV6_0, kV6_1, kV6_1_y, kV6_8, kV6_12, kV7_1 };
inline constexpr int kKernelVersionCount = 8;
inline constexpr std::array<KernelVersion, kKernelVersionCount> kKernelVersions = {
    KernelVersion::kV5_15,  KernelVersion::kV5_18, KernelVersion::kV6_0,  KernelVersion::kV6_1,
    KernelVersion::kV6_1_y, KernelVersion::kV6_8,  KernelVersion::kV6_12, KernelVersion::kV7_1};

struct RuleInfo {
  Rule rule;
  RuleKind kind;
  std::string_view id;        // "where.what", as on the command line and in cases
  std::string_view file;      // kernel source file; empty for assumptions
  std::string_view function;  // kernel function, or the party that keeps the contract
  uint8_t versions;           // bit per KernelVersion that has it (for assumptions: is it on)
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
