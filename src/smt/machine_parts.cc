// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_parts.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace iommucheck::smt {
namespace {

// So many devices of a cluster that look alike are kept: the first founds the group.
constexpr int kMaxAlike = 3;

bool CanBeServed(const Topology& t, DeviceId d) {
  bool can = t.devices[d].masters[0] != kNoId;
  for (int i = 0; i < t.instances_count; ++i)
    can |= t.drivers[t.instances[i].driver].accepts_foreign;
  return can;
}

// Whether an instance may share out one group to both devices.
bool ShareInstance(const Topology& t, DeviceId a, DeviceId b) {
  const auto may = [&](DeviceId d, InstanceId i) {
    return t.devices[d].masters[0] == i || t.devices[d].masters[1] == i ||
           t.drivers[t.instances[i].driver].accepts_foreign;
  };
  for (InstanceId i = 0; i < t.instances_count; ++i)
    if (t.drivers[t.instances[i].driver].instance_groups && may(a, i) && may(b, i)) return true;
  return false;
}

// The attributes of a device that the kernel sees, without its relations to other devices.
// `by_number`: the instances that it is behind by number; otherwise by their attributes.
std::string LookOf(const Topology& t, const Device& device, bool by_number) {
  std::string look = absl::StrCat(static_cast<int>(device.bus), device.absent ? "-" : "", ";",
                                  static_cast<int>(device.bridge), device.acs ? "a" : "");
  for (InstanceId i : device.masters) {
    if (by_number || i == kNoId) {
      absl::StrAppend(&look, ",", i);
      continue;
    }
    const Instance& instance = t.instances[i];
    absl::StrAppend(&look, ",", instance.driver, instance.fwnode ? "f" : "-", instance.table,
                    instance.enforces_coherency ? "e" : "-");
  }
  return look;
}

// In the order of their first devices; without the clusters that no driver can take.
std::vector<Cluster> ClustersOf(const Topology& t) {
  std::vector<int> number(t.devices_count);
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    number[d] = d;
    for (DeviceId e = 0; e < d; ++e)
      if (number[e] != number[d] && (t.connected(d, e) || ShareInstance(t, d, e))) {
        const auto [low, high] = std::minmax(number[d], number[e]);
        std::replace(number.begin(), number.begin() + d + 1, int{high}, int{low});
      }
  }
  std::map<int, Cluster> by_number;
  for (DeviceId d = 0; d < t.devices_count; ++d) by_number[number[d]].push_back(d);
  std::vector<Cluster> clusters;
  for (auto& [unused, cluster] : by_number)
    if (std::ranges::any_of(cluster, [&](DeviceId e) { return CanBeServed(t, e); }))
      clusters.push_back(std::move(cluster));
  return clusters;
}

// The cluster with no more than a few of its devices that look alike to the kernel. One that
// another device is an alias of stays, and so does a bridge.
Cluster Reduced(const Topology& t, const Cluster& cluster) {
  std::map<std::string, int> seen;
  Cluster kept;
  for (DeviceId d : cluster) {
    const bool aliased =
        std::ranges::any_of(cluster, [&](DeviceId e) { return t.devices[e].alias == d; });
    const Device& device = t.devices[d];
    const std::string look = absl::StrCat(LookOf(t, device, true), ";", device.alias, ";",
                                          device.slot, ";", device.below);
    if (aliased || device.bridge != Bridge::kNone || ++seen[look] <= kMaxAlike) kept.push_back(d);
  }
  return kept;
}

// Clusters are of one kind if their devices look alike one by one (LookOf()), and are related in
// the same way.
std::string KindOf(const Topology& t, const Cluster& cluster, bool by_number) {
  std::string kind;
  std::map<std::tuple<Bus, DeviceId, uint8_t>, int> slots;  // numbered as they come
  const auto place_of = [&](DeviceId d) {
    return d == kNoId ? -1 : std::ranges::find(cluster, d) - cluster.begin();
  };
  for (DeviceId d : cluster) {
    const Device& device = t.devices[d];
    const int slot = device.slot == 0 ? 0
                                      : slots
                                            .try_emplace({device.bus, device.below, device.slot},
                                                         static_cast<int>(slots.size()) + 1)
                                            .first->second;
    absl::StrAppend(&kind, LookOf(t, device, by_number), ";", place_of(device.alias), ";",
                    place_of(device.below), ";", slot, "|");
  }
  return kind;
}

// Whether the slots from this one on can choose different clusters, given those that are taken.
bool CanDiffer(const std::vector<ClusterSlot>& slots, size_t from = 0,
               const DeviceSet& taken = {}) {
  if (from == slots.size()) return true;
  return std::ranges::any_of(slots[from].choices, [&](const Cluster& cluster) {
    if (taken.contains(cluster.front())) return false;
    DeviceSet more = taken;
    more.insert(cluster.front());
    return CanDiffer(slots, from + 1, more);
  });
}

size_t CountDevices(const std::vector<Cluster>& clusters) {
  size_t devices = 0;
  for (const Cluster& cluster : clusters) devices += cluster.size();
  return devices;
}

}  // namespace

