// SPDX-License-Identifier: Apache-2.0
#include "props/generators.h"

#include <algorithm>
#include <cerrno>

#include "fuzz/fuzzing.h"
#include "model/step.h"
#include "src/case/encoded.h"
#include "src/case/repair.h"
#include "src/case/run.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

uint8_t Index(Words& words, int count) {
  return static_cast<uint8_t>(words.Below(std::max(1, count)));
}

// The bus of most devices of a driver, so that machines with one bus for each of two drivers are
// common.
Bus HomeOf(DriverId driver) { return driver % 2 == 0 ? Bus::kPci : Bus::kPlatform; }

Driver DrawDriver(Words& words, DriverId self, const Topology& t) {
  Driver d;
  if (words.OneIn(8)) d.firmware = static_cast<Firmware>(words.Below(3));
  // Not cdx, which came when drivers no longer claimed buses.
  for (size_t bus = 0; bus < static_cast<size_t>(Bus::kCdx); ++bus)
    if (words.OneIn(4)) d.claims[bus] = static_cast<Claim>(words.Below(6));
  if (!words.OneIn(4))
    d.claims[static_cast<size_t>(HomeOf(self))] = static_cast<Claim>(1 + words.Below(5));
  std::swap(d.claim_order[0], d.claim_order[words.Below(kBusCount)]);
  d.unwinds = words.OneIn(4);
  d.clears = words.OneIn(4);
  d.same_instance = words.OneIn(8);
  d.refuses_foreign = words.OneIn(8);
  d.claims_once = words.OneIn(4);
  d.instance_groups = words.OneIn(4);
  d.default_domains = !words.OneIn(4);
  d.coherent = !words.OneIn(8);
  d.accepts_foreign = words.OneIn(8);
  d.table = words.OneIn(2) ? Index(words, t.tables_count) : self;
  // Only to the address of the first driver, since an address may not have an address itself.
  if (self != 0 && words.OneIn(8)) d.address = 0;
  return d;
}

Instance DrawInstance(Words& words, const Topology& t) {
  Instance i;
  i.driver = Index(words, t.drivers_count);
  i.fwnode = !words.OneIn(3);
  i.table = words.OneIn(3) ? Index(words, t.tables_count) : t.drivers[i.driver].table;
  i.enforces_coherency = !words.OneIn(4);
  return i;
}

Device DrawDevice(Words& words, DeviceId self, const Topology& t) {
  Device d;
  if (!words.OneIn(8)) d.masters[0] = Index(words, t.instances_count);
  if (d.masters[0] != kNoId && words.OneIn(6)) d.masters[1] = Index(words, t.instances_count);
  if (d.masters[0] == d.masters[1]) d.masters[1] = kNoId;
  d.absent = words.OneIn(6);
  if (d.masters[0] != kNoId) d.bus = HomeOf(t.instances[d.masters[0]].driver);
  if (words.OneIn(4)) d.bus = Bus::kPci;
  if (words.OneIn(16)) d.bus = static_cast<Bus>(words.Below(kBusCount));
  if (words.OneIn(3)) d.slot = static_cast<uint8_t>(1 + words.Below(2));
  if (d.bus != Bus::kPci) return d;
  if (self != 0 && words.OneIn(6)) {
    const DeviceId alias = Index(words, self);
    if (t.devices[alias].bus == Bus::kPci) d.alias = alias;
  }
  return d;
}

Driver DrawRest(Words& words, Driver d) {
  static constexpr std::array<uint8_t, 4> kErrors = {EXDEV, ENODEV, EBUSY, EPERM};
  d.deferred = words.OneIn(8);
  d.nesting = words.OneIn(2);
  d.static_identity = words.OneIn(4);
  d.checks_snoop = words.OneIn(8);
  d.drops_old = words.OneIn(8);
  if (words.OneIn(8)) d.mismatch_errno = kErrors[words.Below(kErrors.size())];
  return d;
}

Instance DrawRest(Words& words, Instance i) {
  i.isolates_msi = !words.OneIn(8);
  if (words.OneIn(3)) {
    i.aperture_first = static_cast<uint8_t>(words.Below(kPages));
    i.aperture_last =
        static_cast<uint8_t>(i.aperture_first + words.Below(kPages - i.aperture_first));
  }
  if (words.OneIn(3)) i.page_sizes = static_cast<uint8_t>(1 + words.Below((1 << kPageSizes) - 1));
  return i;
}

