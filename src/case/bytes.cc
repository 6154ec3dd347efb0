// SPDX-License-Identifier: Apache-2.0
#include "src/case/bytes.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "model/attribute_rows.h"
#include "src/case/encoded.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

constexpr int kDriverRecords = 4;
constexpr int kTables = 8;
constexpr int kInstanceRecords = 6;
constexpr int kDeviceRecords = 8;
constexpr int kSlots = 16;
constexpr int kBelow = 7;  // of the byte with a device's kind: the bridge + 1, which comes before
constexpr int kHasStream = 7;  // flag of a device that is not on pci: its slot field is a stream id
constexpr int kGroups = 16;    // as many as the devices and instances of the records can make

constexpr size_t kCountsSize = 5;
constexpr size_t kSettingsSize = 3;
constexpr size_t kDriverSize = 14;
constexpr size_t kInstanceSize = 6;
constexpr size_t kRegionSize = 3;
constexpr size_t kDeviceSize = 7 + kMaxRegions * kRegionSize;
constexpr size_t kFaultSize = 3;
constexpr size_t kFaultsAt = 7;
static_assert(kOpSize == kFaultsAt + kMaxFaults * kFaultSize);
static_assert(kOpsAt == kCountsAt + kCountsSize + kSettingsSize + kDriverRecords * kDriverSize +
                            kInstanceRecords * kInstanceSize + kDeviceRecords * kDeviceSize);
constexpr size_t kMaxSize = kOpsAt + kMaxDecodedOps * kOpSize;

const RuleSet& AllRuleSet() {
  static const RuleSet kRules = [] {
    RuleSet rules;
    for (const RuleInfo& info : AllRules()) rules.add(info.rule);
    return rules;
  }();
  return kRules;
}

struct Numbered {
  KernelVersion version;
  RuleSet rules;
};
// By number. The numbers beyond the last version are the first nine again, so that saved inputs keep
// their meaning when a version is added.
constexpr int kFirstVersions = 9;
const Numbered& KernelOf(uint8_t number) {
  static const auto kKernels = [] {
    std::array<Numbered, kKernelVersionCount> kernels;
    for (const ProfileInfo& info : AllProfiles())
      kernels[info.number] = {info.version, ProfileOf(info.version).rules};
    return kernels;
  }();
  return kKernels[number < kKernelVersionCount ? number : number % kFirstVersions];
}

RuleSet DecodeRules(const uint8_t* r) {
  RuleSet::Words words{};
  for (size_t i = 0; i < kRulesSize; ++i) words[i / 8] |= uint64_t{r[i]} << (i % 8 * 8);
  return RuleSet(words) & AllRuleSet();
}

void EncodeRules(RuleSet rules, uint8_t* r) {
  for (size_t i = 0; i < kRulesSize; ++i)
    r[i] = static_cast<uint8_t>(rules.words()[i / 8] >> (i % 8 * 8));
}

constexpr bool Bit(uint8_t flags, int n) { return ((flags >> n) & 1) != 0; }

// "0 is none, n is entry n - 1"; numbers out of range are none.
uint8_t OptionalIndex(uint8_t byte, int count) {
  return byte >= 1 && byte <= count ? static_cast<uint8_t>(byte - 1) : kNoId;
}
uint8_t IndexByte(uint8_t index) { return static_cast<uint8_t>(index + 1); }

// --- the claim order as its rank among the permutations, in lexicographic order ---

constexpr int kFactorial[] = {120, 24, 6, 2, 1, 1};
constexpr int kOrders = 720;

std::array<Bus, kBusCount> OrderOfRank(int rank) {
  std::array<Bus, kBusCount> order = Driver{}.claim_order;
  for (size_t i = 0; rank != 0; ++i) {
    const int skip = rank / kFactorial[i];
    rank %= kFactorial[i];
    std::rotate(order.begin() + i, order.begin() + i + skip, order.begin() + i + skip + 1);
  }
  return order;
}

int RankOfOrder(const std::array<Bus, kBusCount>& order) {
  int rank = 0;
  for (size_t i = 0; i < order.size(); ++i)
    rank += kFactorial[i] * static_cast<int>(std::count_if(order.begin() + i, order.end(),
                                                           [&](Bus b) { return b < order[i]; }));
  return rank;
}

// --- decoding: each function reads one record ---

