// SPDX-License-Identifier: Apache-2.0
#include "src/explore/scope.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/spelling.h"

namespace iommucheck::explore {
namespace {

constexpr auto kPlatform = static_cast<size_t>(Bus::kPlatform);
constexpr auto kPci = static_cast<size_t>(Bus::kPci);

struct Entry {
  const char* name;
  int Scope::* value;
  int least;
  int most;
};
constexpr std::array<Entry, 7> kEntries = {{{"drivers", &Scope::drivers, 1, 3},
                                            {"buses", &Scope::buses, 1, 2},
                                            {"devices", &Scope::devices, 1, 4},
                                            {"instances", &Scope::instances, 1, 2},
                                            {"groups", &Scope::groups, 1, 8},
                                            {"containers", &Scope::containers, 1, 2},
                                            {"steps", &Scope::steps, 1, 64}}};

uint64_t TimesUpToMost(uint64_t a, uint64_t b) {
  return b != 0 && a > std::numeric_limits<uint64_t>::max() / b
             ? std::numeric_limits<uint64_t>::max()
             : a * b;
}

// Whether some step on the kernel reads the attribute at all.
bool ReadsCoherent(const KernelProfile& kernel) {
  return kernel.has(Rule::kVfioCacheCoherency) ||
         (!kernel.has(Rule::kType1EnforceCoherency) && kernel.has(Rule::kType1SameCoherency));
}
bool ReadsEnforcing(const KernelProfile& kernel) {
  return kernel.has(Rule::kType1EnforceCoherency) && kernel.has(Rule::kType1SameCoherency);
}
bool ReadsInstanceTable(const KernelProfile& kernel) {
  return kernel.has(Rule::kAllocByDevice) && kernel.has(Rule::kType1SameOps) &&
         !kernel.has(Rule::kAllocOpsPerDriver);
}

}  // namespace

absl::StatusOr<Scope> ParseScope(std::string_view text) {
  Scope scope;
  size_t at = 0;
  const auto bad = [&](size_t column, const std::string& expected, std::string_view found) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--scope:%d: expected %s, found %s", column + 1, expected, Quote(found)));
  };
  while (at <= text.size()) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    const size_t equals = std::min(part.find('='), part.size());
    const std::string name(part.substr(0, equals));
    const auto* const entry = std::ranges::find(kEntries, name, &Entry::name);
    if (entry == kEntries.end())
      return bad(at, "drivers, buses, devices, instances, groups, containers or steps", name);
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    const bool steps = entry->value == &Scope::steps;
    int number = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (steps && value == "unbounded")
      number = kUnbounded;
    else if (error != std::errc() || stop != value.data() + value.size() || number < entry->least ||
             number > entry->most)
      return bad(
          at + equals + 1,
          absl::StrFormat("%d to %d%s", entry->least, entry->most, steps ? " or unbounded" : ""),
          value);
    scope.*(entry->value) = number;
    at = end + 1;
  }
  return scope;
}

std::string ScopeText(const Scope& scope) {
  std::string text;
  for (const Entry& e : kEntries) {
    int value = scope.*(e.value);
    if (e.value == &Scope::groups) value = scope.max_groups();
    absl::StrAppend(&text, text.empty() ? "" : ",", e.name, "=",
                    value == kUnbounded ? "unbounded" : absl::StrCat(value));
  }
  return text;
}

bool operator==(const Scope& a, const Scope& b) { return ScopeText(a) == ScopeText(b); }

ScopeShapes::ScopeShapes(const KernelProfile& kernel, const Scope& scope)
    : kernel_(kernel), scope_(scope) {
  for (int devices = 1; devices <= scope.devices; ++devices) {
    const int most_on_platform = scope.buses > 1 ? devices : 0;
    for (int on_platform = 0; on_platform <= most_on_platform; ++on_platform) {
      const auto first = static_cast<uint16_t>(relations_.size());
      ListRelations(devices, on_platform);
      const auto end = static_cast<uint16_t>(relations_.size());
      for (uint16_t relation = first; relation < end; ++relation) {
        ShapeId id{.devices = static_cast<uint8_t>(devices),
                   .on_platform = static_cast<uint8_t>(on_platform),
                   .relation = relation};
        for (auto& masters : id.masters) masters.fill(kNoId);
        std::array<uint8_t, 4> named{};
        NameMasters(id, 0, 0, named);
      }
    }
  }
}

