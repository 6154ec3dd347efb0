// SPDX-License-Identifier: Apache-2.0
//
// The step between sysfs and a topology: instances with their drivers, devices with all instances
// that they are behind, and groups with their shape.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "model/topology.h"
#include "src/import/gap.h"

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
  bool coherency_known = true;
};

struct MachineDevice {
  std::string name;
  Bus bus{};
  bool below_bridge = false;  // PCI: not on a root bus
  std::vector<int> masters;   // instances, at most kMaxMasters
  int found_instance = -1;
  int found_group = -1;
};

// Devices that share a group, in the order of the machine.
struct MachineGroup {
  // The reason that they share it: their slot (on other buses than pci: a stream id); a common
  // alias; the group that an instance shares out. kSingle: there is one device.
  enum class Shape : uint8_t { kSingle, kSlot, kAlias, kInstance };
  Shape shape = Shape::kSingle;
  std::vector<int> devices;
};

// A device that is in a group or behind an instance, as the running kernel has it.
struct AsFound {
  std::string device;
  Bus bus{};
  std::string instance;  // under /sys/class/iommu; empty: none
  std::string driver;    // the IOMMU driver that serves it; empty: none
  int group = -1;        // iommu_group number, -1: none
};

struct Machine {
  std::vector<MachineDriver> drivers;
  std::vector<MachineInstance> instances;  // in the order in which they register
  std::vector<MachineDevice> devices;      // in the order in which the kernel walks them
  std::vector<MachineGroup> groups;
  std::vector<std::string> assumptions;
  std::vector<Gap> gaps;
  // Everything that was found, before Reduce().
  std::vector<std::string> instances_found;
  std::vector<std::string> instance_drivers_found;  // by the same indices
  std::vector<AsFound> as_found;
  // One driver for each IOMMU that firmware describes and nobody registered; empty: unknown.
  std::vector<std::string> described;
};

// Leaves out instances, groups and devices if two others of their kind remain (three in a group),
// and adds a sentence that says so.
void Reduce(Machine& machine);

}  // namespace iommucheck::import