void DecodeKernel(const uint8_t* r, KernelSpec& out) {
  const auto& [version, rules] = KernelOf(r[0]);
  out.version = version;
  const RuleSet differ = DecodeRules(r + kRulesAt);
  out.dropped = differ & rules;
  out.added = differ - rules;
}

void DecodeCounts(const uint8_t* r, Topology& t) {
  t.firmware = static_cast<Firmware>(r[0] % 3);
  t.drivers_count = r[1] % (kDriverRecords + 1);
  t.tables_count = r[2] % (kTables + 1);
  t.instances_count = r[3] % (kInstanceRecords + 1);
  t.devices_count = r[4] % (kDeviceRecords + 1);
  if (t.drivers_count == 0) t.instances_count = 0;
  if (t.drivers_count != 0 && t.tables_count == 0) t.tables_count = 1;
}

// Errno numbers that a byte can hold, without 0, 41 and 58, which do not exist, and those from 134
// on.
constexpr int kErrnoEnd = 134;
constexpr bool HasErrno(int error) {
  return error > 0 && error < kErrnoEnd && error != 41 && error != 58;
}

bool DecodeRegion(const uint8_t* r, Region& out) {
  const int type = r[0] >> 5;
  if (type < 1 || type > static_cast<int>(Region::Type::kSwMsi)) return false;
  out.type = static_cast<Region::Type>(type);
  out.first = r[1] % kPages;
  out.last = static_cast<uint8_t>(out.first + r[2] % (kPages - out.first));
  return true;
}

// Decodes from the byte at `r` on. `member` and the members after it must be plain.
constexpr void DecodeAttribute(const AttributeInfo& attribute, const uint8_t* r, uint8_t* member) {
  using Kind = AttributeInfo::Kind;
  switch (attribute.kind) {
    case Kind::kName:
      *member = *r >> attribute.place.bit & (attribute.names.size() > 4 ? 7 : 3);
      // Beyond the last name it begins again.
      if (*member >= attribute.names.size())
        *member = static_cast<uint8_t>(*member - attribute.names.size());
      return;
    case Kind::kNumber:  // subtracted from the plain value
      *member = static_cast<uint8_t>(*member - *r % (*member + 1));
      return;
    case Kind::kErrno:
      if (HasErrno(255 - *r)) *member = static_cast<uint8_t>(255 - *r);
      return;
    case Kind::kRange:
      member[0] = r[0] % kPages;
      member[1] = static_cast<uint8_t>(kLastPage - r[1] % (kPages - member[0]));
      return;
    case Kind::kSizes:
      if (const int sizes = *r & ((1 << kPageSizes) - 1); Bit(*r, 7) && sizes != 0)
        *member = static_cast<uint8_t>(sizes);
      return;
    case Kind::kFlag:
      *member = Bit(*r, attribute.place.bit) ? attribute.value : uint8_t{attribute.value == 0};
      return;
    case Kind::kRegions:
    case Kind::kClaims:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      return;  // the functions of whole records decode these
  }
}

// The rows of an owner that have a byte.
struct StoredRows {
  std::array<AttributeInfo, 16> rows{};
  size_t count = 0;
};
constexpr std::array<StoredRows, 4> kStoredRows = [] {
  std::array<StoredRows, 4> all;
  for (const AttributeInfo& row : attribute_rows::kRows)
    if (row.place.byte != kNoByte) {
      StoredRows& of_owner = all[static_cast<size_t>(row.owner)];
      of_owner.rows[of_owner.count++] = row;
    }
  return all;
}();

// A fuzzer decodes a million cases a second. Inlined where the owner is known, the loop becomes a
// line of code for each row. `bus`: of a device; it gets no attribute of other buses.
[[gnu::always_inline]] inline void DecodeAttributes(Owner owner, const uint8_t* r, void* entry,
                                                    Bus bus = Bus::kPci) {
  const StoredRows& stored = kStoredRows[static_cast<size_t>(owner)];
#pragma GCC unroll 16
  for (size_t i = 0; i < stored.count; ++i) {
    const AttributeInfo& row = stored.rows[i];
    if (IsOn(row, bus))
      DecodeAttribute(row, r + row.place.byte, static_cast<uint8_t*>(entry) + row.at);
  }
}

