// SPDX-License-Identifier: Apache-2.0
//
// The state of the modelled kernel: one flat value, cheap to copy, compare and hash. A list is a
// chain of indices in the kernel's order.
#pragma once

#include <array>
#include <cstdint>

#include "model/op.h"
#include "model/topology.h"

namespace iommucheck {

inline constexpr int kMaxGroups = 64;    // as many as devices, plus groups without devices
inline constexpr int kMaxDomains = 192;  // default, blocking and type1 domain of each group

// Which driver a device is bound to.
enum class BoundTo : uint8_t { kVfio, kKernelDriver, kNobody };

// Invariant: a device in a group is on that group's list, once; a real device is in a group exactly
// while an instance serves it; an absent device is in no group. A device without a group is on no
// domain. A device that has a fwspec or is served has a dev->iommu. A group in which VFIO has a
// device still is open or in a container.
struct DeviceState {
  bool present = false;
  InstanceId instance = kNoId;  // dev->iommu->iommu_dev; its driver serves the device
  bool iommu = false;           // dev->iommu is allocated
  InstanceId fwspec = kNoId;    // dev->iommu->fwspec: the instance whose fwnode it names
  GroupId group = kNoId;        // dev->iommu_group
  DeviceId next = kNoId;        // next in group->devices
  DomainId hw = kNoId;          // ghost: the domain the hardware really points at
  BoundTo bound = BoundTo::kVfio;
  GroupId open_in = kNoId;          // the group whose file gave user space the device's
  bool attach_deferred = false;     // dev->iommu->attach_deferred
  bool require_direct = false;      // dev->iommu->require_direct
  uint8_t reset_depth = 0;          // group_device->reset_depth: resets that are not done
  bool configure_deferred = false;  // the last `configure` was -EPROBE_DEFER
  // The open group, or group in a container, in which VFIO still has the device, since only its
  // IOMMU has let it go from there. With rule vfio.coherency_of_bus, also the group that it is in.
  GroupId vfio_in = kNoId;
  [[nodiscard]] bool blocked() const { return reset_depth != 0; }  // group_device->blocked
  friend bool operator==(const DeviceState&, const DeviceState&) = default;
};

// Invariant: a group is live while it has devices or while VFIO or an instance holds it, and blank
// otherwise. A group in a container is on that container's list, once. Its default and blocking
// domains are not freed, and its type1 domain is on the list of its container.
struct GroupState {
  bool live = false;         // the group exists: has devices, or VFIO or an instance holds it
  DeviceId devices = kNoId;  // group->devices, earliest joined first
  DomainId domain = kNoId;   // group->domain
  DomainId default_domain = kNoId;   // group->default_domain
  DomainId blocking_domain = kNoId;  // group->blocking_domain
  bool owner = false;                // group->owner; in the model only VFIO owns groups
  // group->owner_cnt: the owner, and drivers that use the DMA API.
  uint8_t owner_cnt = 0;
  DomainId pasid_domain = kNoId;        // group->pasid_array at PASID 1
  uint8_t recovery_cnt = 0;             // group->recovery_cnt
  DeviceKind kind = DeviceKind::kReal;  // vfio_group->type
  bool open = false;                    // vfio_group->opened_file, by an `open`
  bool dead = false;                    // open, but VFIO has no device in that vfio_group any more
  uint8_t open_devices = 0;             // vfio_group->container_users - 1
  bool emulated_listed = false;         // on iommu->emulated_iommu_groups
  ContainerId container = kNoId;        // vfio_group->container
  GroupId next_in_container = kNoId;    // container->group_list
  DomainId vfio_domain = kNoId;         // the vfio_domain whose group_list holds it
  friend bool operator==(const GroupState&, const GroupState&) = default;
};

// kPasid: the domain of amd_iommu_init_device(). kFreed: freed, but `refs` still point at it.
enum class DomainType : uint8_t { kFree, kDefault, kBlocking, kPaging, kPasid, kFreed };

// Invariant: `refs` counts the pointers at the domain. A freed domain stays while there are any; a
// domain that is not freed belongs to a group or a container, or to a driver for PASIDs.
struct DomainState {
  DomainType type = DomainType::kFree;
  DriverId driver = kNoId;      // whose ops allocated it: domain->owner, a ghost before 6.8
  TableId table = kNoId;        // domain->ops
  InstanceId instance = kNoId;  // driver private: bound to it by the first attach
  bool coherent = false;        // vfio_domain->enforce_cache_coherency, or ->prot
  bool identity = false;        // IOMMU_DOMAIN_IDENTITY
  bool ownerless = false;       // a static domain: domain->owner is NULL
  bool msi_cookie = false;      // domain->iova_cookie
  bool fgsp = false;            // vfio_domain->fgsp: unmapped page by page
  DomainId next = kNoId;        // next in iommu->domain_list, newest first
  uint8_t refs = 0;             // devices' hw and groups' pointers at it
  friend bool operator==(const DomainState&, const DomainState&) = default;
};

// struct vfio_dma: pages that user space has mapped.
struct Dma {
  Pages at{};                 // IOVA; no pages: a free entry
  uint8_t vaddr = 0;          // first page of user memory
  uint8_t prot = 0;           // kRead, kWrite
  bool iommu_mapped = false;  // pinned, and in the domains of the container
  bool vaddr_invalid = false;
  bool zero_page = false;  // its memory is the zero page, which is reserved: not accounted
  friend bool operator==(const Dma&, const Dma&) = default;
};

// Invariant: a container lists its groups, and the type1 domains of these, each once. Without
// groups or without an IOMMU it has no domains. Rule vfio.release_on_last: without groups it has no
// IOMMU (property empty-container-has-no-driver).
struct ContainerState {
  // iommu->iova_list, bit per page. The list is empty until a group with an IOMMU attaches. An
  // empty list is the same as one range of all pages, except for the allocations of a copy of it.
  uint64_t iova = ~uint64_t{0};
  uint64_t pfns = 0;         // the pfn_lists of all mappings: pages that emulated devices pinned
  GroupId groups = kNoId;    // container->group_list, newest first
  bool iommu = false;        // container->iommu_driver: VFIO_SET_IOMMU done
  DomainId domains = kNoId;  // iommu->domain_list, newest first
  IommuType type = IommuType::kType1v2;  // type of the driver; decides iommu->v2 and ->nesting
  bool iova_kept = false;                // the list is not empty, although domain_list is
  uint8_t emulated = 0;                  // groups on iommu->emulated_iommu_groups
  uint8_t vaddr_invalid_count = 0;       // iommu->vaddr_invalid_count
  uint8_t dmas_count = 0;                // dma_avail is dma_entry_limit minus this
  std::array<Dma, kMaxDmas> dmas{};      // iommu->dma_list, by IOVA
  friend bool operator==(const ContainerState&, const ContainerState&) = default;
};

// No padding but the named one: states are compared and hashed as bytes.
//
// Invariant: `registered` lists registered instances, each once, and an instance that is not
// registered shares no group. The two ends come right after a group and a domain that are used.
struct State {
  std::array<uint64_t, kMaxDomains> mapped{};  // bit per page of IOVA that a domain translates
  std::array<ContainerState, kMaxContainers> containers{};
  uint32_t locked_vm = 0;                           // mm->locked_vm: pages accounted to the user
  uint32_t pins = 0;                                // ghost: pins of user memory that type1 holds
  uint32_t zero_pins = 0;                           // ghost: pins of the zero page
  std::array<uint16_t, kBusCount> bus_notifiers{};  // iommu notifiers that the bus has
  std::array<DriverId, kBusCount> bus_ops;          // bus->iommu_ops
  uint8_t listed_count = 0;
  std::array<DeviceId, kMaxDevices> listed;  // the devices of all buses, in the order they came
  uint8_t registered_count = 0;
  std::array<InstanceId, kMaxInstances> registered;   // iommu_device_list, oldest first
  std::array<GroupId, kMaxInstances> instance_group;  // shared by the instance's devices
  std::array<DeviceState, kMaxDevices> devices{};
  std::array<GroupState, kMaxGroups> groups{};
  std::array<DomainState, kMaxDomains> domains{};
  uint8_t groups_end = 0;   // no live group has this index or a higher one
  uint8_t domains_end = 0;  // no used domain has this index or a higher one
  std::array<uint8_t, 6> padding{};

  State() {
    bus_ops.fill(kNoId);
    listed.fill(kNoId);
    registered.fill(kNoId);
    instance_group.fill(kNoId);
  }
  friend bool operator==(const State&, const State&) = default;
};

// The machine at boot: all devices but the absent ones are present, no instance is registered,
// nothing is probed.
State InitialState(const Topology& topology);

}  // namespace iommucheck
