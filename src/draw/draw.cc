// SPDX-License-Identifier: Apache-2.0
#include "src/draw/draw.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "model/attributes.h"
#include "model/step.h"
#include "src/case/repair.h"

namespace iommucheck::draw {
namespace {

constexpr auto kErrors = std::to_array<uint8_t>({EINVAL, EBUSY, ENOMEM, ENODEV, EIO, EXDEV});

// A number that is mostly small, so that pages overlap, and limits are reached, in a short run.
uint8_t Small(Words& words, int limit) {
  return words.Below(words.OneIn(6) ? limit : std::min(limit, 16));
}

// --- machines ---

Region DrawRegion(Words& words) {
  Region region;
  region.type = static_cast<Region::Type>(1 + words.Below(int{kRegionTypeNames.size()} - 1));
  region.first = Small(words, kPages);
  region.last =
      static_cast<uint8_t>(region.first + words.Below(std::min(6, kPages - region.first)));
  return region;
}

// A value that is not the plain one, more often than not.
void DrawValue(Words& words, const AttributeInfo& attribute, uint8_t* entry) {
  using Kind = AttributeInfo::Kind;
  uint8_t* const member = entry + attribute.at;
  switch (attribute.kind) {
    case Kind::kFlag:
      *member = attribute.value;
      break;
    case Kind::kName:
      *member = static_cast<uint8_t>(1 + words.Below(static_cast<int>(attribute.names.size()) - 1));
      break;
    case Kind::kNumber:
      *member = static_cast<uint8_t>(attribute.least +
                                     Small(words, attribute.most - attribute.least + 1));
      break;
    case Kind::kErrno:
      *member = kErrors[words.Below(kErrors.size())];
      break;
    case Kind::kRange:
      member[0] = words.OneIn(2) ? Small(words, kPages) : uint8_t{0};
      member[1] = static_cast<uint8_t>(kLastPage - words.Below(kPages - member[0]));
      break;
    case Kind::kSizes:
      *member = static_cast<uint8_t>(1 + Small(words, (1 << kPageSizes) - 1));
      break;
    case Kind::kRegions:
      for (size_t at = 0; at < attribute.size && (at == 0 || words.OneIn(3));
           at += sizeof(Region)) {
        const Region region = DrawRegion(words);
        std::memcpy(member + at, &region, sizeof(Region));
      }
      break;
    case Kind::kClaims:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      break;  // what these name depends on the rest of the machine
  }
}

bool IsIn(Scope scope, const AttributeInfo& attribute) {
  if (scope == Scope::kEncoded) return attribute.encoded();
  return scope == Scope::kWhole || attribute.played != AttributeInfo::Played::kModelAlone;
}

void DrawAttributes(Words& words, Owner owner, const Shape& shape, uint8_t* entry) {
  for (const AttributeInfo& attribute : AttributesOf(owner)) {
    if (attribute.weight == 0 || !IsIn(shape.scope, attribute)) continue;
    if (words.Below(24) < attribute.weight) DrawValue(words, attribute, entry);
  }
}

// The bus that most devices of a driver are on, so that machines with a bus for each of two drivers
// are common.
Bus HomeOf(DriverId driver) { return driver % 2 == 0 ? Bus::kPci : Bus::kPlatform; }

void DrawDriver(Words& words, DriverId self, Topology& t) {
  Driver& d = t.drivers[self];
  // Not of cdx, which came when drivers no longer claimed buses.
  for (size_t bus = 0; bus < static_cast<size_t>(Bus::kCdx); ++bus)
    if (words.OneIn(4)) d.claims[bus] = static_cast<Claim>(words.Below(kClaimNames.size()));
  if (!words.OneIn(4))
    d.claims[static_cast<size_t>(HomeOf(self))] =
        static_cast<Claim>(1 + words.Below(int{kClaimNames.size()} - 1));
  std::swap(d.claim_order[0], d.claim_order[words.Below(kBusCount)]);
  d.table = words.OneIn(2) ? words.Below(t.tables_count) : self;
  // Only the first driver's address, since a driver whose address is used may not have one itself.
  if (self != 0 && words.OneIn(8)) d.address = 0;
}

// Two devices of three are below the last bridge before them, if there is any.
void DrawBridge(Words& words, DeviceId self, Topology& t) {
  DeviceId bridge = self;
  while (bridge != 0 && t.devices[bridge - 1].bridge == Bridge::kNone) --bridge;
  if (bridge == 0 || words.OneIn(3)) return;
  t.devices[self].below = static_cast<DeviceId>(bridge - 1);
  t.devices[self].absent |= t.devices[bridge - 1].absent;
}

void DrawDevice(Words& words, DeviceId self, const Shape& shape, Topology& t) {
  Device& d = t.devices[self];
  if (!words.OneIn(8)) d.masters[0] = words.Below(t.instances_count);
  if (d.masters[0] != kNoId && words.OneIn(6)) d.masters[1] = words.Below(t.instances_count);
  if (d.masters[0] == d.masters[1]) d.masters[1] = kNoId;
  if (d.masters[0] != kNoId) d.bus = HomeOf(t.instances[d.masters[0]].driver);
  if (words.OneIn(4)) d.bus = Bus::kPci;
  if (words.OneIn(16)) d.bus = static_cast<Bus>(words.Below(kBusCount));
  for (const AttributeInfo& attribute : AttributesOf(Owner::kDevice))
    if (!IsOn(attribute, d.bus)) MakePlain(attribute, EntryOf(t, Owner::kDevice, self));
  if (words.OneIn(3)) d.slot = words.OneIn(4) ? 2 : 1;
  if (d.bus == Bus::kPci && self != 0) DrawBridge(words, self, t);
  if (d.bus == Bus::kPci && self != 0 && words.OneIn(6)) {
    const DeviceId alias = words.Below(self);
    const Device& other = t.devices[alias];
    if (other.bus == Bus::kPci && other.kind == DeviceKind::kReal && other.below == d.below)
      d.alias = alias;
  }
  if (shape.scope == Scope::kEncoded || !words.OneIn(4)) return;
  // A device without an IOMMU has no instances, alias, slot or reserved regions.
  d = {.bus = d.bus,
       .absent = d.absent,
       .kind = words.OneIn(4) ? DeviceKind::kNoIommu : DeviceKind::kEmulated,
       .default_type = d.default_type};
}

// --- ops ---

// Each kind as many times as its weight says.
std::vector<OpKind> KindsOf(Scope scope) {
  std::vector<OpKind> kinds;
  for (const OpInfo& op : AllOps()) {
    if (scope == Scope::kEncoded && !op.is(OpInfo::kEncoded)) continue;
    if (scope == Scope::kInProcess && !op.is(OpInfo::kInProcess)) continue;
    kinds.insert(kinds.end(), op.weight, op.kind);
  }
  return kinds;
}

OpKind DrawKind(Words& words, Scope scope) {
  static const std::array kKinds = {KindsOf(Scope::kEncoded), KindsOf(Scope::kInProcess),
                                    KindsOf(Scope::kWhole)};
  const std::vector<OpKind>& kinds = kKinds[static_cast<size_t>(scope)];
  return kinds[words.Below(static_cast<int>(kinds.size()))];
}

// One for which `is` holds, if there is any below the limit.
template <typename Is>
uint8_t Some(Words& words, int limit, Is is) {
  const uint8_t from = words.Below(std::max(1, limit));
  for (int n = 0; n < limit; ++n) {
    const auto id = static_cast<uint8_t>((from + n) % limit);
    if (is(id)) return id;
  }
  return from;
}

uint8_t DrawOperand(Words& words, Operand operand, const Topology& t, const State* state) {
  switch (operand) {
    case Operand::kNone:
      return 0;
    case Operand::kInstance:
      return words.Below(t.instances_count);
    case Operand::kDevice:
      return words.Below(t.devices_count);
    case Operand::kGroup:
      if (state == nullptr) return words.Below(t.devices_count);
      return Some(words, state->groups_end, [&](GroupId g) { return state->groups[g].live; });
    case Operand::kContainer:
      return words.OneIn(4) ? 1 : 0;
    case Operand::kIommuType:
      return words.OneIn(4) ? words.Below(kIommuTypeCount) : uint8_t{0};
  }
  return 0;
}

// A mapping is readable or writable, or both; now and then an op has one flag alone.
uint8_t DrawFlags(Words& words, const OpInfo& info) {
  if (info.flags.empty()) return 0;
  if (words.OneIn(6)) return info.flags[words.Below(static_cast<int>(info.flags.size()))].bit;
  const bool maps = info.is(OpInfo::kHasVaddr);
  unsigned flags = maps ? 1U + words.Below(kRead | kWrite) : 0U;
  for (const OpFlag& flag : info.flags.subspan(maps ? 2 : 0))
    if (words.OneIn(5)) flags |= flag.bit;
  return static_cast<uint8_t>(flags);
}

// The container whose mappings an op is about.
const ContainerState* ContainerOf(const Op& op, const State& s) {
  if (InfoOf(op.kind).a == Operand::kContainer) return &s.containers[op.a];
  const GroupId group = s.devices[op.a].group;
  if (group == kNoId || s.groups[group].container == kNoId) return nullptr;
  return &s.containers[s.groups[group].container];
}

Pages DrawPages(Words& words, const Op& op, const State* state) {
  // Flag "all" goes without pages.
  if (op.kind == OpKind::kUnmap && (op.flags & kAll) != 0 && !words.OneIn(8)) return {};
  const Pages any = {Small(words, kPages), words.OneIn(8)
                                               ? words.Below(kPages + 1)
                                               : static_cast<uint8_t>(1 + words.Below(6))};
  const ContainerState* const container = state == nullptr ? nullptr : ContainerOf(op, *state);
  if (container == nullptr || container->dmas_count == 0 || words.OneIn(6)) return any;
  // New mappings are where there may be none yet; else whole ones, or pages of one.
  const Pages dma = container->dmas[words.Below(container->dmas_count)].at;
  const OpInfo& info = InfoOf(op.kind);
  if (info.is(OpInfo::kHasVaddr)) return op.flags == kVaddr ? dma : any;
  if (info.a == Operand::kContainer) return dma;
  return {dma.first, static_cast<uint8_t>(1 + words.Below(dma.count))};
}

Fault DrawFault(Words& words, const Topology& t, const Shape& shape) {
  std::array<const FaultInfo*, kFaultKindCount> may{};
  int count = 0;
  for (const FaultInfo& info : AllFaults())
    if ((shape.without & FaultBit(info.kind)) == 0 &&
        (shape.scope != Scope::kEncoded || info.encoded))
      may[static_cast<size_t>(count++)] = &info;
  if (count == 0) return {};
  const FaultInfo& info = *may[words.Below(count)];
  Fault fault{.kind = info.kind};
  fault.target =
      info.of_device ? words.Below(t.devices_count) : static_cast<uint8_t>(1 + words.Below(4));
  fault.error = info.has_errno ? kErrors[words.Below(kErrors.size())] : uint8_t{ENOMEM};
  if (info.has_count)
    fault.count = words.OneIn(3) ? kEveryAttach : static_cast<uint8_t>(1 + words.Below(2));
  return fault;
}

// --- runs ---

// Every instance registers and every device is configured. In three runs of four, most groups are
// then put into one container; where that is in the scope, most devices are opened, and the
// container gets a mapping.
template <typename Take>
void WarmStart(Words& words, const Topology& t, Scope scope, Take take) {
  for (InstanceId i = 0; i < t.instances_count; ++i) take(Op{.kind = OpKind::kRegister, .a = i});
  for (DeviceId d = 0; d < t.devices_count; ++d) take(Op{.kind = OpKind::kConfigure, .a = d});
  if (words.OneIn(4)) return;
  bool asked = false;
  for (GroupId g = 0; g < t.devices_count; ++g) {
    if (words.OneIn(6)) continue;
    take(Op{.kind = OpKind::kSetContainer, .a = g, .b = 0});
    // The first group may not have come, or may have no IOMMU.
    if (asked && words.OneIn(2)) continue;
    const uint8_t type =
        scope == Scope::kEncoded ? 0 : DrawOperand(words, Operand::kIommuType, t, nullptr);
    take(Op{.kind = OpKind::kSetIommu, .a = 0, .b = type});
    asked = true;
  }
  if (scope == Scope::kEncoded) return;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (!words.OneIn(6)) take(Op{.kind = OpKind::kGetDevice, .a = d});
  if (!words.OneIn(6))
    take(Op{.kind = OpKind::kMap, .a = 0, .at = {0, 16}, .flags = kRead | kWrite});
}

bool StartsWarm(Words& words, const Shape& shape) {
  return !words.OneIn(shape.scope == Scope::kEncoded ? 2 : 8);
}

// False if there was no room.
bool Add(const Op& op, DecodedCase& c) {
  if (c.ops_count == kMaxDecodedOps) return false;
  c.ops[static_cast<size_t>(c.ops_count++)] = op;
  return true;
}

}  // namespace

uint64_t Words::Next() {  // splitmix64
  uint64_t z = state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

Topology DrawTopology(Words& words, const Shape& shape) {
  Topology t;
  if (words.OneIn(8)) t.firmware = static_cast<Firmware>(words.Below(kFirmwareNames.size()));
  t.drivers_count = static_cast<uint8_t>(1 + words.Below(shape.drivers));
  t.tables_count = static_cast<uint8_t>(t.drivers_count + 1);
  t.instances_count = static_cast<uint8_t>(1 + words.Below(shape.instances));
  t.devices_count = static_cast<uint8_t>(1 + words.Below(shape.devices));
  for (const Owner owner : {Owner::kSettings, Owner::kDriver, Owner::kInstance, Owner::kDevice})
    for (int n = 0; n < CountOf(t, owner); ++n)
      DrawAttributes(words, owner, shape, EntryOf(t, owner, n));
  for (DriverId d = 0; d < t.drivers_count; ++d) DrawDriver(words, d, t);
  for (Instance& i : std::span(t.instances).first(t.instances_count)) {
    i.driver = words.Below(t.drivers_count);
    i.table = words.OneIn(3) ? words.Below(t.tables_count) : t.drivers[i.driver].table;
  }
  for (DeviceId d = 0; d < t.devices_count; ++d) DrawDevice(words, d, shape, t);
  return t;
}

void ChangeAttribute(Words& words, const Shape& shape, Topology& t) {
  const auto rows = AllAttributes();
  const AttributeInfo& attribute = rows[words.Next() % rows.size()];
  if (CountOf(t, attribute.owner) == 0 || !IsIn(shape.scope, attribute)) return;
  const int n = words.Below(CountOf(t, attribute.owner));
  uint8_t* const entry = EntryOf(t, attribute.owner, n);
  if (attribute.kind == AttributeInfo::Kind::kTable) {
    entry[attribute.at] = words.Below(t.tables_count);
  } else if (!IsPlain(attribute, entry)) {
    MakePlain(attribute, entry);
  } else if (attribute.kind == AttributeInfo::Kind::kDriver) {
    entry[attribute.at] = words.Below(t.drivers_count);
  } else if (attribute.kind == AttributeInfo::Kind::kDevice) {
    entry[attribute.at] = words.Below(t.devices_count);
  } else {
    DrawValue(words, attribute, entry);
  }
}

Op DrawOp(Words& words, const Topology& t, const Shape& shape, const State* state) {
  Op op{.kind = DrawKind(words, shape.scope)};
  const OpInfo& info = InfoOf(op.kind);
  // Only emulated devices pin.
  op.a = info.is(OpInfo::kHasPages) && info.a == Operand::kDevice
             ? Some(words, t.devices_count,
                    [&](DeviceId d) { return t.devices[d].kind == DeviceKind::kEmulated; })
             : DrawOperand(words, info.a, t, state);
  op.b = info.b == info.a && words.OneIn(2) ? op.a : DrawOperand(words, info.b, t, state);
  if (shape.scope == Scope::kEncoded) {
    if (info.b == Operand::kIommuType) op.b = 0;
  } else {
    op.flags = DrawFlags(words, info);
    if (info.is(OpInfo::kHasPages)) op.at = DrawPages(words, op, state);
    if (info.is(OpInfo::kHasVaddr)) op.vaddr = Small(words, kPages);
  }
  for (Fault& fault : op.faults)
    if (words.OneIn(8)) fault = DrawFault(words, t, shape);
  return op;
}

DecodedCase DrawCase(Words& words, const Shape& shape) {
  DecodedCase c{.kernel = {}, .topology = DrawTopology(words, shape), .ops = {}};
  if (StartsWarm(words, shape))
    WarmStart(words, c.topology, shape.scope, [&](const Op& op) { Add(op, c); });
  for (int more = 1 + words.Below(shape.ops); more > 0; --more)
    if (!Add(DrawOp(words, c.topology, shape), c)) break;
  return c;
}

DecodedCase DrawRun(Words& words, const KernelProfile& kernel, const Shape& shape,
                    const Show& show) {
  constexpr int kTries = 8;  // most ops are possible in most states
  DecodedCase c{.kernel = {}, .topology = DrawTopology(words, shape), .ops = {}};
  Repair(c.topology, kernel.rules);
  State state = InitialState(c.topology);
  State before;
  thread_local std::vector<Event> events;  // kept, so that no step allocates
  const auto take = [&](const Op& op) {
    if (show) before = state;
    const StepResult result = Step(kernel, c.topology, op, state, events);
    if (result.outcome != Outcome::kDone || !Add(op, c) || !show) return;
    show({.topology = c.topology,
          .op = op,
          .result = result,
          .before = before,
          .after = state,
          .events = events});
  };
  if (StartsWarm(words, shape)) WarmStart(words, c.topology, shape.scope, take);
  const int length = std::min(c.ops_count + 1 + words.Below(shape.ops), kMaxDecodedOps);
  for (int tries = 0; tries < length * kTries && c.ops_count < length; ++tries)
    take(DrawOp(words, c.topology, shape, &state));
  return c;
}

}  // namespace iommucheck::draw
