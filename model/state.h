// SPDX-License-Identifier: Apache-2.0
//
// The state of the modelled kernel: one flat value, cheap to copy, compare and hash. Lists are
// links by index in the kernel's order.
#pragma once

#include <array>
#include <cstdint>

#include "model/topology.h"

namespace iommucheck {

inline constexpr int kMaxGroups = 64;    // as many as devices, plus groups that outlive theirs
inline constexpr int kMaxDomains = 192;  // default, blocking and type1 domain of each group

struct DeviceState {
  bool present = false;
  InstanceId instance = kNoId;  // dev->iommu->iommu_dev; its driver serves the device
  InstanceId fwspec = kNoId;    // dev->iommu->fwspec: the instance whose fwnode it names
  GroupId group = kNoId;        // dev->iommu_group
  DeviceId next = kNoId;        // next in group->devices
  DomainId hw = kNoId;          // ghost: the domain the hardware really points at
  friend bool operator==(const DeviceState&, const DeviceState&) = default;
};

struct GroupState {
  bool live = false;         // the group exists: has devices, or VFIO or an instance holds it
  DeviceId devices = kNoId;  // group->devices, earliest joined first
  DomainId domain = kNoId;   // group->domain
  DomainId default_domain = kNoId;    // group->default_domain
  DomainId blocking_domain = kNoId;   // group->blocking_domain
  bool owner = false;                 // group->owner_cnt; VFIO is the only owner here
  ContainerId container = kNoId;      // vfio_group->container
  GroupId next_in_container = kNoId;  // container->group_list
  DomainId vfio_domain = kNoId;       // the vfio_domain whose group_list holds it
  friend bool operator==(const GroupState&, const GroupState&) = default;
};

enum class DomainType : uint8_t { kFree, kDefault, kBlocking, kPaging, kFreed };

struct DomainState {
  DomainType type = DomainType::kFree;  // kFreed: gone, but `refs` still point at it
  DriverId driver = kNoId;              // whose ops allocated it: domain->owner, a ghost before 6.8
  TableId table = kNoId;                // domain->ops
  InstanceId instance = kNoId;          // driver private: bound to it by the first attach
  bool coherent = false;                // vfio_domain->enforce_cache_coherency, or ->prot
  DomainId next = kNoId;                // next in iommu->domain_list, newest first
  uint8_t refs = 0;                     // devices' hw and groups' pointers at it
  friend bool operator==(const DomainState&, const DomainState&) = default;
};

struct ContainerState {
  GroupId groups = kNoId;    // container->group_list, newest first
  bool iommu = false;        // VFIO_SET_IOMMU done
  DomainId domains = kNoId;  // iommu->domain_list, newest first
  friend bool operator==(const ContainerState&, const ContainerState&) = default;
};

struct State {
  std::array<DriverId, kBusCount> bus_ops;  // bus->iommu_ops
  uint8_t bus_notifier = 0;                 // bit per bus: an iommu notifier is registered on it
  uint8_t listed_count = 0;
  std::array<DeviceId, kMaxDevices> listed;  // the devices of all buses, in the order they came
  uint8_t registered_count = 0;
  std::array<InstanceId, kMaxInstances> registered;   // iommu_device_list, oldest first
  std::array<GroupId, kMaxInstances> instance_group;  // the group that an instance shares
  std::array<ContainerState, kMaxContainers> containers{};
  std::array<DeviceState, kMaxDevices> devices{};
  std::array<GroupState, kMaxGroups> groups{};
  std::array<DomainState, kMaxDomains> domains{};
  uint8_t groups_end = 0;   // no live group at or above
  uint8_t domains_end = 0;  // no used domain at or above

  State() {
    bus_ops.fill(kNoId);
    listed.fill(kNoId);
    registered.fill(kNoId);
    instance_group.fill(kNoId);
  }
  friend bool operator==(const State&, const State&) = default;
};

// The machine at boot: devices present, no instance registered, nothing probed.
State InitialState(const Topology& topology);

}  // namespace iommucheck
