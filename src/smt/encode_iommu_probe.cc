// SPDX-License-Identifier: Apache-2.0
//
// How devices come to their drivers and groups, and leave them: registration, bus_set_iommu() and
// its walks, probe_device(), release.
#include "src/smt/encoder.h"

namespace iommucheck::smt {

Bits Encoder::DriverOf(const Bits& instances) const {
  Bits driver = Zeros(sizes_.drivers);
  for (int i = 0; i < sizes_.instances; ++i) driver[topology_.instances[i].driver] |= instances[i];
  return driver;
}

Bit Encoder::SameAddress(const Bits& driver, const Bits& other) const {
  Bit same = false;
  for (int r = 0; r < sizes_.drivers; ++r)
    for (int q = 0; q < sizes_.drivers; ++q) same |= driver[r] & other[q] & same_address_[r][q];
  return same;
}

Bit Encoder::ProbedOn(Bus bus) const {
  Bit probed = false;
  for (int d = 0; d < sizes_.devices; ++d)
    probed |= topology_.devices[d].on(bus) & Any(state_.devices[d].driver);
  return probed;
}

void Encoder::SetSlot(Bit condition, Bus bus, const Bits& driver) {
  Bits& slot = state_.bus_ops[static_cast<size_t>(bus)];
  if (kernel_.may_have(Rule::kAssumeBusOpsNotReplaced))
    step_.outside |= has(Rule::kAssumeBusOpsNotReplaced) & condition & Any(slot) &
                     ~SameAddress(slot, driver) & ProbedOn(bus);
  Assign(condition, slot, driver);
}

// A slot that points where the ops of the driver lie is the driver's once it is loaded.
void Encoder::TakeOverSlots(Bit condition, const Bits& driver) {
  for (Bits& slot : state_.bus_ops) {
    const Bit taken = SameAddress(slot, driver) & ~Meet(slot, driver);
    Assign(condition & taken, slot, driver);
  }
}

// The end of iommu_device_unregister(), also of a failed register.
void Encoder::UnlistInstance(Bit condition, const Bits& instance) {
  if (condition.is_false()) return;
  if (kernel_.era() != Era::kBusSlots) {
    for (int d = 0; d < sizes_.devices; ++d)
      ReleaseDevice(condition & Meet(state_.devices[d].instance, instance), d);
  }
  for (int i = 0; i < sizes_.instances; ++i) {
    Assign(condition & instance[i], state_.registered[i], false);
    Assign(condition & instance[i], state_.shared_group[i], Zeros(sizes_.groups));
  }
  if (!WritesEverySlot(kernel_.era())) return;
  for (Bus bus : topology_.buses)
    SetSlot(condition & ~has(Rule::kRegisterStickyOps) & HasBus(bus), bus, Zeros(sizes_.drivers));
}

// `register`, and the probe of `add` and `configure`: both walk the same buses and devices, so
// that they share the circuit of a probe. Returns their result through step_.
void Encoder::RegisterAndProbe(const SymbolicOp& op, const Bits& hotplugged) {
  const Bits instance = And(op.is(OpKind::kRegister), op.instance);
  const Bits driver = DriverOf(instance);
  Bit go = Any(instance);
  for (int r = 0; r < sizes_.drivers; ++r) {
    const Bit refused =
        has(Rule::kFirmwareDtXorAcpi) & driver[r] & topology_.drivers[r].refused_by_firmware;
    step_.result.Fail(refused, Errno::kNoDev);
    go &= ~refused;
  }
  TakeOverSlots(go, driver);
  if (WritesEverySlot(kernel_.era())) {
    const Bits& slot = state_.bus_ops[static_cast<size_t>(Bus::kPlatform)];
    const Bit busy = has(Rule::kRegisterSingleDriver) & go & Any(slot) & ~SameAddress(slot, driver);
    step_.result.Fail(busy, Errno::kBusy);
    go &= ~busy;
  }
  for (int i = 0; i < sizes_.instances; ++i) {
    state_.registered[i] |= go & instance[i];
    state_.registration.Append(go & instance[i], i);
  }
  if (kernel_.era() == Era::kBusSlots) {
    RegisterBusSlots(go, instance, driver, hotplugged);
    return;
  }
  Result result;
  for (Bus bus : topology_.buses) {
    const Bit walk = go & ~result.failed() & HasBus(bus);
    if (WritesEverySlot(kernel_.era())) SetSlot(walk, bus, driver);
    result.Merge(BusIommuProbe(walk, bus, hotplugged, Zeros(sizes_.devices)));
  }
  UnlistInstance(go & result.failed(), instance);
  step_.result.Merge(result);
}

Bit Encoder::Claims(const Bits& driver, Bus bus, Claim claim) const {
  Bit claims = false;
  for (int r = 0; r < sizes_.drivers; ++r)
    claims |= driver[r] & topology_.drivers[r].claim(bus, claim);
  return claims;
}

// A driver that claims once does so with the last of its instances.
Bit Encoder::ClaimsLater(const Bits& driver) const {
  Bit later = false;
  for (int i = 0; i < sizes_.instances; ++i) {
    const int r = topology_.instances[i].driver;
    later |= driver[r] & topology_.drivers[r].claims_once & ~state_.registered[i];
  }
  return later;
}

void Encoder::RegisterBusSlots(Bit condition, const Bits& instance, const Bits& driver,
                               const Bits& hotplugged) {
  Result result;
  const Bit claims = condition & ~ClaimsLater(driver);
  Bit unwinds = false;
  for (int r = 0; r < sizes_.drivers; ++r) unwinds |= driver[r] & topology_.drivers[r].unwinds;
  std::array<Bit, kBusCount> claimed;  // before the failing one
  std::array<bool, kBusCount> hotplug_done{};
  for (int position = 0; position < kBusCount; ++position) {
    for (Bus bus : topology_.buses) {
      Bit here = false;
      for (int r = 0; r < sizes_.drivers; ++r)
        if (topology_.drivers[r].claim_order[position] == bus) here |= driver[r];
      bool& done = hotplug_done[static_cast<size_t>(bus)];
      const Bits hot = done ? Zeros(sizes_.devices) : hotplugged;
      done = true;
      const Bit go = claims & here & ~result.failed() & HasBus(bus);
      result.Merge(ClaimBus(go, bus, driver, hot));
      claimed[static_cast<size_t>(bus)] |=
          go & ~result.failed() & ~Claims(driver, bus, Claim::kNone);
    }
  }
  const Bit failed = condition & result.failed();
  for (Bus bus : topology_.buses)
    SetSlot(failed & unwinds & claimed[static_cast<size_t>(bus)], bus, Zeros(sizes_.drivers));
  UnlistInstance(failed, instance);
  step_.result.Merge(result);
}

// Claims one bus for the driver when an instance of it probes.
Result Encoder::ClaimBus(Bit condition, Bus bus, const Bits& driver, const Bits& hotplugged) {
  const Bits& slot = state_.bus_ops[static_cast<size_t>(bus)];
  const Bit ignores = Claims(driver, bus, Claim::kIgnore);
  const Bit calls = Claims(driver, bus, Claim::kStrict) | ignores |
                    (Claims(driver, bus, Claim::kOwnOk) & ~SameAddress(slot, driver)) |
                    (Claims(driver, bus, Claim::kSkip) & None(slot));
  const Bits stored = NamespaceDevices(condition & Claims(driver, bus, Claim::kStore), bus, driver);
  SetSlot(Any(stored), bus, driver);
  Result result = BusSetIommu(condition & calls, bus, driver, hotplugged, stored);
  result.Drop(condition & ignores);
  return result;
}

// The devices that probe_acpi_namespace_devices() of the driver probes: those behind its registered
// instances that have no group.
Bits Encoder::NamespaceDevices(Bit condition, Bus bus, const Bits& driver) const {
  Bits devices = Zeros(sizes_.devices);
  if (condition.is_false()) return devices;
  Bits instances = state_.registered;
  for (int i = 0; i < sizes_.instances; ++i) instances[i] &= driver[topology_.instances[i].driver];
  for (int d = 0; d < sizes_.devices; ++d)
    for (const Bits& master : topology_.devices[d].masters)
      devices[d] |= condition & topology_.devices[d].on(bus) & state_.devices[d].present &
                    ~Grouped(d) & Meet(master, instances);
  return devices;
}

Result Encoder::BusSetIommu(Bit condition, Bus bus, const Bits& driver, const Bits& hotplugged,
                            const Bits& stored) {
  Result result;
  const Bit busy =
      has(Rule::kBusOneOps) & condition & Any(state_.bus_ops[static_cast<size_t>(bus)]);
  result.Fail(busy, Errno::kBusy);
  const Bit go = condition & ~busy;
  SetSlot(go, bus, driver);
  Bits before_walk = Zeros(sizes_.devices);
  for (int d = 0; d < sizes_.devices; ++d) before_walk[d] = Grouped(d);
  const Result walk = BusIommuProbe(go, bus, hotplugged, stored);
  result.Merge(walk);
  const Bit failed = go & walk.failed();
  // A claim that fails takes back its own notifier, and leaves those of earlier claims. Without
  // faults, a second notifier that probes a device comes to what the first came to.
  state_.notifier[static_cast<size_t>(bus)] |= go & ~failed;
  if (failed.is_false()) return result;
  for (int d = 0; d < sizes_.devices; ++d) {
    const Bit released = failed & topology_.devices[d].on(bus) & Grouped(d);
    StayVfios(released & before_walk[d], d);  // no driver of VFIO has come to the others
    ReleaseDevice(released, d);
  }
  SetSlot(failed, bus, Zeros(sizes_.drivers));
  return result;
}

// The devices in the order in which bus_for_each_dev() comes to them: devices that were there from
// the beginning, then devices that were added, the longest ago first. Where no attach can fail and
// end the walk, the order of devices of two zones (Layout) makes no difference.
std::vector<Encoder::Turn> Encoder::Turns() const {
  std::vector<Turn> turns;
  turns.reserve(order_.size() * static_cast<size_t>(1 + most_added_));
  for (int d : order_) turns.push_back({d, ~state_.added[d]});
  for (int turn = 0; turn < most_added_; ++turn)
    for (int d : order_) {
      if (state_.added[d].is_false()) continue;
      // How many were added before it: by[n] for n, and none for more.
      Bits by = OneHot(turn + 1, 0);
      for (int e : order_) {
        if (e == d || (!can_refuse_ && layout_.zone[e] != layout_.zone[d])) continue;
        const Bit before = state_.added[e] & state_.listed.Before(e, d);
        for (int n = turn; n > 0; --n) by[n] = Ite(before, by[n - 1], by[n]);
        by[0] &= ~before;
      }
      const Bit guard = state_.added[d] & by[turn];
      if (!guard.is_false()) turns.push_back({d, guard});
    }
  return turns;
}

// bus_iommu_probe(), and in the same place, so that they share a circuit, the probe of hot-plugged
// devices of the bus and of those that NamespaceDevices() gave. The result of a hot-plugged device
// goes to step_; a device of the namespace that fails is the last.
Result Encoder::BusIommuProbe(Bit condition, Bus bus, const Bits& hotplugged, const Bits& stored) {
  Result result;
  Result stores;
  Bits probed = Zeros(sizes_.devices);
  Bits hot = Zeros(sizes_.devices);
  Bits waiting = hotplugged;
  for (const Turn& turn : Turns()) {
    const int d = turn.device;
    const Bit on = topology_.devices[d].on(bus);
    const Bit walked =
        turn.guard & condition & ~result.failed() & on & state_.devices[d].present & ~Grouped(d);
    const Bit hot_now = waiting[d] & on & ~Grouped(d);
    waiting[d] = false;
    const Bit stored_now = turn.guard & stored[d] & ~stores.failed() & ~Grouped(d);
    const Result probe = ProbeDevice(walked | hot_now | stored_now, d, bus);
    Result walk_error = probe;
    walk_error.Drop(~walked | probe.is(Errno::kNoDev));
    result.Merge(walk_error);
    Result hot_error = probe;
    hot_error.Drop(~hot_now);
    step_.result.Merge(hot_error);
    probed[d] |= walked & Grouped(d);
    hot[d] |= hot_now & Grouped(d);
    if (stored_now.is_false()) continue;
    Result store_error = probe;
    store_error.Drop(~stored_now);
    stores.Merge(store_error);
    Bits one = Zeros(sizes_.devices);
    one[d] = stored_now & Grouped(d);
    FinishHotplug(one, stores);
  }
  SetUpDefaults(condition & ~result.failed(), bus, probed, result);
  FinishHotplug(hot, step_.result);
  return result;
}

// Part two of a bus walk: the groups that got a device and have no default domain, in the order in
// which they got it. Where no attach can fail the order makes no difference and groups go by
// number, which needs no multiplexers.
void Encoder::SetUpDefaults(Bit condition, Bus bus, const Bits& probed, Result& result) {
  const std::vector<Turn> turns = can_refuse_ ? Turns() : std::vector<Turn>();
  const int count = can_refuse_ ? static_cast<int>(turns.size()) : sizes_.groups;
  for (int i = 0; i < count; ++i) {
    const int n = can_refuse_ ? turns[i].device : i;
    Bit got = false;
    if (can_refuse_) {
      got = probed[n] & turns[i].guard;
    } else {
      for (int d = 0; d < sizes_.devices; ++d) got |= probed[d] & state_.devices[d].group[n];
    }
    Bit go = condition & got & ~result.failed();
    if (go.is_false()) continue;
    GroupView view = Load(can_refuse_ ? state_.devices[n].group : OneHot(sizes_.groups, n));
    go &= None(view.group.default_domain.driver);
    if (sets_up_groups()) go &= IsNull(view.group.domain);
    Bit failed;
    if (sets_up_groups()) {
      failed = SetupDefaultDomain(go, view);
    } else {
      const Bit allocated = AllocDefaultDomain(go, view, state_.bus_ops[static_cast<size_t>(bus)]);
      failed = AttachDevices(allocated, view, view.members, Default(view), true).failed;
    }
    Store(go, view);
    result.Fail(failed, Errno::kInval);
  }
}

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
    // A fwspec without ops that of_iommu_xlate() asks for where there is one with ops.
    const Bit refused_as_other = has(Rule::kFwspecWithoutOps) & has(Rule::kFwspecOneDriver) &
                                 Bit(!topology_.acpi) & Any(fwspec);
    result.Fail(deferred & refused_as_other, Errno::kInval);
    result.Fail(deferred & ~refused_as_other, Errno::kProbeDefer);
    go &= ~deferred;
    const Bit other = Any(fwspec) & ~SameAddress(DriverOf(fwspec), DriverOf(master));
    const Bit refused = has(Rule::kFwspecOneDriver) & described & other;
    const Bit asks_viot = Bit(topology_.acpi) & has(Rule::kFirmwareViot);
    result.Stop(go, refused & asks_viot, Errno::kNoDev);
    result.Stop(go, refused, Errno::kInval);
    Assign(go & described & (None(fwspec) | other), fwspec, master);
  }
  if (!topology_.acpi)
    Assign(result.failed() & has(Rule::kFwspecFreeOnError), fwspec, Zeros(sizes_.instances));
  return result;
}

