// SPDX-License-Identifier: Apache-2.0
//
// What one step works on: the profile's rules, the machine, the state it changes, the events it
// leaves. Functions bear the kernel's names, where __name() is name() or says so, and return 0 or a
// negative errno. Those of the ops themselves are in the rows of model/ops.cc.
//
// ABSTRACTION: no locks, no reference counts of modules and files, no memory that runs out but
// domains, groups and what type1 allocates for itself. A step is atomic: races between two steps
// are lost.
#pragma once

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"

namespace iommucheck {

struct Kernel {
  const KernelProfile& profile;
  const Topology& topology;
  const Op& op;
  State& state;
  std::vector<Event>& events;
  std::array<uint8_t, kMaxFaults> fault_hits{};  // how often each fault of the op struck
  int allocations = 0;                           // domain allocations of the op so far
  int mallocs = 0;                               // of type1's own
  int maps = 0;
  int pins = 0;
  int attaches = 0;
  std::optional<Rule> outside{};  // the first step assumption that was left

  [[nodiscard]] bool has(Rule rule) const { return profile.has(rule); }
  [[nodiscard]] bool fwnode_era() const { return profile.era == Era::kFwnode; }
  [[nodiscard]] DeviceState& device(DeviceId d) const { return state.devices[d]; }
  [[nodiscard]] GroupState& group(GroupId g) const { return state.groups[g]; }
  [[nodiscard]] DomainState& domain(DomainId d) const { return state.domains[d]; }
  // The driver that serves a device, kNoId if none does.
  [[nodiscard]] DriverId driver_of(DeviceId d) const {
    const InstanceId i = state.devices[d].instance;
    return i == kNoId ? kNoId : topology.instances[i].driver;
  }
  [[nodiscard]] DeviceId first_device(GroupId g) const { return state.groups[g].devices; }
  // Pointer comparison of two drivers' iommu_ops.
  [[nodiscard]] bool same_ops(DriverId a, DriverId b) const {
    return topology.ops_address(a) == topology.ops_address(b);
  }

