// SPDX-License-Identifier: Apache-2.0
//
// Machines have dozens of devices that no step of the model can tell apart. Two of a kind are
// enough: the domain that one group allocates is the one that the other joins, and a third group
// could only repeat a step of these two. This is an argument, not a proof, and the answer says so.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/import/machine.h"

namespace iommucheck::import {
namespace {

constexpr int kOfAKind = 2;
// In a group the first device is special (the group is made for it), so one more is kept.
constexpr int kOfAKindInGroup = 3;

class Reducer {
 public:
  explicit Reducer(Machine& machine) : m_(machine) {}

  void Run() {
    DropAlikeMembers();
    DropAlikeInstances();
    DropAlikeGroups();
    if (dropped_devices_.empty() && dropped_instances_.empty()) return;
    Rebuild();
    Explain();
  }

 private:
  // Describes a device; instances either by their driver and facts only, or by name.
  [[nodiscard]] std::string Look(int device, bool by_name) const {
    const MachineDevice& d = m_.devices[device];
    std::string look = absl::StrCat(static_cast<int>(d.bus));
    for (const int i : d.masters)
      absl::StrAppend(&look, ",", by_name ? m_.instances[i].name : InstanceLook(i));
    return look;
  }

  [[nodiscard]] std::string InstanceLook(int i) const {
    const MachineInstance& instance = m_.instances[i];
    return absl::StrCat(instance.driver, instance.fwnode ? "f" : "-",
                        instance.enforces_coherency ? "e" : "-");
  }

  [[nodiscard]] std::string GroupLook(const MachineGroup& group, bool by_name) const {
    std::string look = absl::StrCat(static_cast<int>(group.shape), ":");
    for (const int device : group.devices) absl::StrAppend(&look, Look(device, by_name), ";");
    return look;
  }

  void DropAlikeMembers() {
    for (MachineGroup& group : m_.groups) {
      std::map<std::string, int> seen;
      std::erase_if(group.devices, [&](int device) {
        const bool drop = ++seen[Look(device, true)] > kOfAKindInGroup;
        if (drop) dropped_devices_.insert(device);
        return drop;
      });
    }
  }

  void DropAlikeInstances() {
    std::vector<std::set<std::string>> behind(m_.instances.size());
    for (const MachineGroup& group : m_.groups)
      for (const int device : group.devices)
        for (const int i : m_.devices[device].masters) behind[i].insert(GroupLook(group, false));
    std::map<std::string, int> seen;
    for (size_t i = 0; i < m_.instances.size(); ++i) {
      const std::string look =
          absl::StrCat(InstanceLook(static_cast<int>(i)), "|", absl::StrJoin(behind[i], "|"));
      if (++seen[look] > kOfAKind) dropped_instances_.insert(static_cast<int>(i));
    }
  }

  void DropAlikeGroups() {
    std::map<std::string, int> seen;
    std::erase_if(m_.groups, [&](const MachineGroup& group) {
      const bool behind_dropped = std::ranges::any_of(group.devices, [&](int device) {
        return std::ranges::any_of(m_.devices[device].masters,
                                   [&](int i) { return dropped_instances_.contains(i); });
      });
      const bool drop = behind_dropped || ++seen[GroupLook(group, true)] > kOfAKind;
      if (drop) dropped_devices_.insert(group.devices.begin(), group.devices.end());
      return drop;
    });
  }

  // Removes the dropped ones and renumbers the rest.
  void Rebuild() {
    const std::vector<int> new_device = Remove(dropped_devices_, m_.devices, left_out_);
    const std::vector<int> new_instance =
        Remove(dropped_instances_, m_.instances, left_out_instances_);
    for (MachineDevice& device : m_.devices)
      for (int& i : device.masters) i = new_instance[i];
    for (MachineGroup& group : m_.groups)
      for (int& device : group.devices) device = new_device[device];
  }

  // Gives each entry's new number, -1 for the dropped ones, and the names of these.
  template <typename T>
  static std::vector<int> Remove(const std::set<int>& dropped, std::vector<T>& entries,
                                 std::string& left_out) {
    std::vector<int> numbers;
    std::vector<T> kept;
    std::vector<std::string> names;
    for (T& entry : entries) {
      const bool drop = dropped.contains(static_cast<int>(numbers.size()));
      numbers.push_back(drop ? -1 : static_cast<int>(kept.size()));
      if (drop)
        names.push_back(std::move(entry.name));
      else
        kept.push_back(std::move(entry));
    }
    entries = std::move(kept);
    left_out = ListOf(names);
    return numbers;
  }

  void Explain() {
    if (!left_out_instances_.empty())
      m_.assumptions.push_back(absl::StrCat(
          "Left out, since two instances like them (driver, answers, groups behind them) are in: ",
          left_out_instances_, "."));
    if (left_out_.empty()) return;
    m_.assumptions.push_back(absl::StrCat(
        "Left out, since two groups like theirs (bus, instances, shape; three devices in a "
        "group) are in: ",
        left_out_, "."));
    m_.assumptions.emplace_back(
        "Two of a kind stand for all: one can found a domain and the other can join it. This is "
        "argued, not proved.");
  }

  Machine& m_;
  std::set<int> dropped_devices_;
  std::set<int> dropped_instances_;
  std::string left_out_;
  std::string left_out_instances_;
};

}  // namespace

void Reduce(Machine& machine) { Reducer(machine).Run(); }

bool Fits(const Machine& m) {
  return m.drivers.size() <= kMaxDrivers && m.instances.size() <= kMaxInstances &&
         m.devices.size() <= kMaxDevices;
}

void MakeFit(Machine& m) {
  if (Fits(m)) return;
  m.gaps.push_back(
      {.missing = absl::StrFormat("The machine has %d drivers, %d IOMMUs and %d devices that "
                                  "differ; the model has room for "
                                  "%d, %d and %d, and the rest is left out.",
                                  m.drivers.size(), m.instances.size(), m.devices.size(),
                                  kMaxDrivers, kMaxInstances, kMaxDevices),
       .unknown = "what runs do in which the rest takes part",
       .settle = "nothing that iommucheck can do yet"});
  const auto first = [](auto& entries, size_t most) {
    if (entries.size() > most)
      entries.erase(entries.begin() + static_cast<long>(most), entries.end());
  };
  first(m.drivers, kMaxDrivers);
  std::vector<int> place;  // by instance; -1: left out
  std::vector<MachineInstance> instances;
  for (MachineInstance& instance : m.instances) {
    const bool fits = instance.driver < kMaxDrivers && instances.size() < kMaxInstances;
    place.push_back(fits ? static_cast<int>(instances.size()) : -1);
    if (fits) instances.push_back(std::move(instance));
  }
  m.instances = std::move(instances);
  std::vector<int> device_place;
  std::vector<MachineDevice> devices;
  for (MachineDevice& device : m.devices) {
    for (int& master : device.masters) master = place[static_cast<size_t>(master)];
    const bool fits = std::ranges::count(device.masters, -1) == 0 && devices.size() < kMaxDevices;
    device_place.push_back(fits ? static_cast<int>(devices.size()) : -1);
    if (fits) devices.push_back(std::move(device));
  }
  m.devices = std::move(devices);
  for (MachineGroup& group : m.groups) {
    for (int& device : group.devices) device = device_place[static_cast<size_t>(device)];
    std::erase(group.devices, -1);
  }
  std::erase_if(m.groups, [](const MachineGroup& group) { return group.devices.empty(); });
}

}  // namespace iommucheck::import
