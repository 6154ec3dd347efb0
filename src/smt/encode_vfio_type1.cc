// SPDX-License-Identifier: Apache-2.0
//
// vfio_iommu_type1_attach_group() and vfio_iommu_type1_detach_group().
#include "src/smt/encoder.h"

namespace iommucheck::smt {

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

// irq_domain_check_msi_remap() and iommu_capable() of the first device's bus, up to and including
// 5.19. Every IOMMU of the encoding isolates interrupts; a bus without ops has nobody to say so.
Bit Encoder::MsiUnanswered(const GroupView& view) const {
  if (kernel_.era() != Era::kBusSlots) return false;
  return has(Rule::kType1MsiSafety) & ~has(Rule::kType1MsiAnyDevice) &
         ~has(Rule::kType1MsiEveryDevice) & None(SlotOfFirst(view));
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
    result.Stop(go, mixed & has(Rule::kType1SameBus), Errno::kInval);
  }
  result.Merge(Type1Alloc(go, view));
  go &= ~result.failed();
  in_type1_attach_ = true;
  const Result attached = AttachGroup(go, view, New(view));
  FreeNew(go & attached.failed(), view);
  result.Merge(attached);
  go &= ~attached.failed();
  const Bit unsafe = go & MsiUnanswered(view);
  GroupSetCoreDomain(unsafe, view);
  FreeNew(unsafe, view);
  result.Stop(go, unsafe, Errno::kPerm);
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
