// SPDX-License-Identifier: Apache-2.0
#include "src/explore/explore.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/state.h"
#include "model/step.h"

namespace iommucheck::explore {
namespace {

bool HasFwnode(const Topology& t, const Device& device) {
  return std::ranges::any_of(device.masters,
                             [&](InstanceId i) { return i != kNoId && t.instances[i].fwnode; });
}

bool NamesGroup(const Op& op) {
  return op.kind == OpKind::kSetContainer || op.kind == OpKind::kUnsetContainer;
}

int LiveGroups(const State& state) {
  int live = 0;
  for (GroupId g = 0; g < state.groups_end; ++g) live += state.groups[g].live ? 1 : 0;
  return live;
}

// The drivers that a domain or a device can be of by now: loaded once, and still in a slot, on the
// list, behind a device or in a domain.
int DriversAbout(const Topology& t, const State& state) {
  unsigned about = 0;
  for (const DriverId d : state.bus_ops)
    if (d != kNoId) about |= 1U << d;
  for (uint8_t n = 0; n < state.registered_count; ++n)
    about |= 1U << t.instances[state.registered[n]].driver;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (const InstanceId i = state.devices[d].instance; i != kNoId)
      about |= 1U << t.instances[i].driver;
  for (DomainId d = 0; d < state.domains_end; ++d)
    if (state.domains[d].type != DomainType::kFree) about |= 1U << state.domains[d].driver;
  return std::popcount(about);
}

// No run violates the property in fewer steps from here. A violation is between two drivers, and
// each one that is not about takes a register, which may be what violates no-cross-driver-attach.
// To reuse a domain, a group must be on it and another group be attached: each takes a
// set-container that it has not had yet, and the container a set-iommu; and a group or a driver
// that is not there yet takes a step that is neither.
int StepsToGo(Property property, const Topology& t, const State& state) {
  const int drivers = DriversAbout(t, state);
  if (property == Property::kNoCrossDriverAttach) return std::max(1, 2 - drivers);
  int contained = 0;
  int groups = 0;
  for (GroupId g = 0; g < state.groups_end; ++g) {
    groups += state.groups[g].live ? 1 : 0;
    contained += state.groups[g].container != kNoId ? 1 : 0;
  }
  const int joins = std::max(0, 2 - contained);
  const int steps = state.containers[0].iommu ? 1 : joins + 1;
  return steps + (drivers < 2 || groups < 2 ? 1 : 0);
}

// Whether an op of the kind can be the one that violates the property.
bool CanViolate(Property property, OpKind kind, bool two_drivers) {
  if (property == Property::kNoCrossDriverAttach) return two_drivers || kind == OpKind::kRegister;
  return kind == OpKind::kSetContainer || kind == OpKind::kSetIommu;
}

// Two instances of a driver that no device is behind and no run can tell apart yet.
struct Twins {
  InstanceId first;
  InstanceId second;
  std::vector<std::pair<uint8_t, uint8_t>> open;  // the same attribute of both
};

std::vector<Twins> FindTwins(const Shape& shape) {
  const Topology& t = shape.topology;
  std::array<bool, kMaxInstances> named{};
  for (DeviceId d = 0; d < t.devices_count; ++d)
    for (InstanceId m : t.devices[d].masters)
      if (m != kNoId) named[m] = true;
  std::vector<Twins> all;
  for (InstanceId j = 1; j < t.instances_count; ++j)
    for (InstanceId i = 0; i < j; ++i) {
      if (named[i] || named[j] || t.instances[i] != t.instances[j] ||
          t.drivers[t.instances[i].driver].accepts_foreign)
        continue;
      Twins& twins = all.emplace_back(Twins{i, j, {}});
      for (uint8_t a = 0; a < shape.open.size(); ++a)
        for (uint8_t b = 0; b < shape.open.size(); ++b)
          if (shape.open[a].what >= Attribute::kFwnode && shape.open[a].of == i &&
              shape.open[b].of == j && shape.open[a].what == shape.open[b].what)
            twins.open.emplace_back(a, b);
      break;
    }
  return all;
}

}  // namespace

void ListOps(const Topology& t, const State& state, std::vector<Op>& ops) {
  ops.clear();
  const auto add = [&](OpKind kind, uint8_t a) { ops.push_back({kind, a, 0, {}}); };
  unsigned registered = 0;
  for (uint8_t n = 0; n < state.registered_count; ++n) registered |= 1U << state.registered[n];
  for (InstanceId i = 0; i < t.instances_count; ++i)
    add((registered >> i & 1U) != 0 ? OpKind::kUnregister : OpKind::kRegister, i);
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    const bool present = state.devices[d].present;
    add(present ? OpKind::kRemove : OpKind::kAdd, d);
    if (present && HasFwnode(t, t.devices[d])) add(OpKind::kConfigure, d);
  }
  for (GroupId g = 0; g < state.groups_end; ++g) {
    if (!state.groups[g].live) continue;
    const bool in_container = state.groups[g].container != kNoId;
    add(in_container ? OpKind::kUnsetContainer : OpKind::kSetContainer, g);
  }
  if (state.containers[0].groups != kNoId && !state.containers[0].iommu) add(OpKind::kSetIommu, 0);
}

