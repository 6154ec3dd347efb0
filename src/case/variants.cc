// SPDX-License-Identifier: Apache-2.0
#include "src/case/variants.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/step.h"
#include "src/case/encoded.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

// Numbers things in the order in which they are first named.
class Numbering {
 public:
  int operator()(int thing) {
    return numbers_.try_emplace(thing, static_cast<int>(numbers_.size())).first->second;
  }

 private:
  std::map<int, int> numbers_;
};

// A case whose ops and devices were reordered; `op` and `device` hold the former index of each.
struct Moved {
  Case c;
  std::vector<int> op;
  std::vector<int> device;
  bool other_bus = false;  // platform and pci have changed places
};

// Identifies a group without its number: by the devices that it has, or had last.
using Members = std::vector<int>;

class Player {
 public:
  Player(const Case& c, Property property) : kernel_(ProfileOf(c.kernel)), property_(property) {}

  // Plays the unchanged case; Same() compares with the result.
  void PlayFirst(const Moved& m) {
    errors_.assign(m.op.size(), 0);
    meant_.assign(m.op.size(), {});
    Moved first = m;
    first_ = true;
    // While first_ is set, Play() never gives up.
    if (std::optional<std::string> end = Play(first)) end_ = *std::move(end);
    first_ = false;
  }
  // Whether the case plays the same. Sets the group numbers of its ops to the groups that they
  // mean.
  bool Same(Moved& m) {
    const std::optional<std::string> end = Play(m);
    return end && *end == end_;
  }

 private:
  static bool OnGroup(const Op& op) { return InfoOf(op.kind).a == Operand::kGroup; }

  // Returns the end of the run; nullopt: a step differs.
  std::optional<std::string> Play(Moved& m) {
    State state = InitialState(m.c.topology);
    members_.assign(kMaxGroups, {});
    for (size_t i = 0; i < m.c.ops.size(); ++i) {
      Op& op = m.c.ops[i].op;
      const int was = m.op[i];
      if (OnGroup(op)) {
        if (first_)
          meant_[was] = members_[op.a];
        else if (!Find(state, meant_[was], op.a))
          return std::nullopt;
      }
      const StepResult result = Step(kernel_, m.c.topology, op, state, events_);
      if (result.outcome != Outcome::kDone) return std::nullopt;
      if (first_) errors_[was] = result.error;
      const bool last = i + 1 == m.c.ops.size();
      if (result.error != errors_[was] || (FindViolation(property_, events_) != nullptr) != last)
        return std::nullopt;
      Update(m, state);
    }
    return End(m, state);
  }

  bool Find(const State& state, const Members& meant, uint8_t& group) const {
    for (int g = 0; g < state.groups_end; ++g) {
      if (!state.groups[g].live || members_[g] != meant) continue;
      group = static_cast<uint8_t>(g);
      return true;
    }
    return false;
  }

  void Update(const Moved& m, const State& state) {
    for (int g = 0; g < kMaxGroups; ++g) {
      if (!state.groups[g].live) members_[g].clear();
      Members now;
      for (size_t d = 0; d < m.device.size(); ++d)
        if (state.devices[d].group == g) now.push_back(m.device[d]);
      std::ranges::sort(now);
      if (!now.empty()) members_[g] = now;
    }
  }

  [[nodiscard]] std::string End(const Moved& m, const State& state) const {
    Numbering domains;
    const auto domain = [&](DomainId d) {
      if (d == kNoId) return std::string("-");
      const DomainState& of = state.domains[d];
      return absl::StrCat(domains(d), ".", static_cast<int>(of.type), ".", of.driver);
    };
    std::string text;
    for (size_t was = 0; was < m.device.size(); ++was) {
      const auto at = std::ranges::find(m.device, static_cast<int>(was)) - m.device.begin();
      const DeviceState& device = state.devices[at];
      absl::StrAppend(&text, "device ", device.present ? 1 : 0, " ", device.instance, " ",
                      device.fwspec, " ", domain(device.hw), "\n");
    }
    std::vector<std::pair<Members, int>> order;
    for (int g = 0; g < state.groups_end; ++g)
      if (state.groups[g].live) order.emplace_back(members_[g], g);
    std::ranges::sort(order);
    for (const auto& [members, g] : order) {
      const GroupState& group = state.groups[g];
      absl::StrAppend(&text, "group ", absl::StrJoin(members, ","), " ", group.owner ? 1 : 0, " ",
                      group.container, " ", domain(group.domain), " ", domain(group.default_domain),
                      " ", domain(group.blocking_domain), " ", domain(group.vfio_domain), "\n");
    }
    for (Bus bus : {Bus::kPlatform, Bus::kPci}) {
      const Bus now = !m.other_bus ? bus : bus == Bus::kPci ? Bus::kPlatform : Bus::kPci;
      absl::StrAppend(&text, "bus ", state.bus_ops[static_cast<size_t>(now)], "\n");
    }
    std::set<int> registered(state.registered.begin(),
                             state.registered.begin() + state.registered_count);
    return absl::StrCat(text, "registered ", absl::StrJoin(registered, " "));
  }

  const KernelProfile kernel_;
  const Property property_;
  bool first_ = false;
  std::vector<int> errors_;     // by op
  std::vector<Members> meant_;  // by op on a group
  std::string end_;
  std::vector<Members> members_;  // by group
  std::vector<Event> events_;
};

