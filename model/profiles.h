// SPDX-License-Identifier: Apache-2.0
//
// The kernels that are modelled, as data. A profile is a release and its rules; the rows of
// rules.cc say in which releases each rule came and went.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/table.h"

namespace iommucheck {

enum class Rule : uint8_t;  // model/rules.h

// Oldest first; a stable series comes right after its release, if that has a profile.
enum class KernelVersion : uint8_t {
  kV5_10_y,
  kV5_15,
  kV5_18,
  kV5_19,
  kV6_0,
  kV6_1,
  kV6_1_y,
  kV6_6,
  kV6_8,
  kV6_12,
  kV6_12_y,
  kV6_18,
  kV7_1,
  kV7_3,
};
inline constexpr auto kNewestVersion = KernelVersion::kV7_3;
inline constexpr int kKernelVersionCount = static_cast<int>(kNewestVersion) + 1;
inline constexpr auto kKernelVersions = kValuesOf<KernelVersion, kKernelVersionCount>;

// How devices get their iommu_ops and their default domains. This is no rule: registration, probe
// and the set-up of default domains depend on it together, and no patch drops one of them alone.
enum class Era : uint8_t {
  kBusSlots,      // up to and including 6.0: bus->iommu_ops, written by bus_set_iommu()
  kSingleDriver,  // 6.1: bus->iommu_ops of every bus, written by iommu_device_register()
  kGroupSetup,    // 6.6: the same, but a default domain is set up for a whole group
  kFwnode,        // from 6.8 on: looked up by fwnode, no bus slot
};
inline constexpr int kEraCount = static_cast<int>(Era::kFwnode) + 1;
std::string_view EraName(Era era);

// Whether iommu_device_register() writes the slots of all buses.
constexpr bool WritesEverySlot(Era era) {
  return era == Era::kSingleDriver || era == Era::kGroupSetup;
}
// Whether a group gets its default domain by iommu_setup_default_domain(), every other domain by
// __iommu_group_set_domain_internal(), and loses its domains with its last device.
constexpr bool SetsUpGroups(Era era) { return era >= Era::kGroupSetup; }

struct ProfileInfo {
  KernelVersion version;
  std::string_view name;
  uint8_t number;  // in saved fuzz inputs (src/case/bytes.h): never changes; new rows take the next
  Era era;
  // The profile that has the rules of its mainline release: itself, or the release that its stable
  // series follows.
  KernelVersion mainline;
  std::span<const Rule> backported{};  // the rules that the stable series has besides
  [[nodiscard]] constexpr bool is_stable() const { return name.ends_with(".y"); }
};

// In the order of the enumeration.
std::span<const ProfileInfo> AllProfiles();
const ProfileInfo& InfoOf(KernelVersion version);
std::string_view VersionName(KernelVersion version);
std::optional<KernelVersion> FindVersion(std::string_view name);

// The versions from one on, up to another and without it. A new profile that lies in a range, or is
// the newest and the range has no end, belongs to it without an edit.
class VersionRange {
 public:
  [[nodiscard]] constexpr VersionRange Until(KernelVersion end) const {
    return {first_, static_cast<uint8_t>(end)};
  }
  [[nodiscard]] constexpr bool has(KernelVersion v) const {
    return first_ <= static_cast<uint8_t>(v) && static_cast<uint8_t>(v) < end_;
  }

 private:
  constexpr VersionRange(uint8_t first, uint8_t end) : first_(first), end_(end) {}
  friend constexpr VersionRange Since(KernelVersion first);
  uint8_t first_;
  uint8_t end_;
};
constexpr VersionRange Since(KernelVersion first) {
  return {static_cast<uint8_t>(first), static_cast<uint8_t>(kKernelVersionCount)};
}
inline constexpr VersionRange kEveryVersion = Since(kKernelVersions[0]);
inline constexpr VersionRange kNoVersion = kEveryVersion.Until(kKernelVersions[0]);
// The versions before `end`.
constexpr VersionRange Until(KernelVersion end) { return kEveryVersion.Until(end); }

}  // namespace iommucheck
