// SPDX-License-Identifier: Apache-2.0
//
// The step between sysfs and a topology: instances with their drivers, devices with all instances
// that they are behind, and groups with their shape.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/rules.h"
#include "model/topology.h"
#include "src/import/sysfs.h"

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
  int found_group = -1;
  Bridge bridge = Bridge::kNone;  // as FoundDevice
  std::optional<bool> acs;
};

// Devices that share a group, in the order of the machine.
struct MachineGroup {
  // The reason that they share it: their slot (on other buses than pci: a stream id); a common
  // alias; the group that an instance shares out. kSingle: there is one device.
  enum class Shape : uint8_t { kSingle, kSlot, kAlias, kInstance };
  Shape shape = Shape::kSingle;
  std::vector<int> devices;
};

struct InstanceAsFound {
  std::string name;
  std::string driver;
};

// A device that is in a group or behind an instance, as the running kernel has it.
struct AsFound {
  std::string device;
  Bus bus{};
  std::string instance;  // under /sys/class/iommu; empty: none
  std::string driver;    // the IOMMU driver that serves it; empty: none
  int group = -1;        // iommu_group number, -1: none
};

// Everything that was found, before Reduce(), and how far the machine can be trusted.
struct Account {
  bool described_only = false;  // by a device tree: as_found is what the kernel would make of it
  std::string model;            // of a device tree
  std::vector<InstanceAsFound> instances_found;
  std::vector<AsFound> as_found;
  std::vector<std::string> assumptions;  // sentences; printed with the answer
  // Gaps could hide a violation: while there are any, "holds" is not the answer.
  std::vector<Gap> gaps;
};

struct Machine : Account {
  std::vector<MachineDriver> drivers;
  std::vector<MachineInstance> instances;  // in the order in which they register
  std::vector<MachineDevice> devices;      // in the order in which the kernel walks them
  std::vector<MachineGroup> groups;
  // One driver for each IOMMU that firmware describes and nobody registered; empty: unknown.
  std::vector<std::string> described;

  [[nodiscard]] const std::string& DriverOf(size_t instance) const {
    return drivers[instances[instance].driver].name;
  }
};

// The machine that a tree shows, in full. The behaviour of the drivers is that of the catalogue for
// `version`, the kernel that the question is about.
Machine BuildMachine(const Found& found, KernelVersion version);

// The instances that the ACPI tables put a PCI device behind: a VT-d unit, a virtio-iommu.
struct ByFirmware {
  std::optional<int> dmar;
  std::optional<int> viot;
};

// Gives these for each of found.devices. `machine` has the instances of `found`, with the same
// indices. IOMMUs in the tables and among the device tree's nodes that nobody registered, and
// anything that cannot be read, become gaps of `machine`.
std::vector<ByFirmware> ReadFirmware(const Found& found, Machine& machine);

// Leaves out instances, groups and devices if two others of their kind remain (three in a group),
// and adds a sentence that says so.
void Reduce(Machine& machine);

// Whether the model has room for all of it.
bool Fits(const Machine& machine);
// Leaves out drivers, instances and devices that the model has no room for; what is left out is a
// gap.
void MakeFit(Machine& machine);

}  // namespace iommucheck::import
