// SPDX-License-Identifier: Apache-2.0
#include "model/pci.h"

#include <algorithm>

namespace iommucheck {

bool IsAlias(Bridge bridge) {
  return bridge == Bridge::kPcieToPci || bridge == Bridge::kPciToPcie ||
         bridge == Bridge::kPciToPci;
}

bool pci_is_pcie(const Topology& t, DeviceId dev) {
  const Device& device = t.devices[dev];
  if (device.bridge != Bridge::kNone) return device.bridge != Bridge::kPciToPci;
  if (device.below == kNoId) return true;
  const Bridge above = t.devices[device.below].bridge;
  return above != Bridge::kPcieToPci && above != Bridge::kPciToPci;
}

bool pci_acs_enabled(const Topology& t, DeviceId dev) {
  const Device& device = t.devices[dev];
  if (!pci_is_pcie(t, dev)) return false;
  switch (device.bridge) {
    case Bridge::kPciToPcie:
    case Bridge::kPcieToPci:
    case Bridge::kPciToPci:
      return false;
    case Bridge::kRootPort:
    case Bridge::kDownstream:
      return device.acs;
    case Bridge::kUpstream:
    case Bridge::kNone:
      break;
  }
  // A device of one function has nobody to isolate it from.
  const bool multifunction = device.slot != 0;
  return !multifunction || device.acs;
}

bool pci_acs_path_enabled(const Topology& t, DeviceId start) {
  for (DeviceId dev = start; dev != kNoId; dev = t.devices[dev].below)
    if (!pci_acs_enabled(t, dev)) return false;
  return true;
}

bool Bridges::has(DeviceId dev) const {
  return std::find(devices.begin(), devices.begin() + count, dev) != devices.begin() + count;
}

Bridges SharedBridges(const Topology& t, DeviceId dev) {
  Bridges found;
  const auto add = [&found](DeviceId bridge) {
    found.devices[static_cast<size_t>(found.count++)] = bridge;
  };
  DeviceId from = dev;
  for (DeviceId at = t.devices[dev].below; at != kNoId; at = t.devices[at].below)
    if (IsAlias(t.devices[at].bridge)) {
      add(at);
      from = at;
    }
  for (DeviceId at = t.devices[from].below; at != kNoId; at = t.devices[at].below) {
    if (pci_acs_path_enabled(t, at)) break;
    add(at);
  }
  return found;
}

}  // namespace iommucheck