Moved SwapOps(Moved m, size_t i) {
  std::swap(m.c.ops[i], m.c.ops[i + 1]);
  std::swap(m.op[i], m.op[i + 1]);
  return m;
}

template <typename F>
void ForEachDevice(Op& op, F apply) {
  if (InfoOf(op.kind).a == Operand::kDevice) apply(op.a);
  if (InfoOf(op.kind).b == Operand::kDevice) apply(op.b);
}

// nullopt: a device would come before the bridge that it is below.
std::optional<Moved> SwapDevices(Moved m, size_t d) {
  Topology& t = m.c.topology;
  const auto other = [d](uint8_t& device) {
    if (device == d)
      device = static_cast<uint8_t>(d + 1);
    else if (device == d + 1)
      device = static_cast<uint8_t>(d);
  };
  std::swap(t.devices[d], t.devices[d + 1]);
  std::swap(m.device[d], m.device[d + 1]);
  for (int e = 0; e < t.devices_count; ++e) {
    other(t.devices[e].alias);
    other(t.devices[e].below);
    if (t.devices[e].below != kNoId && t.devices[e].below >= e) return std::nullopt;
  }
  for (CaseOp& op : m.c.ops) ForEachDevice(op.op, other);
  return m;
}

std::optional<Moved> SwapBuses(Moved m) {
  Topology& t = m.c.topology;
  for (int d = 0; d < t.devices_count; ++d) {
    Device& device = t.devices[d];
    if (device.alias != kNoId || device.slot != 0 || device.below != kNoId ||
        device.bridge != Bridge::kNone || device.acs)
      return std::nullopt;
    device.bus = device.bus == Bus::kPci ? Bus::kPlatform : Bus::kPci;
  }
  for (int r = 0; r < t.drivers_count; ++r)
    std::swap(t.drivers[r].claims[static_cast<size_t>(Bus::kPlatform)],
              t.drivers[r].claims[static_cast<size_t>(Bus::kPci)]);
  m.other_bus = !m.other_bus;
  return m;
}

std::vector<Moved> Changes(const Moved& m) {
  std::vector<Moved> changes;
  for (size_t i = 0; i + 1 < m.op.size(); ++i) changes.push_back(SwapOps(m, i));
  for (size_t d = 0; d + 1 < m.device.size(); ++d)
    if (std::optional<Moved> swapped = SwapDevices(m, d)) changes.push_back(*std::move(swapped));
  if (const std::optional<Moved> other = SwapBuses(m)) changes.push_back(*other);
  return changes;
}

// The part of the op that only the model has; "" if the op is encoded.
std::string RestOf(const Op& op) {
  if (IsEncoded(op)) return "";
  return absl::StrCat(" ", op.b, " ", op.at.first, "+", op.at.count, " ", op.vaddr, " ", op.flags);
}

std::vector<int> Places(size_t count) {
  std::vector<int> places(count);
  std::iota(places.begin(), places.end(), 0);
  return places;
}

}  // namespace

std::string Shape(const Case& c) {
  const Topology& t = c.topology;
  Numbering drivers;
  Numbering instances;
  const auto instance = [&](InstanceId i) {
    if (i == kNoId) return std::string("-");
    const int number = instances(i);
    return absl::StrCat(number, " of ", drivers(t.instances[i].driver));
  };
  std::string text;
  for (const CaseOp& op : c.ops) {
    const bool of_instance = InfoOf(op.op.kind).a == Operand::kInstance;
    absl::StrAppend(&text, std::string(InfoOf(op.op.kind).word), " ",
                    of_instance ? instance(op.op.a) : absl::StrCat(op.op.a), RestOf(op.op), "\n");
  }
  // The order of devices on different buses has no meaning.
  for (Bus bus : {Bus::kPlatform, Bus::kPci}) {
    for (DeviceId d = 0; d < t.devices_count; ++d) {
      if (t.devices[d].bus != bus) continue;
      absl::StrAppend(&text, std::string(BusName(bus)), " ", d);
      for (const InstanceId i : t.devices[d].masters) absl::StrAppend(&text, " ", instance(i));
      for (DeviceId e = 0; e < d; ++e) {
        if (t.aliases(d, e)) absl::StrAppend(&text, " alias ", e);
        if (t.same_slot(d, e)) absl::StrAppend(&text, " slot ", e);
      }
      text += "\n";
    }
  }
  return text;
}

std::vector<std::string> Variants(const Case& c, Property property) {
  Moved start{.c = c, .op = Places(c.ops.size()), .device = Places(c.topology.devices_count)};
  Player player(c, property);
  player.PlayFirst(start);
  std::vector<std::string> shapes = {Shape(c)};
  std::set<std::string> seen = {shapes.front()};
  std::vector<Moved> todo = {std::move(start)};
  while (!todo.empty()) {
    const Moved from = std::move(todo.back());
    todo.pop_back();
    for (Moved& to : Changes(from)) {
      if (!player.Same(to)) continue;
      std::string shape = Shape(to.c);
      if (!seen.insert(shape).second) continue;
      shapes.push_back(std::move(shape));
      todo.push_back(std::move(to));
    }
  }
  return shapes;
}

}  // namespace iommucheck
