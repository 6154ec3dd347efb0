// SPDX-License-Identifier: Apache-2.0
#include "model/topology.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_format.h"

namespace iommucheck {
namespace {

absl::Status Invalid(const char* what, int index, const char* why) {
  return absl::InvalidArgumentError(absl::StrFormat("%s %d: %s", what, index, why));
}

absl::Status ValidateDriver(const Topology& t, int i) {
  const Driver& driver = t.drivers[i];
  if (driver.table >= t.tables_count) return Invalid("driver", i, "table out of range");
  if (driver.address != kNoId) {
    if (driver.address >= t.drivers_count) return Invalid("driver", i, "address out of range");
    if (driver.address == i) return Invalid("driver", i, "address is the driver itself");
    // Only one step, so that each driver has one address and nobody can write a cycle.
    if (t.drivers[driver.address].address != kNoId)
      return Invalid("driver", i, "address is a driver that has an address= itself");
  }
  std::array<bool, kBusCount> seen{};
  for (Bus bus : driver.claim_order) {
    const auto b = static_cast<size_t>(bus);
    if (b >= kBusCount || seen[b]) return Invalid("driver", i, "claim order is not a permutation");
    seen[b] = true;
  }
  return absl::OkStatus();
}

absl::Status ValidateInstance(const Topology& t, int i) {
  const Instance& instance = t.instances[i];
  if (instance.driver >= t.drivers_count) return Invalid("instance", i, "driver out of range");
  if (instance.table >= t.tables_count) return Invalid("instance", i, "table out of range");
  if (instance.aperture_first > instance.aperture_last || instance.aperture_last > kLastPage)
    return Invalid("instance", i, "aperture out of range");
  if (instance.page_sizes == 0 || instance.page_sizes >= 1U << kPageSizes)
    return Invalid("instance", i, "page sizes out of range");
  return absl::OkStatus();
}

absl::Status ValidateRegions(const Device& device, int i) {
  bool ended = false;
  for (const Region& region : device.regions) {
    const bool none = region.type == Region::Type::kNone;
    if (!none && ended) return Invalid("device", i, "region after none");
    ended = none;
    if (!none && (region.first > region.last || region.last > kLastPage))
      return Invalid("device", i, "region out of range");
  }
  return absl::OkStatus();
}

absl::Status ValidateDevice(const Topology& t, int i) {
  const Device& device = t.devices[i];
  const bool fake = device.kind != DeviceKind::kReal;
  if (fake && (device.masters[0] != kNoId || device.alias != kNoId || device.slot != 0 ||
               device.regions[0].type != Region::Type::kNone))
    return Invalid("device", i,
                   "what has no IOMMU has instances, an alias, a slot, a stream id or a region");
  if (absl::Status s = ValidateRegions(device, i); !s.ok()) return s;
  if (static_cast<int>(device.bus) >= kBusCount) return Invalid("device", i, "bus out of range");
  for (InstanceId master : device.masters)
    if (master != kNoId && master >= t.instances_count)
      return Invalid("device", i, "instance out of range");
  if (device.masters[0] == kNoId && device.masters[1] != kNoId)
    return Invalid("device", i, "second instance without a first");
  if (device.masters[0] != kNoId && device.masters[0] == device.masters[1])
    return Invalid("device", i, "behind the same instance twice");
  if (device.bus != Bus::kPci && device.alias != kNoId)
    return Invalid("device", i, "alias on a bus that is not pci");
  if (device.alias == kNoId) return absl::OkStatus();
  if (device.alias >= t.devices_count) return Invalid("device", i, "alias out of range");
  if (device.alias == i) return Invalid("device", i, "alias is the device itself");
  if (t.devices[device.alias].bus != Bus::kPci)
    return Invalid("device", i, "alias is not a pci device");
  if (t.devices[device.alias].kind != DeviceKind::kReal)
    return Invalid("device", i, "alias is a device without an IOMMU");
  return absl::OkStatus();
}

bool Claims(const Driver& driver, int bus) { return driver.claims[bus] != Claim::kNone; }

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

bool HasMixedGroups(const Topology& t) {
  const auto drivers_of = [&t](DeviceId d) {
    unsigned mask = 0;
    for (InstanceId m : t.devices[d].masters)
      if (m != kNoId) mask |= 1U << t.instances[m].driver;
    return mask;
  };
  for (DeviceId a = 0; a < t.devices_count; ++a)
    for (DeviceId b = 0; b < a; ++b)
      if (t.related(a, b)) {
        const unsigned both = drivers_of(a) | drivers_of(b);
        if ((both & (both - 1)) != 0) return true;
      }
  return false;
}

bool HasTwoInstanceGroups(const Topology& t) {
  const auto instances_of = [&t](DeviceId d) {
    unsigned mask = 0;
    for (InstanceId m : t.devices[d].masters)
      if (m != kNoId) mask |= 1U << m;
    return mask;
  };
  for (DeviceId a = 0; a < t.devices_count; ++a)
    for (DeviceId b = 0; b < a; ++b)
      if (t.related(a, b)) {
        const unsigned both = instances_of(a) | instances_of(b);
        if ((both & (both - 1)) != 0) return true;
      }
  return false;
}

bool LacksCpuPages(const Topology& t) {
  const auto instances = std::span(t.instances).first(t.instances_count);
  return std::ranges::any_of(instances, [](const Instance& i) { return (i.page_sizes & 1U) == 0; });
}

bool HasDisjointClaims(const Topology& t) {
  for (DriverId a = 0; a < t.drivers_count; ++a)
    for (DriverId b = 0; b < a; ++b) {
      bool common = false;
      for (int bus = 0; bus < kBusCount; ++bus)
        common |= Claims(t.drivers[a], bus) && Claims(t.drivers[b], bus);
      if (!common) return true;
    }
  return false;
}

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

bool Topology::aliases(DeviceId a, DeviceId b) const {
  return devices[a].alias == b || devices[b].alias == a;
}

bool Topology::same_slot(DeviceId a, DeviceId b) const {
  return devices[a].slot != 0 && devices[a].slot == devices[b].slot &&
         devices[a].bus == devices[b].bus;
}

bool Topology::related(DeviceId a, DeviceId b) const {
  uint64_t reached = uint64_t{1} << a;
  for (uint64_t fresh = reached; fresh != 0;) {
    const auto from = static_cast<DeviceId>(std::countr_zero(fresh));
    fresh &= fresh - 1;
    for (DeviceId to = 0; to < devices_count; ++to)
      if (((reached >> to) & 1U) == 0 && (aliases(from, to) || same_slot(from, to))) {
        reached |= uint64_t{1} << to;
        fresh |= uint64_t{1} << to;
      }
  }
  return ((reached >> b) & 1U) != 0;
}

absl::Status Validate(const Topology& t) {
  if (t.drivers_count > kMaxDrivers || t.tables_count > kMaxTables ||
      t.instances_count > kMaxInstances || t.devices_count > kMaxDevices)
    return absl::InvalidArgumentError("more entries than the model's capacity");
  if (t.settings.dma_entries > kMaxDmas)
    return absl::InvalidArgumentError("more mappings than the model's capacity");
  for (int i = 0; i < t.drivers_count; ++i)
    if (absl::Status s = ValidateDriver(t, i); !s.ok()) return s;
  for (int i = 0; i < t.instances_count; ++i)
    if (absl::Status s = ValidateInstance(t, i); !s.ok()) return s;
  for (int i = 0; i < t.devices_count; ++i)
    if (absl::Status s = ValidateDevice(t, i); !s.ok()) return s;
  return absl::OkStatus();
}

std::optional<Rule> BrokenAssumption(const Topology& t, RuleSet rules) {
  const auto drivers = std::span(t.drivers).first(t.drivers_count);
  if (rules.has(Rule::kAssumeTablesNotShared) && SharesTable(t))
    return Rule::kAssumeTablesNotShared;
  if (rules.has(Rule::kAssumeAddressNotReused) &&
      std::ranges::any_of(drivers, [](const Driver& d) { return d.address != kNoId; }))
    return Rule::kAssumeAddressNotReused;
  if (rules.has(Rule::kAssumeProbeRejectsForeign) &&
      std::ranges::any_of(drivers, &Driver::accepts_foreign))
    return Rule::kAssumeProbeRejectsForeign;
  if (rules.has(Rule::kAssumeHomogeneousGroups) && HasMixedGroups(t))
    return Rule::kAssumeHomogeneousGroups;
  if (rules.has(Rule::kAssumeOneInstanceGroups) && HasTwoInstanceGroups(t))
    return Rule::kAssumeOneInstanceGroups;
  if (rules.has(Rule::kAssumeCommonPageSize) && LacksCpuPages(t))
    return Rule::kAssumeCommonPageSize;
  if (rules.has(Rule::kAssumeDriversCompeteForABus) && HasDisjointClaims(t))
    return Rule::kAssumeDriversCompeteForABus;
  return std::nullopt;
}

}  // namespace iommucheck
