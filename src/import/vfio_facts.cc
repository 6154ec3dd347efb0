// SPDX-License-Identifier: Apache-2.0
#include "src/import/vfio_facts.h"

#include <algorithm>

#include "absl/strings/str_split.h"
#include "src/import/sysfs.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

// VT-d's Interrupt Remapping support, ecap bit 3.
constexpr uint64_t kEcapRemapsInterrupts = uint64_t{1} << 3;

// The lines of reserved_regions read "FIRST LAST TYPE" (iommu_group_show_resv_regions()).
std::vector<std::string> TypesIn(const std::string& text) {
  std::vector<std::string> types;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    if (words.size() == 3 && std::ranges::find(types, words[2]) == types.end())
      types.push_back(words[2]);
  }
  return types;
}

}  // namespace

VfioFacts VfioFactsOf(const Found& found) {
  VfioFacts facts;
  for (const FoundInstance& instance : found.instances)
    if (const auto ecap = ParseNumber(instance.ecap, 16);
        ecap && (*ecap & kEcapRemapsInterrupts) == 0)
      facts.without_remapping.push_back(instance.name);
  for (const FoundDevice& device : found.devices)
    if (device.bus == Bus::kPci && device.group < 0 && device.instance < 0 &&
        device.masters.empty())
      facts.ungrouped.push_back(device.name);
  return facts;
}

VfioFacts ReadVfioFacts(const Tree& tree, const Found& found) {
  VfioFacts facts = VfioFactsOf(found);
  for (const FoundDevice& device : found.devices) {
    if (const auto driver = tree.ReadLink(Join(device.folder, "driver")))
      facts.bound.emplace(device.name, BaseName(*driver));
    if (device.group < 0 || facts.regions.contains(device.group)) continue;
    // A cycle of links was an error of ReadFound().
    const auto group = Resolve(tree, Join(device.folder, "iommu_group")).value_or(std::nullopt);
    if (!group) continue;
    if (const auto text = tree.ReadFile(Join(*group, "reserved_regions")))
      facts.regions.emplace(device.group, TypesIn(*text));
  }
  return facts;
}

}  // namespace iommucheck::import
