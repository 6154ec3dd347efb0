// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_run.h"

#include <iterator>
#include <map>

#include "model/step.h"

namespace iommucheck::smt {

Topology Only(const Topology& t, const DeviceSet& devices) {
  Topology part = t;
  std::map<DeviceId, DeviceId> renumbered = {{kNoId, kNoId}};
  part.devices_count = 0;
  for (DeviceId d : devices) {
    renumbered[d] = part.devices_count;
    part.devices[part.devices_count++] = t.devices[d];
  }
  for (DeviceId d = 0; d < part.devices_count; ++d) {
    DeviceId& alias = part.devices[d].alias;
    alias = renumbered.contains(alias) ? renumbered[alias] : kNoId;
  }
  return part;
}

std::optional<std::vector<Op>> PlayOn(const KernelProfile& kernel, const Topology& machine,
                                      const DeviceSet& devices, const FoundRun& run,
                                      Property property) {
  const bool all = devices.size() == machine.devices_count;
  const Topology t = all ? machine : Only(machine, devices);
  const auto number = [&](DeviceId d) {
    return all ? d : static_cast<DeviceId>(std::distance(devices.begin(), devices.find(d)));
  };
  State state = InitialState(t);
  std::vector<Event> events;
  std::vector<Op> ops;
  // By the circuit's number of a group. One that has lost its devices keeps the last entry.
  std::map<int, GroupId> group_of;
  for (size_t n = 0; n < run.ops.size(); ++n) {
    Op op = run.ops[n];
    for (size_t d = 0; d < run.devices.size(); ++d)
      if (run.groups[n][d] >= 0)
        group_of[run.groups[n][d]] = state.devices[number(run.devices[d])].group;
    switch (op.kind) {
      case OpKind::kAdd:
      case OpKind::kRemove:
      case OpKind::kConfigure:
        op.a = number(run.devices[op.a]);
        break;
      case OpKind::kSetContainer:
      case OpKind::kUnsetContainer: {
        const auto at = group_of.find(op.a);
        if (at == group_of.end() || at->second == kNoId) return std::nullopt;
        op.a = at->second;
        break;
      }
      default:
        break;
    }
    if (!Validate(op, t).ok() || Step(kernel, t, op, state, events).outcome != Outcome::kDone)
      return std::nullopt;
    ops.push_back(op);
    if (FindViolation(property, events) != nullptr) return ops;
  }
  return std::nullopt;
}

}  // namespace iommucheck::smt