Topology Only(const Topology& t, const DeviceSet& devices) {
  Topology part = t;
  std::map<DeviceId, DeviceId> renumbered = {{kNoId, kNoId}};
  part.devices_count = 0;
  for (DeviceId d : devices) {
    renumbered[d] = part.devices_count;
    part.devices[part.devices_count++] = t.devices[d];
  }
  for (DeviceId d = 0; d < part.devices_count; ++d) {
    for (DeviceId* other : {&part.devices[d].alias, &part.devices[d].below})
      *other = renumbered.contains(*other) ? renumbered[*other] : kNoId;
  }
  return part;
}

bool CanRefuse(const KernelProfile& kernel, const Topology& t) {
  bool can = kernel.has(Rule::kCoreOwnerEvery) || kernel.has(Rule::kDriverSameInstance);
  for (int r = 0; r < t.drivers_count; ++r)
    can |= t.drivers[r].same_instance || t.drivers[r].refuses_foreign;
  return can;
}

MachineParts::MachineParts(Property property, const KernelProfile& kernel, const Topology& machine,
                           const Proved& proved, int whole_devices)
    : property_(property),
      kernel_(kernel),
      machine_(machine),
      proved_(proved),
      clusters_(ClustersOf(machine)),
      whole_(CountDevices(clusters_) <= static_cast<size_t>(whole_devices)) {
  Divide();
}

bool MachineParts::ClustersAreApart() const {
  return !AllocatesByBus() && !CanRefuse(kernel_, machine_);
}

bool MachineParts::AllocatesByBus() const {
  return kernel_.era == Era::kFwnode && !kernel_.has(Rule::kAllocByDevice) &&
         !kernel_.has(Rule::kAllocBusUnique);
}

bool MachineParts::IsProved(const std::vector<Cluster>& clusters, Known what) const {
  DeviceSet devices;
  for (const Cluster& cluster : clusters) devices.insert(cluster.begin(), cluster.end());
  return proved_ && proved_(Only(machine_, devices), what);
}

void MachineParts::Divide() {
  std::map<std::string, int> of_attributes;  // how many clusters of a kind came before
  std::map<std::string, int> of_instances;
  std::vector<Cluster> proved_to_hold;
  alone_.clear();
  any_two_.clear();
  unproved_.clear();
  for (const Cluster& cluster : clusters_) {
    const Cluster reduced = reduce_ && !whole_ ? Reduced(machine_, cluster) : cluster;
    const bool apart = ClustersAreApart();
    const bool holds = apart && IsProved({reduced}, Known::kHolds);
    const bool in_question = !holds && !(apart && IsProved({reduced}, Known::kHoldsButForReuse));
    if (of_attributes[KindOf(machine_, reduced, false)]++ == 0 && in_question)
      alone_.push_back(reduced);
    if (of_instances[KindOf(machine_, reduced, true)]++ >= 2) continue;
    any_two_.push_back(reduced);
    (holds ? proved_to_hold : unproved_).push_back(reduced);
  }
  // Clusters of which each holds for itself may violate the property together.
  if (!IsProved(proved_to_hold, Known::kHolds)) unproved_ = any_two_;
}

bool MachineParts::MayServe(DriverId driver, const Cluster& cluster) const {
  for (InstanceId i = 0; i < machine_.instances_count; ++i) {
    if (machine_.instances[i].driver != driver) continue;
    if (machine_.drivers[driver].accepts_foreign) return true;
    for (DeviceId d : cluster)
      if (std::ranges::count(machine_.devices[d].masters, i) > 0) return true;
  }
  return false;
}

// Whether domains for groups of the cluster may be the driver's: it serves a device of them, or is
// in the slot of a device's bus.
bool MachineParts::MayAllocate(DriverId driver, const Cluster& cluster) const {
  if (WritesEverySlot(kernel_.era) || MayServe(driver, cluster)) return true;
  const auto& claims = machine_.drivers[driver].claims;
  return kernel_.era == Era::kBusSlots && std::ranges::any_of(cluster, [&](DeviceId d) {
           return claims[static_cast<size_t>(machine_.devices[d].bus)] != Claim::kNone;
         });
}

// Whether one of these drivers stores its ops in a bus when it finds a device of the cluster there.
bool MachineParts::MayStore(unsigned drivers, const Cluster& cluster) const {
  return kernel_.era == Era::kBusSlots && std::ranges::any_of(cluster, [&](DeviceId d) {
           const Device& device = machine_.devices[d];
           return std::ranges::any_of(device.masters, [&](InstanceId i) {
             if (i == kNoId) return false;
             const DriverId driver = machine_.instances[i].driver;
             return (drivers >> driver & 1U) != 0 &&
                    machine_.drivers[driver].claims[static_cast<size_t>(device.bus)] ==
                        Claim::kStore;
           });
         });
}

// Room for the cluster whose device makes a driver store its ops, besides those whose groups are in
// question.
void MachineParts::AddStore(unsigned drivers, std::vector<ClusterSlot>& slots) const {
  ClusterSlot slot;
  std::ranges::copy_if(any_two_, std::back_inserter(slot.choices),
                       [&](const Cluster& c) { return MayStore(drivers, c); });
  if (!slot.choices.empty()) slots.push_back(std::move(slot));
}