// The driver whose ops lie at the address of this one's now: a loaded one, or else itself.
Bits Encoder::LoadedAt(const Bits& driver) const {
  Bits loaded = Zeros(sizes_.drivers);
  for (int r = 0; r < sizes_.drivers; ++r) {
    Bit is_loaded = false;
    for (int i = 0; i < sizes_.instances; ++i)
      if (topology_.instances[i].driver == r) is_loaded |= state_.registered[i];
    for (const SymbolicDeviceState& device : state_.devices) is_loaded |= device.driver[r];
    loaded[r] = is_loaded & SameAddress(driver, OneHot(sizes_.drivers, r));
  }
  return Ite(Any(loaded), loaded, driver);
}

// The driver whose probe_device() is called; none: -ENODEV.
Bits Encoder::ProbeOps(Bit condition, int d, Bus bus) {
  if (!fwnode_era()) return state_.bus_ops[static_cast<size_t>(bus)];
  const SymbolicDeviceState& device = state_.devices[d];
  // The core asks firmware only for a device without a driver, such as VFIO's.
  FirmwareDescription(condition & has(Rule::kProbeDmaConfigure) & None(device.vfio_in), d);
  Bits without_fwnode = state_.registered;
  for (int i = 0; i < sizes_.instances; ++i) without_fwnode[i] &= ~topology_.instances[i].fwnode;
  const Bits first = DriverOf(state_.registration.First(without_fwnode));
  const Bits looked_up = DriverOf(And(device.fwspec, state_.registered));
  const Bits named = Ite(has(Rule::kFwspecKeepsOps), LoadedAt(DriverOf(device.fwspec)), looked_up);
  return Ite(Any(device.fwspec), named, first);
}

