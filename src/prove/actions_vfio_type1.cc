// SPDX-License-Identifier: Apache-2.0
//
// Domains of type1: vfio_iommu_type1_attach_group() and vfio_iommu_type1_detach_group().
#include "src/prove/actions.h"

namespace iommucheck::prove::actions {

// domain->ops of the two are equal.
Formula System::SameDomainOps(Variable one, Variable two) const {
  Formula drivers = SameOps(OwnerOf(one), OwnerOf(two));
  if (has(Rule::kAllocOpsPerDriver)) return drivers;
  const Formula tables = SameTable(TableOf(one), TableOf(two));
  return may_have(Rule::kAllocOpsPerDriver) ? drivers || tables : tables;
}

// iommu_domain_alloc() of the bus of the group's first device.
void System::AllocType1ByBus(const Formula& guard, const std::vector<Update>& put_up) {
  constexpr std::string_view kName = "vfio_iommu_type1_attach_group, new domain by bus";
  if (!fwnode_era())
    return Put(kAllocType1ByBus, kName, {d, g, i, x},
               guard && Holds(kBusOps, {BusOf(d), OwnerOf(x)}), put_up);
  Formula first_of_bus = guard && Holds(kServedBy, {other, other_instance}) &&
                         Equal(BusOf(other), BusOf(d)) &&
                         Equal(OwnerOf(x), DriverOf(other_instance));
  if (has(Rule::kAllocBusUnique))
    first_of_bus = first_of_bus &&
                   ForAll({any_d, any_i},
                          Implies(Holds(kServedBy, {any_d, any_i}) && Equal(BusOf(any_d), BusOf(d)),
                                  SameOps(DriverOf(any_i), OwnerOf(x))));
  Put(kAllocType1ByBus, kName, {d, g, i, x, other, other_instance}, first_of_bus, put_up);
}

void System::Type1() {
  Put(kBeginType1Attach, "vfio_iommu_type1_attach_group begins", {}, {},
      {Add(kAttaching, {}), Remove(kFresh, {std::nullopt})});

  // `d` takes the place of the first device of the group.
  Formula passes = Serves();
  if (has(Rule::kCoreOwnerFirst)) passes = passes && SameOps(OwnerOf(x), DriverOf(i));
  if (has(Rule::kType1SameBus))
    passes = passes && ForAll({any_d, any_d2},
                              Implies(Holds(kInGroup, {any_d, g}) && Holds(kInGroup, {any_d2, g}),
                                      Equal(BusOf(any_d), BusOf(any_d2))));

  const Formula fresh_domain = passes && !Holds(kAllocated, {x});
  const std::vector<Update> put_up = {Add(kAllocated, {x}), Add(kFresh, {x}),
                                      Add(kType1Domain, {g, x})};
  if (may_have(Rule::kAllocByDevice))
    Put(kAllocType1, "vfio_iommu_type1_attach_group, new domain", {d, g, i, x},
        fresh_domain && Equal(OwnerOf(x), DriverOf(i)), put_up);
  if (!has(Rule::kAllocByDevice)) AllocType1ByBus(fresh_domain, put_up);

  Formula tried = passes && Holds(kType1Domain, {g, fresh}) && Holds(kFresh, {fresh}) &&
                  Holds(kType1Domain, {other_group, x}) && Holds(kInContainer, {other_group, c});
  if (has(Rule::kType1SameOps)) tried = tried && SameDomainOps(x, fresh);
  Put(kTryType1, "vfio_iommu_type1_attach_group, existing domain",
      {d, g, i, x, fresh, other_group, c}, tried, {Add(kType1Domain, {g, x})});
  Put(kLeaveType1, "vfio_iommu_type1_detach_group", {g, x}, {}, {Remove(kType1Domain, {g, x})});
  Put(kReturn, "the step ends", {}, {}, {Remove(kAttaching, {})});
}

void System::AttachingType1() {
  const std::vector<Variable> formals = Formals(kReused);
  const Update reused = {
      kReused, formals,
      Member(kReused, formals) ||
          (Matches(formals, {d, x}) && Holds(kAttaching, {}) && !Holds(kFresh, {x}))};
  Put(kAttachType1, "attach_dev, type1 domain", {d, g, i, x},
      MayAttach() && Holds(kType1Domain, {g, x}), {Set(kAttached, d, x), reused});
}

}  // namespace iommucheck::prove::actions
