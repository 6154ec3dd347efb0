// SPDX-License-Identifier: Apache-2.0
#include "src/import/firmware.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::import {
namespace {

// The PCI functions from the root bus down to a device.
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

// A scope gives a bus and the way down from it.
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

}  // namespace

FirmwareMap::FirmwareMap(const Found& found, Machine& machine) : found_(found), machine_(machine) {
  ReadDmar();
  ReadViot();
  NoteOtherTables();
}

// A table that is there and cannot be read is said so: /sys lets only root read them.
const std::string* FirmwareMap::TableText(const std::string& signature) {
  const auto it = found_.tables.find(signature);
  if (it == found_.tables.end()) return nullptr;
  const std::optional<std::string>& text = it->second;
  if (text.has_value()) return &text.value();
  machine_.assumptions.push_back(
      absl::StrCat("The ACPI table ", signature, " cannot be read; nothing was taken from it."));
  return nullptr;
}

void FirmwareMap::ReadDmar() {
  const std::string* text = TableText("DMAR");
  if (text == nullptr) return;
  absl::StatusOr<std::vector<DmarUnit>> units = ParseDmar(*text);
  if (!units.ok()) {
    machine_.assumptions.push_back(absl::StrCat("The ACPI table DMAR is not valid (",
                                                units.status().message(),
                                                "); nothing was taken from it."));
    return;
  }
  units_ = *std::move(units);
  for (size_t i = 0; i < units_.size(); ++i)
    unit_instance_.push_back(FindDmarInstance(units_[i], i));
}

void FirmwareMap::ReadViot() {
  const std::string* text = TableText("VIOT");
  if (text == nullptr) return;
  absl::StatusOr<Viot> viot = ParseViot(*text);
  if (!viot.ok()) {
    machine_.assumptions.push_back(absl::StrCat("The ACPI table VIOT is not valid (",
                                                viot.status().message(),
                                                "); nothing was taken from it."));
    return;
  }
  viot_ = *std::move(viot);
  for (const ViotIommu& iommu : viot_.iommus) {
    viot_instance_.push_back(FindViotInstance(iommu));
    if (viot_instance_.back() >= 0) continue;
    machine_.assumptions.push_back(
        absl::StrCat("VIOT names a virtio-iommu at ",
                     iommu.is_pci ? PciName(iommu.pci) : absl::StrFormat("0x%x", iommu.address),
                     " that sys/class/iommu does not have; it was left out."));
  }
  for (const ViotEndpoints& e : viot_.endpoints)
    if (!e.is_pci)
      machine_.assumptions.push_back(absl::StrFormat(
          "VIOT puts the device at 0x%x behind a virtio-iommu; sysfs does not say which device "
          "that is, so this was left out.",
          e.address));
}

// IVRS and IORT are evidence of a kind of IOMMU only: what is behind it comes from sysfs.
void FirmwareMap::NoteOtherTables() {
  const auto note = [&](const std::string& table, std::string_view driver) {
    const bool has = std::ranges::any_of(machine_.instances, [&](const MachineInstance& i) {
      return machine_.drivers[i.driver].name.starts_with(driver);
    });
    if (found_.tables.contains(table) && !has)
      machine_.assumptions.push_back(
          absl::StrCat("The ACPI table ", table, " is there, but no ", std::string(driver),
                       " instance is registered; what it describes was left out."));
  };
  note("IVRS", "amd");
  note("IORT", "arm-smmu");
}

// sysfs shows the address of a unit's registers. Without it, units register in table order.
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

// A virtio-iommu is a child of its PCI function. Of an MMIO one sysfs does not show the address,
// so that it can be told only where there is one.
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