  void emit(const Event& event) { events.push_back(event); }
  // A rule says no. Returns the errno, so that a check reads as one line.
  int refuse(Rule rule, int error, DeviceId d = kNoId, GroupId g = kNoId) {
    emit({.kind = Event::Kind::kRefused,
          .error = static_cast<uint8_t>(-error),
          .device = d,
          .group = g,
          .rule = rule});
    return error;
  }
  void warn(const char* where, GroupId g) {
    emit({.kind = Event::Kind::kWarn, .group = g, .where = where});
  }
  void leave(Rule assumption) {
    if (has(assumption) && !outside) outside = assumption;
  }
  // The errno that the op's faults give to this call, or 0.
  int inject(Fault::Kind kind, uint8_t target);
  // kmalloc() of type1's own: false if it fails.
  [[nodiscard]] bool kmalloc() { return inject(Fault::Kind::kMalloc, Next(mallocs)) == 0; }
  [[nodiscard]] uint8_t struck() const {
    uint8_t mask = 0;
    for (size_t i = 0; i < fault_hits.size(); ++i)
      if (fault_hits[i] != 0) mask = static_cast<uint8_t>(mask | 1U << i);
    return mask;
  }
  // The number of the next call of its kind, from 1. Those after the 255th do not fail.
  static uint8_t Next(int& count) { return static_cast<uint8_t>(std::min(++count, 255)); }
};

// Why an op is not possible, where several ops say so.
inline constexpr const char* kNotThere = "the device is not there";
inline constexpr const char* kIsOpen = "user space has the device open";
inline constexpr const char* kNoSuchGroup = "there is no such group";

// --- iommu_probe.cc: drivers/iommu/iommu.c, how ops come to devices ---

// Whether an instance of the driver is registered or a device is served by it.
bool DriverLoaded(const Kernel& k, DriverId driver);
bool IsRegistered(const Kernel& k, InstanceId instance);
int iommu_probe_device(Kernel& k, DeviceId dev);
void iommu_release_device(Kernel& k, DeviceId dev);
// What firmware says of a device's masters: of_iommu_configure(), acpi_iommu_configure_id().
// ABSTRACTION: from 6.12, fwspec.free_on_error stands for both; ACPI differs in what it retries.
int ApplyFirmware(Kernel& k, DeviceId dev);
// vfio_noiommu_group_alloc(): the fake group of a device that has no IOMMU, and its end.
void AddFakeGroup(Kernel& k, DeviceId dev);
void RemoveFakeGroup(Kernel& k, DeviceId dev);
// Frees the group if nothing holds it (iommu_group_release()).
void iommu_group_put(Kernel& k, GroupId group);

// --- iommu_domain.cc: drivers/iommu/iommu.c, domains and who is on them ---

enum class SetDomain : uint8_t { kPlain, kMustSucceed };
// The driver whose ops domain allocation by bus uses; kNoId: none, or not one.
DriverId BusOps(Kernel& k, Bus bus);
// For `dev`, or kNoId where the core allocates by bus. kNoId when memory runs out or a fault says
// so.
DomainId AllocDomain(Kernel& k, DomainType type, DriverId driver, TableId table, DeviceId dev);
// The same for one that is there already, a driver's static domain.
DomainId NewDomain(Kernel& k, DomainType type, DriverId driver, TableId table);
void iommu_domain_free(Kernel& k, DomainId domain);
void SetGroupDomainPointer(Kernel& k, GroupId group, DomainId domain);  // group->domain = domain
void SetPasidPointer(Kernel& k, GroupId group, DomainId domain);
void ClearHardware(Kernel& k, DeviceId dev);                 // detach_dev, release_device
int AttachDevice(Kernel& k, DomainId domain, DeviceId dev);  // __iommu_attach_device()
// Up to 6.1, attach_dev; from 6.8 __iommu_device_set_domain().
int DeviceSetDomain(Kernel& k, GroupId group, DeviceId dev, DomainId domain, SetDomain how);
// __iommu_group_set_domain(), and __iommu_group_set_domain_nofail() from 6.8.
int GroupSetDomain(Kernel& k, GroupId group, DomainId domain, SetDomain how);
// What the drivers of a group's devices want: iommu_get_default_domain_type() from 6.8. Before, the
// walk of a bus asks every device, and goes by the command line where two differ.
// ABSTRACTION: up to 6.1 a device that comes alone is asked alone.
DefaultType DefaultTypeOf(const Kernel& k, GroupId group);
// iommu_group_alloc_default_domain(), for `dev`, or kNoId where the core allocates by bus.
DomainId AllocDefaultDomain(Kernel& k, DefaultType type, DriverId driver, TableId table,
                            DeviceId dev);
int iommu_setup_default_domain(Kernel& k, GroupId group);
int iommu_attach_group(Kernel& k, DomainId domain, GroupId group);
void iommu_detach_group(Kernel& k, GroupId group);
// __iommu_group_alloc_blocking_domain(), unless the group has one.
int AllocBlockingDomain(Kernel& k, GroupId group);
int iommu_group_claim_dma_owner(Kernel& k, GroupId group);
void iommu_group_release_dma_owner(Kernel& k, GroupId group);

// --- iommu_map.cc: drivers/iommu/iommu.c, what domains translate ---

// `paddr`: page of memory, counted from one that every IOMMU's pages are aligned to.
int iommu_map(Kernel& k, DomainId domain, Pages pages, GroupId group = kNoId, uint8_t paddr = 0);
// Returns the pages that were mapped, as a mask.
uint64_t iommu_unmap(Kernel& k, DomainId domain, Pages pages);
// Of the instance that the domain is bound to; all pages, and each alone, before the first attach.
uint64_t ApertureOf(const Kernel& k, DomainId domain);
uint8_t PageSizesOf(const Kernel& k, DomainId domain);
int iommu_get_msi_cookie(Kernel& k, DomainId domain);
// iommu_create_device_direct_mappings() into the group's default domain.
int CreateDirectMappings(Kernel& k, DomainId domain, DeviceId dev);

// --- iommu_owner.cc: drivers/iommu/iommu.c, who may use a device ---

int iommu_device_use_default_domain(Kernel& k, DeviceId dev);
void iommu_device_unuse_default_domain(Kernel& k, DeviceId dev);

// --- vfio_group.cc: drivers/vfio/group.c ---

// Whether VFIO registered any device of the group, so that /dev/vfio/N is there.
bool HasVfioDevice(const Kernel& k, GroupId group);
// A device's driver goes: the last one of VFIO's takes the group out of its container.
void LeaveVfio(Kernel& k, DeviceId dev);

// --- vfio_container.cc: drivers/vfio/container.c ---

int vfio_container_attach_group(Kernel& k, ContainerId container, GroupId group);
void vfio_group_detach_container(Kernel& k, GroupId group);

// --- vfio_type1.cc: drivers/vfio/vfio_iommu_type1.c, groups ---

int vfio_iommu_type1_attach_group(Kernel& k, ContainerId container, GroupId group);
void vfio_iommu_type1_detach_group(Kernel& k, ContainerId container, GroupId group);
int vfio_iommu_type1_open(Kernel& k, ContainerId container, IommuType type);
void vfio_iommu_type1_release(Kernel& k, ContainerId container);

// --- vfio_type1_iova.cc: the same, which IOVAs are valid ---

// A copy of iommu->iova_list, bit per page, and whether it has any entry.
struct IovaList {
  uint64_t pages = ~uint64_t{0};
  bool empty = true;
};
// ENOMEM leaves an empty copy.
int vfio_iommu_iova_get_copy(Kernel& k, ContainerId container, IovaList& copy);
void vfio_iommu_iova_insert_copy(Kernel& k, ContainerId container, const IovaList& copy);
bool vfio_iommu_aper_conflict(Kernel& k, ContainerId container, uint64_t aperture);
int vfio_iommu_aper_resize(Kernel& k, IovaList& list, uint64_t aperture);
void vfio_iommu_aper_expand(Kernel& k, ContainerId container, IovaList& list);
bool vfio_iommu_resv_conflict(Kernel& k, ContainerId container, GroupId group);
int vfio_iommu_resv_exclude(Kernel& k, IovaList& list, GroupId group);
int vfio_iommu_resv_refresh(Kernel& k, ContainerId container, IovaList& list);
bool vfio_iommu_has_sw_msi(const Kernel& k, GroupId group);
bool vfio_iommu_iova_dma_valid(const Kernel& k, ContainerId container, Pages pages);

// --- vfio_type1_dma.cc: the same, mappings and pins ---

std::span<Dma> DmaList(Kernel& k, ContainerId container);
// The lowest mapping that meets the pages, or nullptr.
Dma* vfio_find_dma(Kernel& k, ContainerId container, Pages pages);
int vfio_dma_do_map(Kernel& k, ContainerId container);
int vfio_dma_do_unmap(Kernel& k, ContainerId container);
int vfio_iommu_replay(Kernel& k, ContainerId container, DomainId domain, GroupId group);
void vfio_test_domain_fgsp(Kernel& k, DomainId domain, const IovaList& list, GroupId group);
void vfio_iommu_unmap_unpin_all(Kernel& k, ContainerId container);
void vfio_iommu_unmap_unpin_reaccount(Kernel& k, ContainerId container);
int vfio_iommu_type1_pin_pages(Kernel& k, ContainerId container);
int vfio_iommu_type1_unpin_pages(Kernel& k, ContainerId container);
// What the drivers of emulated devices do when user space closes the last of them.
void vfio_iommu_type1_unpin_all(Kernel& k, ContainerId container);

}  // namespace iommucheck
