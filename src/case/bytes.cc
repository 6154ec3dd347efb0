// SPDX-License-Identifier: Apache-2.0
#include "src/case/bytes.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "src/case/encoded.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

constexpr int kDriverRecords = 4;
constexpr int kTables = 8;
constexpr int kInstanceRecords = 6;
constexpr int kDeviceRecords = 8;
constexpr int kSlots = 16;
constexpr int kGroups = 16;  // as many as the records' devices and instances can make
constexpr int kMaskBytes = 5;
static_assert(kEncodedRuleCount <= kMaskBytes * 8);

constexpr size_t kHeaderSize = 1 + kMaskBytes + 5;
constexpr size_t kDriverSize = 12;
constexpr size_t kInstanceSize = 3;
constexpr size_t kDeviceSize = 6;
constexpr size_t kFaultSize = 3;
constexpr size_t kOpSize = 3 + kMaxFaults * kFaultSize;
constexpr size_t kFixedSize = kHeaderSize + kDriverRecords * kDriverSize +
                              kInstanceRecords * kInstanceSize + kDeviceRecords * kDeviceSize;
constexpr size_t kMaxSize = kFixedSize + kMaxDecodedOps * kOpSize;

constexpr uint64_t kRuleMask = (uint64_t{1} << kEncodedRuleCount) - 1;

const RuleSet& RulesOf(KernelVersion version) {
  static const auto kRules = [] {
    std::array<RuleSet, kKernelVersionCount> rules;
    for (KernelVersion v : kKernelVersions) rules[static_cast<size_t>(v)] = ProfileOf(v).rules;
    return rules;
  }();
  return kRules[static_cast<size_t>(version)];
}

RuleSet FromBits(uint64_t bits) {
  RuleSet rules;
  for (; bits != 0; bits &= bits - 1) rules.add(static_cast<Rule>(std::countr_zero(bits)));
  return rules;
}

constexpr bool Bit(uint8_t flags, int n) { return ((flags >> n) & 1) != 0; }

// "0 is none, n is entry n - 1"; what is out of range is none.
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

// --- decoding: each takes one record ---

void DecodeKernel(const uint8_t* r, KernelSpec& out) {
  out.version = kKernelVersions[r[0] % kKernelVersionCount];
  uint64_t mask = 0;
  for (int i = 0; i < kMaskBytes; ++i) mask |= uint64_t{r[1 + i]} << (8 * i);
  const uint64_t rules = RulesOf(out.version).words()[0];
  out.dropped = FromBits(mask & kRuleMask & rules);
  out.added = FromBits(mask & kRuleMask & ~rules);
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

void DecodeDriver(const uint8_t* r, const Topology& t, Driver& out) {
  out.unwinds = Bit(r[0], 0);
  out.clears = Bit(r[0], 1);
  out.same_instance = Bit(r[0], 2);
  out.instance_groups = Bit(r[0], 3);
  out.default_domains = !Bit(r[0], 4);
  out.coherent = !Bit(r[0], 5);
  out.accepts_foreign = Bit(r[0], 6);
  out.claims_once = Bit(r[0], 7);
  out.firmware = static_cast<Firmware>((r[1] & 3) % 3);
  out.refuses_foreign = Bit(r[1], 2);
  out.table = r[2] % t.tables_count;
  out.address = OptionalIndex(r[3], t.drivers_count);
  for (size_t bus = 0; bus < kBusCount; ++bus) out.claims[bus] = static_cast<Claim>(r[4 + bus] % 6);
  out.claim_order = OrderOfRank((r[10] | r[11] << 8) % kOrders);
}

void DecodeInstance(const uint8_t* r, const Topology& t, Instance& out) {
  out.driver = r[0] % t.drivers_count;
  out.fwnode = Bit(r[1], 0);
  out.enforces_coherency = !Bit(r[1], 1);
  out.table = r[2] % t.tables_count;
}

void DecodeDevice(const uint8_t* r, const Topology& t, Device& out) {
  out.bus = static_cast<Bus>(r[0] % kBusCount);
  if (r[1] != 0 && t.instances_count != 0)
    out.masters[0] = static_cast<InstanceId>((r[1] - 1) % t.instances_count);
  const InstanceId second = OptionalIndex(r[2], t.instances_count);
  if (out.masters[0] != kNoId && out.masters[0] != second) out.masters[1] = second;
  if (out.bus == Bus::kPci) {
    out.alias = OptionalIndex(r[3], t.devices_count);
    out.slot = r[4] % kSlots;
  }
  out.absent = Bit(r[5], 0);
}

// What one record cannot tell: an address is not of a driver that has one, an alias is of pci.
void DropBadLinks(Topology& t) {
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    DriverId& address = t.drivers[d].address;
    if (address != kNoId && (address == d || t.drivers[address].address != kNoId)) address = kNoId;
  }
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    DeviceId& alias = t.devices[d].alias;
    if (alias != kNoId && (alias == d || t.devices[alias].bus != Bus::kPci)) alias = kNoId;
  }
}

