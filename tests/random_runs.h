// SPDX-License-Identifier: Apache-2.0
//
// Random machines, and runs on them that follow the state, so that the things an op names mostly
// exist. The same seed gives the same run on the same kernel.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <vector>

#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"

namespace iommucheck::testing_runs {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int Below(int n) { return static_cast<int>(engine_() % static_cast<uint64_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }
  uint8_t Byte(int n) { return static_cast<uint8_t>(Below(n)); }

 private:
  std::mt19937_64 engine_;
};

inline Driver RandomDriver(Random& r, TableId table) {
  static constexpr std::array kClaims = {Claim::kStrict, Claim::kOwnOk, Claim::kIgnore,
                                         Claim::kSkip, Claim::kNone};
  Driver d;
  d.table = table;
  d.claims[0] = kClaims[static_cast<size_t>(r.Below(5))];
  d.claims[1] = r.OneIn(6) ? kClaims[static_cast<size_t>(r.Below(5))] : Claim::kOwnOk;
  d.same_instance = r.OneIn(2);
  d.refuses_foreign = r.OneIn(3);
  d.instance_groups = r.OneIn(6);
  d.default_domains = !r.OneIn(4);
  d.coherent = !r.OneIn(8);
  d.deferred = r.OneIn(6);
  d.nesting = r.OneIn(2);
  d.static_identity = r.OneIn(3);
  d.checks_snoop = r.OneIn(2);
  d.drops_old = r.OneIn(5);
  if (r.OneIn(4)) d.mismatch_errno = ENXIO;
  return d;
}

inline Instance RandomInstance(Random& r, DriverId driver) {
  Instance i;
  i.driver = driver;
  i.table = driver;
  i.fwnode = r.OneIn(2);
  i.enforces_coherency = !r.OneIn(3);
  i.isolates_msi = !r.OneIn(4);
  if (r.OneIn(4)) i.aperture_first = r.Byte(8);
  if (r.OneIn(4)) i.aperture_last = static_cast<uint8_t>(kLastPage - r.Below(40));
  if (r.OneIn(5)) i.page_sizes = r.OneIn(2) ? 3 : 2;
  return i;
}

inline Device RandomDevice(Random& r, const Topology& t) {
  Device d;
  d.absent = r.OneIn(8);
  if (r.OneIn(5)) {
    d.kind = r.OneIn(3) ? DeviceKind::kNoIommu : DeviceKind::kEmulated;
    return d;
  }
  if (r.OneIn(8)) d.bus = Bus::kPlatform;
  d.masters[0] = r.Byte(t.instances_count);
  if (const InstanceId other = r.Byte(t.instances_count); other != d.masters[0] && r.OneIn(8))
    d.masters[1] = other;
  if (r.OneIn(3)) d.slot = 1;
  if (r.OneIn(6)) d.default_type = r.OneIn(2) ? DefaultType::kIdentity : DefaultType::kDma;
  const int regions = r.OneIn(2) ? 0 : r.Below(kMaxRegions + 1);
  for (int i = 0; i < regions; ++i) {
    Region& region = d.regions[static_cast<size_t>(i)];
    region.type = static_cast<Region::Type>(1 + r.Below(5));
    region.first = r.Byte(40);
    region.last = static_cast<uint8_t>(region.first + r.Below(6));
  }
  return d;
}

inline Topology RandomTopology(Random& r) {
  Topology t;
  t.drivers_count = t.tables_count = static_cast<uint8_t>(1 + r.Below(2));
  for (DriverId i = 0; i < t.drivers_count; ++i) t.drivers[i] = RandomDriver(r, i);
  t.instances_count = static_cast<uint8_t>(1 + r.Below(3));
  for (InstanceId i = 0; i < t.instances_count; ++i)
    t.instances[i] = RandomInstance(r, r.Byte(t.drivers_count));
  t.devices_count = static_cast<uint8_t>(1 + r.Below(5));
  for (DeviceId i = 0; i < t.devices_count; ++i) t.devices[i] = RandomDevice(r, t);
  t.settings.passthrough = r.OneIn(4);
  t.settings.unsafe_interrupts = r.OneIn(2);
  if (r.OneIn(4)) t.settings.dma_entries = static_cast<uint8_t>(1 + r.Below(3));
  if (r.OneIn(4)) t.settings.memlock = r.Byte(12);
  return t;
}

inline GroupId SomeGroup(Random& r, const State& s) {
  const int from = r.Below(kMaxGroups);
  for (int n = 0; n < kMaxGroups; ++n) {
    const auto g = static_cast<GroupId>((from + n) % kMaxGroups);
    if (s.groups[g].live) return g;
  }
  return 0;
}

inline DeviceId SomeEmulated(Random& r, const Topology& t) {
  const int from = r.Below(t.devices_count);
  for (int n = 0; n < t.devices_count; ++n) {
    const auto d = static_cast<DeviceId>((from + n) % t.devices_count);
    if (t.devices[d].kind == DeviceKind::kEmulated) return d;
  }
  return static_cast<DeviceId>(from);
}

inline void DrawMapping(Random& r, const State& s, Op& op) {
  const ContainerState& c = s.containers[op.a];
  const Dma some = c.dmas_count == 0 ? Dma{} : c.dmas[static_cast<size_t>(r.Below(c.dmas_count))];
  if (op.kind == OpKind::kMap) {
    op.at = {r.OneIn(6) ? static_cast<uint8_t>(60 + r.Below(4)) : r.Byte(48),
             static_cast<uint8_t>(1 + r.Below(5))};
    op.vaddr = r.Byte(50);
    op.flags =
        static_cast<uint8_t>(kRead | (r.OneIn(2) ? kWrite : 0) | (r.OneIn(5) ? kZeroPage : 0));
    if (!r.OneIn(6)) return;
    op.flags = kVaddr;
    if (some.vaddr_invalid) op.at = some.at;
    return;
  }
  op.at = some.at.count != 0 && !r.OneIn(6)
              ? some.at
              : Pages{r.Byte(40), static_cast<uint8_t>(1 + r.Below(20))};
  if (r.OneIn(3)) op.flags = kVaddr;
  if (!r.OneIn(8)) return;
  op.flags |= kAll;
  op.at = {};
}

inline void DrawPin(Random& r, const Topology& t, const State& s, Op& op) {
  op.a = SomeEmulated(r, t);
  op.at = {r.Byte(40), static_cast<uint8_t>(1 + r.Below(3))};
  if (op.kind == OpKind::kPin && r.OneIn(2)) op.flags = kWrite;
  const GroupId group = s.devices[op.a].group;
  const ContainerId container = group == kNoId ? kNoId : s.groups[group].container;
  if (container == kNoId || s.containers[container].dmas_count == 0) return;
  const ContainerState& c = s.containers[container];
  const Pages at = c.dmas[static_cast<size_t>(r.Below(c.dmas_count))].at;
  op.at = {at.first, static_cast<uint8_t>(1 + r.Below(at.count))};
}

inline void DrawFaults(Random& r, const Topology& t, Op& op) {
  static constexpr std::array<uint8_t, 4> kErrors = {ENOMEM, EINVAL, EIO, EBUSY};
  const int count = 1 + r.Below(kMaxFaults);
  for (int n = 0; n < count; ++n) {
    Fault& f = op.faults[static_cast<size_t>(n)];
    f.kind = AllFaults()[static_cast<size_t>(r.Below(kFaultKindCount))].kind;
    f.error = kErrors[static_cast<size_t>(r.Below(4))];
    const bool device = f.kind == Fault::Kind::kAttach || f.kind == Fault::Kind::kProbe;
    f.target = device ? r.Byte(t.devices_count) : static_cast<uint8_t>(1 + r.Below(4));
    if (f.kind == Fault::Kind::kAttach) f.count = static_cast<uint8_t>(1 + r.Below(2));
    if (f.kind == Fault::Kind::kAlloc || f.kind == Fault::Kind::kMalloc) f.error = ENOMEM;
  }
}

inline Op RandomOp(Random& r, const Topology& t, const State& s) {
  using enum OpKind;
  static constexpr std::array kKinds = {
      kRegister,       kUnregister,   kAdd,           kRemove,      kConfigure,    kSetContainer,
      kSetContainer,   kSetContainer, kSetIommu,      kSetIommu,    kSetContainer, kSetContainer,
      kSetIommu,       kClose,        kOpen,          kPutDevice,   kGetDevice,    kGetDevice,
      kUnsetContainer, kMap,          kMap,           kMap,         kMap,          kMap,
      kUnmap,          kUnmap,        kPin,           kPin,         kUnpin,        kBind,
      kBind,           kUnbind,       kDma,           kAttachPasid, kDetachPasid,  kReset,
      kReset,          kResetDone,    kUnsetContainer};
  Op op;
  op.kind = kKinds[static_cast<size_t>(r.Below(static_cast<int>(kKinds.size())))];
  const auto container = [&] { return static_cast<ContainerId>(r.OneIn(4) ? 1 : 0); };
  switch (op.kind) {
    case kRegister:
    case kUnregister:
      op.a = r.Byte(t.instances_count);
      break;
    case kSetContainer:
      op.a = SomeGroup(r, s);
      op.b = container();
      break;
    case kUnsetContainer:
    case kOpen:
    case kClose:
      op.a = SomeGroup(r, s);
      break;
    case kSetIommu:
      op.a = container();
      if (r.OneIn(3)) op.b = r.Byte(kIommuTypeCount);
      break;
    case kMap:
    case kUnmap:
      op.a = container();
      DrawMapping(r, s, op);
      break;
    case kPin:
    case kUnpin:
      DrawPin(r, t, s, op);
      break;
    default:
      op.a = r.Byte(t.devices_count);
      op.b = op.kind == kAttachPasid ? r.Byte(t.devices_count) : uint8_t{0};
  }
  const bool by_user =
      op.kind == kOpen || op.kind == kSetContainer || op.kind == kSetIommu || op.kind == kGetDevice;
  if (by_user && r.OneIn(3)) op.flags = kUnprivileged;
  return op;
}

// Plays the run of a seed, and shows each step that was taken. Ops have no faults of the kinds in
// `without`. First the machine's instances register, and firmware descriptions are applied.
template <typename Show>
void PlayRandom(const KernelProfile& kernel, uint64_t seed, FaultSet without, Show show) {
  Random r(seed);
  const Topology t = RandomTopology(r);
  if (BrokenAssumption(t, kernel.rules)) return;
  State state = InitialState(t);
  State before;
  std::vector<Event> events;
  const int boot = t.instances_count;
  const int length = 14 + r.Below(24);
  const bool faults = r.OneIn(2);
  for (int i = 0; i < length; ++i) {
    Op op;
    if (i < boot && !r.OneIn(10)) {
      op = {.kind = OpKind::kRegister, .a = static_cast<uint8_t>(i)};
    } else if (i >= boot && i < boot + t.devices_count && !r.OneIn(4)) {
      op = {.kind = OpKind::kConfigure, .a = static_cast<uint8_t>(i - boot)};
    } else {
      op = RandomOp(r, t, state);
      if (faults && r.OneIn(3)) DrawFaults(r, t, op);
    }
    for (Fault& fault : op.faults)
      if ((without & FaultBit(fault.kind)) != 0) fault = {};
    if (!Validate(op, t).ok()) continue;
    before = state;
    const StepResult result = Step(kernel, t, op, state, events);
    if (result.outcome != Outcome::kDone) continue;
    show(StepView{.topology = t,
                  .op = op,
                  .result = result,
                  .before = before,
                  .after = state,
                  .events = events});
  }
}

}  // namespace iommucheck::testing_runs
