// SPDX-License-Identifier: Apache-2.0
//
// Who shares a group because of how PCI is wired (drivers/pci/pci.c, search.c). The functions bear
// the kernel's names; flags are always REQ_ACS_FLAGS of drivers/iommu/iommu.c. ABSTRACTION: no
// quirk says that a device isolates without ACS (pci_dev_specific_acs_enabled()), that a bridge has
// an IOMMU of its own (PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT), or that another function does a device's
// DMA (pci_real_dma_dev()).
#pragma once

#include <array>

#include "model/topology.h"

namespace iommucheck {

// Whether the bridge does the DMA of the devices below it under an id of its own
// (pci_for_each_dma_alias()).
bool IsAlias(Bridge bridge);

// Whether the device has a PCI Express capability. Endpoints on a conventional bus have none.
bool pci_is_pcie(const Topology& t, DeviceId dev);

// Whether DMA of one function to another of the device, or from one device below the port to
// another, goes through the IOMMU. Devices on other buses have no ACS.
bool pci_acs_enabled(const Topology& t, DeviceId dev);

// pci_acs_enabled() of `start` and of all bridges above it.
bool pci_acs_path_enabled(const Topology& t, DeviceId start);

// The bridges whose group pci_device_group() takes, if they have one, in its order: those that
// alias the device (pci_for_each_dma_alias()), then those from there up to where ACS isolates.
struct Bridges {
  int count = 0;
  std::array<DeviceId, kMaxDevices> devices;  // from `count` on they have no meaning

  [[nodiscard]] bool has(DeviceId dev) const;
};
Bridges SharedBridges(const Topology& t, DeviceId dev);

}  // namespace iommucheck