// The instance that probe_device() of the driver returns: none for -ENODEV.
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

// pci_device_group(): the group of the first bridge that has one; or else what the search from the
// last of the bridges comes to.
Bits Encoder::RelatedGroup(int d) const {
  Bits found = Zeros(sizes_.groups);
  Bits top = OneHot(sizes_.devices, d);
  for (const Bits& bridge : topology_.devices[d].bridges) {
    for (int e = 0; e < sizes_.devices; ++e)
      found = Or(found, And(bridge[e] & None(found), state_.devices[e].group));
    top = Ite(Any(bridge), bridge, top);
  }
  Bits seen = Zeros(sizes_.devices);
  for (int e = 0; e < sizes_.devices; ++e) {
    if (top[e].is_false()) continue;
    AliasGroup(top[e], e, 0, seen, found);
    FunctionGroup(top[e], e, 0, seen, found);
  }
  return found;
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
  Bits group = Ite(per_instance, shared, RelatedGroup(d));
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
  if (sets_up_groups()) go &= ~Grouped(d);
  if (go.is_false()) return result;
  const Bits ops = ProbeOps(go, d, bus);
  const Bits instance = ProbeInstance(d, ops);
  result.Fail(go & None(instance), Errno::kNoDev);
  // dev_iommu_free() of a device that probe_device() did not take, or that nobody was asked about.
  Assign(go & (Any(ops) | has(Rule::kProbeDmaConfigure)) & None(instance), device.fwspec,
         Zeros(sizes_.instances));
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
  if (sets_up_groups()) {
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
  if (!sets_up_groups()) return;
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
