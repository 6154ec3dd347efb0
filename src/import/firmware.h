// SPDX-License-Identifier: Apache-2.0
//
// The instances that the ACPI tables put a device behind.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "src/import/machine.h"
#include "src/import/sysfs.h"

namespace iommucheck::import {

// `machine` has the instances of `found`, with the same indices.
class FirmwareMap {
 public:
  // Reads the tables and the device tree's nodes. IOMMUs in them that nobody registered, and
  // anything that cannot be read, become gaps of `machine`.
  FirmwareMap(const Found& found, Machine& machine);

  // The VT-d unit, and the virtio-iommu, that a PCI device is behind.
  [[nodiscard]] std::optional<int> DmarInstanceOf(const FoundDevice& device) const;
  [[nodiscard]] std::optional<int> ViotInstanceOf(const FoundDevice& device) const;

 private:
  const std::string* TableText(const std::string& signature);
  void ReadDmar();
  void ReadViot();
  void ReadIort();
  void ReadIvrs();
  void ReadRimt();
  void ReadNodes();
  void NoteTablesThatMustBe();
  void NoteInvalid(const char* table, const absl::Status& status);
  // Notes IOMMUs that firmware describes and nobody registered.
  void NoteUnregistered(const std::string& what, const std::string& driver);
  [[nodiscard]] int Registered(std::string_view driver) const;
  [[nodiscard]] int FindDmarInstance(const DmarUnit& unit, size_t index) const;
  [[nodiscard]] int FindViotInstance(const ViotIommu& iommu) const;

  const Found& found_;
  Machine& machine_;
  std::vector<DmarUnit> units_;
  std::vector<int> unit_instance_;  // -1: not registered
  Viot viot_;
  std::vector<int> viot_instance_;
};

}  // namespace iommucheck::import