// One for each way in which pairs can be aliases and share a slot: pci_device_group() reads no
// more. A pair that is both differs from a pair of aliases, since a search for a group that comes
// to it by way of other devices can tell them apart.
void ScopeShapes::ListRelations(int devices, int on_platform) {
  const int slots = devices / 2;
  std::set<std::pair<unsigned, unsigned>> known;
  Relation relation;
  relation.alias.fill(kNoId);
  relation.slot.fill(0);
  const auto list = [&](const auto& self, int d) -> void {
    if (d < devices) {
      for (int slot = 0; slot <= slots; ++slot) {
        relation.slot[d] = static_cast<uint8_t>(slot);
        for (int alias = on_platform - 1; alias < devices; ++alias) {
          if (alias == d) continue;
          relation.alias[d] = alias < on_platform ? kNoId : static_cast<DeviceId>(alias);
          self(self, d + 1);
        }
      }
      return;
    }
    unsigned aliases = 0;
    unsigned slots_shared = 0;
    for (int a = on_platform; a < devices; ++a)
      for (int b = on_platform; b < a; ++b) {
        const unsigned bit = 1U << (4 * a + b);
        if (relation.alias[a] == b || relation.alias[b] == a) aliases |= bit;
        if (relation.slot[a] != 0 && relation.slot[a] == relation.slot[b]) slots_shared |= bit;
      }
    if (known.emplace(aliases, slots_shared).second) relations_.push_back(relation);
  };
  list(list, on_platform);
}

// All ways to put devices behind instances. `named`: how many instances of each driver are named,
// in the order of drivers that are.
void ScopeShapes::NameMasters(ShapeId& id, int device, int master, std::array<uint8_t, 4>& named) {
  if (device == id.devices) return AddFlags(id, named);
  auto& masters = id.masters[device];
  masters[master] = kNoId;
  NameMasters(id, device + 1, 0, named);
  for (int driver = 0; driver < scope_.drivers; ++driver) {
    uint8_t& count = named[driver];
    const int end = std::min<int>(count + 1, scope_.instances);
    const bool new_driver = count == 0;
    for (int i = 0; i < end; ++i) {
      const auto instance = static_cast<InstanceId>(driver * scope_.instances + i);
      if (master > 0 && masters[0] == instance) continue;
      const bool new_instance = i == count;
      if (new_instance) ++count;
      masters[master] = instance;
      if (master + 1 < kMaxMasters)
        NameMasters(id, device, master + 1, named);
      else
        NameMasters(id, device + 1, 0, named);
      if (new_instance) --count;
    }
    masters[master] = kNoId;
    // The drivers beyond are as nameless as this one.
    if (new_driver) break;
  }
}

void ScopeShapes::AddFlags(ShapeId id, const std::array<uint8_t, 4>& named) {
  unsigned instances = 0;  // that devices are behind
  for (int driver = 0; driver < scope_.drivers; ++driver)
    for (int i = 0; i < named[driver]; ++i) instances |= 1U << (driver * scope_.instances + i);
  const bool foreign = !kernel_.has(Rule::kAssumeProbeRejectsForeign);
  const bool address = !kernel_.has(Rule::kAssumeAddressNotReused) && scope_.drivers > 1;
  const bool table = !kernel_.has(Rule::kAssumeTablesNotShared) && scope_.drivers > 1;
  const unsigned accept_end = foreign ? 1U << scope_.drivers : 1U;
  // Each subset of the instances named, the empty one first.
  for (unsigned fwnodes = 0;; fwnodes = (fwnodes - instances) & instances) {
    for (unsigned accept = 0; accept < accept_end; ++accept)
      for (int together = 0; together < 3; ++together) {
        if ((together == 1 && !address) || (together == 2 && !table)) continue;
        id.fwnodes = static_cast<uint8_t>(fwnodes);
        id.accept_foreign = static_cast<uint8_t>(accept);
        id.same_address = together == 1;
        id.same_table = together == 2;
        if (!BrokenAssumption(Make(id).topology, kernel_.rules)) ids_.push_back(id);
      }
    if (fwnodes == instances) return;
  }
}

