// SPDX-License-Identifier: Apache-2.0
//
// The ACPI tables. DMAR (VT-d) and VIOT (virtio-iommu) say which IOMMU a device is behind; from
// IORT (Arm) and IVRS (AMD) we read only which IOMMUs exist.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace iommucheck::import {

// A PCI function: segment, and bus, device and function in one number.
struct PciAddress {
  uint16_t segment = 0;
  uint16_t bdf = 0;
  friend bool operator==(const PciAddress&, const PciAddress&) = default;
};

// A remapping unit (DRHD) and the devices in its scope.
struct DmarUnit {
  uint16_t segment = 0;
  bool all_pci = false;  // INCLUDE_PCI_ALL: all devices of the segment that no other unit names
  uint64_t address = 0;  // of its registers; sysfs has the same
  struct Scope {
    bool below = false;  // a bridge: the scope covers every device below it
    uint8_t bus = 0;
    std::vector<uint8_t> path;  // device and function (devfn) at each level below that bus
  };
  std::vector<Scope> scopes;
};

struct ViotIommu {
  bool is_pci = false;
  PciAddress pci;
  uint64_t address = 0;  // of a virtio-mmio device
};

struct ViotEndpoints {
  size_t iommu = 0;  // index into iommus
  bool is_pci = false;
  uint16_t segment_first = 0;
  uint16_t segment_last = 0;
  uint16_t bdf_first = 0;
  uint16_t bdf_last = 0;
  uint64_t address = 0;  // of an MMIO endpoint
};

struct Viot {
  std::vector<ViotIommu> iommus;
  std::vector<ViotEndpoints> endpoints;
};

struct IortSmmu {
  bool v3 = false;
  uint64_t address = 0;  // of its registers
};

// Errors: InvalidArgument "expected WHAT at byte N, found WHAT".
absl::StatusOr<std::vector<DmarUnit>> ParseDmar(std::string_view table);
absl::StatusOr<Viot> ParseViot(std::string_view table);
absl::StatusOr<std::vector<IortSmmu>> ParseIort(std::string_view table);
// The PCI functions that are IOMMUs; blocks of several types name each of them.
absl::StatusOr<std::vector<PciAddress>> ParseIvrs(std::string_view table);

}  // namespace iommucheck::import
