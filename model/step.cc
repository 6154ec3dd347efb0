// SPDX-License-Identifier: Apache-2.0
#include "model/step.h"

#include <algorithm>
#include <cassert>

#include "model/invariants.h"
#include "model/kernel.h"

namespace iommucheck {
namespace {

// The assumptions about steps that a step may break on its way. The step is undone then, so Step()
// keeps the state before.
constexpr RuleSet kStepAssumptions = RuleSet()
                                         .add(Rule::kAssumeNoHotAddWhenAttached)
                                         .add(Rule::kAssumeNoUnregisterWhenAttached)
                                         .add(Rule::kAssumeBusOpsNotReplaced)
                                         .add(Rule::kAssumeNoDriverBeforeIommu);

// dev->iommu->iommu_dev of some device.
bool ServesADevice(const Kernel& k, InstanceId instance) {
  return std::any_of(k.state.devices.begin(), k.state.devices.begin() + k.topology.devices_count,
                     [instance](const DeviceState& d) { return d.instance == instance; });
}

StepResult Done(Kernel& k, int error) {
  if (k.has(Rule::kVfioCoherencyOfBus)) RememberVfios(k);
  assert(BrokenInvariant(k.topology, k.state) == nullptr);
  return {.error = error, .struck = k.struck()};
}

}  // namespace

int Kernel::inject(Fault::Kind kind, uint8_t target) {
  for (size_t i = 0; i < op.faults.size(); ++i) {
    const Fault& fault = op.faults[i];
    if (fault.kind != kind || fault.target != target) continue;
    if (kind == Fault::Kind::kAttach && fault.count != kEveryAttach && fault_hits[i] >= fault.count)
      continue;
    ++fault_hits[i];
    return -fault.error;
  }
  return 0;
}

State InitialState(const Topology& topology) {
  static const State kBlank;  // one copy is cheaper than to initialise every entry
  State state = kBlank;
  for (DeviceId dev = 0; dev < topology.devices_count; ++dev) {
    if (topology.devices[dev].absent) continue;
    state.devices[dev].present = true;
    state.listed[state.listed_count++] = dev;
    if (topology.devices[dev].kind == DeviceKind::kReal) continue;
    const GroupId group = state.groups_end++;  // as AddFakeGroup(); the first groups are free
    state.groups[group].live = true;
    state.groups[group].kind = topology.devices[dev].kind;
    state.groups[group].devices = dev;
    state.devices[dev].group = group;
  }
  return state;
}

StepResult Step(const KernelProfile& kernel, const Topology& topology, const Op& op, State& state,
                std::vector<Event>& events) {
  assert(Validate(op, topology).ok());
  events.clear();
  Kernel k{.profile = kernel, .topology = topology, .op = op, .state = state, .events = events};
  const OpInfo& info = InfoOf(op.kind);
  if (const char* why = info.cannot(k); why != nullptr)
    return {.outcome = Outcome::kNotPossible, .why = why};
  // A register that fails unregisters the instance itself; the assumption allows this.
  if (op.kind == OpKind::kUnregister && k.has(Rule::kAssumeNoUnregisterWhileServing) &&
      ServesADevice(k, op.a))
    return {.outcome = Outcome::kOutside, .assumption = Rule::kAssumeNoUnregisterWhileServing};

  if (!kernel.rules.has_any(kStepAssumptions) || !info.is(OpInfo::kMayLeaveAssumption))
    return Done(k, info.apply(k));

  const State before = state;
  const int error = info.apply(k);
  if (!k.outside) return Done(k, error);
  state = before;
  events.clear();
  return {.outcome = Outcome::kOutside, .assumption = *k.outside};
}

}  // namespace iommucheck
