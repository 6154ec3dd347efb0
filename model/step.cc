// SPDX-License-Identifier: Apache-2.0
#include "model/step.h"

#include <algorithm>

#include "model/kernel.h"

namespace iommucheck {
namespace {

// The assumptions about steps. A step that leaves one is undone, so it needs the state before.
constexpr RuleSet kStepAssumptions = RuleSet()
                                         .add(Rule::kAssumeNoHotAddWhenAttached)
                                         .add(Rule::kAssumeNoUnregisterWhenAttached)
                                         .add(Rule::kAssumeBusOpsNotReplaced);

// Only what registers, probes and lets go can leave one; the other ops need not keep the state.
bool MayLeaveAssumption(OpKind kind) {
  return kind == OpKind::kRegister || kind == OpKind::kUnregister || kind == OpKind::kAdd ||
         kind == OpKind::kConfigure;
}

// Another driver is loaded where this one's ops would lie.
bool AddressTaken(const Kernel& k, DriverId driver) {
  for (DriverId d = 0; d < k.topology.drivers_count; ++d)
    if (d != driver && k.same_ops(d, driver) && DriverLoaded(k, d)) return true;
  return false;
}

bool HasFirmwareDescription(const Topology& t, DeviceId dev) {
  for (InstanceId master : t.devices[dev].masters)
    if (master != kNoId && t.instances[master].fwnode) return true;
  return false;
}

// Why no kernel, driver or admin can take the op now; nullptr: it is possible.
const char* WhyNotPossible(const Kernel& k, const Op& op) {
  switch (op.kind) {
    case OpKind::kRegister:
      if (IsRegistered(k, op.a)) return "the instance is registered";
      if (AddressTaken(k, k.topology.instances[op.a].driver))
        return "another driver is loaded at the driver's address";
      return nullptr;
    case OpKind::kUnregister:
      return IsRegistered(k, op.a) ? nullptr : "the instance is not registered";
    case OpKind::kAdd:
      return k.device(op.a).present ? "the device is there" : nullptr;
    case OpKind::kRemove:
      return k.device(op.a).present ? nullptr : "the device is not there";
    case OpKind::kConfigure:
      if (!k.device(op.a).present) return "the device is not there";
      return HasFirmwareDescription(k.topology, op.a)
                 ? nullptr
                 : "firmware does not describe the device by a fwnode";
    case OpKind::kSetContainer:
    case OpKind::kUnsetContainer:
      return k.group(op.a).live ? nullptr : "there is no such group";
    case OpKind::kSetIommu:
      return nullptr;
  }
  return "there is no such op";
}

int AddDevice(Kernel& k, DeviceId dev) {  // device_add(), BUS_NOTIFY_ADD_DEVICE
  k.device(dev).present = true;
  k.state.listed[k.state.listed_count++] = dev;  // bus_add_device()
  const auto bus = static_cast<unsigned>(k.topology.devices[dev].bus);
  const bool notified =
      k.profile.era != Era::kBusSlots || ((k.state.bus_notifier >> bus) & 1U) != 0;
  if (notified) iommu_probe_device(k, dev);
  return 0;
}

int RemoveDevice(Kernel& k, DeviceId dev) {  // device_del(): unbind, BUS_NOTIFY_REMOVED_DEVICE
  const GroupId group = k.device(dev).group;
  if (group != kNoId && k.group(group).container != kNoId && k.has(Rule::kVfioLeaveOnLast) &&
      k.first_device(group) == dev && k.device(dev).next == kNoId)
    UnsetContainer(k, group);
  // 6.1 takes dev->iommu for a sign of a driver; a fwspec alone makes one, too. The model goes on
  // as a fixed kernel does.
  if (k.profile.era == Era::kSingleDriver && k.device(dev).fwspec != kNoId && group == kNoId)
    k.emit({.kind = Event::Kind::kOops, .device = dev, .where = "iommu_release_device"});
  iommu_release_device(k, dev);
  k.device(dev).present = false;
  auto* const end = k.state.listed.begin() + k.state.listed_count;
  *std::remove(k.state.listed.begin(), end, dev) = kNoId;
  --k.state.listed_count;
  return 0;
}

int ConfigureDevice(Kernel& k, DeviceId dev) {  // bus->dma_configure() of a driver that binds
  if (const int ret = ApplyFirmware(k, dev); ret != 0) return ret;
  return iommu_probe_device(k, dev);
}

int Dispatch(Kernel& k, const Op& op) {
  switch (op.kind) {
    case OpKind::kRegister:
      return RegisterInstance(k, op.a);
    case OpKind::kUnregister:
      UnregisterInstance(k, op.a);
      return 0;
    case OpKind::kAdd:
      return AddDevice(k, op.a);
    case OpKind::kRemove:
      return RemoveDevice(k, op.a);
    case OpKind::kConfigure:
      return ConfigureDevice(k, op.a);
    case OpKind::kSetContainer:
      return SetContainer(k, op.a, op.b);
    case OpKind::kSetIommu:
      return SetIommu(k, op.a);
    case OpKind::kUnsetContainer:
      return UnsetContainer(k, op.a);
  }
  return -EINVAL;
}

}  // namespace

State InitialState(const Topology& topology) {
  static const State kBlank;  // one copy is cheaper than to initialise every entry
  State state = kBlank;
  for (DeviceId dev = 0; dev < topology.devices_count; ++dev) {
    if (topology.devices[dev].absent) continue;
    state.devices[dev].present = true;
    state.listed[state.listed_count++] = dev;
  }
  return state;
}

StepResult Step(const KernelProfile& kernel, const Topology& topology, const Op& op, State& state,
                std::vector<Event>& events) {
  events.clear();
  Kernel k{.profile = kernel, .topology = topology, .op = op, .state = state, .events = events};
  if (const char* why = WhyNotPossible(k, op); why != nullptr)
    return {.outcome = Outcome::kNotPossible, .why = why};

  if ((kernel.rules.bits() & kStepAssumptions.bits()) == 0 || !MayLeaveAssumption(op.kind))
    return {.error = Dispatch(k, op)};

  const State before = state;
  const int error = Dispatch(k, op);
  if (!k.outside) return {.error = error};
  state = before;
  events.clear();
  return {.outcome = Outcome::kOutside, .assumption = *k.outside};
}

}  // namespace iommucheck
