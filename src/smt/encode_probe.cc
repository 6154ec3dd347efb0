// SPDX-License-Identifier: Apache-2.0
//
// __iommu_probe_device(), iommu_probe_device(), release and what they rest on.
#include "src/smt/encoder.h"

namespace iommucheck::smt {

// of_iommu_configure() and its like: iommu_fwspec_init() for each master that has a fwnode, in the
// order firmware names them, unless the device has a fwspec.
Result Encoder::FirmwareDescription(Bit condition, int d) {
  Result result;
  Bits& fwspec = state_.devices[d].fwspec;
  Bit go = condition & None(fwspec);
  if (go.is_false()) return result;
  for (const Bits& listed : topology_.devices[d].masters) {
    Bits master = listed;
    for (int i = 0; i < sizes_.instances; ++i) master[i] &= topology_.instances[i].fwnode;
    const Bit described = Any(master);
    const Bit deferred = go & described & ~Meet(master, state_.registered);
    result.Fail(deferred, Errno::kProbeDefer);
    go &= ~deferred;
    const Bit other = Any(fwspec) & ~SameAddress(DriverOf(fwspec), DriverOf(master));
    const Bit refused = has(Rule::kFwspecOneDriver) & described & other;
    result.Fail(go & refused, Errno::kInval);
    go &= ~refused;
    Assign(go & described & (None(fwspec) | other), fwspec, master);
  }
  Assign(result.failed() & has(Rule::kFwspecFreeOnError), fwspec, Zeros(sizes_.instances));
  return result;
}

// The driver whose probe_device() is called: none for -ENODEV.
Bits Encoder::ProbeOps(Bit condition, int d, Bus bus) {
  if (!fwnode_era()) return state_.bus_ops[static_cast<size_t>(bus)];
  const SymbolicDeviceState& device = state_.devices[d];
  FirmwareDescription(condition & has(Rule::kProbeDmaConfigure), d);
  Bits without_fwnode = state_.registered;
  for (int i = 0; i < sizes_.instances; ++i) without_fwnode[i] &= ~topology_.instances[i].fwnode;
  return DriverOf(Ite(Any(device.fwspec), And(device.fwspec, state_.registered),
                      state_.registration.First(without_fwnode)));
}

// What probe_device() of the driver returns: none for -ENODEV.
Bits Encoder::ProbeInstance(int d, const Bits& ops) const {
  Bits eligible = state_.registered;
  Bits foreign = state_.registered;
  for (int i = 0; i < sizes_.instances; ++i) {
    const SymbolicInstance& instance = topology_.instances[i];
    eligible[i] &= ops[instance.driver] & (~instance.fwnode | state_.devices[d].fwspec[i]);
    foreign[i] &= ops[instance.driver] & topology_.drivers[instance.driver].accepts_foreign;
  }
  Bits found = Zeros(sizes_.instances);
  for (const Bits& master : topology_.devices[d].masters)
    found = Or(found, And(None(found), And(master, eligible)));
  return Or(found, And(None(found), state_.registration.First(foreign)));
}

// get_pci_alias_group(): finds a group where none is found yet. A device is looked at once; those
// in `path` are being looked at, whatever the bits are.
void Encoder::AliasGroup(Bit condition, int d, unsigned path, Bits& seen, Bits& found) const {
  if (((path >> d) & 1U) != 0) return;
  path |= 1U << d;
  condition &= ~seen[d] & None(found);
  if (condition.is_false()) return;
  seen[d] |= condition;
  found = Or(found, And(condition, state_.devices[d].group));
  for (int e : order_) {
    const Bit alias = condition & topology_.devices[d].alias_related[e] & state_.devices[e].present;
    if (alias.is_false()) continue;
    AliasGroup(alias, e, path, seen, found);
    FunctionGroup(alias, e, path, seen, found);
  }
}

// get_pci_function_alias_group()
void Encoder::FunctionGroup(Bit condition, int d, unsigned path, Bits& seen, Bits& found) const {
  for (int e : order_) {
    const Bit same = condition & topology_.devices[d].slot_related[e] & state_.devices[e].present;
    if (!same.is_false()) AliasGroup(same, e, path, seen, found);
  }
}

// Whether devices that the search for the device's group can come to are in two groups, and some of
// them come in another order than that of their numbers, in which the search goes here.
Bit Encoder::SearchTellsOrder(int d) const {
  Bit added = false;
  Bits some = Zeros(sizes_.groups);
  Bit two = false;
  for (int e = 0; e < sizes_.devices; ++e) {
    if (e == d || layout_.cluster[e] != layout_.cluster[d]) continue;
    const Bits& group = state_.devices[e].group;
    two |= Any(some) & Any(group) & ~Meet(some, group);
    added |= state_.added[e];
    some = Or(some, group);
  }
  return added & two;
}

// ops->device_group(); makes the group if it must.
Bits Encoder::DeviceGroup(Bit condition, int d, const Bits& instance, const Bits& ops) {
  Bit per_instance = false;
  for (int r = 0; r < sizes_.drivers; ++r)
    per_instance |= ops[r] & topology_.drivers[r].instance_groups;
  Bits shared = Zeros(sizes_.groups);
  for (int i = 0; i < sizes_.instances; ++i)
    shared = Or(shared, And(instance[i], state_.shared_group[i]));
  Bits related = Zeros(sizes_.groups);
  Bits seen = Zeros(sizes_.devices);
  AliasGroup(true, d, 0, seen, related);
  FunctionGroup(true, d, 0, seen, related);
  Bits group = Ite(per_instance, shared, related);
  const Bit make = condition & None(group);
  Bits free = Zeros(sizes_.groups);
  for (int g = 0; g < sizes_.groups; ++g) free[g] = ~GroupExists(g);
  if (layout_.known()) {
    free = Lowest(And(free, layout_.home[d]));
    step_.reorders |= condition & ~per_instance & SearchTellsOrder(d);
  } else {
    free = Lowest(free);
  }
  step_.out_of_groups |= make & None(free);
  // A number that was given up in this step, too, is clear only after this.
  if (can_refuse_) ClearGone();
  for (int i = 0; i < sizes_.instances; ++i)
    Assign(make & per_instance & instance[i], state_.shared_group[i], free);
  return Or(group, And(make, free));
}

// __iommu_probe_device(): up to the attach to group->domain.
Result Encoder::ProbeDevice(Bit condition, int d, Bus bus) {
  Result result;
  SymbolicDeviceState& device = state_.devices[d];
  Bit go = condition;
  if (fwnode_era()) go &= ~Grouped(d);
  if (go.is_false()) return result;
  const Bits ops = ProbeOps(go, d, bus);
  const Bits instance = ProbeInstance(d, ops);
  result.Fail(go & None(instance), Errno::kNoDev);
  // dev_iommu_free() of a device that probe_device() did not take.
  Assign(go & Any(ops) & None(instance), device.fwspec, Zeros(sizes_.instances));
  go &= Any(instance);
  const Bits group = DeviceGroup(go, d, instance, ops);
  Assign(go, device.instance, instance);
  Assign(go, device.driver, ops);
  Assign(go, device.group, group);
  state_.joining.Append(go, d);
  for (int g = 0; g < sizes_.groups; ++g)
    step_.outside |=
        has(Rule::kAssumeNoHotAddWhenAttached) & go & group[g] & Any(state_.groups[g].container);

  GroupView view = Load(group);
  const Bit attach = go & ~IsNull(view.group.domain);
  const Bit failed =
      AttachDevices(attach, view, OneHot(sizes_.devices, d), view.group.domain, true).failed;
  if (tests_any_) Store(attach, view);  // the attach may have bound the domain
  ReleaseDevice(failed, d);
  result.Fail(failed, Errno::kInval);
  return result;
}

// iommu_alloc_default_domain() up to 6.1: fails where the bus has no driver, or one without.
Bit Encoder::AllocDefaultDomain(Bit condition, GroupView& view, const Bits& driver) {
  Bit can = false;
  for (int r = 0; r < sizes_.drivers; ++r) can |= driver[r] & topology_.drivers[r].default_domains;
  const Bit alloc = condition & can & None(view.group.default_domain.driver);
  Assign(alloc, view.group.default_domain, {.driver = driver, .bound = Zeros(sizes_.instances)});
  Assign(alloc & IsNull(view.group.domain), view.group.domain, Default(view));
  return alloc;
}

// iommu_setup_default_domain(); whether attaching failed.
Bit Encoder::SetupDefaultDomain(Bit condition, GroupView& view) {
  Assign(condition, view.group.default_domain,
         {.driver = FirstDriver(view), .bound = Zeros(sizes_.instances)});
  const Bit fresh = condition & IsNull(view.group.domain);
  const Bit plain = condition & ~fresh;
  const DomainRef target = Default(view);
  Bit failed = GroupSetDomain(fresh, view, target, /*must_succeed=*/true);
  failed |= GroupSetDomain(plain, view, target, /*must_succeed=*/false);
  return failed;
}

// The rest of iommu_probe_device(), outside of a bus walk, for the one device that was probed.
void Encoder::FinishHotplug(const Bits& probed, Result& result) {
  const Bit any = Any(probed);
  if (any.is_false()) return;
  Bits selected = Zeros(sizes_.groups);
  for (int d = 0; d < sizes_.devices; ++d)
    selected = Or(selected, And(probed[d], state_.devices[d].group));
  GroupView view = Load(selected);
  const Bit no_default = None(view.group.default_domain.driver);
  Bit failed;
  if (fwnode_era()) {
    failed = SetupDefaultDomain(any & no_default & IsNull(view.group.domain), view);
  } else {
    Bits slot = Zeros(sizes_.drivers);
    for (int d = 0; d < sizes_.devices; ++d)
      for (Bus bus : topology_.buses)
        slot = Or(slot, And(probed[d] & topology_.devices[d].on(bus),
                            state_.bus_ops[static_cast<size_t>(bus)]));
    AllocDefaultDomain(any, view, slot);
    const DomainRef domain = Default(view);
    const Bit rests = any & ~IsNull(domain) & ~view.group.owned;
    failed = AttachDevices(rests, view, probed, domain, true).failed;
  }
  Store(any, view);
  for (int d = 0; d < sizes_.devices; ++d) ReleaseDevice(failed & probed[d], d);
  result.Fail(failed, Errno::kInval);
}

void Encoder::ReleaseDevice(Bit condition, int d) {
  if (condition.is_false()) return;
  SymbolicDeviceState& device = state_.devices[d];
  const Bits left = And(condition, device.group);
  Assign(condition, device.hw, Zeros(sizes_.drivers));
  Assign(condition, device.fwspec, Zeros(sizes_.instances));
  Assign(condition, device.instance, Zeros(sizes_.instances));
  Assign(condition, device.driver, Zeros(sizes_.drivers));
  Assign(condition, device.group, Zeros(sizes_.groups));
  if (!fwnode_era()) return;
  const SymbolicGroup none = NoGroup(sizes_);
  for (int g = 0; g < sizes_.groups; ++g) {
    Bit emptied = left[g];
    for (const SymbolicDeviceState& other : state_.devices) emptied &= ~other.group[g];
    Assign(emptied, state_.groups[g].default_domain, none.default_domain);
    Assign(emptied, state_.groups[g].blocking_domain, none.blocking_domain);
    Assign(emptied, state_.groups[g].domain, none.domain);
  }
}

}  // namespace iommucheck::smt
