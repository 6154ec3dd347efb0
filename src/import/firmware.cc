// SPDX-License-Identifier: Apache-2.0
//
// The IOMMUs that ACPI tables and the device tree describe, and the devices behind them.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/import/acpi.h"
#include "src/import/machine.h"

namespace iommucheck::import {
namespace {

// The PCI functions from the root bus down to the device in this folder.
std::vector<PciAddress> ChainOf(const std::string& folder) {
  const std::vector<std::string> names = absl::StrSplit(folder, '/');
  std::vector<PciAddress> chain;
  for (const std::string& name : names)
    if (const auto address = ParsePciName(name)) chain.push_back(*address);
  return chain;
}

// A scope gives a bus and the path down from it.
bool InScope(const DmarScope& scope, const std::vector<PciAddress>& chain) {
  const bool bridge = scope.kind == DmarScope::Kind::kBridge;
  if (!bridge && scope.kind != DmarScope::Kind::kEndpoint) return false;
  const auto start = std::ranges::find_if(
      chain, [&](const PciAddress& address) { return address.bdf >> 8 == scope.bus; });
  const auto levels = static_cast<size_t>(chain.end() - start);
  if (scope.path.empty() || levels < scope.path.size()) return false;
  if (!bridge && levels != scope.path.size()) return false;
  return std::equal(scope.path.begin(), scope.path.end(), start,
                    [](uint8_t devfn, const PciAddress& a) { return devfn == (a.bdf & 0xff); });
}

// The address in "smmu3.0x0000000014f80000".
std::optional<uint64_t> AddressIn(std::string_view name) {
  const size_t at = name.find(".0x");
  return at == std::string_view::npos ? std::nullopt : ParseNumber(name.substr(at + 3), 16);
}

// The table by which a kernel finds the instances of a driver, on a machine with ACPI.
struct NeededTable {
  std::string_view driver;
  std::string_view table;
};
constexpr NeededTable kNeededTables[] = {{"intel", "DMAR"},
                                         {"amd", "IVRS"},
                                         {"arm-smmu", "IORT"},
                                         {"arm-smmu-v3", "IORT"},
                                         {"virtio-iommu", "VIOT"}};

constexpr char kAnyIommu[] = "which IOMMUs there are and what is behind them";

class FirmwareReader {
 public:
  FirmwareReader(const Found& found, Machine& machine) : found_(found), machine_(machine) {
    ReadDmar();
    ReadViot();
    ReadIort();
    ReadIvrs();
    ReadRimt();
    ReadNodes();
    NoteTablesThatMustBe();
  }

  [[nodiscard]] std::optional<int> DmarInstanceOf(const FoundDevice& device) const {
    const std::vector<PciAddress> chain = ChainOf(device.folder);
    if (device.bus != Bus::kPci || chain.empty()) return std::nullopt;
    std::optional<int> all_pci;
    for (size_t i = 0; i < units_.size(); ++i) {
      const DmarUnit& unit = units_[i];
      if (unit.segment != chain.back().segment || unit_instance_[i] < 0) continue;
      const auto in_scope = [&](const DmarScope& s) { return InScope(s, chain); };
      if (std::ranges::any_of(unit.scopes, in_scope)) return unit_instance_[i];
      if (unit.all_pci) all_pci = unit_instance_[i];
    }
    return all_pci;
  }

  [[nodiscard]] std::optional<int> ViotInstanceOf(const FoundDevice& device) const {
    const std::optional<PciAddress> address = ParsePciName(device.name);
    if (device.bus != Bus::kPci || !address) return std::nullopt;
    for (const ViotEndpoints& e : viot_.endpoints) {
      if (!e.is_pci || viot_instance_[e.iommu] < 0) continue;
      if (address->segment < e.segment_first || address->segment > e.segment_last) continue;
      if (address->bdf < e.bdf_first || address->bdf > e.bdf_last) continue;
      // The kernel does not put a virtio-iommu behind itself (viot_dev_iommu_init).
      const ViotIommu& iommu = viot_.iommus[e.iommu];
      if (iommu.is_pci && iommu.pci == *address) return std::nullopt;
      return viot_instance_[e.iommu];
    }
    return std::nullopt;
  }

