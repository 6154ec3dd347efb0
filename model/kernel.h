// SPDX-License-Identifier: Apache-2.0
//
// The context of one step: the rules of the profile, the machine, the state that the step changes,
// the events that it emits. Functions bear the kernel's names (__name() is name() here unless a
// comment says otherwise), and return 0 or a negative errno. The functions of the ops are in the
// rows of model/ops.cc.
//
// ABSTRACTION: no locks, no reference counts of modules and files; no allocation fails but those of
// domains, groups and type1's own structs. A step is atomic: races between two steps are lost.
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
  std::array<uint8_t, kMaxFaults> fault_hits{};  // how many calls each fault of the op made fail
  int allocations = 0;                           // domain allocations of the op so far
  int mallocs = 0;                               // allocations by type1 for itself
  int maps = 0;
  int pins = 0;
  int attaches = 0;
  std::optional<Rule> outside{};  // the first assumption about steps that the step broke

  [[nodiscard]] bool has(Rule rule) const { return profile.has(rule); }
  [[nodiscard]] bool fwnode_era() const { return profile.era == Era::kFwnode; }
  [[nodiscard]] bool sets_up_groups() const { return SetsUpGroups(profile.era); }
  // Whether ACPI describes the machine; otherwise a device tree does.
  [[nodiscard]] bool acpi() const { return topology.firmware == Firmware::kAcpi; }
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
  // Records that a rule refuses. Returns the errno, so that a check is one line.
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
  void oops(Oops oops, const char* where, GroupId g = kNoId, DeviceId d = kNoId) {
    emit({.kind = Event::Kind::kOops, .device = d, .group = g, .oops = oops, .where = where});
  }
  void leave(Rule assumption) {
    if (has(assumption) && !outside) outside = assumption;
  }
  // The errno with which the op's faults make this call fail, or 0.
  int inject(Fault::Kind kind, uint8_t target);
  // kmalloc() by type1 for itself: false if it fails.
  [[nodiscard]] bool kmalloc() { return inject(Fault::Kind::kMalloc, Next(mallocs)) == 0; }
  [[nodiscard]] uint8_t struck() const {
    uint8_t mask = 0;
    for (size_t i = 0; i < fault_hits.size(); ++i)
      if (fault_hits[i] != 0) mask = static_cast<uint8_t>(mask | 1U << i);
    return mask;
  }
  // The number of the next call of its kind, from 1. Faults cannot hit calls after the 255th.
  static uint8_t Next(int& count) { return static_cast<uint8_t>(std::min(++count, 255)); }
};

// A reason why an op is not possible that several ops share.
inline constexpr const char* kNotThere = "the device is not there";
inline constexpr const char* kIsOpen = "user space has the device open";
inline constexpr const char* kNoSuchGroup = "there is no such group";
inline constexpr const char* kWaits =
    "VFIO waits until the user takes the group out of its container";

// --- iommu_probe.cc: drivers/iommu/iommu.c, how devices get their ops ---

bool IsRegistered(const Kernel& k, InstanceId instance);
int iommu_probe_device(Kernel& k, DeviceId dev);
void iommu_bus_notifier(Kernel& k, DeviceId dev);  // BUS_NOTIFY_ADD_DEVICE
void iommu_release_device(Kernel& k, DeviceId dev);
// Applies the firmware description of a device's masters: of_iommu_configure(),
// acpi_iommu_configure_id(). ABSTRACTION: from 6.12 on, fwspec.free_on_error is the rule for both;
// ACPI retries in other cases.
int ApplyFirmware(Kernel& k, DeviceId dev);
// vfio_noiommu_group_alloc(): makes the fake group of a device that has no IOMMU, and removes it.
void AddFakeGroup(Kernel& k, DeviceId dev);
void RemoveFakeGroup(Kernel& k, DeviceId dev);
// Frees the group if nothing holds it (iommu_group_release()).
void iommu_group_put(Kernel& k, GroupId group);

// --- iommu_domain.cc: drivers/iommu/iommu.c, domains and who is on them ---

enum class SetDomain : uint8_t { kPlain, kMustSucceed };
// The driver whose ops the core uses to allocate a domain by bus; kNoId: there is none, or there
// are several.
DriverId BusOps(Kernel& k, Bus bus);
// Allocates for `dev`; kNoId where the core allocates by bus. Returns kNoId when memory runs out or
// a fault says so.
DomainId AllocDomain(Kernel& k, DomainType type, DriverId driver, TableId table, DeviceId dev);
void iommu_domain_free(Kernel& k, DomainId domain);
void SetGroupDomainPointer(Kernel& k, GroupId group, DomainId domain);  // group->domain = domain
void SetPasidPointer(Kernel& k, GroupId group, DomainId domain);
void ClearHardware(Kernel& k, DeviceId dev);                 // detach_dev, release_device
int AttachDevice(Kernel& k, DomainId domain, DeviceId dev);  // __iommu_attach_device()
// attach_dev up to and including 6.1; __iommu_device_set_domain() from 6.6 on.
int DeviceSetDomain(Kernel& k, GroupId group, DeviceId dev, DomainId domain, SetDomain how);
// __iommu_group_set_domain(), and __iommu_group_set_domain_nofail() from 6.6 on.
int GroupSetDomain(Kernel& k, GroupId group, DomainId domain, SetDomain how);
// The type of default domain that the drivers of a group's devices want:
// iommu_get_default_domain_type() from 6.6 on. Before 6.8 the walk of a bus asks every device, and
// falls back to the command line if two answers differ. ABSTRACTION: up to and including 6.1 the
// kernel asks only the device itself when one comes alone.
DefaultType DefaultTypeOf(const Kernel& k, GroupId group);
// iommu_group_alloc_default_domain(), for `dev`; kNoId where the core allocates by bus.
DomainId AllocDefaultDomain(Kernel& k, DefaultType type, DriverId driver, TableId table,
                            DeviceId dev);
