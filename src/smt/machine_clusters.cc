// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_clusters.h"

#include <algorithm>
#include <map>
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
  std::string look = absl::StrCat(static_cast<int>(device.bus), device.absent ? "-" : "");
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

}  // namespace

std::vector<Cluster> ClustersOf(const Topology& t) {
  std::vector<int> number(t.devices_count);
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    number[d] = d;
    for (DeviceId e = 0; e < d; ++e)
      if (number[e] != number[d] && (t.related(d, e) || ShareInstance(t, d, e))) {
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

Cluster Reduced(const Topology& t, const Cluster& cluster) {
  std::map<std::string, int> seen;
  Cluster kept;
  for (DeviceId d : cluster) {
    const bool aliased =
        std::ranges::any_of(cluster, [&](DeviceId e) { return t.devices[e].alias == d; });
    const std::string look = absl::StrCat(LookOf(t, t.devices[d], true), ";", t.devices[d].alias,
                                          ";", t.devices[d].slot);
    if (aliased || ++seen[look] <= kMaxAlike) kept.push_back(d);
  }
  return kept;
}

std::string KindOf(const Topology& t, const Cluster& cluster, bool by_number) {
  std::string kind;
  std::map<std::pair<Bus, uint8_t>, int> slots;  // numbered as they come
  for (DeviceId d : cluster) {
    const Device& device = t.devices[d];
    const auto alias = std::ranges::find(cluster, device.alias) - cluster.begin();
    const int slot =
        device.slot == 0
            ? 0
            : slots.try_emplace({device.bus, device.slot}, static_cast<int>(slots.size()) + 1)
                  .first->second;
    absl::StrAppend(&kind, LookOf(t, device, by_number), ";", device.alias == kNoId ? -1 : alias,
                    ";", slot, "|");
  }
  return kind;
}

}  // namespace iommucheck::smt
