// SPDX-License-Identifier: Apache-2.0
//
// A machine: firmware, drivers, IOMMU instances and devices. Plain data of fixed capacity, without
// names (a case has those), so that a fuzzer can make a million a second.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "model/rules.h"

namespace iommucheck {

// Indices into the arrays below. kNoId means "none" for each of them.
using DriverId = uint8_t;
using TableId = uint8_t;
using InstanceId = uint8_t;
using DeviceId = uint8_t;
using GroupId = uint8_t;
using DomainId = uint8_t;
using ContainerId = uint8_t;
inline constexpr uint8_t kNoId = 0xff;

// Capacities. A topology that exceeds them is refused, never truncated.
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

// The kind of firmware that describes a machine, or the instances of a driver. A machine of any
// kind describes its devices as a device tree does.
enum class Firmware : uint8_t { kAny, kAcpi, kDt };
inline constexpr auto kFirmwareNames = std::to_array<std::string_view>({"any", "acpi", "dt"});
inline std::string_view FirmwareName(Firmware firmware) {
  return kFirmwareNames[static_cast<size_t>(firmware)];
}

// How a driver of the bus-slot era treats one bus when one of its instances probes (the callers of
// bus_set_iommu() in each driver, 5.15 to 6.0).
enum class Claim : uint8_t {
  kNone,    // leaves the bus alone
  kStrict,  // calls bus_set_iommu(), an error is an error
  kOwnOk,   // as kStrict, but does nothing where the bus has its own ops already
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
  bool claims_once = false;      // claims when the last of its instances registers, not at each one
  bool unwinds = false;          // after a failed claim it sets the buses claimed before to NULL
  bool clears = false;           // unregister sets its buses to NULL (bus_set_iommu(bus, NULL))
  DriverId address = kNoId;      // its ops lie where those of this driver lay, which was unloaded
  TableId table = 0;             // default_domain_ops
  bool same_instance = false;    // attach_dev refuses a domain of another instance, -EINVAL
  bool refuses_foreign = false;  // attach_dev refuses devices of other drivers, -EINVAL
  bool instance_groups = false;  // device_group: one group per instance, otherwise one per device
  bool default_domains = true;   // up to and including 6.6: allocates default domains
  bool coherent = true;          // answers IOMMU_CAP_CACHE_COHERENCY
  bool accepts_foreign = false;  // probe_device takes any device
  bool deferred = false;         // is_attach_deferred: the first DMA attaches the default domain
  bool nesting = false;          // has enable_nesting
  bool static_identity = false;  // its identity domain is one static object (from 6.8 on)
  bool checks_snoop = false;     // driver.snoop_checked: attach_dev compares the coherency of both
  bool drops_old = false;        // attach_dev drops the device's old domain before it may fail
  uint8_t mismatch_errno = 0;    // errno of attach_dev for an incompatible device; 0: EINVAL
  friend bool operator==(const Driver&, const Driver&) = default;
};

// One struct iommu_device.
struct Instance {
  DriverId driver = 0;
  bool fwnode = false;             // has a fwnode: the core finds its devices by their fwspec
  TableId table = 0;               // domain ops of domains allocated for its devices (from 6.12 on)
  bool enforces_coherency = true;  // enforce_cache_coherency succeeds for devices behind it
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

// How VFIO treats a device.
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

// The bridge that a PCI function is, by the type in its PCI Express capability (pci_pcie_type()).
enum class Bridge : uint8_t {
  kNone,        // an endpoint
  kRootPort,    // PCI_EXP_TYPE_ROOT_PORT
  kUpstream,    // PCI_EXP_TYPE_UPSTREAM, of a switch
  kDownstream,  // PCI_EXP_TYPE_DOWNSTREAM, of a switch
  kPcieToPci,   // PCI_EXP_TYPE_PCI_BRIDGE
  kPciToPcie,   // PCI_EXP_TYPE_PCIE_BRIDGE
  kPciToPci,    // without that capability
};
inline constexpr auto kBridgeNames = std::to_array<std::string_view>(
    {"none", "root-port", "upstream", "downstream", "pcie-to-pci", "pci-to-pcie", "pci-to-pci"});

// The type of default domain that a driver or a machine asks for.
enum class DefaultType : uint8_t { kAny, kIdentity, kDma };
inline constexpr auto kDefaultTypeNames =
    std::to_array<std::string_view>({"any", "identity", "dma"});

struct Device {
  Bus bus = Bus::kPci;
  // The instances that the device is behind, in the order in which firmware names them. Those with
  // a fwnode are in the device's firmware description (applied by `configure`), the others in the
  // tables of their drivers.
  std::array<InstanceId, kMaxMasters> masters = {kNoId, kNoId};
  DeviceId alias = kNoId;  // PCI: its DMA carries this device's requester id, too
  // Devices of one bus with the same number share a group; 0: isolated. PCI: functions of one slot
  // below one bridge, which share a group unless ACS isolates them (pci_device_group()). Other
  // buses: devices that send one stream id (arm_smmu_device_group()) or are in one container
  // (fsl_mc_device_group()).
  uint8_t slot = 0;
  Bridge bridge = Bridge::kNone;  // PCI: what it is a bridge of
  DeviceId below = kNoId;  // PCI: the bridge, an earlier device; kNoId: it is on the root bus
  bool acs = false;        // PCI: has all of REQ_ACS_FLAGS switched on
  bool absent = false;     // not there at boot; `add` adds it
  bool ats = false;        // PCI: pci_ats_supported()
  DeviceKind kind = DeviceKind::kReal;           // the other kinds have no instances
  DefaultType default_type = DefaultType::kAny;  // def_domain_type() of its driver
  std::array<Region, kMaxRegions> regions{};     // unused entries (kNone) are last
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
  Firmware firmware = Firmware::kAny;  // kAny: one that can describe the drivers of both kinds
  uint8_t drivers_count = 0;
  uint8_t tables_count = 0;
  uint8_t instances_count = 0;
  uint8_t devices_count = 0;
  std::array<Driver, kMaxDrivers> drivers{};
  std::array<Instance, kMaxInstances> instances{};
  std::array<Device, kMaxDevices> devices{};

