// SPDX-License-Identifier: Apache-2.0
//
// A machine: firmware, drivers, IOMMU instances and devices. Plain data of fixed capacity without
// names (a case keeps those), so that a fuzzer can make a million a second.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "model/rules.h"

namespace iommucheck {

// Indices into the arrays below. kNoId stands for "none" in every one of them.
using DriverId = uint8_t;
using TableId = uint8_t;
using InstanceId = uint8_t;
using DeviceId = uint8_t;
using GroupId = uint8_t;
using DomainId = uint8_t;
using ContainerId = uint8_t;
inline constexpr uint8_t kNoId = 0xff;

// Capacities. A topology beyond them is refused, never truncated.
inline constexpr int kMaxDrivers = 8;
inline constexpr int kMaxTables = 16;
inline constexpr int kMaxInstances = 16;
inline constexpr int kMaxDevices = 64;
inline constexpr int kMaxContainers = 4;
inline constexpr int kMaxMasters = 2;  // instances that one device can be behind
inline constexpr int kMaxRegions = 2;  // reserved regions of a device
// Every address space has this many pages of the CPU. ABSTRACTION: addresses are whole pages.
inline constexpr int kPages = 64;
inline constexpr uint8_t kLastPage = kPages - 1;
inline constexpr int kPageSizes = 7;  // page sizes of an IOMMU: 2^0 to 2^6 pages of the CPU
inline constexpr uint8_t kNoLimit = 0xff;
inline constexpr int kMaxDmas = 8;  // mappings of a container

// The bus types of iommu_buses[], in its order (drivers/iommu/iommu.c).
enum class Bus : uint8_t { kPlatform, kPci, kAmba, kFslMc, kHost1x, kCdx };
inline constexpr int kBusCount = 6;
inline constexpr std::array<std::string_view, kBusCount> kBusNames = {"platform", "pci",    "amba",
                                                                      "fsl-mc",   "host1x", "cdx"};
inline std::string_view BusName(Bus bus) { return kBusNames[static_cast<size_t>(bus)]; }
std::optional<Bus> FindBus(std::string_view name);

// Which kind of firmware describes a machine, or the instances of a driver.
enum class Firmware : uint8_t { kAny, kAcpi, kDt };
inline constexpr auto kFirmwareNames = std::to_array<std::string_view>({"any", "acpi", "dt"});
inline std::string_view FirmwareName(Firmware firmware) {
  return kFirmwareNames[static_cast<size_t>(firmware)];
}

// What a driver of the bus-slot era does with one bus when an instance of it probes
// (driver-specific callers of bus_set_iommu(), 5.15 to 6.0).
enum class Claim : uint8_t {
  kNone,    // leaves the bus alone
  kStrict,  // calls bus_set_iommu(), an error is an error
  kOwnOk,   // the same, but not where the bus has its own ops already
  kSkip,    // only if the bus has no ops (iommu_present())
  kIgnore,  // calls bus_set_iommu() and ignores the result
  kStore,   // writes bus->iommu_ops without looking (intel, ACPI-namespace devices)
};
inline constexpr auto kClaimNames =
    std::to_array<std::string_view>({"none", "strict", "own-ok", "skip", "ignore", "store"});
inline std::string_view ClaimName(Claim claim) { return kClaimNames[static_cast<size_t>(claim)]; }

// One IOMMU driver: a set of iommu_ops.
struct Driver {
  Firmware firmware = Firmware::kAny;  // which firmware can describe its instances
  std::array<Claim, kBusCount> claims{};
  std::array<Bus, kBusCount> claim_order = {Bus::kPlatform, Bus::kPci,    Bus::kAmba,
                                            Bus::kFslMc,    Bus::kHost1x, Bus::kCdx};
  bool claims_once = false;      // claims when the last of its instances registers, not at each
  bool unwinds = false;          // a failed claim sets the buses claimed before to NULL
  bool clears = false;           // unregister sets its buses to NULL (bus_set_iommu(bus, NULL))
  DriverId address = kNoId;      // its ops lie where this driver's lay before it was unloaded
  TableId table = 0;             // default_domain_ops
  bool same_instance = false;    // attach_dev refuses a domain of another instance, -EINVAL
  bool refuses_foreign = false;  // attach_dev refuses devices of other drivers, -EINVAL
  bool instance_groups = false;  // device_group: one group per instance, else per device
  bool default_domains = true;   // up to 6.1: allocates default domains
  bool coherent = true;          // answers IOMMU_CAP_CACHE_COHERENCY
  bool accepts_foreign = false;  // probe_device takes any device
  bool deferred = false;         // is_attach_deferred: the default domain waits for the first DMA
  bool nesting = false;          // has enable_nesting
  bool static_identity = false;  // its identity domain is one static object (6.8 on)
  bool checks_snoop = false;     // driver.snoop_checked: attach_dev looks at both sides' coherency
  bool drops_old = false;        // attach_dev takes a device off its domain before it may fail
  uint8_t mismatch_errno = 0;    // what attach_dev says to what is incompatible; 0: EINVAL
  friend bool operator==(const Driver&, const Driver&) = default;
};

// One struct iommu_device.
struct Instance {
  DriverId driver = 0;
  bool fwnode = false;             // has a fwnode: devices are found behind it by their fwspec
  TableId table = 0;               // domain ops of domains allocated for its devices (6.12 on)
  bool enforces_coherency = true;  // enforce_cache_coherency succeeds behind it
  bool isolates_msi = true;        // IOMMU_CAP_INTR_REMAP
  uint8_t aperture_first = 0;      // pages that a domain bound to it can map
  uint8_t aperture_last = kLastPage;
  uint8_t page_sizes = 1;  // bit n: it maps 2^n pages at once
  friend bool operator==(const Instance&, const Instance&) = default;
};

// A reserved region (enum iommu_resv_type): pages of IOVA, both ends included.
struct Region {
  enum class Type : uint8_t { kNone, kDirect, kDirectRelaxable, kReserved, kMsi, kSwMsi };
  Type type = Type::kNone;
  uint8_t first = 0;
  uint8_t last = 0;
  friend bool operator==(const Region&, const Region&) = default;
};
inline constexpr auto kRegionTypeNames = std::to_array<std::string_view>(
    {"none", "direct", "direct-relaxable", "reserved", "msi", "sw-msi"});
inline std::string_view RegionTypeName(Region::Type type) {
  return kRegionTypeNames[static_cast<size_t>(type)];
}

// How VFIO knows a device.
enum class DeviceKind : uint8_t {
  kReal,      // behind an IOMMU, if it has one
  kEmulated,  // vfio_register_emulated_iommu_dev(): an mdev, in a fake group
  kNoIommu,   // enable_unsafe_noiommu_mode, in a fake group
};
inline constexpr auto kDeviceKindNames =
    std::to_array<std::string_view>({"real", "emulated", "noiommu"});
inline std::string_view DeviceKindName(DeviceKind kind) {
  return kDeviceKindNames[static_cast<size_t>(kind)];
}

// What a driver or a machine asks the default domain to be.
enum class DefaultType : uint8_t { kAny, kIdentity, kDma };
inline constexpr auto kDefaultTypeNames =
    std::to_array<std::string_view>({"any", "identity", "dma"});
inline std::string_view DefaultTypeName(DefaultType type) {
  return kDefaultTypeNames[static_cast<size_t>(type)];
}

struct Device {
  Bus bus = Bus::kPci;
  // The instances it is behind, in the order firmware names them. Those with a fwnode are in its
  // firmware description (applied by `configure`), the others in their driver's own tables.
  std::array<InstanceId, kMaxMasters> masters = {kNoId, kNoId};
  DeviceId alias = kNoId;  // PCI: its DMA carries this device's requester id, too
  // Devices of a bus that the same number puts in one group; 0: isolated. PCI: functions of a slot
  // without isolation (pci_device_group()). Other buses: devices that send one stream id
  // (arm_smmu_device_group()) or are in one container (fsl_mc_device_group()).
  uint8_t slot = 0;
  bool absent = false;                           // not there at boot; `add` brings it
  DeviceKind kind = DeviceKind::kReal;           // the others have no instances
  DefaultType default_type = DefaultType::kAny;  // def_domain_type() of its driver
  std::array<Region, kMaxRegions> regions{};     // those of kNone last
  friend bool operator==(const Device&, const Device&) = default;
};

// The kernel's command line and modules, and the user's limits.
struct Settings {
  bool passthrough = false;        // iommu.passthrough=1: default domains are identity
  bool unsafe_interrupts = false;  // vfio_iommu_type1.allow_unsafe_interrupts
  uint8_t dma_entries = kMaxDmas;  // vfio_iommu_type1.dma_entry_limit, up to kMaxDmas
  uint8_t memlock = kNoLimit;      // RLIMIT_MEMLOCK in pages; kNoLimit: CAP_IPC_LOCK
  friend bool operator==(const Settings&, const Settings&) = default;
};

struct Topology {
  Settings settings{};
  Firmware firmware = Firmware::kAny;  // kAny: one that describes the drivers of both kinds alike
  uint8_t drivers_count = 0;
  uint8_t tables_count = 0;
  uint8_t instances_count = 0;
  uint8_t devices_count = 0;
  std::array<Driver, kMaxDrivers> drivers{};
  std::array<Instance, kMaxInstances> instances{};
  std::array<Device, kMaxDevices> devices{};