void DecodeDriver(const uint8_t* r, const Topology& t, Driver& out) {
  DecodeAttributes(Owner::kDriver, r, &out);
  out.table = r[2] % t.tables_count;
  out.address = OptionalIndex(r[3], t.drivers_count);
  for (size_t bus = 0; bus < kBusCount; ++bus) out.claims[bus] = static_cast<Claim>(r[4 + bus] % 6);
  out.claim_order = OrderOfRank((r[10] | r[11] << 8) % kOrders);
}

void DecodeInstance(const uint8_t* r, const Topology& t, Instance& out) {
  out.driver = r[0] % t.drivers_count;
  out.table = r[2] % t.tables_count;
  DecodeAttributes(Owner::kInstance, r, &out);
}

// The last three of the byte's eight parts mean a device without an IOMMU.
DeviceKind KindOf(uint8_t byte) {
  const int part = byte >> 5;
  return part == 7 ? DeviceKind::kNoIommu : part >= 5 ? DeviceKind::kEmulated : DeviceKind::kReal;
}
uint8_t KindByte(DeviceKind kind) {
  return kind == DeviceKind::kNoIommu ? 7 << 5 : kind == DeviceKind::kEmulated ? 5 << 5 : 0;
}

void DecodeDevice(const uint8_t* r, const Topology& t, Device& out) {
  out.bus = static_cast<Bus>(r[0] % kBusCount);
  out.kind = KindOf(r[6]);
  DecodeAttributes(Owner::kDevice, r, &out, out.bus);
  if (out.kind != DeviceKind::kReal) {
    out.bridge = Bridge::kNone;
    out.acs = false;
    return;
  }
  if (r[1] != 0 && t.instances_count != 0)
    out.masters[0] = static_cast<InstanceId>((r[1] - 1) % t.instances_count);
  const InstanceId second = OptionalIndex(r[2], t.instances_count);
  if (out.masters[0] != kNoId && out.masters[0] != second) out.masters[1] = second;
  if (out.bus == Bus::kPci) out.alias = OptionalIndex(r[3], t.devices_count);
  if (out.bus == Bus::kPci) out.below = OptionalIndex(r[6] & kBelow, t.devices_count);
  if (out.bus == Bus::kPci || Bit(r[5], kHasStream)) out.slot = r[4] % kSlots;
  size_t regions = 0;
  for (size_t i = 0; i < kMaxRegions; ++i)
    if (DecodeRegion(r + 7 + i * kRegionSize, out.regions[regions])) ++regions;
}

// Drops links that a single record cannot check: to an address of a driver that itself has an
// address, to an alias that is not on the same bus of pci, to a bridge that is none.
void DropBadLinks(Topology& t) {
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    DriverId& address = t.drivers[d].address;
    if (address != kNoId && (address == d || t.drivers[address].address != kNoId)) address = kNoId;
  }
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    Device& device = t.devices[d];
    if (device.below == kNoId) continue;
    const Device& bridge = t.devices[device.below];
    if (device.below >= d || bridge.bridge == Bridge::kNone)
      device.below = kNoId;
    else
      device.absent |= bridge.absent;
  }
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    DeviceId& alias = t.devices[d].alias;
    if (alias == kNoId) continue;
    const Device& of = t.devices[alias];
    if (alias == d || of.bus != Bus::kPci || of.kind != DeviceKind::kReal ||
        of.below != t.devices[d].below)
      alias = kNoId;
  }
}

// Eight of the sixteen kinds mean no fault, so that random bytes rarely make one.
Fault DecodeFault(const uint8_t* r, const Topology& t) {
  Fault fault;
  const int kind = r[0] >> 4;
  if (kind == 0 || kind > kFaultKindCount) return fault;
  fault.kind = static_cast<Fault::Kind>(kind);
  const int target = r[0] & 15;
  fault.target = static_cast<uint8_t>(target + 1);
  fault.error = kAllocError;
  if (!InfoOf(fault.kind).has_errno) return fault;
  fault.error = static_cast<uint8_t>(r[2] % kErrnoEnd);
  if (!HasErrno(fault.error)) fault.error = EINVAL;
  if (!NamesDevice(fault)) return fault;
  if (t.devices_count == 0) return {};
  fault.target = static_cast<uint8_t>(target % t.devices_count);
  if (InfoOf(fault.kind).has_count && r[1] != 0) fault.count = r[1];
  return fault;
}

