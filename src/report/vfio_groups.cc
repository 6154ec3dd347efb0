// SPDX-License-Identifier: Apache-2.0
#include "src/report/vfio_groups.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/properties.h"
#include "model/step.h"
#include "src/case/spelling.h"
#include "src/import/catalogue.h"
#include "src/report/kernel_table.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// Drivers that leave DMA to user space (driver_managed_dma), or are none that does DMA.
constexpr auto kNoKernelDma = std::to_array<std::string_view>(
    {"vfio-pci", "vfio-platform", "vfio-amba", "vfio-fsl-mc", "vfio-cdx", "pci-stub", "pcieport"});

bool DoesKernelDma(const std::string& driver) {
  return std::ranges::find(kNoKernelDma, driver) == kNoKernelDma.end();
}

std::string_view CallName(OpKind kind) {
  if (kind == OpKind::kSetContainer) return "VFIO_GROUP_SET_CONTAINER";
  if (kind == OpKind::kSetIommu) return "VFIO_SET_IOMMU";
  if (kind == OpKind::kGetDevice) return "VFIO_GROUP_GET_DEVICE_FD";
  return "iommu_device_register()";
}

// A machine that boots, and what is done to it then.
class Boot {
 public:
  Boot(const KernelSpec& kernel, const Topology& topology)
      : profile_(ProfileOf(kernel)), topology_(topology) {
    state_ = InitialState(topology_);
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      registered_.push_back(Take(OpKind::kRegister, i));
    for (DeviceId d = 0; d < topology_.devices_count; ++d) {
      if (IsServed(d)) continue;
      Take(OpKind::kConfigure, d);
      // A driver without fwnodes finds the devices that are plugged in after it, too: those that
      // it did not find are of a bus that another driver claims.
      if (IsServed(d) || !IsOfNoFwnode(d)) continue;
      Take(OpKind::kRemove, d);
      Take(OpKind::kAdd, d);
    }
  }

  [[nodiscard]] bool IsServed(DeviceId d) const { return state_.devices[d].instance != kNoId; }
  [[nodiscard]] GroupId GroupOf(DeviceId d) const { return state_.devices[d].group; }
  [[nodiscard]] const std::vector<Refusal>& registered() const { return registered_; }
  [[nodiscard]] const Topology& topology() const { return topology_; }

  // What the op comes to. An op that is not possible is none that the kernel refuses.
  Refusal Take(OpKind kind, uint8_t a) {
    std::vector<Event> events;
    const StepResult result = Step(profile_, topology_, {kind, a, 0, {}}, state_, events);
    if (result.outcome != Outcome::kDone || result.error == 0) return {};
    Refusal refusal{.error = result.error, .call = std::string(CallName(kind))};
    for (const Event& e : events)
      if (e.kind == Event::Kind::kRefused && e.error == -result.error) refusal.rule = e.rule;
    if (refusal.rule) refusal.why = std::string(InfoOf(*refusal.rule).holds);
    return refusal;
  }

  // Hands the group to user space: the first call that is refused. Devices in `stay` are bound to a
  // driver of the kernel's before, and no file is asked for them.
  Refusal HandOver(const std::vector<bool>& stay) {
    for (DeviceId d = 0; d < topology_.devices_count; ++d)
      if (stay[d]) Take(OpKind::kBind, d);
    Refusal refusal = Take(OpKind::kSetContainer, GroupOf(0));
    if (refusal.error == 0) refusal = Take(OpKind::kSetIommu, 0);
    for (DeviceId d = 0; d < topology_.devices_count && refusal.error == 0; ++d)
      if (!stay[d]) refusal = Take(OpKind::kGetDevice, d);
    return refusal;
  }

 private:
  [[nodiscard]] bool IsOfNoFwnode(DeviceId d) const {
    const InstanceId master = topology_.devices[d].masters[0];
    return master != kNoId && !topology_.instances[master].fwnode;
  }

  KernelProfile profile_;
  Topology topology_;
  State state_;
  std::vector<Refusal> registered_;
};

using Members = std::vector<const import::AsFound*>;

