// SPDX-License-Identifier: Apache-2.0
#include "src/import/grouping.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "model/pci.h"

namespace iommucheck::import {
namespace {

constexpr char kTellAcs[] =
    "lspci -vvnn or -xxxx as root, given by --lspci, or a snapshot taken as root";

std::string SlotOf(const std::string& name) { return name.substr(0, name.rfind('.')); }

const char* PortName(Bridge bridge) {
  switch (bridge) {
    case Bridge::kRootPort:
      return "root port";
    case Bridge::kUpstream:
      return "upstream port of a switch";
    case Bridge::kDownstream:
      return "downstream port of a switch";
    case Bridge::kPcieToPci:
      return "bridge from PCI Express to conventional PCI";
    case Bridge::kPciToPcie:
      return "bridge from conventional PCI to PCI Express";
    case Bridge::kPciToPci:
      return "bridge of conventional PCI";
    case Bridge::kNone:
      break;
  }
  return "bridge";
}

class Walk {
 public:
  explicit Walk(const Found& found) : found_(found) {
    for (const FoundDevice& device : found.devices)
      if (device.bus == Bus::kPci) {
        by_name_.emplace(device.name, &device);
        ++functions_[SlotOf(device.name)];
      }
  }

  [[nodiscard]] GroupStory Tell(int group) const {
    GroupStory story{.group = group, .devices = {}, .because = {}, .unknown = {}};
    std::vector<const FoundDevice*> members;
    for (const FoundDevice& device : found_.devices)
      if (device.group == group) members.push_back(&device);
    for (const FoundDevice* device : members) story.devices.push_back(device->name);
    if (members.size() < 2) {
      story.because.emplace_back("It has one device, which shares nothing with another.");
      return story;
    }
    std::set<std::string> told;  // devices that a sentence joins to others
    std::set<std::string> ports;
    std::set<std::string> hidden;
    for (const FoundDevice* device : members)
      if (device->bus == Bus::kPci) TellUpwards(*device, story, told, ports, hidden);
    for (const std::string& name : ports) story.because.push_back(TellPort(*by_name_.at(name)));
    TellSlots(members, story, told, hidden);
    TellRest(members, story, told);
    if (!hidden.empty())
      story.unknown.push_back(absl::StrCat("Whether there is ACS in ",
                                           ListOf({hidden.begin(), hidden.end()}),
                                           " is not known. What would tell: ", kTellAcs, "."));
    return story;
  }

  [[nodiscard]] GroupStory TellUngrouped(std::vector<std::string> names) const {
    GroupStory story{.group = -1, .devices = std::move(names), .because = {}, .unknown = {}};
    const bool any_group =
        std::ranges::any_of(found_.devices, [](const FoundDevice& d) { return d.group >= 0; });
    std::vector<std::string> behind;
    for (const FoundDevice& device : found_.devices)
      if (device.instance >= 0 && std::ranges::count(story.devices, device.name) != 0)
        behind.push_back(device.name);
    if (found_.instances.empty() && !any_group)
      story.because.emplace_back(
          "No IOMMU is registered, so that no device has a group: it is switched off, or its "
          "driver is not there.");
    else if (behind.size() < story.devices.size())
      story.because.push_back(
          absl::StrCat(behind.empty() ? "None of them" : "Not each of them",
                       " is served by an IOMMU that is registered: their DMA is not translated, "
                       "and VFIO takes them only without an IOMMU "
                       "(vfio.enable_unsafe_noiommu_mode=1)."));
    if (!behind.empty())
      story.because.push_back(absl::StrCat("An IOMMU serves ", ListOf(behind),
                                           ", which all the same has no group: what was recorded "
                                           "is not complete, or the kernel took it back."));
    story.unknown.emplace_back(
        "Whether firmware names them, and for which IOMMU, is in its tables; the report of check "
        "says which IOMMUs these describe that are not registered. The log of the boot says "
        "where a driver gave up (dmesg | grep -i iommu).");
    return story;
  }

 private:
  // Bridges above it, the nearest first.
  [[nodiscard]] std::vector<const FoundDevice*> Above(const FoundDevice& device) const {
    std::vector<const FoundDevice*> above;
    for (std::string folder = FolderOf(device.folder); !folder.empty(); folder = FolderOf(folder))
      if (const auto at = by_name_.find(BaseName(folder)); at != by_name_.end())
        above.push_back(at->second);
    return above;
  }

  // pci_acs_enabled(), without its quirks; nullopt: not known.
  [[nodiscard]] std::optional<bool> Isolates(const FoundDevice& port) const {
    if (IsAlias(port.bridge)) return false;
    // Of what is one function alone, only ports that lead down need it.
    if (port.bridge == Bridge::kUpstream && functions_.at(SlotOf(port.name)) == 1) return true;
    return port.acs.enabled;
  }