// The clusters between which the two drivers can violate the property: for each way the slots.
std::vector<std::vector<ClusterSlot>> MachineParts::SlotsFor(Origin origin, DriverId a,
                                                             DriverId b) const {
  const auto slot_for = [](const std::vector<Cluster>& clusters, const auto& test) {
    ClusterSlot slot;
    std::ranges::copy_if(clusters, std::back_inserter(slot.choices), test);
    return slot;
  };
  const auto served = [&](const std::vector<Cluster>& clusters, DriverId r) {
    return slot_for(clusters, [&](const Cluster& c) { return MayServe(r, c); });
  };
  std::vector<std::vector<ClusterSlot>> ways;
  if (origin == Origin::kOneCluster) {
    ways.push_back({slot_for(alone_, [&](const Cluster& c) {
      return (MayServe(a, c) && MayAllocate(b, c)) || (MayServe(b, c) && MayAllocate(a, c));
    })});
  } else if (property_ == Property::kNoCrossDriverAttach && !AllocatesByBus()) {
    // A domain for a group that another driver serves violates the property before it is reused.
    ways.push_back({served(unproved_, a), served(any_two_, b)});
    if (unproved_ != any_two_) ways.push_back({served(any_two_, a), served(unproved_, b)});
  } else {
    for (const auto& [of, by] : {std::pair(a, b), std::pair(b, a)}) {
      const auto allocates = [&, r = by](const Cluster& c) { return MayAllocate(r, c); };
      ways.push_back({slot_for(any_two_, allocates), served(any_two_, of)});
      // The first device of the bus may be of a third cluster.
      if (AllocatesByBus()) ways.back().push_back(ways.back().back());
    }
    if (ways.front() == std::vector(ways.back().rbegin(), ways.back().rend())) ways.pop_back();
  }
  return ways;
}

// The parts in which these two drivers may violate the property.
void MachineParts::AddParts(Origin origin, DriverId a, DriverId b,
                            std::vector<MachinePart>& parts) const {
  unsigned drivers = 1U << a | 1U << b;
  // And drivers that can set to NULL a bus slot that is not theirs.
  for (DriverId r = 0; r < machine_.drivers_count && kernel_.era == Era::kBusSlots; ++r)
    if (machine_.drivers[r].clears || machine_.drivers[r].unwinds) drivers |= 1U << r;
  for (std::vector<ClusterSlot>& slots : SlotsFor(origin, a, b)) {
    if (std::ranges::any_of(slots, [](const ClusterSlot& s) { return s.choices.empty(); }))
      continue;
    AddStore(drivers, slots);
    // All groups may be of one cluster.
    while (slots.size() > 1 && !CanDiffer(slots)) slots.pop_back();
    for (const Cluster& cluster : kept_) slots.push_back({{cluster}});
    parts.push_back({.drivers = drivers, .slots = std::move(slots)});
  }
}

std::vector<MachinePart> MachineParts::Parts(Origin origin) const {
  std::vector<MachinePart> parts;
  if (!whole_) {
    for (DriverId a = 0; a < machine_.drivers_count; ++a)
      for (DriverId b = a + 1; b < machine_.drivers_count; ++b) AddParts(origin, a, b, parts);
    return parts;
  }
  MachinePart all{.drivers = ~0U, .slots = {}};
  if (origin == Origin::kOneCluster && !alone_.empty()) {
    all.slots.push_back({alone_});
    AddStore(all.drivers, all.slots);
    while (all.slots.size() > 1 && !CanDiffer(all.slots)) all.slots.pop_back();
  }
  if (origin == Origin::kTwoClusters)
    for (const Cluster& cluster : clusters_) all.slots.push_back({{cluster}});
  if (!all.slots.empty()) parts.push_back(std::move(all));
  return parts;
}

DeviceSet MachineParts::FewestRefuting(const std::function<bool(const DeviceSet&)>& refutes,
                                       const DeviceSet& used) const {
  DeviceSet present;
  for (DeviceId d = 0; d < machine_.devices_count; ++d) present.insert(d);
  for (const Cluster& cluster : clusters_) {
    DeviceSet fewer = present;
    for (DeviceId d : cluster)
      if (!used.contains(d)) fewer.erase(d);
    if (fewer.size() < present.size() && refutes(fewer)) present = std::move(fewer);
  }
  return present;
}

bool MachineParts::Keep(const DeviceSet& devices, const DeviceSet& used) {
  bool more = false;
  for (const Cluster& cluster : clusters_) {
    const auto keeps = [&](DeviceId d) { return devices.contains(d) && !used.contains(d); };
    if (std::ranges::none_of(cluster, keeps)) continue;
    // Devices that look like those of the run, in its own cluster: they must not be left out.
    if (std::ranges::any_of(cluster, [&](DeviceId d) { return used.contains(d); })) {
      if (!reduce_) return false;
      reduce_ = false;
      Divide();
      return true;
    }
    kept_.push_back(reduce_ ? Reduced(machine_, cluster) : cluster);
    more = true;
  }
  return more;
}

}  // namespace iommucheck::smt