// The instance of this name, or one of the same driver that stands for it; kNoId: none.
InstanceId InstanceFor(const import::System& system, const import::AsFound& device) {
  const auto& names = system.names.instances;
  const auto at = std::ranges::find(names, device.instance);
  if (at != names.end()) return static_cast<InstanceId>(at - names.begin());
  for (InstanceId i = 0; i < system.topology.instances_count; ++i)
    if (system.names.drivers[system.topology.instances[i].driver] == device.driver) return i;
  return kNoId;
}

// The instances that the device is behind: all, where the system has it as a device of its own, else
// the one that serves it as found.
std::array<InstanceId, kMaxMasters> MastersOf(const import::System& system,
                                              const import::AsFound& device) {
  const auto& names = system.names.devices;
  auto at = std::ranges::find(names, device.device);
  // Cases leave out segment 0.
  if (at == names.end() && device.device.starts_with("0000:"))
    at = std::ranges::find(names, device.device.substr(5));
  if (at != names.end()) return system.topology.devices[at - names.begin()].masters;
  std::array<InstanceId, kMaxMasters> masters;
  masters.fill(kNoId);
  masters[0] = InstanceFor(system, device);
  return masters;
}

// The machine with the devices of one group alone. nullopt, and why, where the model cannot say it.
std::optional<Topology> MachineOf(const import::System& system, const import::VfioFacts& facts,
                                  const Members& members, std::string& why) {
  if (members.size() > static_cast<size_t>(kMaxDevices)) {
    why = absl::StrFormat("it has %d devices, and the model has room for %d", members.size(),
                          kMaxDevices);
    return std::nullopt;
  }
  Topology t = system.topology;
  t.devices = {};
  t.devices_count = 0;
  for (Instance& i : t.instances) i.isolates_msi = true;
  for (InstanceId i = 0; i < t.instances_count; ++i)
    t.instances[i].isolates_msi =
        std::ranges::find(facts.without_remapping, system.names.instances[i]) ==
        facts.without_remapping.end();
  const auto regions = facts.regions.find(members.front()->group);
  const bool direct = regions != facts.regions.end() &&
                      std::ranges::count(regions->second, std::string("direct")) != 0;
  bool instance_groups = true;
  for (const import::AsFound* member : members) {
    Device& device = t.devices[t.devices_count++];
    device.bus = member->bus;
    device.masters = MastersOf(system, *member);
    if (device.masters[0] == kNoId) {
      why = absl::StrCat("no IOMMU is known for ", member->device);
      return std::nullopt;
    }
    instance_groups &= t.drivers[t.instances[device.masters[0]].driver].instance_groups;
    if (direct) device.regions[0] = {.type = Region::Type::kDirect, .first = 0, .last = 0};
  }
  if (!instance_groups && members.size() > 1)
    for (DeviceId d = 0; d < t.devices_count; ++d) t.devices[d].slot = 1;
  return t;
}

// Up to and including 6.5 VT-d's attach_dev refuses a device with an RMRR that is not relaxable, with
// -EPERM (device_is_rmrr_locked()); then the core does so.
bool RefusesRmrr(const Boot& boot, const import::System& system, const KernelProfile& kernel) {
  const Topology& t = boot.topology();
  return !kernel.has(Rule::kCoreRequireDirect) &&
         std::ranges::any_of(t.devices, [&](const Device& d) {
           return d.masters[0] != kNoId && d.regions[0].type == Region::Type::kDirect &&
                  system.names.drivers[t.instances[d.masters[0]].driver] == "intel";
         });
}

