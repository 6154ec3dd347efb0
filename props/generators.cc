// SPDX-License-Identifier: Apache-2.0
#include "props/generators.h"

#include <algorithm>
#include <cerrno>

#include "fuzz/fuzzing.h"
#include "model/step.h"
#include "src/case/repair.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

uint8_t Index(Words& words, int count) { return static_cast<uint8_t>(words.Below(count)); }

// The bus that most devices of a driver are on, so that machines with a bus for each of two drivers
// are common.
Bus HomeOf(DriverId driver) { return driver % 2 == 0 ? Bus::kPci : Bus::kPlatform; }

Driver DrawDriver(Words& words, DriverId self, const Topology& t) {
  Driver d;
  if (words.OneIn(8)) d.firmware = static_cast<Firmware>(words.Below(3));
  // Not of cdx, which came when drivers no longer claimed buses.
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
  // To the first only, so that no address is of a driver that has one.
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
  if (d.bus != Bus::kPci) return d;
  if (words.OneIn(3)) d.slot = static_cast<uint8_t>(1 + words.Below(2));
  if (self != 0 && words.OneIn(6)) {
    const DeviceId alias = Index(words, self);
    if (t.devices[alias].bus == Bus::kPci) d.alias = alias;
  }
  return d;
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
  return t;
}

Fault DrawFault(Words& words, const Topology& t) {
  static constexpr std::array<uint8_t, 4> kErrors = {EINVAL, EBUSY, ENOMEM, ENODEV};
  Fault fault;
  fault.kind = static_cast<Fault::Kind>(1 + words.Below(3));
  if (fault.kind == Fault::Kind::kAlloc) {
    fault.target = static_cast<uint8_t>(1 + words.Below(3));
    fault.error = kAllocError;
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

// Registering, binding and attaching make the interesting states; the way back is rarer.
OpKind DrawKind(Words& words) {
  static constexpr std::array kKinds = {
      OpKind::kRegister,     OpKind::kRegister,     OpKind::kRegister,       OpKind::kConfigure,
      OpKind::kConfigure,    OpKind::kConfigure,    OpKind::kSetContainer,   OpKind::kSetContainer,
      OpKind::kSetContainer, OpKind::kSetContainer, OpKind::kSetIommu,       OpKind::kSetIommu,
      OpKind::kAdd,          OpKind::kRemove,       OpKind::kUnsetContainer, OpKind::kUnregister,
  };
  return kKinds[words.Below(kKinds.size())];
}

// The run with the ops that are still possible in it.
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

// What is left of an index when entry `gone` goes.
uint8_t Renumbered(uint8_t index, uint8_t gone) {
  if (index == gone) return kNoId;
  return index != kNoId && index > gone ? static_cast<uint8_t>(index - 1) : index;
}

bool NamesDevice(const Op& op, DeviceId dev) {
  const auto names = [dev](const Fault& f) {
    return (f.kind == Fault::Kind::kAttach || f.kind == Fault::Kind::kProbe) && f.target == dev;
  };
  return (OperandOf(op.kind) == Operand::kDevice && op.a == dev) ||
         std::ranges::any_of(op.faults, names);
}

Scenario WithoutDevice(Scenario s, DeviceId gone) {
  auto& devices = s.topology.devices;
  std::move(devices.begin() + gone + 1, devices.end(), devices.begin() + gone);
  --s.topology.devices_count;
  for (Device& d : devices) d.alias = Renumbered(d.alias, gone);
  std::erase_if(s.ops, [gone](const Op& op) { return NamesDevice(op, gone); });
  for (Op& op : s.ops) {
    if (OperandOf(op.kind) == Operand::kDevice) op.a = Renumbered(op.a, gone);
    for (Fault& f : op.faults)
      if (f.kind == Fault::Kind::kAttach || f.kind == Fault::Kind::kProbe)
        f.target = Renumbered(f.target, gone);
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
  const auto is_of = [](const Op& op) { return OperandOf(op.kind) == Operand::kInstance; };
  std::erase_if(s.ops, [&](const Op& op) { return is_of(op) && op.a == gone; });
  for (Op& op : s.ops)
    if (is_of(op)) op.a = Renumbered(op.a, gone);
  return s;
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
  os << '\n' << PrintCase(ToCase(scenario));
}

KernelSpec DrawPromisedKernel(Words& words) {
  return fuzzing::PromisedKernel(kKernelVersions[words.Below(kKernelVersionCount)], {});
}

KernelSpec DrawPatchedKernel(Words& words) {
  KernelSpec spec;
  spec.version = kKernelVersions[words.Below(kKernelVersionCount)];
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (words.OneIn(6)) (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

Op DrawOp(Words& words, const Topology& t, const Shape& shape) {
  Op op;
  op.kind = DrawKind(words);
  switch (OperandOf(op.kind)) {
    case Operand::kInstance:
      op.a = Index(words, t.instances_count);
      break;
    case Operand::kDevice:
      op.a = Index(words, t.devices_count);
      break;
    case Operand::kGroup:
      op.a = Index(words, t.devices_count);
      break;
    case Operand::kContainer:
      op.a = Index(words, 2);
      break;
  }
  if (op.kind == OpKind::kSetContainer) op.b = Index(words, 2);
  for (Fault& fault : op.faults)
    if (shape.faults && words.OneIn(8)) fault = DrawFault(words, t);
  return op;
}

Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape) {
  constexpr int kTries = 8;  // most ops are possible in most states
  Scenario s{.kernel = draw_kernel(words), .topology = DrawTopology(words, shape), .ops = {}};
  const KernelProfile kernel = ProfileOf(s.kernel);
  Repair(s.topology, kernel.rules);
  std::vector<Event> events;
  State state = InitialState(s.topology);
  const int length = 1 + words.Below(shape.ops);
  for (int tries = 0; tries < length * kTries && std::ssize(s.ops) < length; ++tries) {
    const Op op = DrawOp(words, s.topology, shape);
    if (Step(kernel, s.topology, op, state, events).outcome == Outcome::kDone) s.ops.push_back(op);
  }
  return s;
}

rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape) {
  return [draw_kernel = std::move(draw_kernel), shape](const rc::Random& random, int /*size*/) {
    Words words(rc::Random(random).next());
    return rc::shrinkable::shrinkRecur(DrawScenario(words, draw_kernel, shape), Smaller);
  };
}

}  // namespace iommucheck
