// SPDX-License-Identifier: Apache-2.0
#include "src/case/smaller.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "model/attributes.h"
#include "model/step.h"
#include "src/case/run.h"

namespace iommucheck {
namespace {

// The new value of an index when entry `gone` is removed.
uint8_t Renumbered(uint8_t index, uint8_t gone) {
  if (index == gone) return kNoId;
  return index != kNoId && index > gone ? static_cast<uint8_t>(index - 1) : index;
}

template <typename Entries>
void EraseEntry(Entries& entries, uint8_t& count, uint8_t gone) {
  std::move(entries.begin() + gone + 1, entries.begin() + count, entries.begin() + gone);
  entries[--count] = {};
}

// Whether an operand or a fault of the op is this entry.
bool Names(const Op& op, Operand kind, uint8_t entry) {
  const OpInfo& info = InfoOf(op.kind);
  const auto names = [entry](const Fault& f) { return NamesDevice(f) && f.target == entry; };
  return (info.a == kind && op.a == entry) || (info.b == kind && op.b == entry) ||
         (kind == Operand::kDevice && std::ranges::any_of(op.faults, names));
}

// The ops without those that name the entry; they call later ones by numbers that are one less.
void EraseFromOps(Case& c, Operand kind, uint8_t gone) {
  std::erase_if(c.ops, [&](const CaseOp& op) { return Names(op.op, kind, gone); });
  for (CaseOp& op : c.ops) {
    const OpInfo& info = InfoOf(op.op.kind);
    if (info.a == kind) op.op.a = Renumbered(op.op.a, gone);
    if (info.b == kind) op.op.b = Renumbered(op.op.b, gone);
    for (Fault& f : op.op.faults)
      if (kind == Operand::kDevice && NamesDevice(f)) f.target = Renumbered(f.target, gone);
  }
}

void EraseDevice(Case& c, DeviceId gone) {
  EraseEntry(c.topology.devices, c.topology.devices_count, gone);
  c.names.devices.erase(c.names.devices.begin() + gone);
  auto& devices = c.topology.devices;
  for (Device& d : devices) {
    d.alias = Renumbered(d.alias, gone);
    d.below = Renumbered(d.below, gone);
  }
  // Devices that were below a bridge that is gone are on the root bus now; aliases are of one bus.
  for (Device& d : devices)
    if (d.alias != kNoId && devices[d.alias].below != d.below) d.alias = kNoId;
  EraseFromOps(c, Operand::kDevice, gone);
}

void EraseInstance(Case& c, InstanceId gone) {
  EraseEntry(c.topology.instances, c.topology.instances_count, gone);
  c.names.instances.erase(c.names.instances.begin() + gone);
  for (Device& d : c.topology.devices) {
    for (InstanceId& master : d.masters) master = Renumbered(master, gone);
    if (d.masters[0] == kNoId) std::swap(d.masters[0], d.masters[1]);
  }
  EraseFromOps(c, Operand::kInstance, gone);
}

// The tables that no driver and no instance names.
void EraseUnusedTables(Case& c) {
  Topology& t = c.topology;
  for (TableId table = t.tables_count; table-- > 0;) {
    bool used = false;
    for (const Driver& d : std::span(t.drivers).first(t.drivers_count)) used |= d.table == table;
    for (const Instance& i : std::span(t.instances).first(t.instances_count))
      used |= i.table == table;
    if (used) continue;
    for (Driver& d : std::span(t.drivers).first(t.drivers_count))
      d.table = Renumbered(d.table, table);
    for (Instance& i : std::span(t.instances).first(t.instances_count))
      i.table = Renumbered(i.table, table);
    --t.tables_count;
    c.names.tables.erase(c.names.tables.begin() + table);
  }
}

// With the driver go its instances. The devices behind them stay, for those that have nothing left
// to do go alone.
void EraseDriver(Case& c, DriverId gone) {
  for (InstanceId i = c.topology.instances_count; i-- > 0;)
    if (c.topology.instances[i].driver == gone) EraseInstance(c, i);
  EraseEntry(c.topology.drivers, c.topology.drivers_count, gone);
  c.names.drivers.erase(c.names.drivers.begin() + gone);
  for (Driver& d : c.topology.drivers) d.address = Renumbered(d.address, gone);
  for (Instance& i : c.topology.instances)
    if (i.driver > gone) --i.driver;
  EraseUnusedTables(c);
}

// The groups that the device is in at some time in the run.
std::set<GroupId> GroupsOf(const Run& run, DeviceId dev) {
  std::set<GroupId> groups;
  for (const PlayedStep& step : run.steps) groups.insert(step.after.devices[dev].group);
  groups.erase(kNoId);
  return groups;
}

// The case with those of its ops that are possible, one after another.
Case OnlyPossible(Case c) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  std::vector<Event> events;
  State state = InitialState(c.topology);
  std::erase_if(c.ops, [&](const CaseOp& op) {
    return Step(kernel, c.topology, op.op, state, events).outcome != Outcome::kDone;
  });
  return c;
}

class Offers {
 public:
  Offers(Case c, const TakeCase& take) : from_(std::move(c)), take_(take) {
    from_.expectations.clear();
    for (CaseOp& op : from_.ops) op.expected.reset();
  }

  bool Parts() { return Ops() || Machine() || OpDetails() || Attributes(); }

  bool Kernels() {
    for (const RuleInfo& info : AllRules()) {
      const bool added = from_.kernel.added.has(info.rule) && info.kind != RuleKind::kAssumption;
      if (!added && !from_.kernel.dropped.has(info.rule)) continue;
      if (Try([&](Case& c) {
            c.kernel.added.drop(info.rule);
            c.kernel.dropped.drop(info.rule);
          }))
        return true;
    }
    return false;
  }

