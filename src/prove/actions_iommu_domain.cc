// SPDX-License-Identifier: Apache-2.0
//
// Default and blocking domains: allocation, attach_dev(), detach_dev().
#include "src/prove/actions.h"

namespace iommucheck::prove::actions {

Formula System::MayAttach() const {
  Formula guard = Serves();
  if (has(Rule::kCoreOwnerEvery)) guard = guard && SameOps(OwnerOf(x), DriverOf(i));
  if (has(Rule::kDriverSameInstance)) guard = guard && Equal(OwnerOf(x), DriverOf(i));
  return guard;
}

void System::Domains() {
  Formula guard = Serves() && !Holds(kAllocated, {x});
  guard = guard &&
          (fwnode_era() ? Equal(OwnerOf(x), DriverOf(i)) : Holds(kBusOps, {BusOf(d), OwnerOf(x)}));
  Put(kAllocDefault, "iommu_group_alloc_default_domain", {d, g, i, x}, guard,
      {Add(kAllocated, {x}), Add(kDefaultDomain, {g, x})});
  if (may_have(Rule::kCoreDmaOwner))
    Put(kAllocBlocking, "iommu_group_claim_dma_owner, blocking domain", {d, g, i, x}, guard,
        {Add(kAllocated, {x}), Add(kBlockingDomain, {g, x})});
}

void System::Attaching() {
  const Update attached = Set(kAttached, d, x);
  Put(kAttachDefault, "attach_dev, default domain", {d, g, i, x},
      MayAttach() && Holds(kDefaultDomain, {g, x}), {attached});
  if (may_have(Rule::kCoreDmaOwner))
    Put(kAttachBlocking, "attach_dev, blocking domain", {d, g, i, x},
        MayAttach() && Holds(kBlockingDomain, {g, x}), {attached});
}

void System::Detaching() {
  if (!fwnode_era()) Put(kDetach, "detach_dev", {d}, {}, {Remove(kAttached, {d, std::nullopt})});
}

}  // namespace iommucheck::prove::actions
