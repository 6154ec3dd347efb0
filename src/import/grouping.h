// SPDX-License-Identifier: Apache-2.0
//
// Why devices share a group: what pci_device_group() (drivers/iommu/iommu.c) looks at, told for the
// groups that the running kernel has made. That function is the same in Linux 5.10, 6.1, 6.12 and
// 7.3. The kernel's quirks are not read here: the tables of devices that isolate without ACS or have
// aliases, and (7.3, PCI_DEV_FLAGS_PCI_BRIDGE_NO_ALIAS) bridges that make none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/import/sysfs.h"

namespace iommucheck::import {

struct GroupStory {
  int group = -1;  // -1: devices without a group
  std::vector<std::string> devices;
  std::vector<std::string> because;  // sentences
  std::vector<std::string> unknown;  // what cannot be seen, and what would tell
};

// Of the group of this number, of the group of this device, or "all": of each group with several
// devices and of the PCI devices that have none, if any has one. Empty: there is no such group or
// device.
std::vector<GroupStory> WhyGroups(const Found& found, std::string_view whom);

}  // namespace iommucheck::import