Region DrawRegion(Words& words) {
  Region region;
  region.type =
      static_cast<Region::Type>(1 + words.Below(static_cast<int>(kRegionTypeNames.size()) - 1));
  region.first = Index(words, kPages);
  region.last =
      static_cast<uint8_t>(region.first + words.Below(std::min(8, kPages - region.first)));
  return region;
}

Device DrawRest(Words& words, Device d) {
  if (words.OneIn(4)) d.default_type = static_cast<DefaultType>(1 + words.Below(2));
  if (words.OneIn(4)) {
    const bool emulated = !words.OneIn(4);
    return {.bus = d.bus,
            .absent = d.absent,
            .kind = emulated ? DeviceKind::kEmulated : DeviceKind::kNoIommu,
            .default_type = d.default_type};
  }
  for (Region& region : d.regions) {
    if (!words.OneIn(4)) break;
    region = DrawRegion(words);
  }
  return d;
}

Settings DrawSettings(Words& words) {
  Settings settings;
  settings.passthrough = words.OneIn(8);
  settings.unsafe_interrupts = words.OneIn(2);
  if (words.OneIn(8)) settings.dma_entries = Index(words, kMaxDmas + 1);
  if (words.OneIn(4)) settings.memlock = Index(words, 32);
  return settings;
}

// Adds the attributes that only the model has to a machine without them.
void AddRest(Words& words, Topology& t) {
  t.settings = DrawSettings(words);
  for (DriverId d = 0; d < t.drivers_count; ++d) t.drivers[d] = DrawRest(words, t.drivers[d]);
  for (InstanceId i = 0; i < t.instances_count; ++i)
    t.instances[i] = DrawRest(words, t.instances[i]);
  for (DeviceId d = 0; d < t.devices_count; ++d) t.devices[d] = DrawRest(words, t.devices[d]);
  for (Device& d : t.devices)
    if (d.alias != kNoId && t.devices[d.alias].kind != DeviceKind::kReal) d.alias = kNoId;
}

Topology DrawTopology(Words& words, const Shape& shape) {
  Topology t;
  if (words.OneIn(8)) t.firmware = static_cast<Firmware>(words.Below(3));
  t.drivers_count = static_cast<uint8_t>(1 + words.Below(shape.drivers));
  t.tables_count = static_cast<uint8_t>(t.drivers_count + 1);
  t.instances_count = static_cast<uint8_t>(1 + words.Below(shape.instances));
  t.devices_count = static_cast<uint8_t>(1 + words.Below(shape.devices));
  for (DriverId d = 0; d < t.drivers_count; ++d) t.drivers[d] = DrawDriver(words, d, t);
  for (InstanceId i = 0; i < t.instances_count; ++i) t.instances[i] = DrawInstance(words, t);
  for (DeviceId d = 0; d < t.devices_count; ++d) t.devices[d] = DrawDevice(words, d, t);
  if (shape.whole) AddRest(words, t);
  return t;
}

Fault DrawFault(Words& words, const Topology& t, const Shape& shape) {
  static constexpr std::array<uint8_t, 4> kErrors = {EINVAL, EBUSY, ENOMEM, ENODEV};
  Fault fault;
  fault.kind = static_cast<Fault::Kind>(1 + words.Below(shape.whole ? 7 : 3));
  if (!NamesDevice(fault)) {
    const bool alloc = fault.kind == Fault::Kind::kAlloc || fault.kind == Fault::Kind::kMalloc;
    fault.target = static_cast<uint8_t>(1 + words.Below(3));
    fault.error = alloc ? kAllocError : kErrors[words.Below(kErrors.size())];
    return fault;
  }
  fault.target = Index(words, t.devices_count);
  fault.error = kErrors[words.Below(kErrors.size())];
  if (fault.kind == Fault::Kind::kAttach) {
    fault.count = static_cast<uint8_t>(1 + words.Below(3));
    if (fault.count == 3) fault.count = kEveryAttach;
  }
  return fault;
}

// Registering, binding and attaching make the interesting states; the ops that undo them are rarer.
OpKind DrawKind(Words& words) {
  static constexpr std::array kKinds = {
      OpKind::kRegister,     OpKind::kRegister,     OpKind::kRegister,       OpKind::kConfigure,
      OpKind::kConfigure,    OpKind::kConfigure,    OpKind::kSetContainer,   OpKind::kSetContainer,
      OpKind::kSetContainer, OpKind::kSetContainer, OpKind::kSetIommu,       OpKind::kSetIommu,
      OpKind::kAdd,          OpKind::kRemove,       OpKind::kUnsetContainer, OpKind::kUnregister,
  };
  return kKinds[words.Below(kKinds.size())];
}