GroupOnKernel GroupOn(const import::System& system, const import::VfioFacts& facts,
                      const KernelSpec& kernel, int number, const Members& members) {
  GroupOnKernel group{.group = number};
  for (const import::AsFound* m : members) group.devices.push_back(m->device);
  const std::optional<Topology> machine = MachineOf(system, facts, members, group.unknown);
  if (!machine) return group;
  const Boot boot(kernel, *machine);
  bool all = true;
  bool any = false;
  bool one_group = true;
  for (DeviceId d = 0; d < machine->devices_count; ++d) {
    (boot.IsServed(d) ? any : all) = boot.IsServed(d);
    one_group &= boot.GroupOf(d) == boot.GroupOf(0);
  }
  group.served = any;
  if (!any) return group;
  if (!all || !one_group) {
    group.unknown = all ? "this kernel makes several groups of it, and the model cannot say which"
                        : "some of its devices have no IOMMU on this kernel";
    return group;
  }
  std::vector<bool> stay(machine->devices_count);
  bool some_leave = false;
  for (DeviceId d = 0; d < machine->devices_count; ++d) {
    const auto bound = facts.bound.find(members[d]->device);
    if (bound == facts.bound.end() || !DoesKernelDma(bound->second)) {
      some_leave |= bound == facts.bound.end() || bound->second != "pcieport";
      continue;
    }
    stay[d] = true;
    group.stay.emplace_back(bound->first, bound->second);
  }
  group.handed_over = Boot(boot).HandOver(std::vector<bool>(stay.size()));
  if (group.handed_over.error == 0 && RefusesRmrr(boot, system, ProfileOf(kernel)))
    group.handed_over = {.error = -EPERM,
                         .call = std::string(CallName(OpKind::kSetIommu)),
                         .rule = {},
                         .why = "VT-d's attach_dev refuses devices with a direct region (RMRR)"};
  if (group.stay.empty()) return group;
  // Where the kernel has all of them, there is none that VFIO would be asked for.
  if (some_leave) group.while_they_stay = Boot(boot).HandOver(stay);
  if (!some_leave && group.stay.size() > 1) {
    // One goes and the others stay.
    std::vector<bool> others = stay;
    others[static_cast<size_t>(std::ranges::find(others, true) - others.begin())] = false;
    group.while_they_stay = Boot(boot).HandOver(others);
  }
  return group;
}

std::vector<std::string> TakenForGranted(const import::System& system,
                                         const import::VfioFacts& facts, const KernelSpec& kernel) {
  std::vector<std::string> taken;
  if (!system.instances_found.empty() && system.topology.firmware != Firmware::kDt)
    taken.emplace_back(
        "Interrupts are remapped (x86), so that a device cannot forge those of others; where they "
        "are not, VFIO_SET_IOMMU is -EPERM without vfio_iommu_type1.allow_unsafe_interrupts=1.");
  std::set<std::string> hardware;
  for (const std::string& name : system.names.drivers) {
    const import::CatalogueDriver* row = import::FindDriver(name, kernel.version);
    if (row != nullptr && row->cache_coherency == import::Coherency::kHardware)
      hardware.insert(name);
  }
  if (!hardware.empty() && !system.described_only &&
      ProfileOf(kernel).has(Rule::kVfioCacheCoherency))
    taken.push_back(absl::StrCat(
        "The hardware behind ", absl::StrJoin(hardware, ", "),
        " is coherent (IOMMU_CAP_CACHE_COHERENCY); where it is not, vfio's driver does not bind."));
  if (facts.regions.empty() && !system.described_only && !system.as_found.empty())
    taken.emplace_back(
        "No group has a direct region; sys/kernel/iommu_groups/*/reserved_regions, which says so, "
        "is not there.");
  return taken;
}

// "0-11, 13"
std::string RangesText(const std::vector<int>& numbers) {
  std::vector<std::string> parts;
  for (size_t first = 0; first < numbers.size();) {
    size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    parts.push_back(last == first ? absl::StrCat(numbers[first])
                                  : absl::StrCat(numbers[first], last == first + 1 ? ", " : "-",
                                                 numbers[last]));
    first = last + 1;
  }
  return absl::StrJoin(parts, ", ");
}

std::string GroupsText(const std::vector<int>& numbers) {
  return absl::StrCat(numbers.size() == 1 ? "group " : "groups ", RangesText(numbers));
}

// "VFIO_SET_IOMMU is -EPERM (type1.msi_safety): .."
std::string RefusalText(const Refusal& r) {
  // The group has no file then, so that there is nothing to call.
  if (r.rule == Rule::kVfioCacheCoherency)
    return absl::StrFormat("vfio's driver does not bind (%s): %s", InfoOf(*r.rule).id, r.why);
  std::string text = absl::StrFormat("%s is %s", r.call, ErrnoName(r.error));
  if (r.rule) absl::StrAppend(&text, " (", std::string(InfoOf(*r.rule).id), ")");
  return r.why.empty() ? text : absl::StrCat(text, ": ", r.why);
}

Json RefusalJson(const Refusal& r) {
  Json out = {{"errno", ErrnoName(r.error)}};
  if (r.error == 0) return out;
  out["call"] = r.call;
  if (r.rule) out["refused_by"] = InfoOf(*r.rule).id;
  out["why"] = r.why;
  return out;
}

}  // namespace

