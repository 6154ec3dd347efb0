// SPDX-License-Identifier: Apache-2.0
//
// One step: whether it is possible, and the ops of firmware, drivers and the admin.
#include <algorithm>
#include <numeric>
#include <utility>

#include "src/smt/encoder.h"

namespace iommucheck::smt {

int Result::Constant() const {
  for (size_t e = 0; e < kErrnoNumbers.size(); ++e)
    if (codes_[e].is_true()) return -kErrnoNumbers[e];
  return 0;
}

SymbolicOp ConstantOp(const Op& op, const Sizes& sizes) {
  const OpInfo& info = InfoOf(op.kind);
  const auto named = [&](Operand operand, int size) {
    return OneHot(size, info.a == operand ? op.a : info.b == operand ? op.b : -1);
  };
  return {.kind = OneHot(kEncodedOpCount, EncodedIndex(op.kind)),
          .instance = named(Operand::kInstance, sizes.instances),
          .device = named(Operand::kDevice, sizes.devices),
          .group = named(Operand::kGroup, sizes.groups),
          .container = named(Operand::kContainer, sizes.containers)};
}

Encoder::Encoder(const SymbolicProfile& kernel, SymbolicTopology topology, const Sizes& sizes,
                 Layout layout)
    : kernel_(kernel),
      topology_(std::move(topology)),
      sizes_(sizes),
      layout_(std::move(layout)),
      state_(topology_, sizes, layout_),
      same_address_(static_cast<size_t>(sizes.drivers)) {
  order_.resize(static_cast<size_t>(sizes.devices));
  std::iota(order_.begin(), order_.end(), 0);
  for (int r = 0; r < sizes.drivers; ++r) {
    for (const SymbolicDriver& other : topology_.drivers)
      same_address_[r].push_back(Meet(topology_.drivers[r].address, other.address));
    const Bit both = has(Rule::kDriverSameInstance);
    tests_instance_.push_back(topology_.drivers[r].same_instance | both);
    refuses_foreign_.push_back(topology_.drivers[r].refuses_foreign | both);
    tests_any_ |= !tests_instance_.back().is_false();
    can_refuse_ |= !refuses_foreign_.back().is_false();
  }
  can_refuse_ |= tests_any_ || kernel_.may_have(Rule::kCoreOwnerEvery);
}

Bit Encoder::GroupExists(int g) const {
  Bit exists = Any(state_.groups[g].container);
  for (const SymbolicDeviceState& device : state_.devices) exists |= device.group[g];
  for (const Bits& shared : state_.shared_group) exists |= shared[g];
  return exists;
}

Bit Encoder::Loaded(int driver) const {
  Bit loaded = false;
  for (int i = 0; i < sizes_.instances; ++i)
    if (topology_.instances[i].driver == driver) loaded |= state_.registered[i];
  for (const SymbolicDeviceState& device : state_.devices) loaded |= device.driver[driver];
  return loaded;
}

// Whether another driver is loaded where the ops of the registering one lie.
Bit Encoder::LoadedElsewhere(const SymbolicOp& op) const {
  const Bits driver = DriverOf(op.instance);
  Bit elsewhere = false;
  for (int r = 0; r < sizes_.drivers; ++r)
    for (int q = 0; q < sizes_.drivers; ++q)
      if (q != r && !same_address_[r][q].is_false())
        elsewhere |= driver[r] & same_address_[r][q] & Loaded(q);
  return elsewhere;
}

// Whether the device is the last that VFIO has in its group, and the group is in a container.
Bit Encoder::LastInContainer(int device, int group) const {
  Bit last = VfioHas(device, group) & Any(state_.groups[group].container);
  if (last.is_false()) return last;
  for (int e = 0; e < sizes_.devices; ++e)
    if (e != device) last &= ~VfioHas(e, group);
  return last;
}

Bit Encoder::Impossible(const SymbolicOp& op) const {
  const Bit registered = Meet(op.instance, state_.registered);
  Bit present = false;
  Bit described = false;
  for (int d = 0; d < sizes_.devices; ++d) {
    present |= op.device[d] & state_.devices[d].present;
    for (const Bits& master : topology_.devices[d].masters)
      for (int i = 0; i < sizes_.instances; ++i)
        described |= op.device[d] & master[i] & topology_.instances[i].fwnode;
  }
  Bit no_bridge = false;  // the bridge that the device is below is not there
  Bit bridges = false;    // the device is the bridge of one that is there
  for (int d = 0; d < sizes_.devices; ++d)
    for (int e = 0; e < sizes_.devices; ++e) {
      const Bit below = topology_.devices[d].below[e];
      no_bridge |= op.device[d] & below & ~state_.devices[e].present;
      bridges |= op.device[e] & below & state_.devices[d].present;
    }
  Bit waits = false;
  for (int d = 0; d < sizes_.devices && kernel_.may_have(Rule::kVfioWaitOnLast); ++d)
    for (int g = 0; g < sizes_.groups; ++g)
      waits |= has(Rule::kVfioWaitOnLast) & op.device[d] & LastInContainer(d, g);
  Bit exists = false;
  for (int g = 0; g < sizes_.groups; ++g) exists |= op.group[g] & GroupExists(g);
  return (op.is(OpKind::kRegister) & (registered | LoadedElsewhere(op))) |
         (op.is(OpKind::kUnregister) & ~registered) |
         (op.is(OpKind::kAdd) & (present | no_bridge)) |
         (op.is(OpKind::kRemove) & (~present | waits | bridges)) |
         (op.is(OpKind::kConfigure) & ~(present & described)) |
         ((op.is(OpKind::kSetContainer) | op.is(OpKind::kUnsetContainer)) & ~exists);
}

void Encoder::Unregister(const SymbolicOp& op) {
  const Bit go = op.is(OpKind::kUnregister);
  if (go.is_false()) return;
  if (kernel_.may_have(Rule::kAssumeNoUnregisterWhenAttached)) {
    const Bit assumed = go & has(Rule::kAssumeNoUnregisterWhenAttached);
    for (const SymbolicDeviceState& device : state_.devices)
      for (int g = 0; g < sizes_.groups; ++g)
        step_.outside |= assumed & Meet(device.instance, op.instance) & device.group[g] &
                         Any(state_.groups[g].container);
  }
  if (kernel_.may_have(Rule::kAssumeNoUnregisterWhileServing))
    for (const SymbolicDeviceState& device : state_.devices)
      step_.outside |=
          go & has(Rule::kAssumeNoUnregisterWhileServing) & Meet(device.instance, op.instance);
  for (int d = 0; d < sizes_.devices && kernel_.era() != Era::kBusSlots; ++d)
    StayVfios(go & Meet(state_.devices[d].instance, op.instance), d);
  UnlistInstance(go, op.instance);
  if (kernel_.era() != Era::kBusSlots) return;
  const Bits driver = DriverOf(op.instance);
  Bit clears = false;
  for (int r = 0; r < sizes_.drivers; ++r) clears |= driver[r] & topology_.drivers[r].clears;
  for (Bus bus : topology_.buses)
    SetSlot(go & clears & ~Claims(driver, bus, Claim::kNone), bus, Zeros(sizes_.drivers));
}

// `remove` and `unset-container`, which the first may imply.
void Encoder::Remove(const SymbolicOp& op) {
  Bits leaving = And(op.is(OpKind::kUnsetContainer), op.group);
  Bit contained = false;
  for (int g = 0; g < sizes_.groups; ++g) contained |= leaving[g] & Any(state_.groups[g].container);
  const Bit refused = op.is(OpKind::kUnsetContainer) & ~contained;
  const Bit file = HasVfioDevice(leaving);
  step_.result.Fail(refused & file, Errno::kInval);
  step_.result.Fail(refused & ~file, Errno::kNoEnt);
  step_.no_effect |= refused;
  for (int g = 0; g < sizes_.groups; ++g) {
    for (int d = 0; d < sizes_.devices; ++d) {
      const Bit last = has(Rule::kVfioLeaveOnLast) & op.is(OpKind::kRemove) & op.device[d] &
                       LastInContainer(d, g);
      leaving[g] |= last;
      contained |= last;
    }
  }
  LeaveContainer(contained, leaving);
  for (int d = 0; d < sizes_.devices; ++d) {
    const Bit removed = op.is(OpKind::kRemove) & op.device[d];
    ReleaseDevice(removed, d);
    Assign(removed, state_.devices[d].present, false);
    Assign(removed, state_.devices[d].vfio_in, Zeros(sizes_.groups));
  }
}

// `add`; returns the devices that are to be probed. A device that is added becomes the last of its
// bus. In a replay it is known which one; a circuit keeps to one order, and StepBits::reorders says
// where that is not the kernel's.
Bits Encoder::Add(const SymbolicOp& op) {
  Bits probe = And(op.is(OpKind::kAdd), op.device);
  for (int d = 0; d < sizes_.devices; ++d) {
    const auto at = std::ranges::find(order_, d);
    if (layout_.known()) {
      state_.listed.Append(probe[d], d);
      state_.added[d] |= probe[d];
      continue;
    }
    if (probe[d].is_true()) std::rotate(at, at + 1, order_.end());
    if (probe[d].is_constant()) continue;
    for (auto later = at + 1; later != order_.end(); ++later)
      for (Bus bus : topology_.buses)
        step_.reorders |= probe[d] & topology_.devices[d].on(bus) &
                          topology_.devices[*later].on(bus) & state_.devices[*later].present;
  }
  for (int d = 0; d < sizes_.devices; ++d) {
    state_.devices[d].present |= probe[d];
    if (kernel_.era() != Era::kBusSlots) continue;
    Bit notified = false;
    for (Bus bus : topology_.buses)
      notified |= topology_.devices[d].on(bus) & state_.notifier[static_cast<size_t>(bus)];
    probe[d] &= notified;
  }
  return probe;
}

// `configure`, up to the probe; returns the devices that are to be probed.
Bits Encoder::Configure(const SymbolicOp& op) {
  Bits probe = And(op.is(OpKind::kConfigure), op.device);
  for (int d = 0; d < sizes_.devices; ++d) {
    // A fwspec counts when a device is probed, and is gone when it is released.
    const Bit described_before = Any(state_.devices[d].fwspec);
    step_.no_effect |= probe[d] & (Grouped(d) | described_before);
    const Result described = FirmwareDescription(probe[d], d);
    if (!topology_.acpi) step_.no_effect |= has(Rule::kFwspecFreeOnError) & described.failed();
    step_.result.Merge(described);
    probe[d] &= ~described.failed() & ~Grouped(d) & ~described_before;
    if (topology_.acpi) probe[d] &= ~has(Rule::kProbeDmaConfigure);
  }
  return probe;
}

// VFIO's driver unbinds from the devices of groups that are in no container any more. With rule
// vfio.coherency_of_bus, it has those of groups that are in one from now on, whatever becomes of the
// slot that answered.
void Encoder::CloseFiles() {
  for (int g = 0; g < sizes_.groups; ++g) {
    const Bit contained = Any(state_.groups[g].container);
    for (SymbolicDeviceState& device : state_.devices) device.vfio_in[g] &= contained;
  }
  if (!kernel_.may_have(Rule::kVfioCoherencyOfBus)) return;
  for (int d = 0; d < sizes_.devices; ++d)
    for (int g = 0; g < sizes_.groups; ++g) {
      const Bit binds = has(Rule::kVfioCoherencyOfBus) & Any(state_.groups[g].container);
      state_.devices[d].vfio_in[g] |= binds & Registers(d, g);
    }
}

// Clears the numbers of groups that are gone, for the next group of that number.
void Encoder::ClearGone() {
  SymbolicGroup none = NoGroup(sizes_);
  const std::vector<Bit*> from = BitsOf(none);
  for (int g = 0; g < sizes_.groups; ++g) {
    const Bit gone = ~GroupExists(g);
    const std::vector<Bit*> to = BitsOf(state_.groups[g]);
    for (size_t i = 0; i < to.size(); ++i) Assign(gone, *to[i], *from[i]);
  }
}

StepBits Encoder::Step(const SymbolicOp& op) {
  step_ = StepBits{};
  step_.impossible = Impossible(op);
  Remove(op);
  Unregister(op);
  const Bits probe = Or(Add(op), Configure(op));
  RegisterAndProbe(op, probe);
  step_.result.Drop(op.is(OpKind::kAdd));  // the bus notifier's caller sees no error
  step_.result.Merge(ContainerOps(op));
  CloseFiles();
  ClearGone();
  if (!op.is(OpKind::kSetContainer).is_false()) ++most_contained_;
  if (!op.is(OpKind::kAdd).is_false()) ++most_added_;
  return step_;
}

}  // namespace iommucheck::smt