// The lower half of the bytes are the first eight codes, which the encodings know; code n also has
// byte 128 + n. The remaining bytes are the codes of the first version of this form again, so that
// saved inputs keep their meaning when a code is added.
constexpr int kFirstEncodedCodes = 8;
constexpr int kFirstCodes = 23;
const std::array<OpKind, 256> kKindOfByte = [] {
  std::array<OpKind, 256> kinds{};
  for (const OpInfo& op : AllOps())
    for (int byte = 0; byte < 256; ++byte)
      if (op.code == (byte < 128 ? byte % kFirstEncodedCodes : (byte - 128) % kFirstCodes))
        kinds[byte] = op.kind;
  // After all of these: a code's own byte is its own, wherever its row stands.
  for (const OpInfo& op : AllOps()) kinds[op.code + 128U] = op.kind;
  return kinds;
}();

// The lower half of the bytes mean type 1 version 2.
uint8_t DecodeIommuType(uint8_t byte) {
  return byte < 128 ? uint8_t{0} : static_cast<uint8_t>((byte - 128) % kIommuTypeCount);
}

const std::array<uint8_t, kOpKindCount> kFlagBits = [] {
  std::array<uint8_t, kOpKindCount> bits{};
  for (const OpInfo& op : AllOps()) bits[static_cast<size_t>(op.kind)] = op.flag_bits();
  return bits;
}();

// Flag byte 0 of a map means readable and writable. From 224 on the user is not privileged.
uint8_t DecodeFlags(OpKind kind, uint8_t byte) {
  const uint8_t bits = kFlagBits[static_cast<size_t>(kind)];
  if (bits == kUnprivileged) return byte >= 224 ? kUnprivileged : 0;
  if (kind == OpKind::kMap) byte ^= kRead | kWrite;
  return byte & bits;
}
uint8_t EncodeFlags(const Op& op) {
  if (op.kind == OpKind::kMap) return op.flags ^ (kRead | kWrite);
  return kFlagBits[static_cast<size_t>(op.kind)] == kUnprivileged && op.flags != 0 ? uint8_t{255}
                                                                                   : op.flags;
}

// How many values the operand can have in this topology.
int CountOf(Operand operand, const Topology& t) {
  switch (operand) {
    case Operand::kInstance:
      return t.instances_count;
    case Operand::kDevice:
      return t.devices_count;
    case Operand::kGroup:
      return kGroups;
    case Operand::kContainer:
      return kMaxContainers;
    case Operand::kNone:
    case Operand::kIommuType:
      break;
  }
  return 1;
}
uint8_t DecodeOperand(Operand operand, uint8_t byte, const Topology& t) {
  // Constants divide faster.
  if (operand == Operand::kGroup) return byte % kGroups;
  if (operand == Operand::kContainer) return byte % kMaxContainers;
  if (operand == Operand::kIommuType) return DecodeIommuType(byte);
  return static_cast<uint8_t>(byte % CountOf(operand, t));
}

// False if the topology has nothing that the op could name.
bool DecodeOp(const uint8_t* r, const Topology& t, Op& out) {
  out = {};
  out.kind = kKindOfByte[r[0]];
  const OpInfo& info = InfoOf(out.kind);
  if (CountOf(info.a, t) == 0) return false;
  out.a = DecodeOperand(info.a, r[1], t);
  if (info.b != Operand::kNone) out.b = DecodeOperand(info.b, r[2], t);
  if (info.is(OpInfo::kHasPages))
    out.at = {static_cast<uint8_t>(r[3] % kPages), static_cast<uint8_t>(r[4] % (kPages + 1))};
  if (info.is(OpInfo::kHasVaddr)) out.vaddr = r[5] % kPages;
  out.flags = DecodeFlags(out.kind, r[6]);
  for (size_t i = 0; i < kMaxFaults; ++i)
    out.faults[i] = DecodeFault(r + kFaultsAt + i * kFaultSize, t);
  return true;
}

// --- encoding ---

void EncodeKernel(const KernelSpec& kernel, uint8_t* r) {
  r[0] = InfoOf(kernel.version).number;
  EncodeRules(kernel.dropped | kernel.added, r + kRulesAt);
}

void EncodeRegion(const Region& region, uint8_t* r) {
  r[0] = static_cast<uint8_t>(static_cast<int>(region.type) << 5);
  r[1] = region.first;
  r[2] = static_cast<uint8_t>(region.last - region.first);
}