VfioOnKernel VfioOn(const import::System& whole, const import::VfioFacts& facts,
                    const KernelSpec& kernel) {
  VfioOnKernel out{.kernel = kernel, .ungrouped = facts.ungrouped};
  const Boot boot(kernel, whole.topology);
  for (size_t i = 0; i < boot.registered().size(); ++i) {
    if (boot.registered()[i].error == 0) continue;
    const std::string& driver = whole.names.drivers[whole.topology.instances[i].driver];
    if (std::ranges::find(out.refused, driver, &Unregistered::driver) != out.refused.end())
      continue;
    // Those that a search leaves out fail as those do that stand for them.
    const auto of_driver =
        std::ranges::count(whole.instances_found, driver, &import::InstanceAsFound::driver);
    out.refused.push_back({driver, static_cast<int>(of_driver), boot.registered()[i]});
  }
  std::map<int, Members> groups;
  for (const import::AsFound& device : whole.as_found)
    if (device.group >= 0) groups[device.group].push_back(&device);
  for (const auto& [number, members] : groups)
    out.groups.push_back(GroupOn(whole, facts, kernel, number, members));
  out.taken = TakenForGranted(whole, facts, kernel);
  return out;
}

std::string VfioText(const VfioOnKernel& vfio) {
  std::string out;
  for (const Unregistered& u : vfio.refused) {
    std::string text = absl::StrFormat("%s of %s %s up on %s: %s. What is behind %s has no IOMMU.",
                                       Plural(static_cast<uint64_t>(u.instances), "IOMMU"),
                                       u.driver, u.instances == 1 ? "does not come" : "do not come",
                                       VersionName(vfio.kernel.version), RefusalText(u.refusal),
                                       u.instances == 1 ? "it" : "them");
    if (u.refusal.rule == Rule::kRegisterSingleDriver || u.refusal.rule == Rule::kBusOneOps)
      text +=
          " Whichever driver comes second is refused: here in the order in which they are "
          "listed below.";
    out += Field(out.empty() ? "boot" : "", text);
  }
  if (vfio.groups.empty() && vfio.ungrouped.empty()) return out;

  // Groups with the same answer, by the number of the first.
  std::vector<int> taken;
  std::vector<std::pair<std::string, std::vector<int>>> others;
  const auto add = [&](const std::string& answer, int group) {
    const auto at = std::ranges::find(others, answer, [](const auto& o) { return o.first; });
    if (at == others.end())
      others.push_back({answer, {group}});
    else
      at->second.push_back(group);
  };
  std::vector<std::string> stays;
  for (const GroupOnKernel& g : vfio.groups) {
    if (!g.unknown.empty()) {
      add("unknown: " + g.unknown, g.group);
    } else if (!g.served) {
      add("no IOMMU on this kernel, and no group", g.group);
    } else if (g.handed_over.error != 0) {
      add(RefusalText(g.handed_over), g.group);
    } else {
      taken.push_back(g.group);
      if (g.while_they_stay.error == 0) continue;
      std::vector<std::string> bound;
      bound.reserve(g.stay.size());
      for (const auto& [device, driver] : g.stay)
        bound.push_back(absl::StrFormat("%s (%s)", device, driver));
      stays.push_back(absl::StrFormat("group %d goes as a whole: unbind %s. Until then %s", g.group,
                                      absl::StrJoin(bound, ", "), RefusalText(g.while_they_stay)));
    }
  }
  auto field = [&, first = true](const std::string& text) mutable {
    out += Field(first ? "vfio" : "", text);
    first = false;
  };
  field(taken.empty()
            ? absl::StrFormat("%s takes none of the groups", VersionName(vfio.kernel.version))
            : absl::StrFormat("%s takes %s, once vfio-pci or the like has their devices",
                              VersionName(vfio.kernel.version), GroupsText(taken)));
  for (const auto& [answer, groups] : others)
    field(absl::StrFormat("%s: %s", GroupsText(groups), answer));
  for (const std::string& stay : stays) field(stay);
  if (!vfio.ungrouped.empty())
    field(absl::StrFormat(
        "no group: %s, since no IOMMU is behind %s. VFIO takes %s only with "
        "vfio.enable_unsafe_noiommu_mode=1 and CAP_SYS_RAWIO, by VFIO_NOIOMMU_IOMMU: without any "
        "protection",
        import::ListOf(vfio.ungrouped), vfio.ungrouped.size() == 1 ? "it" : "them",
        vfio.ungrouped.size() == 1 ? "it" : "them"));
  for (const std::string& sentence : vfio.taken) field("Taken for granted: " + sentence);
  return out;
}