// Mapping, pinning and the ops that lead there are frequent; each other op is there once.
OpKind DrawWholeKind(Words& words) {
  using enum OpKind;
  static constexpr std::array kKinds = {
      kMap,          kMap,
      kMap,          kMap,
      kMap,          kUnmap,
      kUnmap,        kUnmap,
      kPin,          kPin,
      kPin,          kUnpin,
      kOpen,         kClose,
      kGetDevice,    kGetDevice,
      kPutDevice,    kBind,
      kUnbind,       kDma,
      kAttachPasid,  kReset,
      kResetDone,    kDetachPasid,
      kSetContainer, kUnsetContainer,
      kSetIommu,
  };
  return words.OneIn(3) ? DrawKind(words) : kKinds[words.Below(kKinds.size())];
}

// Near each other, so that mappings overlap.
Pages DrawPages(Words& words) {
  static constexpr std::array<uint8_t, 6> kFirst = {0, 2, 4, 8, 32, 60};
  return {.first = words.OneIn(4) ? Index(words, kPages) : kFirst[words.Below(kFirst.size())],
          .count =
              words.OneIn(8) ? Index(words, kPages + 1) : static_cast<uint8_t>(1 + words.Below(4))};
}

uint8_t DrawFlags(Words& words, OpKind kind) {
  uint8_t flags = 0;
  if (kind == OpKind::kMap && !words.OneIn(8)) flags = kRead | kWrite;
  for (unsigned bit = 1; bit <= kZeroPage; bit <<= 1)
    if (words.OneIn(8)) flags ^= static_cast<uint8_t>(bit);
  return flags & InfoOf(kind).flag_bits();
}

// An emulated device if there is one: only these pin.
DeviceId DrawPinner(Words& words, const Topology& t) {
  const DeviceId first = Index(words, t.devices_count);
  for (DeviceId n = 0; n < t.devices_count; ++n) {
    const auto d = static_cast<DeviceId>((first + n) % t.devices_count);
    if (t.devices[d].kind == DeviceKind::kEmulated) return d;
  }
  return first;
}

// Draws the operands that only the model has.
void AddRest(Words& words, const Topology& t, Op& op) {
  if (op.kind == OpKind::kSetIommu && words.OneIn(4)) op.b = Index(words, kIommuTypeCount);
  if (op.kind == OpKind::kAttachPasid) op.b = words.OneIn(2) ? op.a : Index(words, t.devices_count);
  if (InfoOf(op.kind).is(OpInfo::kHasPages)) op.at = DrawPages(words);
  if (op.kind == OpKind::kMap) op.vaddr = Index(words, 8);
  if (op.kind == OpKind::kPin || op.kind == OpKind::kUnpin) op.a = DrawPinner(words, t);
  op.flags = DrawFlags(words, op.kind);
  if ((op.flags & kAll) != 0 && !words.OneIn(8)) op.at = {};
}

// Every instance registers, every device is bound and opened, and all groups are put into one
// container that has a mapping.
std::vector<Op> WarmStart(const Topology& t) {
  std::vector<Op> ops;
  ops.reserve(64);
  for (InstanceId i = 0; i < t.instances_count; ++i)
    ops.push_back({.kind = OpKind::kRegister, .a = i});
  for (DeviceId d = 0; d < t.devices_count; ++d)
    ops.push_back({.kind = OpKind::kConfigure, .a = d});
  for (GroupId g = 0; g < t.devices_count; ++g) {
    ops.push_back({.kind = OpKind::kSetContainer, .a = g, .b = 0});
    ops.push_back({.kind = OpKind::kSetIommu, .a = 0});
  }
  for (DeviceId d = 0; d < t.devices_count; ++d)
    ops.push_back({.kind = OpKind::kGetDevice, .a = d});
  ops.push_back({.kind = OpKind::kMap, .a = 0, .at = {0, 16}, .flags = kRead | kWrite});
  return ops;
}