 private:
  // The bytes of a table; nullptr: there is none, or it cannot be read. In /sys only root can read
  // the tables.
  const std::string* BytesOf(const std::string& signature) {
    const auto it = found_.tables.find(signature);
    if (it == found_.tables.end()) return nullptr;
    const std::optional<std::string>& bytes = it->second;
    if (bytes.has_value()) return &bytes.value();
    machine_.gaps.push_back(
        {absl::StrCat("The ACPI table ", signature, " is there and cannot be read."), kAnyIommu,
         kRunAsRoot});
    return nullptr;
  }

  // The parsed table; empty as BytesOf(), or if it is not valid.
  template <typename Parsed>
  Parsed Table(const std::string& signature, absl::StatusOr<Parsed> (*parse)(std::string_view)) {
    const std::string* bytes = BytesOf(signature);
    if (bytes == nullptr) return {};
    absl::StatusOr<Parsed> table = parse(*bytes);
    if (table.ok()) return *std::move(table);
    machine_.gaps.push_back({absl::StrCat("The ACPI table ", signature, " is not valid (",
                                          table.status().message(), ")."),
                             kAnyIommu, kRecordAnew});
    return {};
  }

  [[nodiscard]] int Registered(std::string_view driver) const {
    int registered = 0;
    for (size_t i = 0; i < machine_.instances.size(); ++i)
      if (machine_.DriverOf(i) == driver) ++registered;
    return registered;
  }

  // Notes IOMMUs that firmware describes and nobody registered.
  void NoteUnregistered(const std::string& what, const std::string& driver) {
    machine_.described.push_back(driver);
    // If no IOMMU of the machine is registered, the answer says so instead.
    if (machine_.instances.empty()) return;
    machine_.gaps.push_back({absl::StrCat(what, ", and sys/class/iommu has none for it."),
                             "what is behind it once a driver registers it",
                             "load its driver or switch it on, and read the system again",
                             Gap::Hides::kIommus, driver});
  }

  void ReadDmar() {
    Dmar dmar = Table("DMAR", ParseDmar);
    NoteUnread("DMAR", dmar.unread, Gap::Hides::kDevices, "intel");
    units_ = std::move(dmar.units);
    for (size_t i = 0; i < units_.size(); ++i) {
      unit_instance_.push_back(FindDmarInstance(units_[i], i));
      if (unit_instance_.back() < 0)
        NoteUnregistered(
            absl::StrFormat("DMAR describes a remapping unit at 0x%x", units_[i].address), "intel");
    }
  }

  void ReadViot() {
    viot_ = Table("VIOT", ParseViot);
    for (const ViotIommu& iommu : viot_.iommus) {
      viot_instance_.push_back(FindViotInstance(iommu));
      if (viot_instance_.back() < 0)
        NoteUnregistered(absl::StrCat("VIOT describes a virtio-iommu at ",
                                      iommu.is_pci ? PciName(iommu.pci)
                                                   : absl::StrFormat("0x%x", iommu.address)),
                         "virtio-iommu");
    }
    for (const ViotEndpoints& e : viot_.endpoints)
      if (!e.is_pci)
        machine_.gaps.push_back({absl::StrFormat("VIOT puts the device at 0x%x behind a "
                                                 "virtio-iommu, and sysfs does not say which one "
                                                 "that is.",
                                                 e.address),
                                 "what is behind the virtio-iommu", "nothing that iommucheck reads",
                                 Gap::Hides::kDevices});
  }

  // sysfs shows which devices are behind these.
  void ReadIort() {
    const Iort iort = Table("IORT", ParseIort);
    NoteUnread("IORT", iort.unread, Gap::Hides::kIommus, "");
    for (const IortSmmu& smmu : iort.smmus) {
      const std::string driver = smmu.v3 ? "arm-smmu-v3" : "arm-smmu";
      const bool registered = std::ranges::any_of(machine_.instances, [&](const auto& instance) {
        return machine_.drivers[instance.driver].name == driver &&
               AddressIn(instance.name) == smmu.address;
      });
      if (!registered)
        NoteUnregistered(absl::StrFormat("IORT describes an %s at 0x%x",
                                         smmu.v3 ? "SMMUv3" : "SMMU", smmu.address),
                         driver);
    }
  }

  void ReadIvrs() {
    const Ivrs ivrs = Table("IVRS", ParseIvrs);
    NoteUnread("IVRS", ivrs.unread, Gap::Hides::kDevices, "amd");
    const auto described = static_cast<int>(ivrs.iommus.size());
    if (Registered("amd") < described)
      NoteUnregistered(absl::StrFormat("IVRS describes %d IOMMUs, of which %d are registered",
                                       described, Registered("amd")),
                       "amd");
  }