struct Explorer::Search {
  Search(Explorer& explorer, const Shape& machines, const Limits& given)
      : kernel(explorer.kernel_),
        property(explorer.property_),
        seen(explorer.seen_),
        ops(explorer.ops_),
        events(explorer.events_),
        shape(machines),
        limits(given),
        packer(kernel, shape),
        reads(kernel, shape),
        twins(FindTwins(shape)),
        topology(shape.topology),
        values(AllValues(shape)) {}

  ShapeResult Run() {
    seen.Clear();
    AddRoots();
    Levels();
    result.states = seen.size();
    result.bytes = seen.bytes();
    return std::move(result);
  }

  // All present first, so that a case has devices absent only where it must.
  void AddRoots() {
    const unsigned absent_end = shape.any_absent ? 1U << topology.devices_count : 1U;
    for (unsigned absent = 0; absent < absent_end; ++absent) {
      State root = InitialState(topology);
      for (DeviceId d = 0; shape.any_absent && d < topology.devices_count; ++d)
        root.devices[d].present = (absent >> d & 1U) == 0;
      packer.Pack(root, values, key);
      // A root is its own parent.
      seen.Add(key.span(), seen.end(), {});
    }
    roots_end = seen.end();
  }

  void Levels() {
    Place next = 0;
    while (result.depth < limits.max_steps) {
      const Place level_end = seen.end();
      // Not `!=`: the end of a level may lie where a block had no room for the next entry.
      while (next < level_end) {
        if (Expand(next)) return;
        next = seen.Next(next);
        if ((++expanded & 0xffU) != 0) continue;
        if (limits.stop && limits.stop()) {
          result.stopped = true;
          return;
        }
        if (seen.size() > limits.max_states || seen.bytes() > limits.max_bytes) return;
      }
      ++result.depth;
      if (seen.size() > limits.max_states || seen.bytes() > limits.max_bytes) return;
      result.every_depth = seen.end() == level_end && !cut;
      if (result.every_depth) break;
    }
    result.verdict = Verdict::kHolds;
  }

  // Takes every step from a state. True: one violates the property.
  bool Expand(Place at) {
    packer.Unpack(seen.KeyAt(at), from, values);
    for (size_t i = 0; i < shape.open.size(); ++i) Decide(shape, i, values[i], topology);
    ListOps(topology, from, ops);
    const bool last = limits.max_steps - result.depth == 1;
    const bool two_drivers = last && DriversAbout(topology, from) >= 2;
    for (const Op& op : ops) {
      if (Second(op)) continue;
      if (last && !CanViolate(property, op.kind, two_drivers))
        cut = true;
      else if (Take(at, op))
        return true;
    }
    return false;
  }

  // The second of two alike instances waits for the first.
  [[nodiscard]] bool Second(const Op& op) const {
    if (op.kind != OpKind::kRegister) return false;
    const auto* const end = from.registered.begin() + from.registered_count;
    return std::ranges::any_of(twins, [&](const Twins& t) {
      return t.second == op.a && std::find(from.registered.begin(), end, t.first) == end &&
             std::ranges::all_of(t.open, [&](const auto& pair) {
               return values[pair.first] == values[pair.second];
             });
    });
  }

  // Takes a step, once for each answer to what it asks for.
  bool Take(Place at, const Op& op) {
    const auto asked = reads.First(topology, op, from, values);
    if (!asked) return TakeDecided(at, op);
    const uint8_t left = values[asked->open];
    bool violated = false;
    for (const uint8_t one_class : asked->classes) {
      values[asked->open] = left & one_class;
      if (values[asked->open] == 0 || violated) continue;
      Decide(shape, asked->open, values[asked->open], topology);
      if (Allowed(shape, kernel, values)) violated = Take(at, op);
    }
    values[asked->open] = left;
    Decide(shape, asked->open, left, topology);
    return violated;
  }

