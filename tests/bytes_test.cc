// SPDX-License-Identifier: Apache-2.0
#include "src/case/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "src/case/encoded.h"
#include "src/case/repair.h"
#include "tests/given.h"
#include "tests/seen.h"

namespace iommucheck {
namespace {

// A few ops more than fit.
constexpr size_t kMostBytes = kOpsAt + (kMaxDecodedOps + 4) * kOpSize;

std::vector<uint8_t> RandomBytes(std::mt19937_64& words, size_t size) {
  std::vector<uint8_t> bytes(size);
  const bool small = words() % 2 == 0;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(words() % (small ? 8 : 256));
  return bytes;
}

std::vector<Op> Ops(const DecodedCase& c) { return {c.ops.begin(), c.ops.begin() + c.ops_count}; }

std::vector<Op> Ops(const Case& c) {
  std::vector<Op> ops;
  for (const CaseOp& op : c.ops) ops.push_back(op.op);
  return ops;
}

RuleSet EveryRule() {
  RuleSet rules;
  for (const RuleInfo& info : AllRules()) rules.add(info.rule);
  return rules;
}

TEST(Bytes, AnyBytesMakeAValidCase) {
  std::mt19937_64 words(1);
  DecodedCase c;
  for (int n = 0; n < 20000; ++n) {
    DecodeBytes(RandomBytes(words, words() % kMostBytes), c);
    ASSERT_TRUE(Validate(c.topology).ok()) << Validate(c.topology);
    for (const Op& op : Ops(c)) ASSERT_TRUE(Validate(op, c.topology).ok());
  }
}

TEST(Bytes, NoBytesMakeAnEmptyCaseOfTheOldestKernel) {
  DecodedCase c;
  DecodeBytes({}, c);
  EXPECT_EQ(c.kernel, (KernelSpec{KernelVersion::kV5_15, {}, {}}));
  EXPECT_EQ(c.topology, Topology{});
  EXPECT_EQ(c.ops_count, 0);
}

// Inputs of small bytes stay within the encoded part of the model, as the inputs did that fuzzers
// found before the model had mappings.
TEST(Bytes, SmallBytesAreMostlyWhatIsEncoded) {
  std::mt19937_64 words(6);
  DecodedCase c;
  for (int n = 0; n < 2000; ++n) {
    std::vector<uint8_t> bytes(kMostBytes);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(words() % 8);
    DecodeBytes(bytes, c);
    for (const Op& op : Ops(c)) ASSERT_TRUE(IsEncoded(op));
    for (const Device& device : c.topology.devices) ASSERT_EQ(device.kind, DeviceKind::kReal);
    for (const Driver& driver : c.topology.drivers) {
      ASSERT_FALSE(driver.deferred || driver.drops_old || driver.checks_snoop);
      ASSERT_EQ(driver.mismatch_errno, 0);
    }
  }
}

TEST(Bytes, RandomBytesSayAllThatTheModelKnows) {
  std::mt19937_64 words(7);
  DecodedCase c;
  Seen seen;
  RuleSet changed;
  int two_ends = 0;
  int two_regions = 0;
  int other_types = 0;
  for (int n = 0; n < 2000; ++n) {
    DecodeBytes(RandomBytes(words, kMostBytes), c);
    seen.Add(c);
    changed = changed | c.kernel.dropped | c.kernel.added;
    for (const Instance& i : c.topology.instances)
      two_ends += i.aperture_first != 0 && i.aperture_last != kLastPage;
    for (const Device& d : c.topology.devices)
      two_regions += d.regions[1].type != Region::Type::kNone;
    for (const Op& op : Ops(c)) other_types += op.kind == OpKind::kSetIommu && op.b != 0;
  }
  seen.ExpectAll();
  EXPECT_EQ(changed, EveryRule());
  EXPECT_GT(two_ends, 0);
  EXPECT_GT(two_regions, 0);
  EXPECT_GT(other_types, 0);
}

TEST(Bytes, NothingOfTheCaseBeforeIsLeft) {
  std::mt19937_64 words(2);
  DecodedCase used;
  for (int n = 0; n < 2000; ++n) {
    const std::vector<uint8_t> bytes = RandomBytes(words, words() % kMostBytes);
    DecodedCase fresh;
    DecodeBytes(bytes, fresh);
    DecodeBytes(bytes, used);
    ASSERT_EQ(used.kernel, fresh.kernel);
    ASSERT_EQ(used.topology, fresh.topology);
    ASSERT_EQ(Ops(used), Ops(fresh));
  }
}

void ExpectRoundTrip(const Case& c) {
  const auto bytes = EncodeBytes(c);
  ASSERT_TRUE(bytes.ok()) << bytes.status() << "\n" << PrintCase(c);
  DecodedCase decoded;
  DecodeBytes(*bytes, decoded);
  EXPECT_EQ(decoded.kernel, c.kernel);
  EXPECT_EQ(decoded.topology, c.topology);
  EXPECT_EQ(Ops(decoded), Ops(c));
}

TEST(Bytes, EncodeAndDecodeGiveTheSame) {
  std::mt19937_64 words(3);
  DecodedCase decoded;
  for (int n = 0; n < 20000; ++n) {
    DecodeBytes(RandomBytes(words, words() % kMostBytes), decoded);
    ExpectRoundTrip(ToCase(decoded));
  }
}

TEST(Bytes, CasesOfTheCorpusRoundTrip) {
  for (const auto& [name, c] : CorpusCases()) {
    SCOPED_TRACE(name);
    // Large machines fit only into the text form.
    if (c.topology.devices_count <= 8 && c.topology.drivers_count <= 4 &&
        c.topology.instances_count <= 6 && c.topology.tables_count <= 8 && c.ops.size() <= 64)
      ExpectRoundTrip(c);
  }
}

TEST(Bytes, EveryClaimOrderIsKept) {
  Case c;
  c.topology.drivers_count = 1;
  c.topology.tables_count = 1;
  c.topology.drivers[0].claims.fill(Claim::kStrict);
  std::array<Bus, kBusCount>& order = c.topology.drivers[0].claim_order;
  int orders = 0;
  do {
    ExpectRoundTrip(c);
    ++orders;
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(orders, 720);
}

TEST(Bytes, CasesBeyondTheRecordsAreRefused) {
  Case c;
  c.topology.drivers_count = 5;
  c.topology.tables_count = 1;
  EXPECT_EQ(EncodeBytes(c).status().message(), "the case is too large for the binary form");
  c.topology.drivers_count = 1;
  c.topology.devices_count = 1;
  c.topology.devices[0].slot = 16;
  EXPECT_EQ(EncodeBytes(c).status().message(),
            "the case has a number too large for the binary form");
  c.topology.devices[0].slot = 15;
  EXPECT_TRUE(EncodeBytes(c).ok());
}

// The slot byte of a device that is not on pci counts only with its flag. The flag came later, so
// that older inputs decode as before.
TEST(Bytes, AStreamIdHasAFlag) {
  Case c;
  c.topology.devices_count = 1;
  c.topology.devices[0].bus = Bus::kPlatform;
  c.topology.devices[0].slot = 7;
  const auto bytes = EncodeBytes(c);
  ASSERT_TRUE(bytes.ok());
  DecodedCase decoded;
  DecodeBytes(*bytes, decoded);
  EXPECT_EQ(decoded.topology, c.topology);
  c.topology.devices[0].slot = 0;
  const auto without = EncodeBytes(c);
  ASSERT_TRUE(without.ok());
  std::vector<uint8_t> before = *bytes;
  for (size_t i = 0; i < before.size(); ++i)
    if (before[i] == 0x80 && (*without)[i] == 0) before[i] = 0;
  EXPECT_EQ(std::ranges::count(before, 7), 1);
  DecodeBytes(before, decoded);
  EXPECT_EQ(decoded.topology, c.topology);
}

TEST(Repair, LeavesNoAssumptionBroken) {
  std::mt19937_64 words(4);
  DecodedCase c;
  for (int n = 0; n < 20000; ++n) {
    DecodeBytes(RandomBytes(words, kOpsAt), c);
    RuleSet rules = EveryRule();
    for (const RuleInfo& info : AllRules())
      if (words() % 4 == 0) rules.drop(info.rule);
    Repair(c.topology, rules);
    ASSERT_EQ(BrokenAssumption(c.topology, rules), std::nullopt);
    ASSERT_TRUE(Validate(c.topology).ok()) << Validate(c.topology);
  }
}

TEST(Repair, ChangesNothingThatIsNotBroken) {
  std::mt19937_64 words(5);
  DecodedCase c;
  for (int n = 0; n < 20000; ++n) {
    DecodeBytes(RandomBytes(words, kOpsAt), c);
    if (BrokenAssumption(c.topology, EveryRule())) Repair(c.topology, EveryRule());
    const Topology before = c.topology;
    Repair(c.topology, EveryRule());
    ASSERT_EQ(c.topology, before);
  }
}

TEST(Repair, WorksWithEveryTableInUse) {
  Topology t;
  t.drivers_count = kMaxDrivers;
  t.tables_count = kMaxTables;
  t.instances_count = kMaxInstances;
  for (int i = 0; i < kMaxInstances; ++i) t.instances[i].table = static_cast<TableId>(i);
  Repair(t, EveryRule());
  EXPECT_EQ(BrokenAssumption(t, EveryRule()), std::nullopt);
  EXPECT_TRUE(Validate(t).ok()) << Validate(t);
}

}  // namespace
}  // namespace iommucheck