int iommu_setup_default_domain(Kernel& k, GroupId group);
int iommu_attach_group(Kernel& k, DomainId domain, GroupId group);
void iommu_detach_group(Kernel& k, GroupId group);
// __iommu_group_alloc_blocking_domain(), unless the group has one.
int AllocBlockingDomain(Kernel& k, GroupId group);
int iommu_group_claim_dma_owner(Kernel& k, GroupId group);
void iommu_group_release_dma_owner(Kernel& k, GroupId group);

// --- iommu_map.cc: drivers/iommu/iommu.c, the pages that domains map ---

// `paddr`: page of memory, counted from one that is aligned to the pages of every IOMMU.
int iommu_map(Kernel& k, DomainId domain, Pages pages, GroupId group = kNoId, uint8_t paddr = 0);
// Returns the pages that were mapped, as a mask.
uint64_t iommu_unmap(Kernel& k, DomainId domain, Pages pages);
// The aperture and page sizes of the instance that the domain is bound to. Before the first attach
// these are all pages, and single pages.
uint64_t ApertureOf(const Kernel& k, DomainId domain);
uint8_t PageSizesOf(const Kernel& k, DomainId domain);
int iommu_get_msi_cookie(Kernel& k, DomainId domain);
// Whether the kernel asks the slot of a served device's bus for ops, as 5.15 does, and there are none.
bool HasNoOps(const Kernel& k, DeviceId dev);
// The device's reserved regions, as its driver reports them.
std::span<const Region> iommu_get_resv_regions(const Kernel& k, DeviceId dev);
// iommu_create_device_direct_mappings() into the group's default domain.
int CreateDirectMappings(Kernel& k, DomainId domain, DeviceId dev);

// --- iommu_owner.cc: drivers/iommu/iommu.c, who may use a device ---

int iommu_device_use_default_domain(Kernel& k, DeviceId dev);
void iommu_device_unuse_default_domain(Kernel& k, DeviceId dev);

// --- vfio_group.cc: drivers/vfio/group.c ---

// The step ends. Rule vfio.coherency_of_bus: VFIO's driver binds to devices of open groups, and has
// them then, whatever becomes of the slot that answered.
void RememberVfios(Kernel& k);
// The device's IOMMU is about to let it go, which VFIO is not told.
void StayVfios(Kernel& k, DeviceId dev);
// The device's driver unbinds: if it was the last of VFIO's in the group, the group leaves its
// container.
void LeaveVfio(Kernel& k, DeviceId dev);
// Whether the device's driver would wait in this for the user.
bool WaitsToLeaveVfio(const Kernel& k, DeviceId dev);

// --- vfio_container.cc: drivers/vfio/container.c ---

int vfio_container_attach_group(Kernel& k, ContainerId container, GroupId group);
void vfio_group_detach_container(Kernel& k, GroupId group);

// --- vfio_type1.cc: drivers/vfio/vfio_iommu_type1.c, groups ---

int vfio_iommu_type1_attach_group(Kernel& k, ContainerId container, GroupId group);
void vfio_iommu_type1_detach_group(Kernel& k, ContainerId container, GroupId group);
int vfio_iommu_type1_open(Kernel& k, ContainerId container, IommuType type);
void vfio_iommu_type1_release(Kernel& k, ContainerId container);

// --- vfio_type1_iova.cc: drivers/vfio/vfio_iommu_type1.c, which IOVAs are valid ---

// A copy of iommu->iova_list: a bit per page, and whether the list is empty.
struct IovaList {
  uint64_t pages = ~uint64_t{0};
  bool empty = true;
};
// After -ENOMEM the copy is empty.
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

// --- vfio_type1_dma.cc: drivers/vfio/vfio_iommu_type1.c, mappings and pins ---

std::span<Dma> DmaList(Kernel& k, ContainerId container);
// Whether the first address after the pages is 0, which compares as lower than all others: loops up
// to there do nothing, and vfio_find_dma() finds neither such a mapping nor any in such a range.
bool EndIsZero(const Kernel& k, Pages pages);
// The lowest mapping that overlaps the pages, or nullptr.
Dma* vfio_find_dma(Kernel& k, ContainerId container, Pages pages);
int vfio_dma_do_map(Kernel& k, ContainerId container);
int vfio_dma_do_unmap(Kernel& k, ContainerId container);
int vfio_iommu_replay(Kernel& k, ContainerId container, DomainId domain, GroupId group);
void vfio_test_domain_fgsp(Kernel& k, DomainId domain, const IovaList& list, GroupId group);
void vfio_iommu_unmap_unpin_all(Kernel& k, ContainerId container);
void vfio_iommu_unmap_unpin_reaccount(Kernel& k, ContainerId container);
int vfio_iommu_type1_pin_pages(Kernel& k, ContainerId container);
int vfio_iommu_type1_unpin_pages(Kernel& k, ContainerId container);
// The drivers of emulated devices unpin their pages when user space closes the last of these
// devices.
void vfio_iommu_type1_unpin_all(Kernel& k, ContainerId container);

}  // namespace iommucheck