  // The address of a driver's iommu_ops, for comparisons of pointers.
  [[nodiscard]] DriverId ops_address(DriverId d) const {
    return drivers[d].address == kNoId ? d : drivers[d].address;
  }
  // The address of a domain-ops table, for comparisons of pointers.
  [[nodiscard]] TableId table_address(TableId table) const;
  // The instances that a device is behind, and their drivers: a bit each.
  [[nodiscard]] unsigned instances_of(DeviceId dev) const;
  [[nodiscard]] unsigned drivers_of(DeviceId dev) const;
  // aliases(): one is the other's alias (pci devices only). same_slot(): both have the same number
  // of a stream on one bus, or of a slot below one bridge, and no ACS.
  [[nodiscard]] bool aliases(DeviceId a, DeviceId b) const;
  [[nodiscard]] bool same_slot(DeviceId a, DeviceId b) const;
  // Whether two devices can end in one group: a chain of aliases, shared slots and bridges leads
  // from one to the other (pci_device_group()). They are on one bus then.
  [[nodiscard]] bool related(DeviceId a, DeviceId b) const;
  // Whether a chain of related devices, and of bridges and what is below them, leads from one to the
  // other: a bridge comes before what is below it, and goes after it.
  [[nodiscard]] bool connected(DeviceId a, DeviceId b) const;
  friend bool operator==(const Topology&, const Topology&) = default;
};

// OK, or InvalidArgument that names the faulty entry: an index out of range, an alias that is no
// PCI device of the same bus or is the device itself, a bridge that comes later or is absent when
// its device is not, a cycle of addresses. All code in model/ and src/ requires
// topologies that pass.
absl::Status Validate(const Topology& topology);

// The first assumption of `rules` that the topology breaks, if any.
std::optional<Rule> BrokenAssumption(const Topology& topology, RuleSet rules);

}  // namespace iommucheck