// The run without the ops that are not possible in it any more.
Scenario OnlyPossible(Scenario s) {
  const KernelProfile kernel = ProfileOf(s.kernel);
  std::vector<Event> events;
  State state = InitialState(s.topology);
  std::erase_if(s.ops, [&](const Op& op) {
    return Step(kernel, s.topology, op, state, events).outcome != Outcome::kDone;
  });
  return s;
}

// --- shrinking ---

// The new value of an index when entry `gone` is removed.
uint8_t Renumbered(uint8_t index, uint8_t gone) {
  if (index == gone) return kNoId;
  return index != kNoId && index > gone ? static_cast<uint8_t>(index - 1) : index;
}

bool Names(const Op& op, DeviceId dev) {
  const auto names = [dev](const Fault& f) { return NamesDevice(f) && f.target == dev; };
  return (InfoOf(op.kind).a == Operand::kDevice && op.a == dev) ||
         (op.kind == OpKind::kAttachPasid && op.b == dev) || std::ranges::any_of(op.faults, names);
}

Scenario WithoutDevice(Scenario s, DeviceId gone) {
  auto& devices = s.topology.devices;
  std::move(devices.begin() + gone + 1, devices.end(), devices.begin() + gone);
  --s.topology.devices_count;
  for (Device& d : devices) d.alias = Renumbered(d.alias, gone);
  std::erase_if(s.ops, [gone](const Op& op) { return Names(op, gone); });
  for (Op& op : s.ops) {
    if (InfoOf(op.kind).a == Operand::kDevice) op.a = Renumbered(op.a, gone);
    if (op.kind == OpKind::kAttachPasid) op.b = Renumbered(op.b, gone);
    for (Fault& f : op.faults)
      if (NamesDevice(f)) f.target = Renumbered(f.target, gone);
  }
  return s;
}

Scenario WithoutInstance(Scenario s, InstanceId gone) {
  auto& instances = s.topology.instances;
  std::move(instances.begin() + gone + 1, instances.end(), instances.begin() + gone);
  --s.topology.instances_count;
  for (Device& d : s.topology.devices) {
    for (InstanceId& master : d.masters) master = Renumbered(master, gone);
    if (d.masters[0] == kNoId) std::swap(d.masters[0], d.masters[1]);
  }
  const auto is_of = [](const Op& op) { return InfoOf(op.kind).a == Operand::kInstance; };
  std::erase_if(s.ops, [&](const Op& op) { return is_of(op) && op.a == gone; });
  for (Op& op : s.ops)
    if (is_of(op)) op.a = Renumbered(op.a, gone);
  return s;
}

// Adds candidates in which one attribute that only the model has gets its plain value.
void AddPlainer(const Scenario& s, std::vector<Scenario>& candidates) {
  const Topology plain = EncodedPart(s.topology);
  const auto add = [&](auto change) {
    Scenario smaller = s;
    change(smaller);
    if (smaller.topology != s.topology || smaller.ops != s.ops)
      candidates.push_back(OnlyPossible(std::move(smaller)));
  };
  add([&](Scenario& to) { to.topology = plain; });
  add([&](Scenario& to) { to.topology.settings = {}; });
  for (DriverId d = 0; d < s.topology.drivers_count; ++d)
    add([&](Scenario& to) { to.topology.drivers[d] = plain.drivers[d]; });
  for (InstanceId i = 0; i < s.topology.instances_count; ++i)
    add([&](Scenario& to) { to.topology.instances[i] = plain.instances[i]; });
  for (DeviceId d = 0; d < s.topology.devices_count; ++d) {
    add([&](Scenario& to) { to.topology.devices[d] = plain.devices[d]; });
    add([&](Scenario& to) { to.topology.devices[d].regions = {}; });
  }
  for (size_t i = 0; i < s.ops.size(); ++i) {
    for (unsigned bit = 1; bit <= kZeroPage; bit <<= 1)
      add([&](Scenario& to) { to.ops[i].flags &= static_cast<uint8_t>(~bit); });
    if (s.ops[i].at.count > 1) add([&](Scenario& to) { to.ops[i].at.count = 1; });
    add([&](Scenario& to) { to.ops[i].vaddr = 0; });
    if (s.ops[i].kind == OpKind::kSetIommu) add([&](Scenario& to) { to.ops[i].b = 0; });
  }
}

