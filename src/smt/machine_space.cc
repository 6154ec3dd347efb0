// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_space.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "absl/strings/str_format.h"
#include "model/pci.h"

namespace iommucheck::smt {
namespace {

using enum OpKind;

// Platform, whose slot is that of every bus in the single-driver era, and the buses on which
// something can happen: that have a device, or a claim that may fail.
std::vector<Bus> BusesOf(const KernelProfile& kernel, const Topology& t) {
  std::vector<Bus> buses;
  for (int b = 0; b < kBusCount; ++b) {
    const auto bus = static_cast<Bus>(b);
    bool used = bus == Bus::kPlatform;
    for (int d = 0; d < t.devices_count; ++d) used |= t.devices[d].bus == bus;
    for (int r = 0; r < t.drivers_count && kernel.era == Era::kBusSlots; ++r)
      used |= t.drivers[r].claims[b] != Claim::kNone;
    if (used) buses.push_back(bus);
  }
  return buses;
}

// The most groups without devices that a run can leave in containers while their devices are in new
// groups. Each takes a set-container, all its devices must leave and come back, and the first step
// is a register.
int MostEmptyGroups(int devices, int steps, int contained) {
  int most = 0;
  for (int empty = 1; empty <= contained; ++empty)
    if (empty <= devices * std::max(0, (steps - 1 - empty) / 2)) most = empty;
  return most;
}

}  // namespace

MachineSpace::MachineSpace(const KernelProfile& kernel, const Topology& machine,
                           std::vector<ClusterSlot> slots, unsigned drivers, const Runs& runs)
    : RunSpace(runs, /*registers=*/2),
      kernel_(kernel),
      machine_(machine),
      slots_(std::move(slots)),
      drivers_(drivers),
      ever_registered_(Zeros(machine.drivers_count)) {
  const bool reuse = runs.property == Property::kNoCrossDriverReuse;
  contained_ = runs_.Spare(kSetContainer) ? runs.steps - 2 - (reuse ? 1 : 0) : (reuse ? 2 : 0);
  topology_ = FromTopology(machine);
  topology_.buses = BusesOf(kernel, machine);
  ChooseClusters();
  MakePlaces();
  MakeDevices();
  MakeLayout();
  FindUnused();
}

void MachineSpace::ChooseClusters() {
  for (size_t s = 0; s < slots_.size(); ++s) {
    const std::vector<Cluster>& choices = slots_[s].choices;
    chosen_.push_back(choices.size() == 1
                          ? OneHot(1, 0)
                          : Selector(std::vector<bool>(choices.size(), true), true,
                                     absl::StrFormat("cluster%d", s), constraints_));
    for (size_t before = 0; before < s; ++before)
      for (size_t a = 0; a < slots_[before].choices.size(); ++a)
        for (size_t b = 0; b < choices.size(); ++b) {
          const DeviceId first = slots_[before].choices[a].front();
          const bool same_choices = slots_[before].choices == choices;
          if (first == choices[b].front() || (same_choices && first > choices[b].front()))
            constraints_.push_back(~(chosen_[before][a] & chosen_[s][b]));
        }
  }
}

void MachineSpace::MakePlaces() {
  bool no_choice = true;
  for (size_t s = 0; s < slots_.size(); ++s) {
    size_t most = 0;
    for (const Cluster& cluster : slots_[s].choices) most = std::max(most, cluster.size());
    for (size_t i = 0; i < most; ++i) places_.push_back({static_cast<int>(s), i});
    no_choice &= slots_[s].choices.size() == 1;
  }
  if (no_choice)
    std::ranges::sort(places_, {}, [this](const Place& place) { return At(place, 0); });
}

// The machine's device at a place, kNoId where the choice has fewer.
DeviceId MachineSpace::At(const Place& place, size_t choice) const {
  const Cluster& cluster = slots_[place.slot].choices[choice];
  return place.n < cluster.size() ? cluster[place.n] : kNoId;
}

void MachineSpace::MakeDevices() {
  const auto count = static_cast<int>(places_.size());
  topology_.devices.assign(places_.size(), {});
  for (size_t d = 0; d < places_.size(); ++d) {
    SymbolicDevice& to = topology_.devices[d];
    for (Bits& master : to.masters) master = Zeros(machine_.instances_count);
    to.alias_related = to.slot_related = to.below = Zeros(count);
    to.absent = false;
    Bit there = false;
    const Bits& chosen = chosen_[places_[d].slot];
    for (size_t choice = 0; choice < chosen.size(); ++choice) {
      const DeviceId id = At(places_[d], choice);
      if (id == kNoId) continue;
      const Device& from = machine_.devices[id];
      there |= chosen[choice];
      to.bus[static_cast<size_t>(from.bus)] |= chosen[choice];
      if (from.absent) to.absent |= chosen[choice];
      for (int m = 0; m < kMaxMasters; ++m)
        if (from.masters[m] != kNoId) to.masters[m][from.masters[m]] |= chosen[choice];
      const Bridges bridges = SharedBridges(machine_, id);
      while (std::ssize(to.bridges) < bridges.count) to.bridges.push_back(Zeros(count));
      for (size_t e = 0; e < places_.size(); ++e) {
        if (e == d || places_[e].slot != places_[d].slot) continue;
        const DeviceId other = At(places_[e], choice);
        if (other == kNoId) continue;
        if (machine_.aliases(id, other)) to.alias_related[e] |= chosen[choice];
        if (machine_.same_slot(id, other)) to.slot_related[e] |= chosen[choice];
        if (from.below == other) to.below[e] |= chosen[choice];
        for (int n = 0; n < bridges.count; ++n)
          if (bridges.devices[static_cast<size_t>(n)] == other) to.bridges[n][e] |= chosen[choice];
      }
    }
    to.absent |= ~there;
    there_.push_back(there);
  }
}

// Whether the search for the group of one of them can come to the other.
Bit MachineSpace::Related(size_t d, size_t e) const {
  const SymbolicDevice& device = topology_.devices[d];
  const SymbolicDevice& other = topology_.devices[e];
  Bit related = device.alias_related[e] | device.slot_related[e];
  for (const Bits& bridge : device.bridges) related |= bridge[e];
  for (const Bits& bridge : other.bridges) related |= bridge[d];
  return related;
}

// How many instances may share out a group to devices of the slot.
int MachineSpace::SharingInstances(const ClusterSlot& slot) const {
  int sharing = 0;
  for (InstanceId i = 0; i < machine_.instances_count; ++i) {
    const Driver& driver = machine_.drivers[machine_.instances[i].driver];
    if (!driver.instance_groups) continue;
    bool may = driver.accepts_foreign;
    for (const Cluster& cluster : slot.choices)
      for (DeviceId d : cluster)
        for (InstanceId master : machine_.devices[d].masters) may |= master == i;
    sharing += may ? 1 : 0;
  }
  return sharing;
}

void MachineSpace::MakeLayout() {
  // A device leaves its group where it can go, or a register can fail half-way.
  const bool leave =
      runs_.Spare(kRemove) || runs_.Spare(kUnregister) || CanRefuse(kernel_, machine_);
  std::vector<int> devices(slots_.size());
  for (const Place& place : places_) ++devices[place.slot];
  std::vector<int> begin = {0};  // where the numbers of each slot's groups begin
  for (size_t s = 0; s < slots_.size(); ++s)
    begin.push_back(begin.back() + devices[s] + SharingInstances(slots_[s]) +
                    (leave ? MostEmptyGroups(devices[s], runs_.steps, contained_) : 0));
  layout_.cluster.resize(places_.size());
  std::iota(layout_.cluster.begin(), layout_.cluster.end(), 0);
  for (size_t d = 0; d < places_.size(); ++d) {
    const int s = places_[d].slot;
    Bits home = Zeros(begin.back());
    std::fill(home.begin() + begin[s], home.begin() + begin[s + 1], Bit(true));
    layout_.home.push_back(home);
    layout_.zone.push_back(s);
    for (size_t e = 0; e < d; ++e)
      if (!Related(d, e).is_false())
        std::ranges::replace(layout_.cluster, layout_.cluster[d], layout_.cluster[e]);
  }
  sizes_ = {.drivers = machine_.drivers_count,
            .tables = machine_.tables_count,
            .instances = machine_.instances_count,
            .devices = static_cast<int>(places_.size()),
            .groups = begin.back(),
            .type1 = std::min(contained_, begin.back()),
            .containers = 1};
}

// Of instances that look alike, and have no device behind them, only the first registers, unless
// their driver claims with the last of them.
void MachineSpace::FindUnused() {
  std::vector<Bit> named(machine_.instances_count, Bit(false));
  for (const SymbolicDevice& device : topology_.devices)
    for (const Bits& master : device.masters)
      for (int i = 0; i < machine_.instances_count; ++i) named[i] |= master[i];
  unused_.assign(machine_.instances_count, Bit(false));
  for (int i = 0; i < machine_.instances_count; ++i) {
    const bool once =
        kernel_.era == Era::kBusSlots && machine_.drivers[machine_.instances[i].driver].claims_once;
    for (int before = 0; before < i && !once; ++before)
      if (machine_.instances[before] == machine_.instances[i])
        unused_[i] |= ~named[before] & ~named[i];
  }
}

SymbolicOp MachineSpace::NextOp(std::vector<Bit>& constraints) {
  std::vector<bool> kinds = Kinds();
  // Before a register no device is probed, there is no group, and a firmware description has no
  // effect.
  for (size_t kind = 0; kind < kinds.size() && ops_.empty(); ++kind) {
    const OpKind k = kEncodedOps[kind];
    kinds[kind] = kinds[kind] && (k == kRegister || k == kAdd || k == kRemove);
  }
  const auto first = std::ranges::find(kinds, true) - kinds.begin();
  const Bits kind = std::ranges::count(kinds, true) == 1
                        ? OneHot(kEncodedOpCount, static_cast<int>(first))
                        : Selector(kinds, true, StepName("kind"), constraints);
  std::vector<bool> instances;
  instances.reserve(topology_.instances.size());
  for (const SymbolicInstance& instance : topology_.instances)
    instances.push_back((drivers_ >> instance.driver & 1U) != 0);
  const SymbolicOp op = ChooseOp(kind, instances, constraints);
  for (int d = 0; d < sizes_.devices; ++d) constraints.push_back(Implies(op.device[d], there_[d]));
  for (int i = 0; i < sizes_.instances; ++i) constraints.push_back(~(op.instance[i] & unused_[i]));
  ops_.push_back(op);
  CountRegisters(constraints);
  MustFit(constraints);
  return op;
}

// After the last op: whether one driver has registered, and whether two have.
void MachineSpace::CountRegisters(std::vector<Bit>& constraints) {
  const SymbolicOp& op = ops_.back();
  Bit& one_driver = had_[0];
  Bit& two_drivers = had_[1];
  Bits driver = Zeros(sizes_.drivers);
  for (int i = 0; i < sizes_.instances; ++i)
    driver[topology_.instances[i].driver] |= op.is(kRegister) & op.instance[i];
  const Bit again = Meet(driver, ever_registered_);
  const Bit other = Any(driver) & ~again;
  if (!runs_.Spare(kRegister)) constraints.push_back(~again & ~(two_drivers & other));
  two_drivers |= one_driver & other;
  one_driver |= other;
  ever_registered_ = Or(ever_registered_, driver);
}

std::vector<DeviceId> MachineSpace::Devices(const Value& value) const {
  std::vector<DeviceId> devices;
  for (const Place& place : places_) {
    const int choice = IndexOf(chosen_[place.slot], value);
    devices.push_back(choice < 0 ? kNoId : At(place, choice));
  }
  return devices;
}

Bit MachineSpace::SameAs(const Value& value) const {
  Bit same = true;
  const auto compare = [&](const Bits& bits) {
    for (Bit bit : bits) same &= value(bit) ? bit : ~bit;
  };
  for (const Bits& chosen : chosen_) compare(chosen);
  for (const SymbolicOp& op : ops_)
    for (const Bits* code : {&op.kind, &op.instance, &op.device, &op.group}) compare(*code);
  return same;
}

}  // namespace iommucheck::smt
