// SPDX-License-Identifier: Apache-2.0
#include "src/smt/symbolic_state.h"

namespace iommucheck::smt {

DomainRef NullRef(const Sizes& sizes) {
  DomainRef ref;
  ref.type1 = Zeros(sizes.type1);
  ref.driver = Zeros(sizes.drivers);
  return ref;
}

SymbolicGroup NoGroup(const Sizes& sizes) {
  const SymbolicDomain none{.driver = Zeros(sizes.drivers), .bound = Zeros(sizes.instances)};
  SymbolicGroup group;
  group.default_domain = group.blocking_domain = group.freed = none;
  group.domain = NullRef(sizes);
  group.container = Zeros(sizes.containers);
  group.type1 = Zeros(sizes.type1);
  return group;
}

SymbolicState::SymbolicState(const SymbolicTopology& topology, const Sizes& sizes,
                             const Layout& layout)
    : registered(Zeros(sizes.instances)),
      shared_group(static_cast<size_t>(sizes.instances), Zeros(sizes.groups)),
      groups(static_cast<size_t>(sizes.groups), NoGroup(sizes)),
      container_iommu(Zeros(sizes.containers)),
      registration(sizes.instances),
      joining(sizes.devices, layout.zone),
      in_container(sizes.groups),
      allocation(sizes.type1),
      added(Zeros(sizes.devices)),
      listed(Order::ByNumber(sizes.devices)) {
  bus_ops.fill(Zeros(sizes.drivers));
  for (const SymbolicDevice& device : topology.devices)
    devices.push_back({.present = ~device.absent,
                       .instance = Zeros(sizes.instances),
                       .driver = Zeros(sizes.drivers),
                       .fwspec = Zeros(sizes.instances),
                       .group = Zeros(sizes.groups),
                       .hw = Zeros(sizes.drivers),
                       .vfio_in = Zeros(sizes.groups)});
  const SymbolicGroup none = NoGroup(sizes);
  type1.assign(static_cast<size_t>(sizes.type1), {.domain = none.default_domain,
                                                  .table = Zeros(sizes.tables),
                                                  .coherent = false,
                                                  .container = Zeros(sizes.containers)});
}

std::vector<Bit*> BitsOf(SymbolicGroup& group) {
  std::vector<Bit*> bits = {&group.domain.is_default, &group.domain.is_blocking,
                            &group.domain.is_new, &group.domain.is_freed, &group.owned};
  for (Bits* code :
       {&group.default_domain.driver, &group.default_domain.bound, &group.blocking_domain.driver,
        &group.blocking_domain.bound, &group.freed.driver, &group.freed.bound, &group.domain.type1,
        &group.domain.driver, &group.container, &group.type1})
    for (Bit& bit : *code) bits.push_back(&bit);
  return bits;
}

void Assign(Bit condition, DomainRef& target, const DomainRef& value) {
  Assign(condition, target.is_default, value.is_default);
  Assign(condition, target.is_blocking, value.is_blocking);
  Assign(condition, target.is_new, value.is_new);
  Assign(condition, target.is_freed, value.is_freed);
  Assign(condition, target.type1, value.type1);
  Assign(condition, target.driver, value.driver);
}

void Assign(Bit condition, SymbolicDomain& target, const SymbolicDomain& value) {
  Assign(condition, target.driver, value.driver);
  Assign(condition, target.bound, value.bound);
}

Bit IsNull(const DomainRef& ref) { return None(ref.driver); }

Bit SameDomain(const DomainRef& a, const DomainRef& b) {
  return (a.is_default & b.is_default) | (a.is_blocking & b.is_blocking) | (a.is_new & b.is_new) |
         (a.is_freed & b.is_freed) | Meet(a.type1, b.type1);
}

}  // namespace iommucheck::smt