Json VfioJson(const VfioOnKernel& vfio) {
  Json out = {{"kernel", KernelJson(vfio.kernel)},
              {"unregistered", Json::array()},
              {"groups", Json::array()},
              {"ungrouped", Json::array()},
              {"taken_for_granted", vfio.taken}};
  for (const Unregistered& u : vfio.refused) {
    Json entry = RefusalJson(u.refusal);
    entry["driver"] = Printable(u.driver);
    entry["instances"] = u.instances;
    out["unregistered"].push_back(std::move(entry));
  }
  for (const GroupOnKernel& g : vfio.groups) {
    Json entry = {{"group", g.group}, {"devices", Json::array()}, {"served", g.served}};
    for (const std::string& device : g.devices) entry["devices"].push_back(Printable(device));
    if (!g.unknown.empty()) entry["unknown"] = Printable(g.unknown);
    if (g.served && g.unknown.empty()) entry["handed_over"] = RefusalJson(g.handed_over);
    if (g.served && g.unknown.empty() && !g.stay.empty()) {
      entry["bound"] = Json::array();
      for (const auto& [device, driver] : g.stay)
        entry["bound"].push_back({{"device", Printable(device)}, {"driver", Printable(driver)}});
      entry["while_they_stay"] = RefusalJson(g.while_they_stay);
    }
    out["groups"].push_back(std::move(entry));
  }
  for (const std::string& device : vfio.ungrouped) out["ungrouped"].push_back(Printable(device));
  return out;
}

std::string VfioTableText(const std::vector<VfioOnKernel>& kernels, bool by_number) {
  const auto cell = [](const GroupOnKernel& g) -> std::string {
    if (!g.unknown.empty()) return "unknown";
    if (!g.served) return "no IOMMU";
    if (g.handed_over.error != 0) return ErrnoName(g.handed_over.error);
    return g.while_they_stay.error == 0 ? "ok" : "ok, whole";
  };
  // A device tree's groups have other numbers on other kernels, so each is known by its first device.
  std::vector<std::string> first_devices;
  for (const VfioOnKernel& on : kernels)
    for (const GroupOnKernel& g : on.groups)
      if (std::ranges::find(first_devices, g.devices.front()) == first_devices.end())
        first_devices.push_back(g.devices.front());
  struct Row {
    std::vector<std::string> cells;
    std::vector<std::string> why;
    std::vector<int> numbers;
    std::vector<std::string> devices;
  };
  std::vector<Row> rows;
  for (const std::string& device : first_devices) {
    Row row;
    int number = -1;
    for (const VfioOnKernel& on : kernels) {
      const auto g = std::ranges::find_if(
          on.groups, [&](const GroupOnKernel& group) { return group.devices.front() == device; });
      row.cells.push_back(g == on.groups.end() ? "no IOMMU" : cell(*g));
      if (g == on.groups.end()) continue;
      number = g->group;
      for (const Refusal* r : {&g->handed_over, &g->while_they_stay})
        if (r->error != 0 && std::ranges::find(row.why, RefusalText(*r)) == row.why.end())
          row.why.push_back(RefusalText(*r));
    }
    auto at = std::ranges::find(rows, row.cells, &Row::cells);
    if (at == rows.end()) at = rows.insert(rows.end(), std::move(row));
    at->numbers.push_back(number);
    at->devices.push_back(device);
  }
  KernelTable table;
  for (const VfioOnKernel& on : kernels) table.kernels.emplace_back(VersionName(on.kernel.version));
  for (const Row& row : rows)
    table.rows.push_back(
        {.head = by_number ? GroupsText(row.numbers) : "groups of " + import::ListOf(row.devices),
         .cells = row.cells,
         .below = row.why});
  return KernelTableText(table);
}

}  // namespace iommucheck::report
