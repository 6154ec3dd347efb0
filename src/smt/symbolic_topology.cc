// SPDX-License-Identifier: Apache-2.0
#include "src/smt/symbolic_topology.h"

#include <algorithm>
#include <set>
#include <span>

#include "model/pci.h"

namespace iommucheck::smt {
namespace {

// Where a table lies, by the table that lay there first: where a driver is loaded at the address of
// another one, its default table is at that of the other's, whoever else names it.
TableId TableAddress(const Topology& t, TableId table) {
  const auto drivers = std::span(t.drivers).first(t.drivers_count);
  const auto moved = std::ranges::find_if(
      drivers, [table](const Driver& d) { return d.table == table && d.address != kNoId; });
  return moved == drivers.end() ? table : t.drivers[moved->address].table;
}

SymbolicDriver FromDriver(const Topology& t, DriverId r) {
  const Driver& d = t.drivers[r];
  SymbolicDriver s;
  s.refused_by_firmware =
      t.firmware != Firmware::kAny && d.firmware != Firmware::kAny && t.firmware != d.firmware;
  for (int b = 0; b < kBusCount; ++b) s.claims[b][static_cast<size_t>(d.claims[b])] = true;
  s.claim_order = d.claim_order;
  s.claims_once = d.claims_once;
  s.unwinds = d.unwinds;
  s.clears = d.clears;
  s.address = OneHot(t.drivers_count, t.ops_address(r));
  s.table = OneHot(t.tables_count, TableAddress(t, d.table));
  s.same_instance = d.same_instance;
  s.refuses_foreign = d.refuses_foreign;
  s.instance_groups = d.instance_groups;
  s.default_domains = d.default_domains;
  s.coherent = d.coherent;
  s.accepts_foreign = d.accepts_foreign;
  return s;
}

SymbolicDevice FromDevice(const Topology& t, int d) {
  const Device& device = t.devices[d];
  SymbolicDevice s;
  s.bus[static_cast<size_t>(device.bus)] = true;
  for (int m = 0; m < kMaxMasters; ++m)
    s.masters[m] = OneHot(t.instances_count, device.masters[m] == kNoId ? -1 : device.masters[m]);
  s.alias_related = Zeros(t.devices_count);
  s.slot_related = Zeros(t.devices_count);
  for (int e = 0; e < t.devices_count; ++e) {
    if (e == d) continue;
    s.alias_related[e] = t.aliases(static_cast<DeviceId>(d), static_cast<DeviceId>(e));
    s.slot_related[e] = t.same_slot(static_cast<DeviceId>(d), static_cast<DeviceId>(e));
  }
  s.below = OneHot(t.devices_count, device.below == kNoId ? -1 : device.below);
  const Bridges bridges = SharedBridges(t, static_cast<DeviceId>(d));
  for (int n = 0; n < bridges.count; ++n)
    s.bridges.push_back(OneHot(t.devices_count, bridges.devices[static_cast<size_t>(n)]));
  s.absent = device.absent;
  return s;
}

// Whether two drivers name one table, themselves or through an instance.
bool TableShared(const Topology& t) {
  std::array<std::set<DriverId>, kMaxTables> users;
  for (DriverId r = 0; r < t.drivers_count; ++r) users[t.drivers[r].table].insert(r);
  for (int i = 0; i < t.instances_count; ++i)
    users[t.instances[i].table].insert(t.instances[i].driver);
  return std::ranges::any_of(users, [](const auto& drivers) { return drivers.size() > 1; });
}

// Whether two devices that can be in one group are behind instances of two drivers.
bool AnyMixedGroup(const Topology& t) {
  for (DeviceId a = 0; a < t.devices_count; ++a)
    for (DeviceId b = a + 1; b < t.devices_count; ++b) {
      std::set<DriverId> drivers;
      for (DeviceId d : {a, b})
        for (InstanceId i : t.devices[d].masters)
          if (i != kNoId && t.related(a, b)) drivers.insert(t.instances[i].driver);
      if (drivers.size() > 1) return true;
    }
  return false;
}

bool DisjointClaims(const Topology& t) {
  for (int a = 0; a < t.drivers_count; ++a) {
    for (int b = a + 1; b < t.drivers_count; ++b) {
      bool common = false;
      for (int bus = 0; bus < kBusCount; ++bus)
        common |=
            t.drivers[a].claims[bus] != Claim::kNone && t.drivers[b].claims[bus] != Claim::kNone;
      if (!common) return true;
    }
  }
  return false;
}

}  // namespace

SymbolicTopology FromTopology(const Topology& t) {
  SymbolicTopology s;
  s.tables = t.tables_count;
  s.acpi = t.firmware == Firmware::kAcpi;
  for (int b = 0; b < kBusCount; ++b) s.buses.push_back(static_cast<Bus>(b));
  for (DriverId r = 0; r < t.drivers_count; ++r) s.drivers.push_back(FromDriver(t, r));
  for (int i = 0; i < t.instances_count; ++i) {
    const Instance& instance = t.instances[i];
    s.instances.push_back({.driver = instance.driver,
                           .fwnode = instance.fwnode,
                           .table = OneHot(t.tables_count, TableAddress(t, instance.table)),
                           .enforces_coherency = instance.enforces_coherency});
  }
  for (int d = 0; d < t.devices_count; ++d) s.devices.push_back(FromDevice(t, d));
  return s;
}

bool BreaksAssumption(const Topology& t, RuleSet rules) {
  using enum Rule;
  const std::span drivers(t.drivers.data(), t.drivers_count);
  const auto moved = [](const Driver& d) { return d.address != kNoId; };
  const auto accepts = [](const Driver& d) { return d.accepts_foreign; };
  return (rules.has(kAssumeTablesNotShared) && TableShared(t)) ||
         (rules.has(kAssumeAddressNotReused) && std::ranges::any_of(drivers, moved)) ||
         (rules.has(kAssumeProbeRejectsForeign) && std::ranges::any_of(drivers, accepts)) ||
         (rules.has(kAssumeHomogeneousGroups) && AnyMixedGroup(t)) ||
         (rules.has(kAssumeDriversCompeteForABus) && DisjointClaims(t));
}

}  // namespace iommucheck::smt