Shape ScopeShapes::Make(const ShapeId& id) const {
  Shape shape;
  shape.any_absent = true;
  shape.max_groups = scope_.max_groups();
  shape.containers = scope_.containers;
  Topology& t = shape.topology;
  t.drivers_count = static_cast<uint8_t>(scope_.drivers);
  t.instances_count = static_cast<uint8_t>(scope_.drivers * scope_.instances);
  t.tables_count = static_cast<uint8_t>(scope_.drivers + 1);
  t.devices_count = id.devices;
  shape.extra_table = t.drivers_count;
  unsigned named = 0;
  for (uint8_t d = 0; d < id.devices; ++d) {
    Device& device = t.devices[d];
    device.bus = d < id.on_platform ? Bus::kPlatform : Bus::kPci;
    device.masters = id.masters[d];
    for (InstanceId m : device.masters)
      if (m != kNoId) named |= 1U << m;
    if (device.bus != Bus::kPci) continue;
    device.alias = relations_[id.relation].alias[d];
    device.slot = relations_[id.relation].slot[d];
  }
  const auto open = [&](bool is_read, Attribute what, int of, int values = 2) {
    if (is_read)
      shape.open.push_back({what, static_cast<uint8_t>(of), static_cast<uint8_t>(values)});
  };
  const bool bus_slots = kernel_.era == Era::kBusSlots;
  for (DriverId r = 0; r < t.drivers_count; ++r) {
    Driver& driver = t.drivers[r];
    driver.table = r == 1 && id.same_table ? 0 : r;
    if (r == 1 && id.same_address) driver.address = 0;
    driver.accepts_foreign = (id.accept_foreign >> r & 1U) != 0;
    // Later kernels never ask; strict keeps the drivers competing.
    driver.claims[kPlatform] = scope_.buses > 1 ? Claim::kStrict : Claim::kNone;
    driver.claims[kPci] = Claim::kStrict;
    unsigned of_driver = 0;
    for (int i = 0; i < scope_.instances; ++i) of_driver |= 1U << (r * scope_.instances + i);
    const bool serves = driver.accepts_foreign || (named & of_driver) != 0;
    open(bus_slots && scope_.buses > 1, Attribute::kClaimPlatform, r, 6);
    open(bus_slots, Attribute::kClaimPci, r, 6);
    open(bus_slots && scope_.instances > 1, Attribute::kClaimsOnce, r);
    open(bus_slots && scope_.buses > 1, Attribute::kUnwinds, r);
    open(bus_slots, Attribute::kClears, r);
    open(kernel_.era != Era::kFwnode && serves, Attribute::kNoDefaultDomain, r);
    open(serves, Attribute::kInstanceGroups, r);
    const bool by_slot =
        kernel_.has(Rule::kVfioCoherencyOfBus) || !kernel_.has(Rule::kType1EnforceCoherency);
    open(ReadsCoherent(kernel_) && (serves || by_slot), Attribute::kNotCoherent, r);
  }
  for (InstanceId i = 0; i < t.instances_count; ++i) {
    Instance& instance = t.instances[i];
    instance.driver = static_cast<DriverId>(i / scope_.instances);
    instance.table = t.drivers[instance.driver].table;
    instance.fwnode = (id.fwnodes >> i & 1U) != 0;
    const bool is_named = (named >> i & 1U) != 0;
    const bool serves = is_named || t.drivers[instance.driver].accepts_foreign;
    open(kernel_.era == Era::kFwnode && !is_named, Attribute::kFwnode, i);
    open(ReadsInstanceTable(kernel_) && serves, Attribute::kOwnTable, i);
    open(ReadsEnforcing(kernel_) && serves, Attribute::kNotEnforcing, i);
  }
  return shape;
}

