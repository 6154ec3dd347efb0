// SPDX-License-Identifier: Apache-2.0
#include "model/topology.h"

#include <algorithm>
#include <bit>
#include <span>

#include "absl/strings/str_format.h"
#include "model/invariants.h"
#include "model/pci.h"

namespace iommucheck {
namespace {

// Each returns the first fault of an entry, or nullptr.

const char* WrongDriver(const Topology& t, int i) {
  const Driver& driver = t.drivers[i];
  if (driver.table >= t.tables_count) return "table out of range";
  if (driver.address != kNoId) {
    if (driver.address >= t.drivers_count) return "address out of range";
    if (driver.address == i) return "address is the driver itself";
    // Only one step, so that each driver has one address and nobody can write a cycle.
    if (t.drivers[driver.address].address != kNoId)
      return "address is a driver that has an address= itself";
  }
  std::array<bool, kBusCount> seen{};
  for (Bus bus : driver.claim_order) {
    const auto b = static_cast<size_t>(bus);
    if (b >= kBusCount || seen[b]) return "claim order is not a permutation";
    seen[b] = true;
  }
  return nullptr;
}

const char* WrongInstance(const Topology& t, int i) {
  const Instance& instance = t.instances[i];
  if (instance.driver >= t.drivers_count) return "driver out of range";
  if (instance.table >= t.tables_count) return "table out of range";
  if (instance.aperture_first > instance.aperture_last || instance.aperture_last > kLastPage)
    return "aperture out of range";
  if (instance.page_sizes == 0 || instance.page_sizes >= 1U << kPageSizes)
    return "page sizes out of range";
  return nullptr;
}

const char* WrongRegion(const Device& device) {
  bool ended = false;
  for (const Region& region : device.regions) {
    const bool none = region.type == Region::Type::kNone;
    if (!none && ended) return "region after none";
    ended = none;
    if (!none && (region.first > region.last || region.last > kLastPage))
      return "region out of range";
  }
  return nullptr;
}

const char* WrongAlias(const Topology& t, int i) {
  const Device& device = t.devices[i];
  if (device.alias == kNoId) return nullptr;
  if (device.bus != Bus::kPci) return "alias on a bus that is not pci";
  if (device.alias >= t.devices_count) return "alias out of range";
  if (device.alias == i) return "alias is the device itself";
  if (t.devices[device.alias].bus != Bus::kPci) return "alias is not a pci device";
  if (t.devices[device.alias].kind != DeviceKind::kReal)
    return "alias is a device without an IOMMU";
  // pci_dev->dma_alias_mask has the functions of its own bus.
  if (t.devices[device.alias].below != device.below) return "alias is below another bridge";
  return nullptr;
}

const char* WrongBridge(const Topology& t, int i) {
  const Device& device = t.devices[i];
  const bool pci = device.bus == Bus::kPci;
  if (!pci && (device.bridge != Bridge::kNone || device.below != kNoId || device.acs))
    return "a bridge, below a bridge or with ACS on a bus that is not pci";
  if (static_cast<size_t>(device.bridge) >= kBridgeNames.size()) return "bridge out of range";
  if (device.below == kNoId) return nullptr;
  if (device.below >= i) return "below a bridge that comes later";
  if (t.devices[device.below].bridge == Bridge::kNone) return "below a device that is no bridge";
  if (t.devices[device.below].absent && !device.absent) return "there, below a bridge that is not";
  return nullptr;
}

const char* WrongDevice(const Topology& t, int i) {
  const Device& device = t.devices[i];
  const bool fake = device.kind != DeviceKind::kReal;
  if (fake && (device.masters[0] != kNoId || device.alias != kNoId || device.slot != 0 ||
               device.bridge != Bridge::kNone || device.below != kNoId || device.acs ||
               device.regions[0].type != Region::Type::kNone))
    return "what has no IOMMU has instances, an alias, a slot, a stream id, a bridge, ACS or a "
           "region";
  if (const char* why = WrongRegion(device)) return why;
  if (static_cast<int>(device.bus) >= kBusCount) return "bus out of range";
  for (InstanceId master : device.masters)
    if (master != kNoId && master >= t.instances_count) return "instance out of range";
  if (device.masters[0] == kNoId && device.masters[1] != kNoId)
    return "second instance without a first";
  if (device.masters[0] != kNoId && device.masters[0] == device.masters[1])
    return "behind the same instance twice";
  if (const char* why = WrongBridge(t, i)) return why;
  return WrongAlias(t, i);
}

struct WrongEntry {
  const char* why = nullptr;  // nullptr: nothing is wrong
  const char* what = nullptr;
  int entry = 0;
};

WrongEntry FindWrong(const Topology& t) {
  if (t.drivers_count > kMaxDrivers || t.tables_count > kMaxTables ||
      t.instances_count > kMaxInstances || t.devices_count > kMaxDevices)
    return {.why = "more entries than the model's capacity"};
  if (t.settings.dma_entries > kMaxDmas) return {.why = "more mappings than the model's capacity"};
  const auto first_of = [&t](const char* what, int count,
                             const char* (*wrong)(const Topology&, int)) -> WrongEntry {
    for (int i = 0; i < count; ++i)
      if (const char* why = wrong(t, i)) return {.why = why, .what = what, .entry = i};
    return {};
  };
  WrongEntry found = first_of("driver", t.drivers_count, WrongDriver);
  if (found.why == nullptr) found = first_of("instance", t.instances_count, WrongInstance);
  if (found.why == nullptr) found = first_of("device", t.devices_count, WrongDevice);
  return found;
}

// --- assumptions about machines ---

bool SharesTable(const Topology& t) {
  // The first driver that names a table, through itself or an instance, owns it.
  std::array<DriverId, kMaxTables> owner;
  owner.fill(kNoId);
  const auto taken = [&owner](TableId table, DriverId driver) {
    if (owner[table] == kNoId) owner[table] = driver;
    return owner[table] != driver;
  };
  for (DriverId d = 0; d < t.drivers_count; ++d)
    if (taken(t.drivers[d].table, d)) return true;
  for (InstanceId i = 0; i < t.instances_count; ++i)
    if (taken(t.instances[i].table, t.instances[i].driver)) return true;
  return false;
}

std::span<const Driver> DriversOf(const Topology& t) {
  return std::span(t.drivers).first(t.drivers_count);
}

bool ReusesAddress(const Topology& t) {
  return std::ranges::any_of(DriversOf(t), [](const Driver& d) { return d.address != kNoId; });
}

bool AcceptsForeign(const Topology& t) {
  return std::ranges::any_of(DriversOf(t), &Driver::accepts_foreign);
}

// Whether two devices that can end in one group are together behind more than one of the things
// whose bits `of` returns.
bool MixesGroups(const Topology& t, unsigned (Topology::*of)(DeviceId) const) {
  for (DeviceId a = 0; a < t.devices_count; ++a)
    for (DeviceId b = 0; b < a; ++b)
      if (t.related(a, b) && std::popcount((t.*of)(a) | (t.*of)(b)) > 1) return true;
  return false;
}
bool MixesDrivers(const Topology& t) { return MixesGroups(t, &Topology::drivers_of); }
bool MixesInstances(const Topology& t) { return MixesGroups(t, &Topology::instances_of); }

bool LacksCpuPages(const Topology& t) {
  const auto instances = std::span(t.instances).first(t.instances_count);
  return std::ranges::any_of(instances, [](const Instance& i) { return (i.page_sizes & 1U) == 0; });
}

bool HasDisjointClaims(const Topology& t) {
  for (DriverId a = 0; a < t.drivers_count; ++a)
    for (DriverId b = 0; b < a; ++b) {
      bool common = false;
      for (int bus = 0; bus < kBusCount; ++bus)
        common |=
            t.drivers[a].claims[bus] != Claim::kNone && t.drivers[b].claims[bus] != Claim::kNone;
      if (!common) return true;
    }
  return false;
}

// One step of related().
bool AreRelatives(const Topology& t, DeviceId a, DeviceId b) {
  return t.aliases(a, b) || t.same_slot(a, b) || SharedBridges(t, a).has(b) ||
         SharedBridges(t, b).has(a);
}

// Whether a chain of devices leads from one to the other, each related to the next.
bool LeadsTo(const Topology& t, DeviceId a, DeviceId b,
             bool (*relates)(const Topology&, DeviceId, DeviceId)) {
  uint64_t reached = uint64_t{1} << a;
  for (uint64_t fresh = reached; fresh != 0;) {
    const auto from = static_cast<DeviceId>(std::countr_zero(fresh));
    fresh &= fresh - 1;
    for (DeviceId to = 0; to < t.devices_count; ++to)
      if (((reached >> to) & 1U) == 0 && relates(t, from, to)) {
        reached |= uint64_t{1} << to;
        fresh |= uint64_t{1} << to;
      }
  }
  return ((reached >> b) & 1U) != 0;
}

struct MachineAssumption {
  Rule rule;
  bool (*is_broken)(const Topology&);
};
constexpr MachineAssumption kMachineAssumptions[] = {
    {Rule::kAssumeTablesNotShared, SharesTable},
    {Rule::kAssumeAddressNotReused, ReusesAddress},
    {Rule::kAssumeProbeRejectsForeign, AcceptsForeign},
    {Rule::kAssumeHomogeneousGroups, MixesDrivers},
    {Rule::kAssumeOneInstanceGroups, MixesInstances},
    {Rule::kAssumeCommonPageSize, LacksCpuPages},
    {Rule::kAssumeDriversCompeteForABus, HasDisjointClaims},
};

}  // namespace

std::optional<Bus> FindBus(std::string_view name) {
  const auto* it = std::ranges::find(kBusNames, name);
  if (it == kBusNames.end()) return std::nullopt;
  return static_cast<Bus>(it - kBusNames.begin());
}

TableId Topology::table_address(TableId table) const {
  for (DriverId d = 0; d < drivers_count; ++d)
    if (drivers[d].table == table && drivers[d].address != kNoId)
      return drivers[drivers[d].address].table;
  return table;
}

unsigned Topology::instances_of(DeviceId dev) const {
  unsigned mask = 0;
  for (InstanceId master : devices[dev].masters)
    if (master != kNoId) mask |= 1U << master;
  return mask;
}

unsigned Topology::drivers_of(DeviceId dev) const {
  unsigned mask = 0;
  for (InstanceId master : devices[dev].masters)
    if (master != kNoId) mask |= 1U << instances[master].driver;
  return mask;
}

bool Topology::aliases(DeviceId a, DeviceId b) const {
  return devices[a].alias == b || devices[b].alias == a;
}

bool Topology::same_slot(DeviceId a, DeviceId b) const {
  return devices[a].slot != 0 && devices[a].slot == devices[b].slot &&
         devices[a].bus == devices[b].bus && devices[a].below == devices[b].below &&
         !pci_acs_enabled(*this, a) && !pci_acs_enabled(*this, b);
}

bool Topology::related(DeviceId a, DeviceId b) const { return LeadsTo(*this, a, b, AreRelatives); }

bool Topology::connected(DeviceId a, DeviceId b) const {
  return LeadsTo(*this, a, b, [](const Topology& t, DeviceId from, DeviceId to) {
    return AreRelatives(t, from, to) || t.devices[from].below == to || t.devices[to].below == from;
  });
}

absl::Status Validate(const Topology& t) {
  const WrongEntry found = FindWrong(t);
  if (found.why == nullptr) return absl::OkStatus();
  if (found.what == nullptr) return absl::InvalidArgumentError(found.why);
  return absl::InvalidArgumentError(
      absl::StrFormat("%s %d: %s", found.what, found.entry, found.why));
}

bool IsValid(const Topology& t) { return FindWrong(t).why == nullptr; }

std::optional<Rule> BrokenAssumption(const Topology& t, RuleSet rules) {
  for (const MachineAssumption& assumption : kMachineAssumptions)
    if (rules.has(assumption.rule) && assumption.is_broken(t)) return assumption.rule;
  return std::nullopt;
}

}  // namespace iommucheck
