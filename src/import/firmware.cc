// SPDX-License-Identifier: Apache-2.0
#include "src/import/firmware.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::import {
namespace {

// The PCI functions from the root bus down to the device.
std::vector<PciAddress> ChainOf(const FoundDevice& device) {
  std::vector<PciAddress> chain;
  std::string_view rest = device.folder;
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    if (const auto address = ParsePciName(rest.substr(0, slash))) chain.push_back(*address);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  }
  return chain;
}

// A scope gives a bus and the path down from it.
bool InScope(const DmarUnit::Scope& scope, const std::vector<PciAddress>& chain) {
  const auto start = std::ranges::find_if(
      chain, [&](const PciAddress& address) { return address.bdf >> 8 == scope.bus; });
  const auto levels = static_cast<size_t>(chain.end() - start);
  if (scope.path.empty() || levels < scope.path.size()) return false;
  if (!scope.below && levels != scope.path.size()) return false;
  return std::equal(scope.path.begin(), scope.path.end(), start,
                    [](uint8_t devfn, const PciAddress& a) { return devfn == (a.bdf & 0xff); });
}

std::string PciName(PciAddress a) {
  return absl::StrFormat("%04x:%02x:%02x.%d", a.segment, a.bdf >> 8, (a.bdf >> 3) & 0x1f,
                         a.bdf & 7);
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

}  // namespace

FirmwareMap::FirmwareMap(const Found& found, Machine& machine) : found_(found), machine_(machine) {
  ReadDmar();
  ReadViot();
  ReadIort();
  ReadIvrs();
  ReadRimt();
  ReadNodes();
  NoteTablesThatMustBe();
}

// In /sys only root can read the tables.
const std::string* FirmwareMap::TableText(const std::string& signature) {
  const auto it = found_.tables.find(signature);
  if (it == found_.tables.end()) return nullptr;
  const std::optional<std::string>& text = it->second;
  if (text.has_value()) return &text.value();
  machine_.gaps.push_back(
      {.missing = absl::StrCat("The ACPI table ", signature, " is there and cannot be read."),
       .unknown = "which IOMMUs there are and what is behind them",
       .settle = std::string(kRunAsRoot)});
  return nullptr;
}

void FirmwareMap::NoteInvalid(const char* table, const absl::Status& status) {
  machine_.gaps.push_back(
      {.missing = absl::StrCat("The ACPI table ", table, " is not valid (", status.message(), ")."),
       .unknown = "which IOMMUs there are and what is behind them",
       .settle = std::string(kRecordAnew)});
}

int FirmwareMap::Registered(std::string_view driver) const {
  return static_cast<int>(std::ranges::count_if(machine_.instances, [&](const auto& instance) {
    return machine_.drivers[instance.driver].name == driver;
  }));
}

void FirmwareMap::NoteUnregistered(const std::string& what, const std::string& driver) {
  // If no IOMMU of the machine is registered, the answer says so instead.
  machine_.described.push_back(driver);
  if (machine_.instances.empty()) return;
  machine_.gaps.push_back({.missing = absl::StrCat(what, ", and sys/class/iommu has none for it."),
                           .unknown = "what is behind it once a driver registers it",
                           .settle = "load its driver or switch it on, and read the system again",
                           .driver = driver});
}

void FirmwareMap::ReadDmar() {
  const std::string* text = TableText("DMAR");
  if (text == nullptr) return;
  absl::StatusOr<std::vector<DmarUnit>> units = ParseDmar(*text);
  if (!units.ok()) return NoteInvalid("DMAR", units.status());
  units_ = *std::move(units);
  for (size_t i = 0; i < units_.size(); ++i) {
    unit_instance_.push_back(FindDmarInstance(units_[i], i));
    if (unit_instance_.back() < 0)
      NoteUnregistered(
          absl::StrFormat("DMAR describes a remapping unit at 0x%x", units_[i].address), "intel");
  }
}

void FirmwareMap::ReadViot() {
  const std::string* text = TableText("VIOT");
  if (text == nullptr) return;
  absl::StatusOr<Viot> viot = ParseViot(*text);
  if (!viot.ok()) return NoteInvalid("VIOT", viot.status());
  viot_ = *std::move(viot);
  for (const ViotIommu& iommu : viot_.iommus) {
    viot_instance_.push_back(FindViotInstance(iommu));
    if (viot_instance_.back() < 0)
      NoteUnregistered(
          absl::StrCat("VIOT describes a virtio-iommu at ",
                       iommu.is_pci ? PciName(iommu.pci) : absl::StrFormat("0x%x", iommu.address)),
          "virtio-iommu");
  }
  for (const ViotEndpoints& e : viot_.endpoints)
    if (!e.is_pci)
      machine_.gaps.push_back(
          {.missing = absl::StrFormat("VIOT puts the device at 0x%x behind a virtio-iommu, and "
                                      "sysfs does not say which one that is.",
                                      e.address),
           .unknown = "what is behind the virtio-iommu",
           .settle = "nothing that iommucheck reads",
           .hides = Gap::Hides::kDevices});
}

