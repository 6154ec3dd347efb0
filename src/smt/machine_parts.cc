// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_parts.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

namespace iommucheck::smt {
namespace {

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

using Test = std::function<bool(const Cluster&)>;

ClusterSlot SlotFor(const std::vector<Cluster>& clusters, const Test& test) {
  ClusterSlot slot;
  std::ranges::copy_if(clusters, std::back_inserter(slot.choices), test);
  return slot;
}

size_t CountDevices(const std::vector<Cluster>& clusters) {
  size_t devices = 0;
  for (const Cluster& cluster : clusters) devices += cluster.size();
  return devices;
}

}  // namespace

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
  if (kernel_.era == Era::kSingleDriver || MayServe(driver, cluster)) return true;
  const auto& claims = machine_.drivers[driver].claims;
  return kernel_.era == Era::kBusSlots && std::ranges::any_of(cluster, [&](DeviceId d) {
           return claims[static_cast<size_t>(machine_.devices[d].bus)] != Claim::kNone;
         });
}

// The clusters between which the two drivers can violate the property: for each way the slots.
std::vector<std::vector<ClusterSlot>> MachineParts::SlotsFor(Origin origin, DriverId a,
                                                             DriverId b) const {
  const Test of_both = [&](const Cluster& c) {
    return (MayServe(a, c) && MayAllocate(b, c)) || (MayServe(b, c) && MayAllocate(a, c));
  };
  const auto served = [&](DriverId r) -> Test {
    return [&, r](const Cluster& c) { return MayServe(r, c); };
  };
  const auto allocated = [&](DriverId r) -> Test {
    return [&, r](const Cluster& c) { return MayAllocate(r, c); };
  };
  std::vector<std::vector<ClusterSlot>> ways;
  if (origin == Origin::kOneCluster) {
    ways.push_back({SlotFor(alone_, of_both)});
  } else if (property_ == Property::kNoCrossDriverAttach && !AllocatesByBus()) {
    // A domain for a group that another driver serves violates the property before it is reused.
    ways.push_back({SlotFor(unproved_, served(a)), SlotFor(any_two_, served(b))});
    if (unproved_ != any_two_)
      ways.push_back({SlotFor(any_two_, served(a)), SlotFor(unproved_, served(b))});
  } else {
    for (const auto& [of, by] : {std::pair(a, b), std::pair(b, a)}) {
      ways.push_back({SlotFor(any_two_, allocated(by)), SlotFor(any_two_, served(of))});
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
  if (origin == Origin::kOneCluster && !alone_.empty()) all.slots.push_back({alone_});
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