uint64_t ScopeShapes::MachinesAt(size_t index) const {
  const Shape shape = At(index);
  const Topology& t = shape.topology;
  // Any devices may be absent at boot.
  uint64_t machines = uint64_t{1} << t.devices_count;
  std::array<int, kMaxDrivers> tables{};
  int claims = 0;
  for (const OpenAttribute& open : shape.open) {
    if (open.attribute == Attribute::kOwnTable)
      ++tables[t.instances[open.owner].driver];
    else if (open.attribute == Attribute::kClaimPci)
      ++claims;
    else if (open.attribute == Attribute::kClaimPlatform)
      continue;
    else
      machines = TimesUpToMost(machines, open.values);
  }
  // The extra table is of one driver only, where tables are not shared.
  uint64_t table_choices = 1;
  for (int n : tables)
    table_choices = kernel_.has(Rule::kAssumeTablesNotShared)
                        ? table_choices + (uint64_t{1} << n) - 1
                        : table_choices << n;
  machines = TimesUpToMost(machines, table_choices);
  if (claims == 0) return machines;  // no driver claims buses
  // By the buses that a driver claims, 5 ways each; a driver that competes has one in common with
  // each other.
  uint64_t claim_choices = 0;
  const unsigned bus_sets = scope_.buses > 1 ? 4 : 2;
  for (unsigned sets = 0; sets < 1U << (2 * claims); ++sets) {
    uint64_t ways = 1;
    bool compete = true;
    for (int a = 0; a < claims; ++a) {
      const unsigned set = sets >> (2 * a) & 3U;
      constexpr std::array<uint64_t, 4> kWays = {1, 5, 5, 25};
      ways = set < bus_sets ? TimesUpToMost(ways, kWays[set]) : 0;
      for (int b = 0; b < a; ++b) compete &= (set & (sets >> (2 * b) & 3U)) != 0;
    }
    if (compete || !kernel_.has(Rule::kAssumeDriversCompeteForABus)) claim_choices += ways;
  }
  return TimesUpToMost(machines, claim_choices);
}

Case WithoutUnused(Case c) {
  Topology& t = c.topology;
  const auto devices = std::span(t.devices).first(t.devices_count);
  const auto of_instance = [](const Op& op) {
    return op.kind == OpKind::kRegister || op.kind == OpKind::kUnregister;
  };
  const auto close_gap = [](uint8_t& id, uint8_t gap) {
    if (id != kNoId && id > gap) --id;
  };
  for (InstanceId i = t.instances_count; i-- > 0;) {
    // A driver that claims with the last of its instances needs instances that never register, too.
    if (t.drivers[t.instances[i].driver].claims_once ||
        std::ranges::any_of(c.ops, [&](auto& o) { return of_instance(o.op) && o.op.a == i; }) ||
        std::ranges::any_of(devices,
                            [&](auto& d) { return std::ranges::count(d.masters, i) != 0; }))
      continue;
    std::shift_left(t.instances.begin() + i, t.instances.begin() + t.instances_count--, 1);
    for (Device& device : devices)
      for (InstanceId& m : device.masters) close_gap(m, i);
    for (CaseOp& op : c.ops)
      if (of_instance(op.op)) close_gap(op.op.a, i);
  }
  const auto instances = std::span(t.instances).first(t.instances_count);
  for (DriverId r = t.drivers_count; r-- > 0;) {
    if (std::ranges::count(instances, r, &Instance::driver) != 0) continue;
    std::shift_left(t.drivers.begin() + r, t.drivers.begin() + t.drivers_count--, 1);
    for (Instance& instance : instances) close_gap(instance.driver, r);
    for (Driver& driver : t.drivers) {
      if (driver.address == r) driver.address = kNoId;
      close_gap(driver.address, r);
    }
  }
  const auto drivers = std::span(t.drivers).first(t.drivers_count);
  for (TableId table = t.tables_count; table-- > 0;) {
    if (std::ranges::count(instances, table, &Instance::table) != 0 ||
        std::ranges::count(drivers, table, &Driver::table) != 0)
      continue;
    --t.tables_count;
    for (Instance& instance : instances) close_gap(instance.table, table);
    for (Driver& driver : drivers) close_gap(driver.table, table);
  }
  c.names = DefaultNames(t);
  Normalize(c);
  return c;
}

}  // namespace iommucheck::explore
