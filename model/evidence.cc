// SPDX-License-Identifier: Apache-2.0
#include "model/evidence.h"

#include <algorithm>
#include <array>

namespace iommucheck {
namespace {

using enum KernelVersion;

constexpr bool kRuns = true;
constexpr bool kReadOnly = false;
constexpr SeenTree kTrees[] = {
    {kV5_10_y, "5.10.262", "linux-source-5.10", kRuns},
    {kV5_15, "5.15.0", "sndrzt/linux-5.15", kRuns},
    {kV5_18, "5.18.12", "esuoyanyu/kernel-5.18", kReadOnly},
    {kV5_18, "5.18.0-rc", "dracary7/linux-next-d0c745e7", kRuns},
    {kV5_19, "5.19.0", "yishangzhang/linux-5.19", kRuns},
    {kV6_0, "6.0.1", "HHRhr/linux-6.0.1", kRuns},
    {kV6_1, "6.1.0-rc7", "tianrenz2/linux-6.1.0", kRuns},
    {kV6_1_y, "6.1.192", "linux-source-6.1", kRuns},
    {kV6_6, "6.6.9", "linux-6.6.9", kRuns},
    {kV6_6, "6.6.0", "xie1111111/linux-6.6-opensbi-mllb", kReadOnly},
    {kV6_8, "6.8.0", "vivo50kff/linux-6.8", kRuns},
    {kV6_12, "6.12.0", "shilei-massclouds/linux-6.12", kRuns},
    {kV6_12_y, "6.12.118", "linux-source-6.12", kRuns},
    {kV6_18, "6.18.44", "atlanticdg/linux-6.18.y", kRuns},
    {kV6_18, "6.18.2", "gfunkmonk/linux-6.18.2", kReadOnly},
    {kV7_1, "7.1.5", "danayer/linux-7.1.5", kRuns},
    {kV7_3, "7.2.13", "linux-source-7.2", kReadOnly},
    {kV7_3, "7.3.4", "linux-source-7.3", kRuns},
};
static_assert(std::ranges::is_sorted(kTrees, {}, &SeenTree::profile));

constexpr Rule k619AsAfter[] = {Rule::kCoreRollbackFailing};
constexpr Rule k70AsAfter[] = {Rule::kCoreRollbackFailing, Rule::kCoreResetBusy};
constexpr ReadBetween kBetween[] = {
    {6, 19, "6.19.0", "matankalina/linux-6.19.10-fork", k619AsAfter, ""},
    {7, 0, "7.0.0", "julianw1010/hydra-linux-7.0.0", k70AsAfter, ""},
};

// The files of a tree that are compiled as they are.
constexpr std::string_view kRunFiles[] = {
    "drivers/iommu/iommu.c",
    "drivers/iommu/of_iommu.c",
    "drivers/vfio/container.c",
    "drivers/vfio/group.c",
    "drivers/vfio/vfio.c",
    "drivers/vfio/vfio_main.c",
    "drivers/vfio/vfio_iommu_type1.c",
    "drivers/base/dd.c",
    "drivers/acpi/scan.c",
};

// Rules of these files that no case reaches in the code of these kernels: conform skips PASIDs of the
// drivers' own, and resets in which the core has no part; an op that would wait is not played; and no
// kernel has core.owner_every.
struct NotReached {
  Rule rule;
  VersionRange versions;
};
constexpr NotReached kNotReached[] = {
    {Rule::kCoreOwnerEvery, kEveryVersion},    {Rule::kVfioWaitOnLast, kEveryVersion},
    {Rule::kCorePasidOwner, Until(kV6_6)},     {Rule::kCorePasidStatic, Until(kV6_8)},
    {Rule::kCorePasidBusy, Until(kV6_6)},      {Rule::kCorePasidRevert, Until(kV6_6)},
    {Rule::kCoreResetBusy, Until(kV7_1)},      {Rule::kCoreResetMustSucceed, Until(kV7_1)},
    {Rule::kCoreResetPerDevice, Until(kV7_1)},
};

}  // namespace

std::string_view SeenName(Seen seen) {
  static constexpr std::array<std::string_view, kSeenCount> kNames = {"none", "read", "run"};
  return kNames[static_cast<size_t>(seen)];
}

std::span<const SeenTree> SeenTrees() { return kTrees; }

std::span<const ReadBetween> ReleasesReadBetween() { return kBetween; }

std::span<const SeenTree> SeenTreesOf(KernelVersion profile) {
  const auto found = std::ranges::equal_range(kTrees, profile, {}, &SeenTree::profile);
  return {found.begin(), found.end()};
}

Seen SeenIn(Rule rule, KernelVersion profile) {
  const RuleInfo& info = InfoOf(rule);
  if (info.kind == RuleKind::kAssumption) return Seen::kNowhere;
  const bool reached = std::ranges::find(kRunFiles, info.file) != std::end(kRunFiles) &&
                       std::ranges::none_of(kNotReached, [&](const NotReached& not_reached) {
                         return not_reached.rule == rule && not_reached.versions.has(profile);
                       });
  return reached && std::ranges::any_of(SeenTreesOf(profile), &SeenTree::run) ? Seen::kCode
                                                                              : Seen::kText;
}

}  // namespace iommucheck
