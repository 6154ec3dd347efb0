// SPDX-License-Identifier: Apache-2.0
//
// Containers, and vfio_iommu_type1_attach_group() and _detach_group().
#include <algorithm>

#include "src/smt/encoder.h"

namespace iommucheck::smt {

Bit Encoder::FirstOn(const GroupView& view, Bus bus) const {
  Bit on = false;
  for (int d = 0; d < sizes_.devices; ++d) on |= view.first[d] & topology_.devices[d].on(bus);
  return on;
}

// The driver in the slot of the bus of the group's first device.
Bits Encoder::SlotOfFirst(const GroupView& view) const {
  Bits driver = Zeros(sizes_.drivers);
  for (Bus bus : topology_.buses)
    driver = Or(driver, And(FirstOn(view, bus), state_.bus_ops[static_cast<size_t>(bus)]));
  return driver;
}

// iommu_domain_alloc(bus) of 6.8: the driver of the bus's first probed device, none for failure.
Bits Encoder::BusDriverOfFirst(const GroupView& view) const {
  Bits found = Zeros(sizes_.drivers);
  for (Bus bus : topology_.buses) {
    Bits driver = Zeros(sizes_.drivers);
    Bit two = false;
    Bits probed = Zeros(sizes_.devices);
    for (int d = 0; d < sizes_.devices; ++d) {
      const Bits here = And(topology_.devices[d].on(bus), state_.devices[d].driver);
      probed[d] = Any(here);
      two |= Any(driver) & Any(here) & ~SameAddress(driver, here);
      driver = Or(driver, And(None(driver), here));
    }
    if (layout_.known()) {
      const Bits first = state_.listed.First(probed);
      driver = Zeros(sizes_.drivers);
      for (int d = 0; d < sizes_.devices; ++d)
        driver = Or(driver, And(first[d], state_.devices[d].driver));
    }
    const Bit use = FirstOn(view, bus) & ~(two & has(Rule::kAllocBusUnique));
    found = Or(found, And(use, driver));
  }
  return found;
}

// Whoever serves the bus of the group's first device.
Bits Encoder::BusDriver(const GroupView& view) const {
  return fwnode_era() ? BusDriverOfFirst(view) : SlotOfFirst(view);
}

// VFIO_GROUP_UNSET_CONTAINER of a group that is in a container.
void Encoder::LeaveContainer(Bit condition, const Bits& group) {
  if (condition.is_false()) return;
  GroupView view = Load(group);
  const Bits container = And(condition, view.group.container);
  const Bit detach = Meet(container, state_.container_iommu);
  GroupSetCoreDomain(detach, view);
  Assign(detach, view.group.type1, Zeros(sizes_.type1));
  ReleaseDmaOwner(condition, view);
  Assign(condition, view.group.container, Zeros(sizes_.containers));
  Store(condition, view);
  FreeUnusedType1();
  for (int c = 0; c < sizes_.containers; ++c) {
    Bit empty = container[c];
    for (const SymbolicGroup& other : state_.groups) empty &= ~other.container[c];
    Assign(empty, state_.container_iommu[c], false);
  }
}

// Domains that the last group has left are freed. Where no attach can fail, the group has left the
// domain for its blocking or default domain and nothing points at it.
void Encoder::FreeUnusedType1() {
  for (int x = 0; x < sizes_.type1; ++x) {
    SymbolicType1& domain = state_.type1[x];
    Bit unused = Any(domain.domain.driver);
    for (const SymbolicGroup& group : state_.groups) unused &= ~group.type1[x];
    if (can_refuse_) {
      for (SymbolicGroup& group : state_.groups) {
        const Bit dangling = unused & group.domain.type1[x];
        Assign(dangling, group.freed, domain.domain);
        Assign(dangling, group.domain.is_freed, true);
        Assign(dangling, group.domain.type1[x], false);
      }
    }
    Assign(unused, domain.domain,
           {.driver = Zeros(sizes_.drivers), .bound = Zeros(sizes_.instances)});
    Assign(unused, domain.container, Zeros(sizes_.containers));
  }
}

// What VFIO_GROUP_SET_CONTAINER does before the container's iommu sees the group.
Result Encoder::SetContainerChecks(Bit condition, GroupView& view) {
  Result result;
  Bit go = condition;
  const Bit empty = None(view.members);
  Bit coherent = empty | ~has(Rule::kVfioCacheCoherency);
  for (int d = 0; d < sizes_.devices; ++d)
    for (int r = 0; r < sizes_.drivers; ++r)
      coherent |= view.members[d] & state_.devices[d].driver[r] & topology_.drivers[r].coherent;
  result.Fail(go & ~coherent, Errno::kNoEnt);
  go &= coherent;
  const Bit contained = Any(view.group.container);
  result.Fail(go & contained, Errno::kInval);
  go &= ~contained;
  result.Fail(go & empty, Errno::kNoDev);
  step_.futile |= result.failed();
  go &= ~empty;
  result.Merge(ClaimDmaOwner(go, view));
  return result;
}

// VFIO_GROUP_SET_CONTAINER and VFIO_SET_IOMMU: the group of the first and the head of the second
// go through one copy of the type1 attach; the rest of the container's groups follow.
Result Encoder::ContainerOps(const SymbolicOp& op) {
  Result result;
  Bit set_container = op.is(OpKind::kSetContainer);
  Bit set_iommu = op.is(OpKind::kSetIommu);
  if (set_container.is_false() && set_iommu.is_false()) return result;
  Bits waiting = Zeros(sizes_.groups);
  for (int g = 0; g < sizes_.groups; ++g)
    waiting[g] = set_iommu & Meet(state_.groups[g].container, op.container);
  const Bit has_iommu = Meet(op.container, state_.container_iommu);
  const Bit refused = set_iommu & (has_iommu | None(waiting));
  result.Fail(refused, Errno::kInval);
  step_.futile |= refused;
  set_iommu &= ~refused;

  Bits head = And(set_iommu, state_.in_container.Last(waiting));
  GroupView view = Load(Or(head, And(set_container, op.group)));
  result.Merge(SetContainerChecks(set_container, view));
  set_container &= ~result.failed();
  const Result first = Type1Attach(set_iommu | (set_container & has_iommu), view, op.container);
  ReleaseDmaOwner(set_container & first.failed(), view);
  const Bit joined = set_container & ~first.failed();
  Assign(joined, view.group.container, op.container);
  Store(true, view);
  for (int g = 0; g < sizes_.groups; ++g) state_.in_container.Append(joined & op.group[g], g);
  result.Merge(first);

  Bits done = head;
  for (int n = 1; n < std::min(most_contained_, sizes_.type1); ++n) {
    set_iommu &= ~result.failed();
    for (int g = 0; g < sizes_.groups; ++g) waiting[g] &= ~head[g];
    head = And(set_iommu, state_.in_container.Last(waiting));
    if (Any(head).is_false()) break;
    view = Load(head);
    result.Merge(Type1Attach(Any(head), view, op.container));
    Store(true, view);
    done = Or(done, head);
  }
  UndoType1Attach(op.is(OpKind::kSetIommu) & ~refused & result.failed(), done);
  Assign(op.is(OpKind::kSetIommu) & ~result.failed(), state_.container_iommu,
         Or(state_.container_iommu, op.container));
  return result;
}

// A failed VFIO_SET_IOMMU. Each detach touches domains of its own group only, so that their order
// makes no difference. The group that failed has no type1 domain.
void Encoder::UndoType1Attach(Bit condition, const Bits& groups) {
  if (condition.is_false()) return;
  for (int g = 0; g < sizes_.groups; ++g) {
    const Bit go = condition & groups[g] & Any(state_.groups[g].type1);
    if (go.is_false()) continue;
    GroupView view = Load(OneHot(sizes_.groups, g));
    GroupSetCoreDomain(go, view);
    Assign(go, view.group.type1, Zeros(sizes_.type1));
    Store(go, view);
  }
  FreeUnusedType1();
}

// The new domain of vfio_iommu_type1_attach_group().
Result Encoder::Type1Alloc(Bit condition, GroupView& view) {
  Result result;
  SymbolicType1& fresh = view.fresh;
  const Bit by_device = has(Rule::kAllocByDevice);
  const Bits by_bus = by_device.is_true() ? Zeros(sizes_.drivers) : BusDriver(view);
  fresh.domain.driver = Ite(by_device, FirstDriver(view), by_bus);
  for (int d = 0; d < sizes_.devices; ++d)
    for (int i = 0; i < sizes_.instances; ++i)
      fresh.table = Or(fresh.table, And(by_device & view.first[d] & state_.devices[d].instance[i],
                                        topology_.instances[i].table));
  for (int r = 0; r < sizes_.drivers; ++r)
    fresh.table = Or(fresh.table, And(~by_device & by_bus[r], topology_.drivers[r].table));
  result.Fail(condition & by_device & None(view.members), Errno::kFault);
  result.Fail(condition & ~by_device & None(by_bus), Errno::kIo);
  return result;
}

Bit Encoder::Type1Coherent(const GroupView& view) const {
  const Bit by_op = has(Rule::kType1EnforceCoherency);
  const Bits driver = by_op.is_true() ? Zeros(sizes_.drivers) : BusDriver(view);
  Bit coherent = false;
  for (int r = 0; r < sizes_.drivers; ++r) coherent |= driver[r] & topology_.drivers[r].coherent;
  Bit enforced = true;
  for (int d = 0; d < sizes_.devices; ++d)
    for (int i = 0; i < sizes_.instances; ++i)
      enforced &= ~(view.members[d] & state_.devices[d].instance[i] &
                    ~topology_.instances[i].enforces_coherency);
  return Ite(by_op, enforced, coherent);
}

// Whether the reuse loop tries this domain for the group.
Bit Encoder::Compatible(const GroupView& view, int slot) const {
  const SymbolicType1& domain = state_.type1[slot];
  const Bit same_ops = Ite(has(Rule::kAllocOpsPerDriver),
                           SameAddress(domain.domain.driver, view.fresh.domain.driver),
                           Meet(domain.table, view.fresh.table));
  return (~has(Rule::kType1SameOps) | same_ops) &
         (~has(Rule::kType1SameCoherency) | Same(domain.coherent, view.fresh.coherent));
}

Result Encoder::Type1Attach(Bit condition, GroupView& view, const Bits& container) {
  Result result;
  if (condition.is_false()) return result;
  Bit go = condition;
  if (kernel_.may_have(Rule::kType1SameBus)) {
    Bit mixed = false;
    for (int d = 0; d < sizes_.devices; ++d)
      for (Bus bus : topology_.buses)
        mixed |= view.members[d] & topology_.devices[d].on(bus) & ~FirstOn(view, bus);
    mixed &= has(Rule::kType1SameBus);
    result.Fail(go & mixed, Errno::kInval);
    go &= ~mixed;
  }
  result.Merge(Type1Alloc(go, view));
  go &= ~result.failed();
  in_type1_attach_ = true;
  const Result attached = AttachGroup(go, view, New(view));
  FreeNew(go & attached.failed(), view);
  result.Merge(attached);
  go &= ~attached.failed();
  view.fresh.coherent = Type1Coherent(view);
  result.Merge(ReuseDomain(go, view, container));
  in_type1_attach_ = false;
  KeepNew(go & ~result.failed(), view, container);
  return result;
}

// The reuse loop: existing domains of the container, newest first. Clears the condition where the
// group went to one of them, or failed.
Result Encoder::ReuseDomain(Bit& condition, GroupView& view, const Bits& container) {
  Result result;
  Bits candidates = Zeros(sizes_.type1);
  for (int x = 0; x < sizes_.type1; ++x) {
    const Bit live = Any(state_.type1[x].domain.driver);
    if (!live.is_false())
      candidates[x] = live & Meet(state_.type1[x].container, container) & Compatible(view, x);
  }
  Bit trying = condition;
  for (int n = 0; n < sizes_.type1; ++n) {
    const Bits pick = state_.allocation.Last(candidates);
    trying &= Any(pick);
    if (trying.is_false()) break;
    GroupSetCoreDomain(trying, view);
    const Bit refused = AttachGroup(trying, view, Type1Domain(pick)).failed();
    const Bit reused = trying & ~refused;
    Assign(reused, view.group.type1, pick);
    trying &= refused;
    const Result back = AttachGroup(trying, view, New(view));
    result.Merge(back);
    FreeNew(reused | (trying & back.failed()), view);
    condition &= ~reused & ~(trying & back.failed());
    trying &= ~back.failed();
    for (int x = 0; x < sizes_.type1; ++x) candidates[x] &= ~pick[x];
  }
  return result;
}

// iommu_domain_free() of the new domain; a detach that failed leaves group->domain at it.
void Encoder::FreeNew(Bit condition, GroupView& view) {
  if (!can_refuse_) return;
  const Bit dangling = condition & view.group.domain.is_new;
  Assign(dangling, view.group.freed, view.fresh.domain);
  Assign(dangling, view.group.domain.is_freed, true);
  Assign(dangling, view.group.domain.is_new, false);
}

// The new domain becomes the newest of the container.
void Encoder::KeepNew(Bit condition, GroupView& view, const Bits& container) {
  Bits slot = Zeros(sizes_.type1);
  for (int x = 0; x < sizes_.type1; ++x) slot[x] = None(state_.type1[x].domain.driver);
  slot = Lowest(slot);
  for (int x = 0; x < sizes_.type1; ++x) {
    const Bit here = condition & slot[x];
    SymbolicType1& domain = state_.type1[x];
    Assign(here, domain.domain, view.fresh.domain);
    Assign(here, domain.table, view.fresh.table);
    Assign(here, domain.coherent, view.fresh.coherent);
    Assign(here, domain.container, container);
    state_.allocation.Append(here, x);
  }
  DomainRef kept = view.group.domain;
  kept.is_new = false;
  kept.type1 = slot;
  Assign(condition & view.group.domain.is_new, view.group.domain, kept);
  Assign(condition, view.group.type1, slot);
}

}  // namespace iommucheck::smt
