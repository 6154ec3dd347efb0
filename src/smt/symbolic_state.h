// SPDX-License-Identifier: Apache-2.0
//
// The state of the encoded kernel. Indices are one-hot codes, all false for none.
#pragma once

#include <array>
#include <vector>

#include "src/smt/symbolic_topology.h"

namespace iommucheck::smt {

struct Sizes {
  int drivers = 0;
  int tables = 0;
  int instances = 0;
  int devices = 0;
  int groups = 0;  // groups that live at once
  int type1 = 0;   // type1 domains that live at once; no fewer than groups in containers
  int containers = 0;
};

// Facts about groups that are known before a run where the machine is given (MachineSpace). Empty:
// any device may be in any group, and devices are listed by their numbers (StepBits::reorders).
struct Layout {
  // By device: the group numbers that it can be in. Bits of other numbers are constant, so that the
  // circuit gets smaller.
  std::vector<Bits> home;
  // By device: its zone. Devices of one zone have the same home; those of two zones share no group.
  std::vector<int> zone;
  // By device: a number that the devices share that a chain of aliases and slots joins.
  std::vector<int> cluster;
  [[nodiscard]] bool known() const { return !home.empty(); }
};

// A domain as far as attaching depends on it. The driver is none where there is no domain.
struct SymbolicDomain {
  Bits driver;
  Bits bound;  // instance it is bound to by the first attach; kept only where drivers refuse
};

// A pointer to a domain as a group sees it. All false is NULL.
struct DomainRef {
  Bit is_default;   // this group's default domain
  Bit is_blocking;  // this group's blocking domain
  Bit is_new;       // the domain that a type1 attach in progress has allocated
  Bit is_freed;     // a domain that is gone; `freed` of the group remembers it
  Bits type1;       // a live type1 domain, by slot
  Bits driver;      // of the domain pointed at; goes along with the pointer
};

struct SymbolicGroup {
  SymbolicDomain default_domain;
  SymbolicDomain blocking_domain;
  SymbolicDomain freed;
  DomainRef domain;
  Bit owned;
  Bits container;
  Bits type1;  // the vfio_domain whose group_list holds it, by slot
};

struct SymbolicType1 {
  SymbolicDomain domain;
  Bits table;
  Bit coherent;
  Bits container;
};

struct SymbolicDeviceState {
  Bit present;
  Bits instance;  // that serves it
  Bits driver;    // of that instance
  Bits fwspec;    // the instance it names
  Bits group;
  Bits hw;       // driver of the domain that the hardware points at
  Bits vfio_in;  // the group in a container where VFIO still has it; its IOMMU has let it go
};

struct SymbolicState {
  SymbolicState(const SymbolicTopology& topology, const Sizes& sizes, const Layout& layout);

  std::array<Bits, kBusCount> bus_ops;  // by driver
  std::array<Bit, kBusCount> notifier;
  Bits registered;                 // by instance
  std::vector<Bits> shared_group;  // an instance: the group it shares out
  std::vector<SymbolicDeviceState> devices;
  std::vector<SymbolicGroup> groups;
  std::vector<SymbolicType1> type1;
  Bits container_iommu;  // by container
  Order registration;    // of the registered instances
  Order joining;         // of the devices in groups
  Order in_container;    // of the groups in containers
  Order allocation;      // of the live type1 domains
  // Where the layout is known: the devices that were added, which are the last of their bus, and
  // the order of all.
  Bits added;
  Order listed;
};

SymbolicGroup NoGroup(const Sizes& sizes);
DomainRef NullRef(const Sizes& sizes);

// All bits of a group, of a pointer to a domain, in a fixed order.
std::vector<Bit*> BitsOf(SymbolicGroup& group);
void Assign(Bit condition, DomainRef& target, const DomainRef& value);
void Assign(Bit condition, SymbolicDomain& target, const SymbolicDomain& value);
Bit IsNull(const DomainRef& ref);
Bit SameDomain(const DomainRef& a, const DomainRef& b);

}  // namespace iommucheck::smt
