// SPDX-License-Identifier: Apache-2.0
//
// A run that the solver found on some devices of a machine, played in the model.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "model/op.h"
#include "model/properties.h"
#include "model/topology.h"

namespace iommucheck::smt {

using DeviceSet = std::set<DeviceId>;

// The machine with these devices only.
Topology Only(const Topology& machine, const DeviceSet& devices);

// A run, with devices and groups as the circuit numbers them.
struct FoundRun {
  std::vector<Op> ops;
  std::vector<DeviceId> devices;         // the machine's, by the circuit's; kNoId: none
  std::vector<std::vector<int>> groups;  // before each step, by device: its group, -1 for none
};

// Plays the run on the machine with these devices only. Gives the ops up to the one that violates
// the property, with the machine's own numbers if `devices` are all; nothing if none does.
std::optional<std::vector<Op>> PlayOn(const KernelProfile& kernel, const Topology& machine,
                                      const DeviceSet& devices, const FoundRun& run,
                                      Property property);

}  // namespace iommucheck::smt
