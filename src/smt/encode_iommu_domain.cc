// SPDX-License-Identifier: Apache-2.0
//
// Whose domain a group gets, attaching it, and DMA ownership. An attach fails only by a rule or by
// a driver that tests instances, and always with -EINVAL, so that a Bit says whether it failed.
#include "src/smt/encoder.h"

namespace iommucheck::smt {

GroupView Encoder::Load(const Bits& selected) const {
  const SymbolicGroup none = NoGroup(sizes_);
  GroupView view{.selected = selected,
                 .group = none,
                 .members = Zeros(sizes_.devices),
                 .first = {},
                 .fresh = {.domain = none.default_domain,
                           .table = Zeros(sizes_.tables),
                           .coherent = false,
                           .container = Zeros(sizes_.containers)}};
  const std::vector<Bit*> to = BitsOf(view.group);
  for (int g = 0; g < sizes_.groups; ++g) {
    if (selected[g].is_false()) continue;
    SymbolicGroup group = state_.groups[g];
    const std::vector<Bit*> from = BitsOf(group);
    for (size_t i = 0; i < to.size(); ++i) *to[i] |= selected[g] & *from[i];
    for (int d = 0; d < sizes_.devices; ++d)
      view.members[d] |= selected[g] & state_.devices[d].group[g];
  }
  view.first = state_.joining.First(view.members);
  return view;
}

void Encoder::Store(Bit condition, const GroupView& view) {
  SymbolicGroup value = view.group;
  const std::vector<Bit*> from = BitsOf(value);
  for (int g = 0; g < sizes_.groups; ++g) {
    const Bit here = condition & view.selected[g];
    if (here.is_false()) continue;
    const std::vector<Bit*> to = BitsOf(state_.groups[g]);
    for (size_t i = 0; i < to.size(); ++i) Assign(here, *to[i], *from[i]);
  }
}

DomainRef Encoder::Default(const GroupView& view) const {
  DomainRef ref = NullRef(sizes_);
  ref.driver = view.group.default_domain.driver;
  ref.is_default = Any(ref.driver);
  return ref;
}

DomainRef Encoder::Blocking(const GroupView& view) const {
  DomainRef ref = NullRef(sizes_);
  ref.driver = view.group.blocking_domain.driver;
  ref.is_blocking = Any(ref.driver);
  return ref;
}

DomainRef Encoder::New(const GroupView& view) const {
  DomainRef ref = NullRef(sizes_);
  ref.driver = view.fresh.domain.driver;
  ref.is_new = true;
  return ref;
}

DomainRef Encoder::Type1Domain(const Bits& slot) const {
  DomainRef ref = NullRef(sizes_);
  ref.type1 = slot;
  for (int x = 0; x < sizes_.type1; ++x)
    ref.driver = Or(ref.driver, And(slot[x], state_.type1[x].domain.driver));
  return ref;
}

Bits Encoder::FirstDriver(const GroupView& view) const {
  Bits driver = Zeros(sizes_.drivers);
  for (int d = 0; d < sizes_.devices; ++d)
    driver = Or(driver, And(view.first[d], state_.devices[d].driver));
  return driver;
}

Bits Encoder::BoundTo(const GroupView& view, const DomainRef& ref) const {
  Bits bound = And(ref.is_default, view.group.default_domain.bound);
  bound = Or(bound, And(ref.is_blocking, view.group.blocking_domain.bound));
  bound = Or(bound, And(ref.is_freed, view.group.freed.bound));
  bound = Or(bound, And(ref.is_new, view.fresh.domain.bound));
  for (int x = 0; x < sizes_.type1; ++x)
    bound = Or(bound, And(ref.type1[x], state_.type1[x].domain.bound));
  return bound;
}

void Encoder::Bind(Bit condition, GroupView& view, const DomainRef& ref, const Bits& instance) {
  Assign(condition & ref.is_default, view.group.default_domain.bound, instance);
  Assign(condition & ref.is_blocking, view.group.blocking_domain.bound, instance);
  Assign(condition & ref.is_freed, view.group.freed.bound, instance);
  Assign(condition & ref.is_new, view.fresh.domain.bound, instance);
  for (int x = 0; x < sizes_.type1; ++x)
    Assign(condition & ref.type1[x], state_.type1[x].domain.bound, instance);
}

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

// __iommu_attach_device() for the members, in the order in which they joined.
Encoder::Attached Encoder::AttachDevices(Bit condition, GroupView& view, const Bits& members,
                                         const DomainRef& ref, bool stop_at_error) {
  Attached attached{.done = members, .failing = Zeros(sizes_.devices), .failed = false};
  if (condition.is_false()) {
    attached.done = Zeros(sizes_.devices);
    return attached;
  }
  if (can_refuse_) {
    Bits refused = Zeros(sizes_.devices);
    const Bit tests = Meet(ref.driver, tests_instance_);
    Bit own_only = Meet(ref.driver, refuses_foreign_);
    own_only |= has(Rule::kCoreOwnerEvery);
    for (int d = 0; d < sizes_.devices; ++d)
      refused[d] = members[d] & own_only & ~SameAddress(ref.driver, state_.devices[d].driver);
    // Whether an earlier member of the set has joined before this one.
    const auto behind = [&](const Bits& set, int d) {
      Bit any = false;
      for (int e = 0; e < sizes_.devices; ++e)
        if (e != d) any |= set[e] & state_.joining.Before(e, d);
      return any;
    };
    if (tests_any_) {
      // The first that is attached binds the domain, if nothing has.
      Bits candidates = members;
      for (int d = 0; d < sizes_.devices; ++d) {
        candidates[d] &= ~refused[d];
        if (stop_at_error) candidates[d] &= ~behind(refused, d);
      }
      const Bits first = state_.joining.First(candidates);
      Bits instance = Zeros(sizes_.instances);
      for (int d = 0; d < sizes_.devices; ++d)
        instance = Or(instance, And(first[d], state_.devices[d].instance));
      const Bits before = BoundTo(view, ref);
      const Bits bound = Ite(Any(before), before, instance);
      for (int d = 0; d < sizes_.devices; ++d)
        refused[d] |= members[d] & tests & ~Meet(bound, state_.devices[d].instance);
      Bind(condition & None(before) & Any(first), view, ref, instance);
    }
    for (int d = 0; d < sizes_.devices; ++d) {
      const Bit reached = stop_at_error ? ~behind(refused, d) : Bit(true);
      attached.failing[d] = condition & refused[d] & reached;
      attached.done[d] &= ~refused[d] & reached;
    }
    attached.failed = Any(attached.failing);
  }
  const Bit existing = in_type1_attach_ ? Any(ref.type1) : Bit(false);
  for (int d = 0; d < sizes_.devices; ++d) {
    attached.done[d] &= condition;
    SymbolicDeviceState& device = state_.devices[d];
    Assign(attached.done[d], device.hw, ref.driver);
    const Bit foreign = attached.done[d] & ~Meet(ref.driver, device.driver);
    step_.violated[static_cast<size_t>(Property::kNoCrossDriverAttach)] |= foreign;
    step_.violated[static_cast<size_t>(Property::kNoCrossDriverReuse)] |= foreign & existing;
  }
  return attached;
}

// With IOMMU_SET_DOMAIN_MUST_SUCCEED, for these members; group->domain is the caller's.
Bit Encoder::SetMustSucceed(Bit condition, GroupView& view, const Bits& members,
                            const DomainRef& target) {
  const Attached attached = AttachDevices(condition, view, members, target, false);
  const DomainRef blocking = Blocking(view);
  AttachDevices(attached.failed & ~IsNull(blocking) & ~SameDomain(blocking, target), view,
                attached.failing, blocking, false);
  return attached.failed;
}

Bit Encoder::HasDefaultDomains(const Bits& driver) const {
  Bit has_them = false;
  for (int r = 0; r < sizes_.drivers; ++r)
    has_them |= driver[r] & topology_.drivers[r].default_domains;
  return has_them;
}

// ops->set_platform_dma_ops() of 6.6. A driver with default domains lacks it: its device stays on
// the domain that it is on.
void Encoder::SetPlatformDma(Bit condition, const Bits& devices) {
  for (int d = 0; d < sizes_.devices; ++d) {
    SymbolicDeviceState& device = state_.devices[d];
    Assign(condition & devices[d] & ~HasDefaultDomains(device.driver), device.hw,
           Zeros(sizes_.drivers));
  }
}

Bit Encoder::SetPlainly(Bit condition, GroupView& view, const DomainRef& target) {
  const DomainRef old = view.group.domain;
  const Attached attached = AttachDevices(condition, view, view.members, target, true);
  const Bits back = Or(attached.done, And(has(Rule::kCoreRollbackFailing), attached.failing));
  const Bit rollback = attached.failed & has(Rule::kCoreAttachRollback);
  SetMustSucceed(rollback & ~IsNull(old), view, back, old);
  if (kernel_.era() == Era::kGroupSetup) SetPlatformDma(rollback & IsNull(old), back);
  Assign(condition & ~attached.failed, view.group.domain, target);
  return attached.failed;
}

// __iommu_group_set_domain_internal(); up to and including 6.1 __iommu_group_set_domain().
Bit Encoder::GroupSetDomain(Bit condition, GroupView& view, const DomainRef& target,
                            Bit must_succeed, bool test_same) {
  Bit failed = false;
  Bit run = condition;
  const Bit null = IsNull(target);
  if (test_same) {
    run &= ~SameDomain(view.group.domain, target) & ~(null & IsNull(view.group.domain));
  }
  if (fwnode_era()) {
    failed |= run & null;
  } else {
    const Bit detach = run & null;
    if (sets_up_groups()) SetPlatformDma(detach, view.members);
    for (int d = 0; d < sizes_.devices && !sets_up_groups(); ++d)
      Assign(detach & view.members[d], state_.devices[d].hw, Zeros(sizes_.drivers));
    Assign(detach, view.group.domain, target);
  }
  run &= ~null;
  // Where nothing fails, both ways are one.
  const Bit must = can_refuse_ ? run & must_succeed : run;
  failed |= SetPlainly(run & ~must, view, target);
  failed |= SetMustSucceed(must, view, view.members, target);
  Assign(must, view.group.domain, target);
  return failed;
}

// __iommu_group_set_core_domain(); also iommu_detach_group().
void Encoder::GroupSetCoreDomain(Bit condition, GroupView& view) {
  DomainRef target = Default(view);
  Assign(view.group.owned, target, Blocking(view));
  GroupSetDomain(condition, view, target, has(Rule::kCoreDetachNofail));
}

// iommu_alloc_default_domain() up to and including 6.1: fails where the bus has no driver, or one
// that has no default domains.
Bit Encoder::AllocDefaultDomain(Bit condition, GroupView& view, const Bits& driver) {
  const Bit alloc = condition & HasDefaultDomains(driver) & None(view.group.default_domain.driver);
  Assign(alloc, view.group.default_domain, {.driver = driver, .bound = Zeros(sizes_.instances)});
  Assign(alloc & IsNull(view.group.domain), view.group.domain, Default(view));
  return alloc;
}

// iommu_setup_default_domain(); whether attaching failed. In 6.6 a group without a default domain
// stays without one where the driver in the slot has none.
Bit Encoder::SetupDefaultDomain(Bit condition, GroupView& view) {
  const Bits driver = fwnode_era() ? FirstDriver(view) : SlotOfFirst(view);
  if (!fwnode_era()) condition &= HasDefaultDomains(driver);
  Assign(condition, view.group.default_domain,
         {.driver = driver, .bound = Zeros(sizes_.instances)});
  const Bit fresh = condition & IsNull(view.group.domain);
  const Bit plain = condition & ~fresh;
  const DomainRef target = Default(view);
  Bit failed = GroupSetDomain(fresh, view, target, /*must_succeed=*/true);
  failed |= GroupSetDomain(plain, view, target, /*must_succeed=*/false);
  return failed;
}

Result Encoder::AttachGroup(Bit condition, GroupView& view, const DomainRef& domain) {
  Result result;
  Bit go = condition;
  const DomainRef& current = view.group.domain;
  const Bit busy =
      has(Rule::kCoreAttachBusy) &
      Ite(has(Rule::kCoreDmaOwner), ~IsNull(current) & ~current.is_default & ~current.is_blocking,
          Any(view.group.default_domain.driver) & ~current.is_default);
  result.Stop(go, busy, Errno::kBusy);
  const Bit foreign = has(Rule::kCoreOwnerFirst) & ~SameAddress(domain.driver, FirstDriver(view));
  result.Stop(go, foreign, Errno::kInval);
  const DomainRef old = current;
  const Bit failed = GroupSetDomain(go, view, domain, /*must_succeed=*/false,
                                    /*test_same=*/sets_up_groups());
  // From 6.6 on __iommu_group_set_domain() has gone back already.
  const Bit reattach = sets_up_groups() ? Bit(false) : failed & has(Rule::kCoreRollbackReattach);
  Assign(reattach, view.group.domain, NullRef(sizes_));
  GroupSetDomain(reattach & ~IsNull(old), view, old, /*must_succeed=*/false, /*test_same=*/false);
  result.Fail(failed, Errno::kInval);
  return result;
}

Result Encoder::ClaimDmaOwner(Bit condition, GroupView& view) {
  Result result;
  Bit go = condition & has(Rule::kCoreDmaOwner);
  result.Stop(go, view.group.owned, Errno::kPerm);
  const Bit busy = ~IsNull(view.group.domain) & ~view.group.domain.is_default;
  result.Stop(go, busy, Errno::kBusy);
  SymbolicDomain& blocking = view.group.blocking_domain;
  const Bits driver = fwnode_era() ? FirstDriver(view) : SlotOfFirst(view);
  const Bit alloc = go & None(blocking.driver);
  const Bit failed = alloc & None(driver);
  result.Fail(failed, Errno::kInval);
  go &= ~failed;
  Assign(alloc & ~failed, blocking, {.driver = driver, .bound = Zeros(sizes_.instances)});
  const Bit refused = GroupSetDomain(go, view, Blocking(view), /*must_succeed=*/false);
  result.Fail(refused, Errno::kInval);
  Assign(go & ~refused, view.group.owned, true);
  return result;
}

void Encoder::ReleaseDmaOwner(Bit condition, GroupView& view) {
  const Bit owned = condition & view.group.owned;
  Assign(owned, view.group.owned, false);
  GroupSetCoreDomain(owned, view);
}

}  // namespace iommucheck::smt