// Thirteen of the sixteen kinds are none, so that random bytes are not faults most of the time.
Fault DecodeFault(const uint8_t* r, const Topology& t) {
  Fault fault;
  const int kind = r[0] >> 4;
  if (kind == 0 || kind > static_cast<int>(Fault::Kind::kProbe)) return fault;
  fault.kind = static_cast<Fault::Kind>(kind);
  if (fault.kind == Fault::Kind::kAlloc) {
    fault.target = static_cast<uint8_t>((r[0] & 15) + 1);
    fault.error = kAllocError;
    return fault;
  }
  if (t.devices_count == 0) return {};
  fault.target = static_cast<uint8_t>((r[0] & 15) % t.devices_count);
  if (fault.kind == Fault::Kind::kAttach && r[1] != 0) fault.count = r[1];
  // There is no errno 0, 41 or 58, nor any from 134 on that a fault can have.
  fault.error = static_cast<uint8_t>(r[2] % 134);
  if (fault.error == 0 || fault.error == 41 || fault.error == 58) fault.error = EINVAL;
  return fault;
}

// False if the topology has nothing that the op could name.
bool DecodeOp(const uint8_t* r, const Topology& t, Op& out) {
  out = {};
  out.kind = static_cast<OpKind>(r[0] % kEncodedOpCount);
  int count = 0;
  switch (OperandOf(out.kind)) {
    case Operand::kInstance:
      count = t.instances_count;
      break;
    case Operand::kDevice:
      count = t.devices_count;
      break;
    case Operand::kGroup:
      count = kGroups;
      break;
    case Operand::kContainer:
      count = kMaxContainers;
      break;
  }
  if (count == 0) return false;
  out.a = static_cast<uint8_t>(r[1] % count);
  if (out.kind == OpKind::kSetContainer) out.b = r[2] % kMaxContainers;
  for (size_t i = 0; i < kMaxFaults; ++i) out.faults[i] = DecodeFault(r + 3 + i * kFaultSize, t);
  return true;
}

// --- encoding ---

void EncodeKernel(const KernelSpec& kernel, uint8_t* r) {
  r[0] = static_cast<uint8_t>(kernel.version);
  const uint64_t mask = (kernel.dropped | kernel.added).words()[0];
  for (int i = 0; i < kMaskBytes; ++i) r[1 + i] = static_cast<uint8_t>(mask >> (8 * i));
}

