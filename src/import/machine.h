// SPDX-License-Identifier: Apache-2.0
//
// Between what sysfs says and a topology: instances with their drivers, devices with all instances
// that they are behind, and groups with their shape.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "model/topology.h"

namespace iommucheck::import {

struct MachineDriver {
  std::string name;
  Driver model;
};

struct MachineInstance {
  std::string name;
  int driver = 0;
  bool fwnode = false;
  bool enforces_coherency = true;
};

struct MachineDevice {
  std::string name;
  Bus bus{};
  std::vector<int> masters;  // instances, at most kMaxMasters
  int found_instance = -1;
  int found_group = -1;
};

// Devices that end in one group, in the order of the machine.
struct MachineGroup {
  // What makes them one: their slot, or off pci a stream id; a common alias; an instance's shared
  // group; nothing (one device).
  enum class Shape : uint8_t { kSingle, kSlot, kAlias, kInstance };
  Shape shape = Shape::kSingle;
  std::vector<int> devices;
};

struct Machine {
  std::vector<MachineDriver> drivers;
  std::vector<MachineInstance> instances;  // in the order they register
  std::vector<MachineDevice> devices;      // in the order they are walked
  std::vector<MachineGroup> groups;
  std::vector<std::string> assumptions;
};

// Leaves out instances, groups and devices of which two, or three in a group, are like them, and
// adds the sentence that says so.
void Reduce(Machine& machine);

}  // namespace iommucheck::import