 private:
  template <typename Change>
  bool Try(Change change) {
    Case smaller = from_;
    change(smaller);
    Normalize(smaller);
    if (smaller == from_ || !Validate(smaller.topology).ok()) return false;
    if (std::ranges::any_of(
            smaller.ops, [&](const CaseOp& op) { return !Validate(op.op, smaller.topology).ok(); }))
      return false;
    return take_(OnlyPossible(std::move(smaller)));
  }

  // Halves first, so that a long run takes few tries.
  bool Ops() {
    for (size_t chunk = from_.ops.size(); chunk > 0; chunk /= 2)
      for (size_t at = 0; at < from_.ops.size(); at += chunk)
        if (Try([&](Case& c) {
              const auto first = c.ops.begin() + static_cast<std::ptrdiff_t>(at);
              const auto length =
                  static_cast<std::ptrdiff_t>(std::min(chunk, from_.ops.size() - at));
              c.ops.erase(first, first + length);
            }))
          return true;
    return false;
  }

  bool Machine() {
    const Topology& t = from_.topology;
    const Run run = Play(from_);
    for (DeviceId d = t.devices_count; d-- > 0;) {
      if (Try([d](Case& c) { EraseDevice(c, d); })) return true;
      // Where a group goes with the device, those after it get lower numbers.
      for (const GroupId group : GroupsOf(run, d))
        if (Try([d, group](Case& c) {
              EraseDevice(c, d);
              EraseFromOps(c, Operand::kGroup, group);
            }))
          return true;
    }
    for (InstanceId i = t.instances_count; i-- > 0;)
      if (Try([i](Case& c) { EraseInstance(c, i); })) return true;
    for (DriverId d = t.drivers_count; d-- > 0;)
      if (Try([d](Case& c) { EraseDriver(c, d); })) return true;
    return Buses();
  }

  // A bus less: its devices come to the first bus of the machine, one by one or all together.
  bool Buses() {
    const Topology& t = from_.topology;
    const auto devices = std::span(t.devices).first(t.devices_count);
    if (devices.empty()) return false;
    const Bus first = devices.front().bus;
    for (const Device& other : devices)
      if (other.bus != first && Try([&](Case& c) {
            for (Device& d : c.topology.devices)
              if (d.bus == other.bus) d.bus = first;
          }))
        return true;
    return Try([](Case& c) { c.topology.firmware = Firmware::kAny; });
  }

  bool OpDetails() {
    for (size_t i = 0; i < from_.ops.size(); ++i) {
      const Op& op = from_.ops[i].op;
      const auto change = [&](auto edit) { return Try([&](Case& c) { edit(c.ops[i].op); }); };
      for (size_t n = 0; n < kMaxFaults; ++n)
        if (change([n](Op& to) { to.faults[n] = {}; })) return true;
      for (const OpFlag& flag : InfoOf(op.kind).flags)
        if (change([&](Op& to) { to.flags &= static_cast<uint8_t>(~flag.bit); })) return true;
      if (op.at.count > 1 && change([](Op& to) { to.at.count = 1; })) return true;
      if (change([](Op& to) { to.vaddr = 0; })) return true;
      if (InfoOf(op.kind).b == Operand::kIommuType && change([](Op& to) { to.b = 0; })) return true;
    }
    return false;
  }

  bool Attributes() {
    const Topology& t = from_.topology;
    for (DeviceId d = 0; d < t.devices_count; ++d)
      if (Try([d](Case& c) { c.topology.devices[d].masters[1] = kNoId; })) return true;
    for (const AttributeInfo& attribute : AllAttributes()) {
      if (attribute.kind == AttributeValues::Kind::kTable) continue;
      const int count = CountOf(t, attribute.owner);
      const auto plain = [&](int first, int end) {
        return Try([&](Case& c) {
          for (int n = first; n < end; ++n)
            MakePlain(attribute, EntryOf(c.topology, attribute.owner, n));
        });
      };
      // Of all at once, since the kernel compares some attributes of two instances.
      if (plain(0, count)) return true;
      for (int n = 0; n < count; ++n)
        if (plain(n, n + 1)) return true;
    }
    for (InstanceId i = 0; i < t.instances_count; ++i)
      if (Try([i](Case& c) {
            Instance& instance = c.topology.instances[i];
            instance.table = c.topology.drivers[instance.driver].table;
            EraseUnusedTables(c);
          }))
        return true;
    return false;
  }

  Case from_;
  const TakeCase& take_;
};

}  // namespace

bool AnySmaller(const Case& c, const TakeCase& take) { return Offers(c, take).Parts(); }

bool AnySmallerOnAnyKernel(const Case& c, const TakeCase& take) {
  Offers offers(c, take);
  return offers.Kernels() || offers.Parts();
}

Case Minimized(const Case& c, Property property, const std::function<bool()>& stopped) {
  Case smallest = c;
  const auto ends = [&] { return stopped && stopped(); };
  const auto keep = [&](const Case& smaller) {
    if (ends()) return true;
    const int at = Play(smaller).of(property).at;
    if (at == 0) return false;
    smallest = smaller;
    smallest.ops.resize(static_cast<size_t>(at));
    return true;
  };
  keep(c);
  while (!ends() && AnySmallerOnAnyKernel(smallest, keep)) {
  }
  return Asserted(smallest, Play(smallest), {property});
}

}  // namespace iommucheck
