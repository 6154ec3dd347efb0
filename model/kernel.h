// SPDX-License-Identifier: Apache-2.0
//
// What one step works on: the profile's rules, the machine, the state it changes, the events it
// leaves. The functions of iommu_probe.cc, iommu_domain.cc, vfio_container.cc and vfio_type1.cc
// bear the kernel's names, where __name() is name() or says so, and return 0 or a negative errno.
//
// ABSTRACTION: no locks, no reference counts of modules and files, no memory but domains and
// groups that runs out. A step is atomic: races between two steps are lost.
#pragma once

#include <cerrno>
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
  std::optional<Rule> outside{};                 // the first step assumption that was left

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
};

// --- iommu_probe.cc: drivers/iommu/iommu.c, how ops come to devices ---

// Whether an instance of the driver is registered or a device is served by it.
bool DriverLoaded(const Kernel& k, DriverId driver);
bool IsRegistered(const Kernel& k, InstanceId instance);
int RegisterInstance(Kernel& k, InstanceId instance);     // iommu_device_register() and claims
void UnregisterInstance(Kernel& k, InstanceId instance);  // iommu_device_unregister()
int iommu_probe_device(Kernel& k, DeviceId dev);
void iommu_release_device(Kernel& k, DeviceId dev);
// What firmware says of a device's masters: of_iommu_configure(), acpi_iommu_configure_id().
// ABSTRACTION: from 6.12, fwspec.free_on_error stands for both; ACPI differs in what it retries.
int ApplyFirmware(Kernel& k, DeviceId dev);
// Frees the group if nothing holds it (iommu_group_release()).
void iommu_group_put(Kernel& k, GroupId group);

// --- iommu_domain.cc: drivers/iommu/iommu.c, domains and who is on them ---

enum class SetDomain : uint8_t { kPlain, kMustSucceed };
// The driver whose ops domain allocation by bus uses; kNoId: none, or not one.
DriverId BusOps(Kernel& k, Bus bus);
// For `dev`, or kNoId where the core allocates by bus. kNoId when memory runs out or a fault says
// so.
DomainId AllocDomain(Kernel& k, DomainType type, DriverId driver, TableId table, DeviceId dev);
void iommu_domain_free(Kernel& k, DomainId domain);
void SetGroupDomainPointer(Kernel& k, GroupId group, DomainId domain);  // group->domain = domain
void ClearHardware(Kernel& k, DeviceId dev);                 // detach_dev, release_device
int AttachDevice(Kernel& k, DomainId domain, DeviceId dev);  // __iommu_attach_device()
int GroupSetDomain(Kernel& k, GroupId group, DomainId domain, SetDomain how);
int iommu_setup_default_domain(Kernel& k, GroupId group);
int iommu_attach_group(Kernel& k, DomainId domain, GroupId group);
void iommu_detach_group(Kernel& k, GroupId group);
int iommu_group_claim_dma_owner(Kernel& k, GroupId group);
void iommu_group_release_dma_owner(Kernel& k, GroupId group);

// --- vfio_container.cc: drivers/vfio/container.c, group.c ---

int SetContainer(Kernel& k, GroupId group, ContainerId container);
int SetIommu(Kernel& k, ContainerId container);
int UnsetContainer(Kernel& k, GroupId group);

// --- vfio_type1.cc: drivers/vfio/vfio_iommu_type1.c ---

int vfio_iommu_type1_attach_group(Kernel& k, ContainerId container, GroupId group);
void vfio_iommu_type1_detach_group(Kernel& k, ContainerId container, GroupId group);

}  // namespace iommucheck