rc::Seq<Scenario> Smaller(const Scenario& s) {
  std::vector<Scenario> candidates;
  for (size_t chunk = s.ops.size(); chunk > 0; chunk /= 2)
    for (size_t from = 0; from < s.ops.size(); from += chunk) {
      Scenario smaller = s;
      const auto first = smaller.ops.begin() + static_cast<std::ptrdiff_t>(from);
      const size_t length = std::min(chunk, s.ops.size() - from);
      smaller.ops.erase(first, first + static_cast<std::ptrdiff_t>(length));
      candidates.push_back(OnlyPossible(std::move(smaller)));
    }
  for (DeviceId d = 0; d < s.topology.devices_count; ++d)
    candidates.push_back(OnlyPossible(WithoutDevice(s, d)));
  for (InstanceId i = 0; i < s.topology.instances_count; ++i)
    candidates.push_back(OnlyPossible(WithoutInstance(s, i)));
  for (size_t i = 0; i < s.ops.size(); ++i)
    for (size_t n = 0; n < kMaxFaults; ++n) {
      if (s.ops[i].faults[n].kind == Fault::Kind::kNone) continue;
      Scenario smaller = s;
      smaller.ops[i].faults[n] = {};
      candidates.push_back(OnlyPossible(std::move(smaller)));
    }
  AddPlainer(s, candidates);
  return rc::seq::fromContainer(std::move(candidates));
}

}  // namespace

uint64_t Words::Next() {  // splitmix64
  uint64_t z = state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

Case ToCase(const Scenario& scenario) {
  Case c;
  c.kernel = scenario.kernel;
  c.topology = scenario.topology;
  c.names = DefaultNames(c.topology);
  for (const Op& op : scenario.ops)
    c.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  Normalize(c);
  return c;
}

void showValue(const Scenario& scenario, std::ostream& os) {
  const Case c = ToCase(scenario);
  os << '\n' << PrintCase(Asserted(c, Play(c)));
}

KernelSpec DrawPromisedKernel(Words& words) {
  return fuzzing::PromisedKernel(kKernelVersions[words.Below(kKernelVersionCount)], {});
}

KernelSpec DrawPatchedKernel(Words& words) {
  KernelSpec spec;
  spec.version = kKernelVersions[words.Below(kKernelVersionCount)];
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (IsEncoded(info.rule) && words.OneIn(6))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

KernelSpec DrawAnyKernel(Words& words) {
  KernelSpec spec = DrawPatchedKernel(words);
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (!IsEncoded(info.rule) && words.OneIn(12))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

Op DrawOp(Words& words, const Topology& t, const Shape& shape) {
  const auto draw = [&](Operand operand) {
    if (operand == Operand::kInstance) return Index(words, t.instances_count);
    return Index(words, operand == Operand::kContainer ? 2 : t.devices_count);
  };
  Op op;
  op.kind = shape.whole ? DrawWholeKind(words) : DrawKind(words);
  op.a = draw(InfoOf(op.kind).a);
  if (InfoOf(op.kind).b == Operand::kContainer) op.b = draw(Operand::kContainer);
  if (shape.whole) AddRest(words, t, op);
  for (Fault& fault : op.faults)
    if (shape.faults && words.OneIn(8)) fault = DrawFault(words, t, shape);
  return op;
}

Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape) {
  constexpr int kTries = 8;  // most ops are possible in most states
  Scenario s{.kernel = draw_kernel(words), .topology = DrawTopology(words, shape), .ops = {}};
  const KernelProfile kernel = ProfileOf(s.kernel);
  Repair(s.topology, kernel.rules);
  std::vector<Event> events;
  State state = InitialState(s.topology);
  const auto take = [&](const Op& op) {
    if (Step(kernel, s.topology, op, state, events).outcome == Outcome::kDone) s.ops.push_back(op);
  };
  if (shape.whole && !words.OneIn(4)) std::ranges::for_each(WarmStart(s.topology), take);
  const auto length = std::ssize(s.ops) + 1 + words.Below(shape.ops);
  for (int tries = 0; tries < length * kTries && std::ssize(s.ops) < length; ++tries)
    take(DrawOp(words, s.topology, shape));
  return s;
}

rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape) {
  return [draw_kernel = std::move(draw_kernel), shape](const rc::Random& random, int /*size*/) {
    Words words(rc::Random(random).next());
    return rc::shrinkable::shrinkRecur(DrawScenario(words, draw_kernel, shape),
                                       [](const Scenario& s) { return Smaller(s); });
  };
}

}  // namespace iommucheck
