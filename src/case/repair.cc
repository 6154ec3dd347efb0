// SPDX-License-Identifier: Apache-2.0
#include "src/case/repair.h"

#include <algorithm>
#include <bit>

namespace iommucheck {
namespace {

TableId TableOfNoDriver(const Topology& t) {
  TableId table = 0;
  const auto named = [&](const Driver& d) { return d.table == table; };
  while (std::any_of(t.drivers.begin(), t.drivers.begin() + t.drivers_count, named)) ++table;
  return table;
}

void UnshareTables(Topology& t) {
  std::array<DriverId, kMaxTables> owner;
  owner.fill(kNoId);
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    TableId& table = t.drivers[d].table;
    if (owner[table] != kNoId) table = TableOfNoDriver(t);
    t.tables_count = std::max(t.tables_count, static_cast<uint8_t>(table + 1));
    owner[table] = d;
  }
  for (InstanceId i = 0; i < t.instances_count; ++i) {
    Instance& instance = t.instances[i];
    DriverId& driver = owner[instance.table];
    if (driver == kNoId) driver = instance.driver;
    if (driver != instance.driver) instance.table = t.drivers[instance.driver].table;
  }
}

void Isolate(Topology& t, DeviceId dev) {
  const auto leave = [&t](DeviceId other) {
    t.devices[other].alias = kNoId;
    t.devices[other].slot = 0;
    t.devices[other].below = kNoId;
  };
  leave(dev);
  for (DeviceId other = 0; other < t.devices_count; ++other) {
    Device& device = t.devices[other];
    if (device.alias == dev) device.alias = kNoId;
    if (device.below == dev) leave(other);
  }
  // An alias is below the same bridge.
  for (DeviceId other = 0; other < t.devices_count; ++other) {
    DeviceId& alias = t.devices[other].alias;
    if (alias != kNoId && t.devices[alias].below != t.devices[other].below) alias = kNoId;
  }
}

// Isolates devices until those that can end in one group are together behind at most one of the
// things whose bits `of` returns.
void UnmixGroups(Topology& t, unsigned (Topology::*of)(DeviceId) const) {
  for (DeviceId a = 0; a < t.devices_count; ++a)
    for (DeviceId b = 0; b < a; ++b)
      if (std::popcount((t.*of)(a) | (t.*of)(b)) > 1 && t.related(a, b)) Isolate(t, a);
}

size_t FirstClaim(const Driver& driver) {
  const auto* claimed =
      std::ranges::find_if(driver.claims, [](Claim c) { return c != Claim::kNone; });
  return static_cast<size_t>(claimed - driver.claims.begin());
}

bool ClaimInCommon(const Driver& a, const Driver& b) {
  for (size_t bus = 0; bus < kBusCount; ++bus)
    if (a.claims[bus] != Claim::kNone && b.claims[bus] != Claim::kNone) return true;
  return false;
}

void LetDriversCompete(Topology& t) {
  for (DriverId a = 0; a < t.drivers_count; ++a)
    for (DriverId b = 0; b < a; ++b) {
      Driver& x = t.drivers[a];
      Driver& y = t.drivers[b];
      if (ClaimInCommon(x, y)) continue;
      size_t bus = std::min(FirstClaim(x), FirstClaim(y));
      if (bus == kBusCount) bus = static_cast<size_t>(Bus::kPci);
      for (Driver* driver : {&x, &y})
        if (driver->claims[bus] == Claim::kNone) driver->claims[bus] = Claim::kStrict;
    }
}

}  // namespace

void Repair(Topology& t, RuleSet rules) {
  if (rules.has(Rule::kAssumeTablesNotShared)) UnshareTables(t);
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    if (rules.has(Rule::kAssumeAddressNotReused)) t.drivers[d].address = kNoId;
    if (rules.has(Rule::kAssumeProbeRejectsForeign)) t.drivers[d].accepts_foreign = false;
  }
  if (rules.has(Rule::kAssumeHomogeneousGroups)) UnmixGroups(t, &Topology::drivers_of);
  if (rules.has(Rule::kAssumeOneInstanceGroups)) UnmixGroups(t, &Topology::instances_of);
  if (rules.has(Rule::kAssumeCommonPageSize))
    for (InstanceId i = 0; i < t.instances_count; ++i) t.instances[i].page_sizes |= 1U;
  if (rules.has(Rule::kAssumeDriversCompeteForABus)) LetDriversCompete(t);
}

}  // namespace iommucheck
