// SPDX-License-Identifier: Apache-2.0
//
// iommu_device_register(), bus_set_iommu() and bus_iommu_probe().
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
  if (kernel_.era() != Era::kSingleDriver) return;
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
  if (kernel_.era() == Era::kSingleDriver) {
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
    if (kernel_.era() == Era::kSingleDriver) SetSlot(walk, bus, driver);
    result.Merge(BusIommuProbe(walk, bus, hotplugged));
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

// What the driver does with one bus when an instance of it probes.
Result Encoder::ClaimBus(Bit condition, Bus bus, const Bits& driver, const Bits& hotplugged) {
  const Bits& slot = state_.bus_ops[static_cast<size_t>(bus)];
  const Bit ignores = Claims(driver, bus, Claim::kIgnore);
  const Bit calls = Claims(driver, bus, Claim::kStrict) | ignores |
                    (Claims(driver, bus, Claim::kOwnOk) & ~SameAddress(slot, driver)) |
                    (Claims(driver, bus, Claim::kSkip) & None(slot));
  SetSlot(condition & Claims(driver, bus, Claim::kStore), bus, driver);
  Result result = BusSetIommu(condition & calls, bus, driver, hotplugged);
  result.Drop(condition & ignores);
  return result;
}

Result Encoder::BusSetIommu(Bit condition, Bus bus, const Bits& driver, const Bits& hotplugged) {
  Result result;
  const Bit busy =
      has(Rule::kBusOneOps) & condition & Any(state_.bus_ops[static_cast<size_t>(bus)]);
  result.Fail(busy, Errno::kBusy);
  const Bit go = condition & ~busy;
  SetSlot(go, bus, driver);
  state_.notifier[static_cast<size_t>(bus)] |= go;
  const Result walk = BusIommuProbe(go, bus, hotplugged);
  result.Merge(walk);
  const Bit failed = go & walk.failed();
  if (failed.is_false()) return result;
  for (int d = 0; d < sizes_.devices; ++d)
    ReleaseDevice(failed & topology_.devices[d].on(bus) & Grouped(d), d);
  Assign(failed, state_.notifier[static_cast<size_t>(bus)], false);
  SetSlot(failed, bus, Zeros(sizes_.drivers));
  return result;
}

// The devices in the order in which bus_for_each_dev() comes to them: those that were there from
// the beginning, then those that were added, the longest ago first. Where no attach can fail and
// end the walk, that of two zones makes no difference.
std::vector<Encoder::Turn> Encoder::Turns() const {
  std::vector<Turn> turns;
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

// bus_iommu_probe(), and in the same place the probe of hot-plugged devices of the bus. The
// result of a hot-plugged device goes to step_.
Result Encoder::BusIommuProbe(Bit condition, Bus bus, const Bits& hotplugged) {
  Result result;
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
    const Result probe = ProbeDevice(walked | hot_now, d, bus);
    Result walk_error = probe;
    walk_error.Drop(~walked | probe.is(Errno::kNoDev));
    result.Merge(walk_error);
    Result hot_error = probe;
    hot_error.Drop(~hot_now);
    step_.result.Merge(hot_error);
    probed[d] |= walked & Grouped(d);
    hot[d] |= hot_now & Grouped(d);
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
    if (fwnode_era()) go &= IsNull(view.group.domain);
    Bit failed;
    if (fwnode_era()) {
      failed = SetupDefaultDomain(go, view);
    } else {
      const Bit allocated = AllocDefaultDomain(go, view, state_.bus_ops[static_cast<size_t>(bus)]);
      failed = AttachDevices(allocated, view, view.members, Default(view), true).failed;
    }
    Store(go, view);
    result.Fail(failed, Errno::kInval);
  }
}

}  // namespace iommucheck::smt
