// SPDX-License-Identifier: Apache-2.0
//
// The facts of a /sys tree that only VFIO asks for: which driver has a device, and which regions of a
// group are reserved. No answer about two drivers rests on them.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace iommucheck::import {

class Tree;
struct Found;

struct VfioFacts {
  // The driver that has the device, by the name of the device; no entry: none, or the tree has no
  // such link.
  std::map<std::string, std::string> bound;
  // The types of a group's reserved regions, each once, as sysfs has them ("direct", "msi"). No
  // entry: the tree has no such file.
  std::map<int, std::vector<std::string>> regions;
  // Registered units of VT-d that cannot remap interrupts, by their extended capabilities.
  std::vector<std::string> without_remapping;
  // PCI functions in no group and behind no IOMMU.
  std::vector<std::string> ungrouped;
};

// Of the system that ReadFound() has read from the tree.
VfioFacts ReadVfioFacts(const Tree& tree, const Found& found);
// Of a system without a tree: a device tree, which has no drivers.
VfioFacts VfioFactsOf(const Found& found);

}  // namespace iommucheck::import
