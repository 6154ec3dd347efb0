// SPDX-License-Identifier: Apache-2.0
#include "src/import/build.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/import/catalogue.h"
#include "src/import/firmware.h"

namespace iommucheck::import {
namespace {

// VT-d's Snoop Control, ecap bit 7.
constexpr uint64_t kEcapSnoopControl = uint64_t{1} << 7;

// Names that the kernel gives to the instances of drivers without a bound device driver, and of
// those that the name alone tells (iommu_device_sysfs_add() calls).
struct NameRule {
  std::string_view prefix;
  bool digits_follow;
  std::string_view driver;
};
constexpr NameRule kNameRules[] = {
    {"dmar", true, "intel"},          {"ivhd", true, "amd"},
    {"smmu3.", false, "arm-smmu-v3"}, {"arm-smmu-v3.", false, "arm-smmu-v3"},
    {"smmu.", false, "arm-smmu"},     {"arm-smmu.", false, "arm-smmu"},
    {"s390-iommu.", false, "s390"},
};

std::string_view DriverByName(std::string_view name) {
  for (const NameRule& rule : kNameRules) {
    if (!name.starts_with(rule.prefix)) continue;
    const std::string_view rest = name.substr(rule.prefix.size());
    if (!rule.digits_follow || (!rest.empty() && ParseNumber(rest, 10))) return rule.driver;
  }
  return "";
}

// The row of a driver for a kernel, or the nearest one where that kernel has not got it.
const CatalogueDriver* NearestRow(std::string_view name, KernelVersion version) {
  if (const CatalogueDriver* row = FindDriver(name, version)) return row;
  const CatalogueDriver* nearest = nullptr;
  for (const CatalogueDriver& row : Catalogue())
    if (row.name == name && (nearest == nullptr || row.era <= version)) nearest = &row;
  return nearest;
}

class Builder {
 public:
  Builder(Found found, KernelVersion version) : found_(std::move(found)), version_(version) {}

  Machine Build() {
    for (const FoundInstance& instance : found_.instances) AddInstance(instance);
    SortInstances();
    AddDevices();
    AddGroups();
    return std::move(m_);
  }

 private:
  void Assume(std::string sentence) { m_.assumptions.push_back(std::move(sentence)); }

  void AddInstance(const FoundInstance& found) {
    std::string_view name = DriverByName(found.name);
    if (name.empty())
      if (const CatalogueDriver* row = FindDriverByBound(found.bound)) name = row->name;
    const CatalogueDriver* row = name.empty() ? nullptr : NearestRow(name, version_);
    MachineInstance instance;
    instance.name = found.name;
    instance.driver = row == nullptr ? UnknownDriver(found) : KnownDriver(*row);
    instance.fwnode = row == nullptr || row->fwnode;
    // Kernels ask for it from v6.0 on only, and the machine may be asked about a later one.
    instance.enforces_coherency = Enforces(
        found,
        row == nullptr ? nullptr : NearestRow(name, std::max(version_, KernelVersion::kV6_0)));
    m_.instances.push_back(std::move(instance));
  }

  int FindOrAdd(MachineDriver driver) {
    const auto it = std::ranges::find(m_.drivers, driver.name, &MachineDriver::name);
    if (it != m_.drivers.end()) return static_cast<int>(it - m_.drivers.begin());
    m_.drivers.push_back(std::move(driver));
    return static_cast<int>(m_.drivers.size()) - 1;
  }

  int KnownDriver(const CatalogueDriver& row) {
    MachineDriver driver{row.name, ToModelDriver(row)};
    // No driver of a later kernel claims a bus, but the machine may be asked about an older one.
    if (const CatalogueDriver* old = FindDriver(row.name, KernelVersion::kV6_0)) {
      const Driver claims = ToModelDriver(*old);
      driver.model.claims = claims.claims;
      driver.model.claim_order = claims.claim_order;
      driver.model.claims_once = claims.claims_once;
      driver.model.unwinds = claims.unwinds;
      driver.model.clears = claims.clears;
    }
    return FindOrAdd(std::move(driver));
  }

  int UnknownDriver(const FoundInstance& found) {
    const std::string name =
        found.bound.empty() ? absl::StrCat("unknown-", found.name) : found.bound;
    const size_t before = m_.drivers.size();
    const int driver = FindOrAdd({name, Driver{}});
    if (m_.drivers.size() > before)
      Assume(absl::StrCat("The driver of ", found.name, " (", name,
                          ") is not in the catalogue; it is taken to find its devices by fwnode, "
                          "to claim no bus, and to accept a domain of any instance."));
    return driver;
  }

  bool Enforces(const FoundInstance& found, const CatalogueDriver* row) {
    if (row != nullptr && row->name == "intel") {
      if (const auto ecap = ParseNumber(found.ecap, 16)) return (*ecap & kEcapSnoopControl) != 0;
    }
    if (row != nullptr && row->enforces_coherency == Coherency::kNo) return false;
    if (row == nullptr || row->enforces_coherency != Coherency::kYes)
      Assume(absl::StrCat(found.name, " is taken to enforce cache coherency; sysfs does not say."));
    return true;
  }

