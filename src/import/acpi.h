// SPDX-License-Identifier: Apache-2.0
//
// The ACPI tables that say which IOMMUs a machine has and which devices are behind them: DMAR
// (VT-d), IVRS (AMD), IORT (Arm), RIMT (RISC-V) and VIOT (virtio-iommu).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
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

// --- DMAR ---

struct DmarScope {
  enum class Kind : uint8_t { kEndpoint = 1, kBridge = 2, kIoapic = 3, kHpet = 4, kNamespace = 5 };
  Kind kind{};     // a bridge: the scope covers it and every device below it
  uint8_t id = 0;  // of an IOAPIC or an HPET; kNamespace: the number of a DmarName
  uint8_t bus = 0;
  std::vector<uint8_t> path;  // device and function (devfn) at each level below that bus
};

// A remapping unit (DRHD) and the devices in its scope.
struct DmarUnit {
  uint16_t segment = 0;
  bool all_pci = false;  // INCLUDE_PCI_ALL: all devices of the segment that no other unit names
  uint64_t address = 0;  // of its registers; sysfs has the same
  std::vector<DmarScope> scopes;
};

// A reserved memory region (RMRR) of the devices in its scope.
struct DmarReserved {
  uint16_t segment = 0;
  uint64_t first = 0;
  uint64_t last = 0;
  std::vector<DmarScope> scopes;
};

// The root ports that support ATS (ATSR), or the integrated devices that do (SATC).
struct DmarAts {
  bool integrated = false;  // SATC
  uint16_t segment = 0;
  bool all = false;  // ATSR: all root ports. SATC: ATC_REQUIRED
  std::vector<DmarScope> scopes;
};

// A device of the ACPI namespace (ANDD), to which scopes refer by its number.
struct DmarName {
  uint8_t number = 0;
  std::string name;
};

struct Dmar {
  std::vector<DmarUnit> units;
  std::vector<DmarReserved> reserved;
  std::vector<DmarAts> ats;
  std::vector<DmarName> names;
  std::vector<std::string> unread;  // "an entry of type 9 at byte 120"
};

// --- IVRS ---

// Devices by their ids, which are bus, device and function; both ends included.
struct IvrsRange {
  uint16_t first = 0;
  uint16_t last = 0;
  std::optional<uint16_t> alias;  // the id that the IOMMU sees
};

// A device of the ACPI namespace (type F0h).
struct IvrsNamed {
  uint16_t id = 0;
  std::string hid;
  std::string uid;  // empty: none
};

struct IvrsIommu {
  PciAddress at;
  uint64_t address = 0;
  std::vector<IvrsRange> devices;  // "all" is 0 to 0xffff
  std::vector<IvrsNamed> named;
  int special = 0;  // IOAPICs and HPETs
};

// Memory that devices use since boot (IVMD).
struct IvrsMemory {
  uint16_t first_id = 0;
  uint16_t last_id = 0xffff;
  uint64_t first = 0;
  uint64_t last = 0;
};

struct Ivrs {
  std::vector<IvrsIommu> iommus;  // blocks of several types name each of them
  std::vector<IvrsMemory> memory;
  std::vector<std::string> unread;
};

// --- IORT and RIMT ---

// The ids of a source that go to an IOMMU.
struct IdMap {
  uint32_t first = 0;
  uint32_t last = 0;
  uint32_t out = 0;  // the id that the IOMMU sees for `first`
  size_t iommu = 0;
};

// What sends DMA: a PCI root complex, or a device of the ACPI namespace.
struct IdSource {
  bool is_pci = false;
  uint32_t segment = 0;
  std::string name;
  bool coherent = false;
  std::vector<IdMap> maps;  // those that lead to an IOMMU; none: it is behind none
};

struct IortSmmu {
  bool v3 = false;
  uint64_t address = 0;  // of its registers
  bool coherent = false;
};

// Memory that devices use since boot (RMR), by the ids that they send.
struct IortReserved {
  uint64_t first = 0;
  uint64_t last = 0;
  std::vector<IdMap> maps;
};

struct Iort {
  std::vector<IortSmmu> smmus;
  std::vector<IdSource> sources;
  std::vector<IortReserved> reserved;
  std::vector<std::string> unread;
};

struct RimtIommu {
  bool is_pci = false;
  PciAddress pci;
  uint64_t address = 0;
};

struct Rimt {
  std::vector<RimtIommu> iommus;
  std::vector<IdSource> sources;
};

// --- VIOT ---

struct ViotIommu {
  bool is_pci = false;
  PciAddress pci;
  uint64_t address = 0;  // of a virtio-mmio device
};

struct ViotEndpoints {
  size_t iommu = 0;  // index into iommus
  bool is_pci = false;
  uint32_t id = 0;  // that the IOMMU sees for the first
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

// Errors: InvalidArgument "expected WHAT at byte N, found WHAT".
absl::StatusOr<Dmar> ParseDmar(std::string_view table);
absl::StatusOr<Ivrs> ParseIvrs(std::string_view table);
absl::StatusOr<Iort> ParseIort(std::string_view table);
absl::StatusOr<Rimt> ParseRimt(std::string_view table);
absl::StatusOr<Viot> ParseViot(std::string_view table);

}  // namespace iommucheck::import