  void ReadRimt() {
    const auto described = static_cast<int>(Table("RIMT", ParseRimt).iommus.size());
    if (Registered("riscv") < described)
      NoteUnregistered(absl::StrFormat("RIMT describes %d IOMMUs, of which %d are registered",
                                       described, Registered("riscv")),
                       "riscv");
  }

  void NoteUnread(const char* table, const std::vector<std::string>& unread, Gap::Hides hides,
                  const std::string& driver) {
    if (unread.empty()) return;
    machine_.gaps.push_back({absl::StrCat("The ACPI table ", table, " has ", ListOf(unread),
                                          ", which iommucheck does not know."),
                             "what it says of IOMMUs and devices", "a newer iommucheck", hides,
                             driver});
  }

  // The driver of an unregistered node is that of registered instances with the same `compatible`.
  void ReadNodes() {
    std::map<std::string, std::string> driver_at;  // by the node of a registered instance
    for (size_t i = 0; i < found_.instances.size(); ++i)
      driver_at[found_.instances[i].of_node] = machine_.DriverOf(i);
    std::map<std::string, std::string> driver_of;  // by compatible
    for (const FoundNode& node : found_.nodes)
      if (const auto it = driver_at.find(node.path); it != driver_at.end())
        driver_of[node.compatible] = it->second;
    for (const FoundNode& node : found_.nodes)
      if (!driver_at.contains(node.path))
        NoteUnregistered(absl::StrCat("The device tree describes the IOMMU ", node.path),
                         driver_of[node.compatible]);
  }

  // If a driver finds its instances by a table and has some, the table must exist.
  void NoteTablesThatMustBe() {
    if (found_.firmware != Firmware::kAcpi || found_.described_only) return;
    std::set<std::string_view> noted;
    for (const NeededTable& needed : kNeededTables) {
      if (Registered(needed.driver) == 0 || found_.tables.contains(std::string(needed.table)) ||
          !noted.insert(needed.table).second)
        continue;
      machine_.gaps.push_back({absl::StrFormat("The ACPI table %s is not there, by which the "
                                               "kernel must have found what %s serves.",
                                               needed.table, needed.driver),
                               "whether other tables are missing, too", kRunAsRoot});
    }
  }

  // -1: it is not registered. sysfs shows the address of a unit's registers. If it does not, units
  // register in table order.
  [[nodiscard]] int FindDmarInstance(const DmarUnit& unit, size_t index) const {
    const std::string by_order = absl::StrCat("dmar", index);
    int found = -1;
    for (size_t i = 0; i < found_.instances.size(); ++i) {
      const FoundInstance& instance = found_.instances[i];
      if (machine_.DriverOf(i) != "intel") continue;
      if (const auto address = ParseNumber(instance.address, 16)) {
        if (*address == unit.address) return static_cast<int>(i);
      } else if (instance.name == by_order) {
        found = static_cast<int>(i);
      }
    }
    return found;
  }

  // -1: it is not registered. A virtio-iommu is a child of its PCI function. sysfs does not show
  // the address of an MMIO one, so it can be identified only if it is the only one.
  [[nodiscard]] int FindViotInstance(const ViotIommu& iommu) const {
    int found = -1;
    for (size_t i = 0; i < found_.instances.size(); ++i) {
      if (machine_.DriverOf(i) != "virtio-iommu") continue;
      const std::vector<PciAddress> chain = ChainOf(found_.instances[i].device);
      if (iommu.is_pci && !chain.empty() && chain.back() == iommu.pci) return static_cast<int>(i);
      if (!iommu.is_pci && chain.empty()) {
        if (found >= 0) return -1;
        found = static_cast<int>(i);
      }
    }
    return found;
  }

  const Found& found_;
  Machine& machine_;
  std::vector<DmarUnit> units_;
  std::vector<int> unit_instance_;  // -1: not registered
  Viot viot_;
  std::vector<int> viot_instance_;
};

}  // namespace

std::vector<ByFirmware> ReadFirmware(const Found& found, Machine& machine) {
  const FirmwareReader reader(found, machine);
  std::vector<ByFirmware> devices;
  devices.reserve(found.devices.size());
  for (const FoundDevice& device : found.devices)
    devices.push_back({reader.DmarInstanceOf(device), reader.ViotInstanceOf(device)});
  return devices;
}

}  // namespace iommucheck::import