  // Drivers without fwnodes set up at boot, those with one when their device is probed.
  void SortInstances() {
    std::vector<std::pair<MachineInstance, FoundInstance>> both;
    both.reserve(m_.instances.size());
    for (size_t i = 0; i < m_.instances.size(); ++i)
      both.emplace_back(std::move(m_.instances[i]), found_.instances[i]);
    std::vector<size_t> order(both.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, [&](size_t a, size_t b) {
      if (both[a].first.fwnode != both[b].first.fwnode) return both[b].first.fwnode;
      return NaturalLess(both[a].first.name, both[b].first.name);
    });
    std::vector<int> moved(order.size());
    m_.instances.clear();
    for (size_t i = 0; i < order.size(); ++i) {
      moved[order[i]] = static_cast<int>(i);
      m_.instances.push_back(std::move(both[order[i]].first));
      found_.instances[i] = std::move(both[order[i]].second);
    }
    for (FoundDevice& device : found_.devices)
      if (device.instance >= 0) device.instance = moved[device.instance];
    SortDrivers();
  }

  // In the order in which the first instances of them register.
  void SortDrivers() {
    std::vector<MachineDriver> drivers;
    std::map<int, int> moved;
    for (MachineInstance& instance : m_.instances) {
      const auto [it, is_new] = moved.emplace(instance.driver, static_cast<int>(drivers.size()));
      if (is_new) drivers.push_back(std::move(m_.drivers[instance.driver]));
      instance.driver = it->second;
    }
    m_.drivers = std::move(drivers);
  }

  void AddDevices() {
    const FirmwareMap firmware(found_, m_);
    int without_instance = 0;
    for (const FoundDevice& found : found_.devices) {
      MachineDevice device;
      device.name = found.name;
      device.bus = found.bus;
      device.found_group = found.group;
      device.found_instance = found.instance;
      device.masters = MastersOf(found, firmware);
      if (!device.masters.empty())
        m_.devices.push_back(std::move(device));
      else if (found.group >= 0)
        ++without_instance;
    }
    if (without_instance > 0)
      Assume(
          absl::StrCat("Devices in a group, but behind no instance of sys/class/iommu, were "
                       "left out: ",
                       without_instance, "."));
  }

  // Instances without fwnode first: their driver's own tables need no firmware description.
  std::vector<int> MastersOf(const FoundDevice& found, const FirmwareMap& firmware) {
    const std::optional<int> as_found =
        found.instance < 0 ? std::nullopt : std::optional(found.instance);
    const bool by_intel = as_found && NameOfDriver(*as_found) == "intel";
    const std::array candidates = {as_found,
                                   by_intel ? std::nullopt : firmware.DmarInstanceOf(found),
                                   firmware.ViotInstanceOf(found)};
    std::vector<int> masters;
    for (const bool fwnode : {false, true})
      for (const std::optional<int> i : candidates)
        if (i && m_.instances[*i].fwnode == fwnode && std::ranges::count(masters, *i) == 0)
          masters.push_back(*i);
    if (masters.size() > kMaxMasters) {
      Assume(absl::StrCat(found.name, " is behind ", masters.size(), " instances; the first ",
                          kMaxMasters, " count."));
      masters.resize(kMaxMasters);
    }
    return masters;
  }

  [[nodiscard]] const std::string& NameOfDriver(int instance) const {
    return m_.drivers[m_.instances[instance].driver].name;
  }

  void AddGroups() {
    std::map<int, std::vector<int>> by_number;
    std::vector<int> alone;
    for (size_t i = 0; i < m_.devices.size(); ++i) {
      const int number = m_.devices[i].found_group;
      (number >= 0 ? by_number[number] : alone).push_back(static_cast<int>(i));
    }
    for (auto& [number, devices] : by_number) AddGroup(number, std::move(devices));
    for (const int d : alone) m_.groups.push_back({MachineGroup::Shape::kSingle, {d}});
    if (!alone.empty())
      Assume(absl::StrCat(
          "Devices in no group are each taken to be isolated: ", m_.devices[alone.front()].name,
          alone.size() == 1 ? "" : absl::StrCat(" and ", alone.size() - 1, " more"), "."));
  }

  void AddGroup(int number, std::vector<int> devices) {
    const auto all = [&](auto test) { return std::ranges::all_of(devices, test); };
    const auto on_one_bus = [&](int d) {
      return m_.devices[d].bus == m_.devices[devices.front()].bus;
    };
    const auto has_instance_groups = [&](int d) {
      return m_.drivers[m_.instances[m_.devices[d].masters.front()].driver].model.instance_groups;
    };
    // "0000:00:1f.3" without its function is the slot.
    const auto same_slot = [&](int d) {
      return m_.devices[d].name.substr(0, 10) == m_.devices[devices.front()].name.substr(0, 10);
    };
    auto shape = MachineGroup::Shape::kAlias;
    if (devices.size() == 1) {
      shape = MachineGroup::Shape::kSingle;
    } else if (all(has_instance_groups)) {
      shape = MachineGroup::Shape::kInstance;
    } else if (!all(on_one_bus)) {
      Assume(absl::StrCat("Group ", number,
                          " holds devices on several buses; each is taken to have a group of its "
                          "own."));
      for (const int d : devices) m_.groups.push_back({MachineGroup::Shape::kSingle, {d}});
      return;
    } else if (m_.devices[devices.front()].bus != Bus::kPci || all(same_slot)) {
      shape = MachineGroup::Shape::kSlot;
    }
    m_.groups.push_back({shape, std::move(devices)});
  }

  Found found_;
  KernelVersion version_;
  Machine m_;
};

}  // namespace

Machine BuildMachine(const Found& found, KernelVersion version) {
  return Builder(found, version).Build();
}

}  // namespace iommucheck::import