void EncodeDriver(const Driver& d, uint8_t* r) {
  r[0] = static_cast<uint8_t>(d.unwinds | d.clears << 1 | d.same_instance << 2 |
                              d.instance_groups << 3 | !d.default_domains << 4 | !d.coherent << 5 |
                              d.accepts_foreign << 6 | d.claims_once << 7);
  r[1] = static_cast<uint8_t>(static_cast<uint8_t>(d.firmware) | d.refuses_foreign << 2);
  r[2] = d.table;
  r[3] = IndexByte(d.address);
  for (size_t bus = 0; bus < kBusCount; ++bus) r[4 + bus] = static_cast<uint8_t>(d.claims[bus]);
  const int rank = RankOfOrder(d.claim_order);
  r[10] = static_cast<uint8_t>(rank);
  r[11] = static_cast<uint8_t>(rank >> 8);
}

void EncodeInstance(const Instance& i, uint8_t* r) {
  r[0] = i.driver;
  r[1] = static_cast<uint8_t>(i.fwnode | !i.enforces_coherency << 1);
  r[2] = i.table;
}

void EncodeDevice(const Device& d, uint8_t* r) {
  r[0] = static_cast<uint8_t>(d.bus);
  r[1] = IndexByte(d.masters[0]);
  r[2] = IndexByte(d.masters[1]);
  r[3] = IndexByte(d.alias);
  r[4] = d.slot;
  r[5] = d.absent;
}

void EncodeFault(const Fault& f, uint8_t* r) {
  const int target = f.kind == Fault::Kind::kAlloc ? f.target - 1 : f.target;
  r[0] = static_cast<uint8_t>(static_cast<int>(f.kind) << 4 | (target & 15));
  r[1] = f.count;
  r[2] = f.error;
}

void EncodeOp(const Op& op, uint8_t* r) {
  r[0] = static_cast<uint8_t>(op.kind);
  r[1] = op.a;
  r[2] = op.b;
  for (size_t i = 0; i < kMaxFaults; ++i) EncodeFault(op.faults[i], r + 3 + i * kFaultSize);
}

bool SameOps(const DecodedCase& decoded, const Case& c) {
  return std::ranges::equal(std::span(decoded.ops).first(decoded.ops_count), c.ops, {}, {},
                            &CaseOp::op);
}

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
  DecodeCounts(r + 1 + kMaskBytes, t);
  r += kHeaderSize;
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

absl::StatusOr<std::vector<uint8_t>> EncodeBytes(const Case& c) {
  const Topology& t = c.topology;
  if (t.drivers_count > kDriverRecords || t.tables_count > kTables ||
      t.instances_count > kInstanceRecords || t.devices_count > kDeviceRecords ||
      c.ops.size() > kMaxDecodedOps)
    return absl::InvalidArgumentError("the case is too large for the binary form");

  std::vector<uint8_t> bytes(kFixedSize + c.ops.size() * kOpSize);
  uint8_t* r = bytes.data();
  EncodeKernel(c.kernel, r);
  const uint8_t counts[] = {static_cast<uint8_t>(t.firmware), t.drivers_count, t.tables_count,
                            t.instances_count, t.devices_count};
  std::ranges::copy(counts, r + 1 + kMaskBytes);
  r += kHeaderSize;
  for (int i = 0; i < t.drivers_count; ++i) EncodeDriver(t.drivers[i], r + i * kDriverSize);
  r += kDriverRecords * kDriverSize;
  for (int i = 0; i < t.instances_count; ++i) EncodeInstance(t.instances[i], r + i * kInstanceSize);
  r += kInstanceRecords * kInstanceSize;
  for (int i = 0; i < t.devices_count; ++i) EncodeDevice(t.devices[i], r + i * kDeviceSize);
  r += kDeviceRecords * kDeviceSize;
  for (size_t i = 0; i < c.ops.size(); ++i) EncodeOp(c.ops[i].op, r + i * kOpSize);

  // The one test for what the records have no room for: a high slot, a late allocation.
  DecodedCase decoded;
  DecodeBytes(bytes, decoded);
  if (decoded.kernel != c.kernel || decoded.topology != t || !SameOps(decoded, c))
    return absl::InvalidArgumentError("the case has a number too large for the binary form");
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
