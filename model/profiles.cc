// SPDX-License-Identifier: Apache-2.0
#include "model/profiles.h"

#include <algorithm>

#include "model/rules.h"

namespace iommucheck {
namespace {

using enum Era;
using enum KernelVersion;

constexpr std::array kBackportedTo510 = {Rule::kType1UnpinZero};
constexpr std::array kBackportedTo61 = {Rule::kCoreRollbackReattach, Rule::kType1VaddrBusy,
                                        Rule::kType1VaddrNoEmulated, Rule::kType1PinVaddrBusy,
                                        Rule::kType1FgspInList};
constexpr std::array kBackportedTo612 = {Rule::kCoreDeferUnset};

constexpr std::array<ProfileInfo, kKernelVersionCount> kProfiles = {{
    {kV5_10_y, "v5.10.y", 12, kBusSlots, kV5_10_y, kBackportedTo510},
    {kV5_15, "v5.15", 0, kBusSlots, kV5_15},
    {kV5_18, "v5.18", 1, kBusSlots, kV5_18},
    {kV5_19, "v5.19", 11, kBusSlots, kV5_19},
    {kV6_0, "v6.0", 2, kBusSlots, kV6_0},
    {kV6_1, "v6.1", 3, kSingleDriver, kV6_1},
    {kV6_1_y, "v6.1.y", 4, kSingleDriver, kV6_1, kBackportedTo61},
    {kV6_6, "v6.6", 13, kGroupSetup, kV6_6},
    {kV6_8, "v6.8", 5, kFwnode, kV6_8},
    {kV6_12, "v6.12", 6, kFwnode, kV6_12},
    {kV6_12_y, "v6.12.y", 7, kFwnode, kV6_12, kBackportedTo612},
    {kV6_18, "v6.18", 9, kFwnode, kV6_18},
    {kV7_1, "v7.1", 8, kFwnode, kV7_1},
    {kV7_3, "v7.3", 10, kFwnode, kV7_3},
}};

static_assert(IsIndexedBy(&ProfileInfo::version, kProfiles));

constexpr bool NumbersAreApart() {
  for (int i = 0; i < kKernelVersionCount; ++i)
    if (std::ranges::count(kProfiles, i, &ProfileInfo::number) != 1) return false;
  return true;
}
static_assert(NumbersAreApart(), "the next free number is the count of those before");

}  // namespace

std::string_view EraName(Era era) {
  switch (era) {
    case Era::kBusSlots:
      return "ops by bus slot, set by bus_set_iommu()";
    case Era::kSingleDriver:
      return "ops by bus slot, set by iommu_device_register()";
    case Era::kGroupSetup:
      return "ops by bus slot, set by iommu_device_register(); default domains by group";
    case Era::kFwnode:
      return "ops by fwnode";
  }
  return "";
}

std::span<const ProfileInfo> AllProfiles() { return kProfiles; }
const ProfileInfo& InfoOf(KernelVersion version) { return kProfiles[static_cast<size_t>(version)]; }
std::string_view VersionName(KernelVersion version) { return InfoOf(version).name; }

std::optional<KernelVersion> FindVersion(std::string_view name) {
  const auto* it = std::ranges::find(kProfiles, name, &ProfileInfo::name);
  return it == kProfiles.end() ? std::nullopt : std::optional(it->version);
}

}  // namespace iommucheck
