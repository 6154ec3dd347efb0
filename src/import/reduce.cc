// SPDX-License-Identifier: Apache-2.0
//
// Machines have dozens of devices that no step of the model can tell apart. Two of a kind are
// enough: the domain that one group allocates is the one that the other joins, and a third group
// could only repeat a step of these two. This is an argument, not a proof, and the answer says so.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "src/import/machine.h"

namespace iommucheck::import {
namespace {

constexpr int kOfAKind = 2;
// In a group the first device is special (the group is made for it), so one more is kept.
constexpr int kOfAKindInGroup = 3;
constexpr size_t kMaxListed = 6;

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
    const std::vector<int> new_device = Renumber(m_.devices.size(), dropped_devices_);
    const std::vector<int> new_instance = Renumber(m_.instances.size(), dropped_instances_);
    left_out_ = NamesOf(m_.devices, dropped_devices_);
    left_out_instances_ = NamesOf(m_.instances, dropped_instances_);
    Keep(m_.devices, new_device);
    Keep(m_.instances, new_instance);
    for (MachineDevice& device : m_.devices) {
      for (int& i : device.masters) i = new_instance[i];
      if (device.found_instance >= 0) device.found_instance = new_instance[device.found_instance];
    }
    for (MachineGroup& group : m_.groups)
      for (int& device : group.devices) device = new_device[device];
  }

  static std::vector<int> Renumber(size_t count, const std::set<int>& dropped) {
    std::vector<int> numbers(count, -1);
    int next = 0;
    for (size_t i = 0; i < count; ++i)
      if (!dropped.contains(static_cast<int>(i))) numbers[i] = next++;
    return numbers;
  }

  template <typename T>
  static void Keep(std::vector<T>& entries, const std::vector<int>& numbers) {
    std::vector<T> kept;
    for (size_t i = 0; i < entries.size(); ++i)
      if (numbers[i] >= 0) kept.push_back(std::move(entries[i]));
    entries = std::move(kept);
  }

  template <typename T>
  static std::string NamesOf(const std::vector<T>& entries, const std::set<int>& chosen) {
    std::vector<std::string> names;
    names.reserve(chosen.size());
    for (const int i : chosen) names.push_back(entries[i].name);
    const size_t all = names.size();
    if (all > kMaxListed) names.resize(kMaxListed);
    std::string list = absl::StrJoin(names, ", ");
    if (all > kMaxListed) absl::StrAppend(&list, " and ", all - kMaxListed, " more");
    return list;
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
    m_.assumptions.push_back(
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

}  // namespace iommucheck::import
