// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/import/catalogue.h"
#include "src/import/machine.h"

namespace iommucheck::import {
namespace {

// VT-d's Snoop Control, ecap bit 7.
constexpr uint64_t kEcapSnoopControl = uint64_t{1} << 7;

// Names that the kernel gives to instances whose driver has no bound device driver, and other names
// that identify the driver (iommu_device_sysfs_add() calls).
struct NameRule {
  std::string_view prefix;
  bool digits_follow;
  std::string_view driver;
};
constexpr NameRule kNameRules[] = {
    {"dmar", true, "intel"},          {"ivhd", true, "amd"},
    {"smmu3.", false, "arm-smmu-v3"}, {"arm-smmu-v3.", false, "arm-smmu-v3"},
    {"smmu.", false, "arm-smmu"},     {"arm-smmu.", false, "arm-smmu"},
    {"s390-iommu.", false, "s390"},   {"iommu-phb", false, "spapr_tce"},
    {"iommu0", false, "fsl_pamu"},
};

// The common part of the names of one driver's instances: "fkA" of "fkA0", ".iommu" of
// "fdab9000.iommu", "pci" of a PCI function.
std::string StemOf(std::string_view name) {
  if (ParsePciName(name)) return "pci";
  constexpr std::string_view kHex = "0123456789abcdef";
  const size_t dot = name.find('.');
  if (dot != std::string_view::npos && name.find_first_not_of(kHex) == dot) name.remove_prefix(dot);
  const size_t last = name.find_last_not_of("0123456789");
  return std::string(name.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

std::string_view DriverByName(std::string_view name) {
  for (const NameRule& rule : kNameRules) {
    if (!name.starts_with(rule.prefix)) continue;
    const std::string_view rest = name.substr(rule.prefix.size());
    if (!rule.digits_follow || (!rest.empty() && ParseNumber(rest, 10))) return rule.driver;
  }
  return "";
}

// The row of an instance's driver for a kernel; if that kernel does not have the driver, the row
// nearest to it. nullptr: the catalogue does not have the driver.
const CatalogueDriver* RowOf(const FoundInstance& found, KernelVersion version) {
  if (!found.driver.empty()) {
    const CatalogueDriver* row = FindDriver(found.driver, version);
    const bool reads =
        row != nullptr && std::ranges::count(row->firmware, "acpi:" + found.table) > 0;
    return reads ? row : nullptr;
  }
  if (!found.compatible.empty())
    if (const CatalogueDriver* row = FindDriverByCompatible(found.compatible, version)) return row;
  std::string_view name = DriverByName(found.name);
  if (name.empty())
    if (const CatalogueDriver* row = FindDriverByBound(found.bound)) name = row->name;
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
    m_.gaps = std::move(found_.gaps);
    m_.assumptions = std::move(found_.assumptions);
    if (found_.described_only) TakeServed();
    SortInstances();
    for (const FoundInstance& instance : found_.instances) AddInstance(instance);
    NoteFirmware();
    NoteGuessedDrivers();
    TakeCoherency();
    AddDevices();
    AddGroups();
    NoteInstanceGroups();
    AddAsFound();
    return std::move(m_);
  }

 private:
  // Only s390 and hypervisors find their IOMMUs without firmware.
  void NoteFirmware() {
    const auto built_in = [&](const MachineInstance& i) {
      return m_.drivers[i.driver].name == "s390";
    };
    const bool needs_none = !m_.instances.empty() && std::ranges::all_of(m_.instances, built_in);
    if (found_.firmware == Firmware::kAny && !needs_none && !found_.listing)
      m_.gaps.push_back(
          {"Neither sys/firmware/acpi/tables nor sys/firmware/devicetree is there; "
           "drivers of both kinds are taken to probe.",
           "which IOMMUs firmware describes", "record sys/firmware, too, as root"});
  }

  // Of a device tree: leaves the IOMMUs that the kernel has a driver for, and makes the groups that
  // these drivers make.
  void TakeServed() {
    std::vector<int> place;
    std::vector<FoundInstance> served;
    std::vector<std::string> later;
    std::vector<std::string> unknown;
    for (FoundInstance& instance : found_.instances) {
      const bool has_driver = RowOf(instance, version_) != nullptr;
      place.push_back(has_driver ? static_cast<int>(served.size()) : -1);
      if (!has_driver)
        (!instance.driver.empty() || IsKnownCompatible(instance.compatible) ? later : unknown)
            .push_back(absl::StrCat(instance.name, " (", instance.table,
                                    absl::StrJoin(instance.compatible, ", "), ")"));
      if (has_driver) served.push_back(std::move(instance));
    }
    found_.instances = std::move(served);
    NoteUnserved(later, unknown);
    for (FoundDevice& device : found_.devices) TakeMasters(device, place);
    NoteCoherent();
    NoteSwitchedOff();
    MakeGroups();
  }

  // Where the hardware decides about IOMMU_CAP_CACHE_COHERENCY, dma-coherent says what it is: of
  // the IOMMU (both Arm drivers), or of the device (arm_smmu_capable()).
  void NoteCoherent() {
    const auto note = [&](const FoundInstance& instance) {
      if (const CatalogueDriver* row = RowOf(instance, version_)) coherent_.insert(row->name);
    };
    for (const FoundInstance& instance : found_.instances)
      if (instance.coherent) note(instance);
    for (const FoundDevice& device : found_.devices)
      if (device.coherent)
        for (const auto& [instance, id] : device.masters)
          note(found_.instances[static_cast<size_t>(instance)]);
  }

  void NoteUnserved(const std::vector<std::string>& later,
                    const std::vector<std::string>& unknown) {
    if (!later.empty())
      Assume(absl::StrCat("The kernel asked about has no driver in its tree for ", ListOf(later),
                          ": they do not come up, and what is behind them has no IOMMU. A driver "
                          "that was added to it would change that."));
    if (!unknown.empty())
      m_.gaps.push_back(
          {.missing = absl::StrCat("The catalogue knows no driver for ", ListOf(unknown), "."),
           .unknown = "whether a driver serves it, and what is behind it then",
           .settle = "say its driver in data/drivers.json"});
  }

  // of_iommu_configure() gives a device no IOMMU if one that it names fails. Here it keeps those
  // that are served: that hides no violation.
  void TakeMasters(FoundDevice& device, const std::vector<int>& place) {
    std::vector<std::pair<int, uint32_t>> served;
    for (const auto& [instance, id] : device.masters)
      if (place[static_cast<size_t>(instance)] >= 0)
        served.emplace_back(place[static_cast<size_t>(instance)], id);
    device.masters = std::move(served);
    if (!device.masters.empty()) device.instance = device.masters.front().first;
  }

  void NoteSwitchedOff() {
    std::vector<std::string> off;
    off.reserve(found_.switched_off.size());
    for (const FoundNode& node : found_.switched_off) {
      const std::vector<std::string> compatible = absl::StrSplit(node.compatible, ' ');
      const CatalogueDriver* row = FindDriverByCompatible(compatible, version_);
      off.push_back(absl::StrCat(node.path.starts_with('/') ? "" : "/", node.path, " (",
                                 row == nullptr ? "no driver" : row->name, ")"));
    }
    if (!off.empty())
      Assume(absl::StrCat(
          "Switched off by their status, and so not part of the machine: ", ListOf(off),
          ". A device tree that switches them on is another machine."));
    if (!found_.behind_off.empty())
      Assume(
          absl::StrCat("They name an IOMMU that is switched off, so that the kernel gives them "
                       "none of those after it: ",
                       ListOf(found_.behind_off), "."));
    const bool stands = std::ranges::any_of(found_.devices, &FoundDevice::stands_for_bus);
    if (stands)
      Assume(absl::StrCat(ReadsTables() ? "ACPI tables do" : "A device tree does",
                          " not say which devices are on a bus; two, each in a group of its own, "
                          "stand for all that "
                          "a host bridge maps to an IOMMU."));
  }

  // The groups that the drivers' device_group make: of an instance; of platform devices that share
  // a stream; of one device.
  void MakeGroups() {
    int next = 0;
    std::map<int, int> of_instance;
    std::map<std::pair<int, uint32_t>, int> of_stream;
    std::map<std::tuple<Bus, int, uint32_t>, int> of_id;
    for (FoundDevice& device : found_.devices) {
      if (device.masters.empty()) continue;
      const CatalogueDriver* row = RowOf(found_.instances[device.masters.front().first], version_);
      const auto number = [&](auto& groups, const auto& key) {
        const auto [it, fresh] = groups.try_emplace(key, next);
        next += fresh ? 1 : 0;
        return it->second;
      };
      if (row->group == "instance") {
        device.group = number(of_instance, device.masters.front().first);
      } else if (row->group == "stream" && !device.stands_for_bus) {
        // arm_smmu_device_group(): the group of whichever stream has one.
        int shared = -1;
        for (const auto& master : device.masters)
          if (const auto it = of_stream.find(master); it != of_stream.end()) shared = it->second;
        device.group = shared >= 0 ? shared : next++;
        for (const auto& master : device.masters) of_stream.try_emplace(master, device.group);
      } else if (row->name == "amd" && !device.stands_for_bus) {
        // acpihid_device_group(), and the aliases of PCI functions.
        device.group = number(of_id, std::tuple(device.bus, device.masters.front().first,
                                                device.masters.front().second));
      } else {
        device.group = next++;
      }
    }
    NoteSplitHosts();
  }

  // Functions of one slot, or behind a bridge without ACS, may then be one group of two drivers.
  void NoteSplitHosts() {
    for (const std::string& host : found_.split_hosts) {
      std::set<std::string> drivers;
      for (const FoundDevice& device : found_.devices)
        if (device.bus == Bus::kPci && BaseName(device.folder) == host)
          for (const auto& [instance, id] : device.masters)
            drivers.insert(RowOf(found_.instances[static_cast<size_t>(instance)], version_)->name);
      if (drivers.size() > 1)
        m_.gaps.push_back({absl::StrCat("The PCI host ", host, " maps to IOMMUs of ",
                                        absl::StrJoin(drivers, ", "), "."),
                           "whether devices of both share a group",
                           "read /sys of the machine, which shows its groups",
                           Gap::Hides::kDevices});
    }
  }

  // Whether the machine is one of ACPI tables alone.
  [[nodiscard]] bool ReadsTables() const {
    return found_.described_only && found_.firmware == Firmware::kAcpi;
  }

  void Assume(std::string sentence) { m_.assumptions.push_back(std::move(sentence)); }

  void AddInstance(const FoundInstance& found) {
    const CatalogueDriver* row = RowOf(found, version_);
    MachineInstance instance;
    instance.name = found.name;
    instance.driver = row == nullptr ? UnknownDriver(found) : KnownDriver(*row);
    instance.fwnode = row == nullptr || row->fwnode;
    // Only kernels from v5.19 on ask for enforcement, but a later question may be about one of
    // these.
    const std::optional<bool> enforces =
        Enforces(found, RowOf(found, std::max(version_, KernelVersion::kV5_19)));
    instance.coherency_known = enforces.has_value();
    instance.enforces_coherency = enforces.value_or(true);
    m_.instances.push_back(std::move(instance));
  }

  int FindOrAdd(MachineDriver driver) {
    const auto it = std::ranges::find(m_.drivers, driver.name, &MachineDriver::name);
    if (it != m_.drivers.end()) return static_cast<int>(it - m_.drivers.begin());
    m_.drivers.push_back(std::move(driver));
    return static_cast<int>(m_.drivers.size()) - 1;
  }

  int KnownDriver(const CatalogueDriver& row) {
    Driver model = ToModelDriver(row);
    // From v6.1 on no driver claims a bus, once or ever.
    if (ProfileOf(version_).era != Era::kBusSlots) {
      model.claims = {};
      model.claims_once = model.unwinds = model.clears = false;
    }
    // VT-d's units say it in a register.
    if (found_.described_only && row.name != "intel" && row.cache_coherency == Coherency::kHardware)
      model.coherent = coherent_.contains(row.name);
    return FindOrAdd({row.name, model});
  }

  // If no link names the driver, its name is made of the names of its instances.
  int UnknownDriver(const FoundInstance& found) {
    const bool named = !found.bound.empty();
    const std::string name = named ? found.bound : absl::StrCat("unknown-", StemOf(found.name));
    if (!named) guessed_[name].push_back(found.name);
    const size_t before = m_.drivers.size();
    const int driver = FindOrAdd({name, Driver{}});
    if (m_.drivers.size() == before) return driver;
    Assume(absl::StrCat("The driver of ", found.name, " (", name,
                        ") is not in the catalogue; it is taken to find its devices by fwnode, "
                        "and to accept a domain of any instance."));
    m_.gaps.push_back(
        {.missing = absl::StrCat("The driver ", name, " is not in the catalogue."),
         .unknown = "which buses it claims",
         .settle = "its source; or ask about a kernel from v6.1 on, where no driver claims a bus",
         .hides = Gap::Hides::kDevices,
         .bus_slots_only = true});
    return driver;
  }

  // Instances with names of the same form are assumed to belong to one driver.
  void NoteGuessedDrivers() {
    for (const auto& [driver, instances] : guessed_)
      if (instances.size() > 1)
        m_.gaps.push_back({absl::StrCat("No link names the driver of ", ListOf(instances), "."),
                           "whether they are of one driver",
                           "record the links 'driver' below sys/devices, too"});
  }

  // nullopt: sysfs does not show it.
  static std::optional<bool> Enforces(const FoundInstance& found, const CatalogueDriver* row) {
    if (row == nullptr) return std::nullopt;
    if (row->name == "intel")
      if (const auto ecap = ParseNumber(found.ecap, 16)) return (*ecap & kEcapSnoopControl) != 0;
    if (row->enforces_coherency == Coherency::kNo) return false;
    if (row->enforces_coherency == Coherency::kYes) return true;
    return std::nullopt;
  }

  // Groups share a domain only if it is enforced for all of them or for none
  // (type1.same_coherency). So an instance with an unknown value is assumed to be like the others:
  // this hides no violation, unless the others differ.
  void TakeCoherency() {
    bool yes = false;
    bool no = false;
    for (const MachineInstance& i : m_.instances)
      if (i.coherency_known) (i.enforces_coherency ? yes : no) = true;
    std::vector<std::string> taken;
    for (MachineInstance& i : m_.instances) {
      if (i.coherency_known) continue;
      i.enforces_coherency = yes || !no;
      taken.push_back(i.name);
    }
    if (taken.empty()) return;
    Assume(absl::StrCat("Cache coherency is taken ", yes || !no ? "" : "not ", "to be enforced by ",
                        ListOf(taken),
                        ReadsTables() ? "; the tables do not say." : "; sysfs does not say."));
    if (yes && no)
      m_.gaps.push_back(
          {absl::StrCat("sysfs does not say whether ", ListOf(taken),
                        " enforces cache coherency; of the others some do and some do not."),
           "with which of them it can share a domain",
           "sys/class/iommu/dmarN/intel-iommu/ecap says so of VT-d; no file does of other IOMMUs",
           Gap::Hides::kDevices});
  }

  // Drivers without fwnodes set up devices at boot, drivers with fwnodes when the device is probed.
  // Those of one kind stay in the order of their names.
  void SortInstances() {
    std::vector<FoundInstance> sorted;
    std::vector<int> place(found_.instances.size());
    for (const bool fwnode : {false, true})
      for (size_t i = 0; i < found_.instances.size(); ++i) {
        const CatalogueDriver* row = RowOf(found_.instances[i], version_);
        if ((row == nullptr || row->fwnode) != fwnode) continue;
        place[i] = static_cast<int>(sorted.size());
        sorted.push_back(found_.instances[i]);
      }
    found_.instances = std::move(sorted);
    for (FoundDevice& device : found_.devices)
      if (device.instance >= 0) {
        device.instance = place[device.instance];
        for (auto& [instance, id] : device.masters) instance = place[instance];
      }
  }

  void AddDevices() {
    const std::vector<ByFirmware> firmware = ReadFirmware(found_, m_);
    std::vector<std::string> without_instance;
    std::vector<std::string> without_group;
    for (size_t i = 0; i < found_.devices.size(); ++i) {
      const FoundDevice& found = found_.devices[i];
      MachineDevice device;
      device.name = found.name;
      device.bus = found.bus;
      device.below_bridge = ParsePciName(BaseName(FolderOf(found.folder))).has_value();
      device.found_group = found.group;
      device.bridge = found.bridge;
      device.acs = found.acs.enabled;
      device.masters =
          found_.described_only ? DescribedMasters(found) : MastersOf(found, firmware[i]);
      if (device.masters.empty()) {
        if (found.group >= 0) without_instance.push_back(found.name);
        continue;
      }
      if (found.group < 0) without_group.push_back(found.name);
      m_.devices.push_back(std::move(device));
    }
    if (!without_instance.empty())
      m_.gaps.push_back(
          {absl::StrCat("Devices in a group, but behind no IOMMU of sys/class/iommu: ",
                        ListOf(without_instance), "."),
           "which IOMMU they are behind", kRecordAnew});
    if (!without_group.empty() && !found_.described_only)
      m_.gaps.push_back(
          {absl::StrCat("Devices behind an IOMMU, but in no group: ", ListOf(without_group), "."),
           "which of them, such as functions of one slot, are one group",
           "record sys/devices with its links 'iommu_group'"});
  }

  // Those that the device tree names, each once.
  std::vector<int> DescribedMasters(const FoundDevice& found) {
    std::vector<int> masters;
    for (const auto& [instance, id] : found.masters)
      if (std::ranges::count(masters, instance) == 0) masters.push_back(instance);
    TakeAtMost(found, masters);
    return masters;
  }

  // Instances without a fwnode come first: they are in their driver's own tables, and need no
  // firmware description.
  std::vector<int> MastersOf(const FoundDevice& found, const ByFirmware& firmware) {
    const std::optional<int> as_found =
        found.instance < 0 ? std::nullopt : std::optional(found.instance);
    const bool by_intel = as_found && m_.DriverOf(*as_found) == "intel";
    const std::array candidates = {as_found, by_intel ? std::nullopt : firmware.dmar,
                                   firmware.viot};
    std::vector<int> masters;
    for (const bool fwnode : {false, true})
      for (const std::optional<int> i : candidates)
        if (i && m_.instances[*i].fwnode == fwnode && std::ranges::count(masters, *i) == 0)
          masters.push_back(*i);
    TakeAtMost(found, masters);
    return masters;
  }

  void TakeAtMost(const FoundDevice& found, std::vector<int>& masters) {
    if (masters.size() > kMaxMasters) {
      m_.gaps.push_back({absl::StrCat(found.name, " is behind ", masters.size(),
                                      " IOMMUs, of which the model takes ", kMaxMasters, "."),
                         "what the others do with it", "nothing that iommucheck can do",
                         Gap::Hides::kDevices});
      masters.resize(kMaxMasters);
    }
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
  }

  void AddGroup(int number, std::vector<int> devices) {
    const auto all = [&](auto test) { return std::ranges::all_of(devices, test); };
    const auto on_one_bus = [&](int d) {
      return m_.devices[d].bus == m_.devices[devices.front()].bus;
    };
    const auto has_instance_groups = [&](int d) { return HasInstanceGroups(d); };
    const auto of_one_instance = [&](int d) {
      return HasInstanceGroups(d) &&
             m_.devices[d].masters.front() == m_.devices[devices.front()].masters.front();
    };
    // The first 10 characters of "0000:00:1f.3" name the slot.
    const auto same_slot = [&](int d) {
      return m_.devices[d].name.substr(0, 10) == m_.devices[devices.front()].name.substr(0, 10);
    };
    // The far end of a PCI Express link has only slot 0. So devices with other slots are on a
    // conventional bus whose bridge sends their DMA, or within a switch, which sysfs does not
    // distinguish.
    const auto below_a_bus = [&](int d) {
      const auto address = ParsePciName(m_.devices[d].name);
      return m_.devices[d].below_bridge && address && (address->bdf >> 3 & 0x1f) != 0;
    };
    auto shape = MachineGroup::Shape::kAlias;
    if (devices.size() == 1) {
      shape = MachineGroup::Shape::kSingle;
    } else if (all(of_one_instance)) {
      shape = MachineGroup::Shape::kInstance;
    } else if (!all(on_one_bus) || std::ranges::any_of(devices, has_instance_groups)) {
      // A driver with a group per instance considers nothing else, so the model would split this
      // group.
      const char* what =
          all(on_one_bus) ? "of a driver that makes a group per instance" : "on several buses";
      m_.gaps.push_back(
          {absl::StrCat("Group ", number, " holds devices ", what,
                        " and others, which the model cannot say: each is taken to have a group of "
                        "its own."),
           "what happens within the group", "nothing that iommucheck can do yet",
           Gap::Hides::kDevices});
      for (const int d : devices) m_.groups.push_back({MachineGroup::Shape::kSingle, {d}});
      return;
    } else if (m_.devices[devices.front()].bus != Bus::kPci || all(same_slot)) {
      shape = MachineGroup::Shape::kSlot;
    } else if (std::ranges::none_of(devices, below_a_bus)) {
      // For example, a root port without ACS and the devices below it.
      shape = MachineGroup::Shape::kSlot;
      Assume(absl::StrCat("Group ", number, WhyLarge(devices),
                          "; it is modelled as functions of one slot without isolation."));
    }
    m_.groups.push_back({shape, std::move(devices)});
  }

  // Ports of PCI Express without ACS let what is below them reach the others (pci_acs_enabled()).
  [[nodiscard]] std::string WhyLarge(const std::vector<int>& devices) const {
    std::vector<std::string> ports;
    for (const int d : devices) {
      const MachineDevice& device = m_.devices[d];
      const bool port = device.bridge == Bridge::kRootPort || device.bridge == Bridge::kUpstream ||
                        device.bridge == Bridge::kDownstream;
      if (port && device.acs == false) ports.push_back(device.name);
    }
    if (ports.empty()) return " is not of one slot and has no bus that DMA aliases come from";
    return absl::StrCat(
        " is as large as it is since ", ListOf(ports),
        ports.size() == 1 ? ", a port of PCI Express, has" : ", ports of PCI Express, have",
        " not all of ACS switched on");
  }

  [[nodiscard]] bool HasInstanceGroups(int device) const {
    const int instance = m_.devices[device].masters.front();
    return m_.drivers[m_.instances[instance].driver].model.instance_groups;
  }

  // Such a driver makes one group of all devices behind an instance, even if several were found.
  void NoteInstanceGroups() {
    std::map<int, std::set<int>> found;  // groups by instance
    for (size_t d = 0; d < m_.devices.size(); ++d)
      if (HasInstanceGroups(static_cast<int>(d)))
        found[m_.devices[d].masters.front()].insert(m_.devices[d].found_group);
    for (const auto& [instance, groups] : found)
      if (groups.size() > 1)
        m_.gaps.push_back(
            {absl::StrCat("Behind ", m_.instances[instance].name,
                          " are several groups, where its driver is known to make one."),
             "which groups there are on the kernel asked about", "nothing that iommucheck can do",
             Gap::Hides::kDevices});
  }

  void AddAsFound() {
    m_.described_only = found_.described_only;
    m_.model = found_.model;
    for (size_t i = 0; i < m_.instances.size(); ++i)
      m_.instances_found.push_back({m_.instances[i].name, m_.DriverOf(i)});
    for (const FoundDevice& found : found_.devices) {
      const bool alone = found.group < 0 && found.instance < 0;
      if (alone) continue;
      m_.as_found.push_back(
          {.device = found.name,
           .bus = found.bus,
           .instance = found.instance < 0 ? "" : m_.instances[found.instance].name,
           .driver = found.instance < 0 ? "" : m_.DriverOf(found.instance),
           .group = found.group});
    }
  }

  Found found_;
  KernelVersion version_;
  Machine m_;
  std::set<std::string> coherent_;  // of a device tree: drivers with an IOMMU or device that is
  std::map<std::string, std::vector<std::string>> guessed_;  // instances by guessed driver
};

}  // namespace

Machine BuildMachine(const Found& found, KernelVersion version) {
  return Builder(found, version).Build();
}

}  // namespace iommucheck::import