// The inverse of DecodeAttribute(). The bytes must be zero.
void EncodeAttribute(const AttributeInfo& attribute, const uint8_t* member, uint8_t plain,
                     uint8_t* r) {
  using Kind = AttributeInfo::Kind;
  switch (attribute.kind) {
    case Kind::kFlag:
      if (*member == attribute.value) *r = static_cast<uint8_t>(*r | 1 << attribute.place.bit);
      return;
    case Kind::kName:
      *r = static_cast<uint8_t>(*r | *member << attribute.place.bit);
      return;
    case Kind::kNumber:
      *r = static_cast<uint8_t>(plain - *member);
      return;
    case Kind::kErrno:
      if (*member != plain) *r = static_cast<uint8_t>(255 - *member);
      return;
    case Kind::kRange:
      r[0] = member[0];
      r[1] = static_cast<uint8_t>(kLastPage - member[1]);
      return;
    case Kind::kSizes:
      if (*member != plain) *r = static_cast<uint8_t>(1 << 7 | *member);
      return;
    case Kind::kRegions:
    case Kind::kClaims:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      return;
  }
}

void EncodeAttributes(Owner owner, const void* entry, uint8_t* r) {
  for (const AttributeInfo& attribute : AttributesOf(owner))
    if (attribute.place.byte != kNoByte)
      EncodeAttribute(attribute, static_cast<const uint8_t*>(entry) + attribute.at,
                      PlainEntry(owner)[attribute.at], r + attribute.place.byte);
}

void EncodeDriver(const Driver& d, uint8_t* r) {
  EncodeAttributes(Owner::kDriver, &d, r);
  r[2] = d.table;
  r[3] = IndexByte(d.address);
  for (size_t bus = 0; bus < kBusCount; ++bus) r[4 + bus] = static_cast<uint8_t>(d.claims[bus]);
  const int rank = RankOfOrder(d.claim_order);
  r[10] = static_cast<uint8_t>(rank);
  r[11] = static_cast<uint8_t>(rank >> 8);
}

void EncodeInstance(const Instance& i, uint8_t* r) {
  EncodeAttributes(Owner::kInstance, &i, r);
  r[0] = i.driver;
  r[2] = i.table;
}

void EncodeDevice(const Device& d, uint8_t* r) {
  EncodeAttributes(Owner::kDevice, &d, r);
  r[0] = static_cast<uint8_t>(d.bus);
  r[1] = IndexByte(d.masters[0]);
  r[2] = IndexByte(d.masters[1]);
  r[3] = IndexByte(d.alias);
  r[4] = d.slot;
  if (d.bus != Bus::kPci && d.slot != 0) r[5] = static_cast<uint8_t>(r[5] | 1 << kHasStream);
  r[6] = static_cast<uint8_t>(r[6] | KindByte(d.kind) | IndexByte(d.below));
  for (size_t i = 0; i < kMaxRegions; ++i) EncodeRegion(d.regions[i], r + 7 + i * kRegionSize);
}

void EncodeFault(const Fault& f, uint8_t* r) {
  const int target = NamesDevice(f) || f.kind == Fault::Kind::kNone ? f.target : f.target - 1;
  r[0] = static_cast<uint8_t>(static_cast<int>(f.kind) << 4 | (target & 15));
  r[1] = f.count;
  r[2] = f.error;
}

void EncodeOp(const Op& op, uint8_t* r) {
  const OpInfo& info = InfoOf(op.kind);
  r[0] = static_cast<uint8_t>(info.code < kFirstEncodedCodes ? info.code : info.code + 128);
  r[1] = op.a;
  r[2] = info.b == Operand::kIommuType && op.b != 0 ? static_cast<uint8_t>(op.b + 128) : op.b;
  r[3] = op.at.first;
  r[4] = op.at.count;
  r[5] = op.vaddr;
  r[6] = EncodeFlags(op);
  for (size_t i = 0; i < kMaxFaults; ++i) EncodeFault(op.faults[i], r + kFaultsAt + i * kFaultSize);
}

constexpr const char* kTooLarge = "the case is too large for the binary form";

}  // namespace