  bool TakeDecided(Place at, const Op& op) {
    CopyState(from, topology.devices_count, state);
    if (Step(kernel, topology, op, state, events).outcome != Outcome::kDone) return false;
    if (LiveGroups(state) > shape.max_groups) return false;
    ++result.transitions;
    if (FindViolation(property, events) != nullptr) {
      Tell(at, op);
      return true;
    }
    // From here no violation is within the steps that are left. Where there is no bound, and for
    // the counts of states, every state is kept.
    if (limits.max_steps != kUnbounded &&
        StepsToGo(property, topology, state) > limits.max_steps - result.depth - 1) {
      cut = true;
      return false;
    }
    packer.Pack(state, values, key);
    seen.Add(key.span(), at, op);
    return false;
  }

  // The run from its root on, with the groups numbered as the model does.
  void Tell(Place at, const Op& last) {
    result.verdict = Verdict::kViolated;
    result.ops = {last};
    result.topology = topology;
    for (; at >= roots_end; at = seen.ParentOf(at)) result.ops.push_back(seen.OpOf(at));
    std::ranges::reverse(result.ops);
    Values none{};
    packer.Unpack(seen.KeyAt(at), from, none);
    for (DeviceId d = 0; d < topology.devices_count; ++d)
      result.topology.devices[d].absent = !from.devices[d].present;
    State now = InitialState(result.topology);
    for (Op& op : result.ops) {
      packer.Pack(now, values, key);
      if (NamesGroup(op)) {
        GroupId old = 0;
        while (packer.NewGroup(old) != op.a) ++old;
        op.a = old;
      }
      Step(kernel, result.topology, op, now, events);
    }
  }

  const KernelProfile& kernel;
  const Property property;
  Seen& seen;
  std::vector<Op>& ops;
  std::vector<Event>& events;
  const Shape& shape;
  const Limits& limits;
  Packer packer;
  const Reads reads;
  const std::vector<Twins> twins;
  Topology topology;  // with what is decided in the state that is being expanded
  Values values;      // those left in it
  State from;
  State state;
  Key key;
  Place roots_end = 0;
  uint64_t expanded = 0;
  bool cut = false;  // some states within the bound were left out
  ShapeResult result;
};

ShapeResult Explorer::Explore(const Shape& shape, const Limits& limits) {
  return Search(*this, shape, limits).Run();
}

Case CaseOf(const KernelSpec& kernel, Topology topology, Names names, const std::vector<Op>& ops,
            Property property) {
  Case c;
  c.kernel = kernel;
  c.topology = topology;
  c.names = std::move(names);
  State state = InitialState(topology);
  std::vector<Event> events;
  for (const Op& op : ops) {
    const StepResult step = Step(ProfileOf(kernel), topology, op, state, events);
    c.ops.push_back({op, step.error, ""});
  }
  c.expectations.push_back({.kind = Expectation::Kind::kViolated,
                            .property = property,
                            .at = static_cast<int>(ops.size())});
  return c;
}

ExploreResult ExploreMachine(const Case& machine, Property property, int max_steps,
                             uint64_t max_states) {
  ExploreResult result;
  const KernelProfile profile = ProfileOf(machine.kernel);
  if (const auto broken = BrokenAssumption(machine.topology, profile.rules)) {
    result.reason = absl::StrCat("the machine is outside of ", std::string(InfoOf(*broken).id),
                                 ", which is assumed");
    result.verdict = Verdict::kHolds;
    return result;
  }
  ShapeResult shape =
      Explorer(profile, property)
          .Explore({.topology = machine.topology},
                   {.max_steps = max_steps, .max_states = std::min(max_states, kMaxStates)});
  result.verdict = shape.verdict;
  result.depth = shape.depth;
  result.every_depth = shape.every_depth;
  result.states = shape.states;
  result.transitions = shape.transitions;
  if (shape.verdict == Verdict::kUnknown)
    result.reason =
        absl::StrCat("more than ", max_states, " states within ", shape.depth + 1, " steps");
  if (shape.verdict == Verdict::kViolated)
    result.found =
        CaseOf(machine.kernel, std::move(shape.topology), machine.names, shape.ops, property);
  return result;
}

}  // namespace iommucheck::explore