// sysfs shows which devices are behind these.
void FirmwareMap::ReadIort() {
  const std::string* text = TableText("IORT");
  if (text == nullptr) return;
  const absl::StatusOr<std::vector<IortSmmu>> smmus = ParseIort(*text);
  if (!smmus.ok()) return NoteInvalid("IORT", smmus.status());
  for (const IortSmmu& smmu : *smmus) {
    const std::string driver = smmu.v3 ? "arm-smmu-v3" : "arm-smmu";
    const bool registered = std::ranges::any_of(machine_.instances, [&](const auto& instance) {
      return machine_.drivers[instance.driver].name == driver &&
             AddressIn(instance.name) == smmu.address;
    });
    if (!registered)
      NoteUnregistered(absl::StrFormat("IORT describes an %s at 0x%x", smmu.v3 ? "SMMUv3" : "SMMU",
                                       smmu.address),
                       driver);
  }
}

void FirmwareMap::ReadIvrs() {
  const std::string* text = TableText("IVRS");
  if (text == nullptr) return;
  const absl::StatusOr<std::vector<PciAddress>> iommus = ParseIvrs(*text);
  if (!iommus.ok()) return NoteInvalid("IVRS", iommus.status());
  const auto described = static_cast<int>(iommus->size());
  if (Registered("amd") < described)
    NoteUnregistered(absl::StrFormat("IVRS describes %d IOMMUs, of which %d are registered",
                                     described, Registered("amd")),
                     "amd");
}

// Only the presence of the table counts; its nodes are not read.
void FirmwareMap::ReadRimt() {
  if (TableText("RIMT") != nullptr && Registered("riscv") == 0)
    NoteUnregistered("RIMT describes RISC-V IOMMUs", "riscv");
}

// The driver of an unregistered node is that of registered instances with the same `compatible`.
void FirmwareMap::ReadNodes() {
  std::map<std::string, std::string> driver_of;  // by compatible
  std::set<std::string> registered;
  for (size_t i = 0; i < found_.instances.size(); ++i)
    registered.insert(found_.instances[i].of_node);
  for (const FoundNode& node : found_.nodes)
    for (size_t i = 0; i < found_.instances.size(); ++i)
      if (found_.instances[i].of_node == node.path)
        driver_of[node.compatible] = machine_.drivers[machine_.instances[i].driver].name;
  for (const FoundNode& node : found_.nodes) {
    if (registered.contains(node.path)) continue;
    const auto it = driver_of.find(node.compatible);
    NoteUnregistered(absl::StrCat("The device tree describes the IOMMU ", node.path),
                     it == driver_of.end() ? "" : it->second);
  }
}

// If a driver finds its instances by a table and has some, the table must exist.
void FirmwareMap::NoteTablesThatMustBe() {
  if (found_.firmware != Firmware::kAcpi) return;
  std::set<std::string_view> noted;
  for (const NeededTable& needed : kNeededTables) {
    if (Registered(needed.driver) == 0 || found_.tables.contains(std::string(needed.table)) ||
        !noted.insert(needed.table).second)
      continue;
    machine_.gaps.push_back(
        {.missing = absl::StrFormat("The ACPI table %s is not there, by which the kernel must have "
                                    "found what %s serves.",
                                    needed.table, needed.driver),
         .unknown = "whether other tables are missing, too",
         .settle = std::string(kRunAsRoot)});
  }
}

// sysfs shows the address of a unit's registers. If it does not, units register in table order.
int FirmwareMap::FindDmarInstance(const DmarUnit& unit, size_t index) const {
  const std::string by_order = absl::StrCat("dmar", index);
  int found = -1;
  for (size_t i = 0; i < found_.instances.size(); ++i) {
    const FoundInstance& instance = found_.instances[i];
    if (machine_.drivers[machine_.instances[i].driver].name != "intel") continue;
    if (const auto address = ParseNumber(instance.address, 16)) {
      if (*address == unit.address) return static_cast<int>(i);
    } else if (instance.name == by_order) {
      found = static_cast<int>(i);
    }
  }
  return found;
}

// A virtio-iommu is a child of its PCI function. sysfs does not show the address of an MMIO one, so
// it can be identified only if it is the only one.
int FirmwareMap::FindViotInstance(const ViotIommu& iommu) const {
  int found = -1;
  for (size_t i = 0; i < found_.instances.size(); ++i) {
    if (machine_.drivers[machine_.instances[i].driver].name != "virtio-iommu") continue;
    const std::vector<PciAddress> chain = ChainOf({"", Bus::kPci, found_.instances[i].device});
    if (iommu.is_pci && !chain.empty() && chain.back() == iommu.pci) return static_cast<int>(i);
    if (!iommu.is_pci && chain.empty()) {
      if (found >= 0) return -1;
      found = static_cast<int>(i);
    }
  }
  return found;
}

std::optional<int> FirmwareMap::DmarInstanceOf(const FoundDevice& device) const {
  const std::vector<PciAddress> chain = ChainOf(device);
  if (device.bus != Bus::kPci || chain.empty()) return std::nullopt;
  int all_pci = -1;
  for (size_t i = 0; i < units_.size(); ++i) {
    const DmarUnit& unit = units_[i];
    if (unit.segment != chain.back().segment || unit_instance_[i] < 0) continue;
    const auto in_scope = [&](const DmarUnit::Scope& s) { return InScope(s, chain); };
    if (std::ranges::any_of(unit.scopes, in_scope)) return unit_instance_[i];
    if (unit.all_pci) all_pci = unit_instance_[i];
  }
  if (all_pci < 0) return std::nullopt;
  return all_pci;
}

std::optional<int> FirmwareMap::ViotInstanceOf(const FoundDevice& device) const {
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

}  // namespace iommucheck::import