void DecodeBytes(std::span<const uint8_t> bytes, DecodedCase& out) {
  static const Topology kNoMachine;
  std::array<uint8_t, kMaxSize> padded;
  const size_t size = std::min(bytes.size(), kMaxSize);
  std::fill(std::copy_n(bytes.begin(), size, padded.begin()), padded.end(), uint8_t{0});

  const uint8_t* r = padded.data();
  DecodeKernel(r, out.kernel);
  out.topology = kNoMachine;
  Topology& t = out.topology;
  DecodeCounts(r + kCountsAt, t);
  DecodeAttributes(Owner::kSettings, r + kCountsAt + kCountsSize, &t.settings);
  r += kCountsAt + kCountsSize + kSettingsSize;
  for (int i = 0; i < t.drivers_count; ++i) DecodeDriver(r + i * kDriverSize, t, t.drivers[i]);
  r += kDriverRecords * kDriverSize;
  for (int i = 0; i < t.instances_count; ++i)
    DecodeInstance(r + i * kInstanceSize, t, t.instances[i]);
  r += kInstanceRecords * kInstanceSize;
  for (int i = 0; i < t.devices_count; ++i) DecodeDevice(r + i * kDeviceSize, t, t.devices[i]);
  r += kDeviceRecords * kDeviceSize;
  DropBadLinks(t);

  out.ops_count = 0;
  for (const uint8_t* const end = padded.data() + size; r < end; r += kOpSize)
    if (DecodeOp(r, t, out.ops[out.ops_count])) ++out.ops_count;
}

const char* EncodeBytes(const DecodedCase& c, std::vector<uint8_t>& bytes) {
  const Topology& t = c.topology;
  if (t.drivers_count > kDriverRecords || t.tables_count > kTables ||
      t.instances_count > kInstanceRecords || t.devices_count > kDeviceRecords)
    return kTooLarge;
  const auto ops = std::span(c.ops).first(static_cast<size_t>(c.ops_count));
  bytes.assign(kOpsAt + ops.size() * kOpSize, 0);
  uint8_t* r = bytes.data();
  EncodeKernel(c.kernel, r);
  const uint8_t counts[] = {static_cast<uint8_t>(t.firmware), t.drivers_count, t.tables_count,
                            t.instances_count, t.devices_count};
  std::ranges::copy(counts, r + kCountsAt);
  EncodeAttributes(Owner::kSettings, &t.settings, r + kCountsAt + kCountsSize);
  r += kCountsAt + kCountsSize + kSettingsSize;
  for (int i = 0; i < t.drivers_count; ++i) EncodeDriver(t.drivers[i], r + i * kDriverSize);
  r += kDriverRecords * kDriverSize;
  for (int i = 0; i < t.instances_count; ++i) EncodeInstance(t.instances[i], r + i * kInstanceSize);
  r += kInstanceRecords * kInstanceSize;
  for (int i = 0; i < t.devices_count; ++i) EncodeDevice(t.devices[i], r + i * kDeviceSize);
  r += kDeviceRecords * kDeviceSize;
  for (size_t i = 0; i < ops.size(); ++i) EncodeOp(ops[i], r + i * kOpSize);

  // Detects at once everything that does not fit into the records: a high slot, a late allocation.
  DecodedCase decoded;
  DecodeBytes(bytes, decoded);
  const bool same = decoded.kernel == c.kernel && decoded.topology == t &&
                    std::ranges::equal(std::span(decoded.ops).first(decoded.ops_count), ops);
  return same ? nullptr : "the case has a number too large for the binary form";
}

absl::StatusOr<std::vector<uint8_t>> EncodeBytes(const Case& c) {
  if (c.ops.size() > kMaxDecodedOps) return absl::InvalidArgumentError(kTooLarge);
  DecodedCase plain{.kernel = c.kernel, .topology = c.topology, .ops = {}};
  for (const CaseOp& op : c.ops) plain.ops[static_cast<size_t>(plain.ops_count++)] = op.op;
  std::vector<uint8_t> bytes;
  if (const char* wrong = EncodeBytes(plain, bytes)) return absl::InvalidArgumentError(wrong);
  return bytes;
}

Case ToCase(const DecodedCase& decoded) {
  Case c;
  c.kernel = decoded.kernel;
  c.topology = decoded.topology;
  c.names = DefaultNames(c.topology);
  for (const Op& op : std::span(decoded.ops).first(decoded.ops_count))
    c.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  Normalize(c);
  return c;
}

}  // namespace iommucheck