  // Aliases by bridges, then ports without ACS: the device joins the nearest bridge above that has
  // a group, unless all ports from there to the root isolate.
  void TellUpwards(const FoundDevice& device, GroupStory& story, std::set<std::string>& told,
                   std::set<std::string>& ports, std::set<std::string>& hidden) const {
    std::vector<const FoundDevice*> above = Above(device);
    const FoundDevice* alias = nullptr;
    for (const FoundDevice* bridge : above)
      if (IsAlias(bridge->bridge)) alias = bridge;
    if (alias != nullptr) {
      if (alias->group == device.group) {
        story.because.push_back(absl::StrCat(device.name, ": its DMA passes ", alias->name, ", a ",
                                             PortName(alias->bridge),
                                             ", and can carry the id of that or of its bus."));
        told.insert({device.name, alias->name});
      }
      above = Above(*alias);
    }
    size_t reach = 0;  // bridges up to the topmost that does not isolate
    for (size_t i = 0; i < above.size(); ++i) {
      if (above[i]->group != device.group) continue;
      const std::optional<bool> isolates = Isolates(*above[i]);
      if (!isolates) hidden.insert(above[i]->name);
      if (isolates == false) {
        ports.insert(above[i]->name);
        reach = i + 1;
      }
    }
    if (reach == 0 || alias != nullptr) return;
    story.because.push_back(absl::StrCat(device.name, " joins ", above.front()->name,
                                         " above it: ", above[reach - 1]->name,
                                         ", on the way to the root, does not isolate."));
    told.insert({device.name, above.front()->name});
  }

  [[nodiscard]] static std::string TellPort(const FoundDevice& port) {
    if (IsAlias(port.bridge))
      return absl::StrCat(port.name, ", a ", PortName(port.bridge), ", can have no ACS.");
    if (!port.acs.capability)
      return absl::StrCat(
          port.name, ", a ", PortName(port.bridge),
          ", has no ACS: what is below it may reach its neighbours past the IOMMU.");
    return absl::StrCat(port.name, ", a ", PortName(port.bridge),
                        ", has ACS, but not all of it switched on: ", AcsNames(port.acs.off),
                        " off.");
  }

  // get_pci_function_alias_group().
  void TellSlots(const std::vector<const FoundDevice*>& members, GroupStory& story,
                 std::set<std::string>& told, std::set<std::string>& hidden) const {
    std::map<std::string, std::vector<const FoundDevice*>> slots;
    for (const FoundDevice* device : members)
      if (device->bus == Bus::kPci) slots[SlotOf(device->name)].push_back(device);
    for (const auto& [slot, functions] : slots) {
      if (functions.size() < 2) continue;
      // Where all are joined to what is above them, this changes nothing.
      const bool joined = std::ranges::all_of(
          functions, [&](const FoundDevice* f) { return told.contains(f->name); });
      std::vector<std::string> without;
      for (const FoundDevice* f : functions) {
        if (f->acs.enabled == false) without.push_back(f->name);
        if (!f->acs.enabled && !joined) hidden.insert(f->name);
        told.insert(f->name);
      }
      std::vector<std::string> names;
      for (const FoundDevice* f : functions) names.push_back(f->name);
      story.because.push_back(
          absl::StrCat(ListOf(names), " are functions of one slot",
                       without.size() < 2 ? ", which share a group unless each has ACS."
                                          : absl::StrCat(", and of these ", ListOf(without),
                                                         " have no ACS that keeps them apart.")));
    }
  }

  static void TellRest(const std::vector<const FoundDevice*>& members, GroupStory& story,
                       const std::set<std::string>& told) {
    std::vector<std::string> pci;
    std::vector<std::string> others;
    for (const FoundDevice* device : members)
      if (!told.contains(device->name))
        (device->bus == Bus::kPci ? pci : others).push_back(device->name);
    if (!pci.empty())
      story.unknown.push_back(absl::StrCat(
          "What joins ", ListOf(pci),
          " to the others is not among what was read: a port without ACS, an alias that a quirk of "
          "the kernel or a table of firmware (IVRS) adds, or a driver that makes one group of all "
          "behind its IOMMU."));
    if (!others.empty())
      story.because.push_back(absl::StrCat(
          ListOf(others),
          others.size() == 1 ? " is in it since its driver put it there: "
                             : " are in it since their driver put them there: ",
          "devices that are not PCI share a group if they share the id that they send to the "
          "IOMMU, or if the driver makes one group of all behind an IOMMU."));
  }

  const Found& found_;
  std::map<std::string, const FoundDevice*> by_name_;
  std::map<std::string, int> functions_;  // by slot
};

}  // namespace

std::vector<GroupStory> WhyGroups(const Found& found, std::string_view whom) {
  const Walk walk(found);
  std::map<int, std::vector<std::string>> groups;
  for (const FoundDevice& device : found.devices) {
    if (device.group >= 0 || device.bus == Bus::kPci) groups[device.group].push_back(device.name);
    const std::string short_name = absl::StrCat("0000:", std::string(whom));
    if (device.name != whom && device.name != short_name) continue;
    if (device.group >= 0) return {walk.Tell(device.group)};
    return {walk.TellUngrouped({device.name})};
  }
  std::vector<GroupStory> stories;
  const std::optional<uint64_t> number = ParseNumber(whom, 10);
  for (const auto& [group, devices] : groups) {
    const bool several = whom == "all" && devices.size() > 1;
    const bool named = number && group >= 0 && *number == static_cast<uint64_t>(group);
    if (group < 0 && whom == "all") stories.push_back(walk.TellUngrouped(devices));
    if (group >= 0 && (several || named)) stories.push_back(walk.Tell(group));
  }
  return stories;
}

}  // namespace iommucheck::import