  // The address of a driver's iommu_ops, as comparisons of pointers see it.
  [[nodiscard]] DriverId ops_address(DriverId d) const {
    return drivers[d].address == kNoId ? d : drivers[d].address;
  }
  // The same of a domain-ops table.
  [[nodiscard]] TableId table_address(TableId table) const;
  // Whether one is the other's alias, which only pci devices are; whether both are on one bus and
  // have its number of a slot or of a stream.
  [[nodiscard]] bool aliases(DeviceId a, DeviceId b) const;
  [[nodiscard]] bool same_slot(DeviceId a, DeviceId b) const;
  // Whether two devices can end in one group: a chain of the two leads from one to the other
  // (pci_device_group()). They are on one bus then.
  [[nodiscard]] bool related(DeviceId a, DeviceId b) const;
  friend bool operator==(const Topology&, const Topology&) = default;
};

// OK, or InvalidArgument with the entry at fault: an index out of range, an alias that is no PCI
// device or is the device itself, a cycle of addresses. Everything in model/ and src/ takes only
// topologies that pass.
absl::Status Validate(const Topology& topology);

// The first assumption of `rules` that the topology is outside of, if any.
std::optional<Rule> BrokenAssumption(const Topology& topology, RuleSet rules);

}  // namespace iommucheck
