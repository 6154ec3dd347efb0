// SPDX-License-Identifier: Apache-2.0
//
// What a /sys tree says about IOMMUs, as it stands there.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/topology.h"
#include "src/import/acpi.h"
#include "src/import/gap.h"
#include "src/import/tree.h"

namespace iommucheck::import {

// An entry of /sys/class/iommu.
struct FoundInstance {
  std::string name;
  std::string folder;  // where the entry leads
  std::string device;  // the folder of the device that is the IOMMU; empty: none
  std::string bound;   // the driver bound to that device, or to the nearest one above it
  std::string ecap;    // VT-d: extended capabilities, and the address of the registers
  std::string address;
  std::string of_node;  // its node below firmware/devicetree/base; empty: none
};

// A node of the device tree that is an IOMMU (has #iommu-cells) and is not disabled.
struct FoundNode {
  std::string path;
  std::string compatible;
};

// A device on one of the buses of iommu_buses[].
struct FoundDevice {
  std::string name;
  Bus bus{};
  std::string folder;
  int group = -1;     // -1: none
  int instance = -1;  // index into instances, -1: none
};

struct Found {
  std::string kernel_release;
  std::string release_trouble;  // why there is none, and what to do; empty: there is one
  Firmware firmware = Firmware::kAny;
  std::vector<FoundInstance> instances;
  std::vector<FoundDevice> devices;
  // ACPI tables by signature; nullopt: there, but not readable.
  std::map<std::string, std::optional<std::string>> tables;
  std::vector<FoundNode> nodes;
  std::vector<Gap> gaps;
};

// Of a tree that has sys/ in it (also below one folder that holds all), or that is a sysfs itself;
// `proc_version` is what stands in the file beside it, where that is known. What cannot be read is
// a gap. Errors: InvalidArgument "expected WHAT, found WHAT": no sysfs at all, links in a cycle.
absl::StatusOr<Found> ReadFound(const Tree& tree,
                                const std::optional<std::string>& proc_version = std::nullopt);

// "0000:00:1f.3", the name of a PCI device.
std::optional<PciAddress> ParsePciName(std::string_view name);

// The number that `text` is, in full, to a base; nullopt: it is none, or too large.
std::optional<uint64_t> ParseNumber(std::string_view text, int base);

}  // namespace iommucheck::import
