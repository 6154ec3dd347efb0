// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <z3++.h>

#include <algorithm>
#include <random>

#include "src/case/encoded.h"
#include "src/report/text.h"
#include "src/smt/needed.h"
#include "src/smt/query.h"
#include "src/smt/solver.h"
#include "src/smt/unrolling.h"

namespace iommucheck::smt {
namespace {

using enum OpKind;

constexpr Property kAttach = Property::kNoCrossDriverAttach;
constexpr Property kReuse = Property::kNoCrossDriverReuse;

KernelSpec Kernel(KernelVersion version, std::initializer_list<Rule> dropped = {},
                  std::initializer_list<Rule> added = {}) {
  KernelSpec spec{.version = version, .dropped = {}, .added = {}};
  for (Rule rule : dropped) spec.dropped.add(rule);
  for (Rule rule : added) spec.added.add(rule);
  return spec;
}

void Add(Case& c, OpKind kind, int a, int b = 0) {
  c.ops.push_back({.op = {.kind = kind, .a = static_cast<uint8_t>(a), .b = static_cast<uint8_t>(b)},
                   .expected = std::nullopt,
                   .comment = ""});
}

// Two drivers with a table and an instance each; dev0 behind the first, dev1 behind the second, on
// pci and platform, which their drivers claim.
Case TwoDrivers(const KernelSpec& kernel) {
  Case c;
  c.kernel = kernel;
  Topology& t = c.topology;
  t.drivers_count = t.tables_count = t.instances_count = t.devices_count = 2;
  for (uint8_t i = 0; i < 2; ++i) {
    t.drivers[i].table = t.instances[i].table = t.instances[i].driver = i;
    t.devices[i].masters[0] = i;
    t.devices[i].bus = i == 0 ? Bus::kPci : Bus::kPlatform;
    t.drivers[i].claims[static_cast<size_t>(t.devices[i].bus)] = Claim::kStrict;
  }
  return c;
}

Replay RunCase(const Case& c) {
  const absl::StatusOr<Replay> replay = ReplayInSolver(c);
  EXPECT_TRUE(replay.ok()) << replay.status();
  return replay.ok() ? *replay : Replay{};
}

QueryResult Ask(Property property, const KernelSpec& kernel, const Bounds& bounds) {
  const absl::StatusOr<QueryResult> result = Query(property, kernel, bounds);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : QueryResult{};
}

struct Expected {
  Property property;
  KernelSpec kernel;
  Bounds bounds;
  Verdict verdict;
  size_t steps = 0;
  int devices = 0;
};

class Queries : public testing::TestWithParam<Expected> {};

TEST_P(Queries, FindTheSmallestCase) {
  const Expected& expected = GetParam();
  const QueryResult result = Ask(expected.property, expected.kernel, expected.bounds);
  ASSERT_EQ(result.verdict, expected.verdict) << result.reason;
  EXPECT_GT(result.resources, 0U);
  if (expected.verdict != Verdict::kViolated) return;
  EXPECT_EQ(result.found.ops.size(), expected.steps);
  EXPECT_EQ(result.found.topology.devices_count, expected.devices);
  EXPECT_EQ(result.proved_steps, static_cast<int>(expected.steps) - 1);
  // The case alone violates the property when it is played, at its last step and not before.
  Case found = result.found;
  const Replay replay = RunCase(found);
  EXPECT_TRUE(replay.possible);
  EXPECT_TRUE(replay.violated[static_cast<size_t>(expected.property)]);
  found.ops.pop_back();
  EXPECT_FALSE(RunCase(found).violated[static_cast<size_t>(expected.property)]);
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, Queries,
    testing::Values(
        // Two drivers on two buses, both groups in one container: five steps, in any order.
        Expected{kReuse,
                 Kernel(KernelVersion::kV6_0, {Rule::kType1SameOps},
                        {Rule::kAssumeBusOpsNotReplaced, Rule::kAssumeHomogeneousGroups}),
                 {.devices = 3, .steps = 6},
                 Verdict::kViolated,
                 5,
                 2},
        // The comparison is in place, tables are not shared, slots are not replaced.
        Expected{kReuse,
                 Kernel(KernelVersion::kV6_0, {},
                        {Rule::kAssumeBusOpsNotReplaced, Rule::kAssumeHomogeneousGroups}),
                 {.devices = 2, .steps = 5},
                 Verdict::kHolds},
        // As before, but two drivers may share a table.
        Expected{kReuse,
                 Kernel(KernelVersion::kV6_0, {Rule::kAssumeTablesNotShared},
                        {Rule::kAssumeBusOpsNotReplaced, Rule::kAssumeHomogeneousGroups}),
                 {.devices = 2, .steps = 5},
                 Verdict::kViolated,
                 5,
                 2},
        // A second driver overwrites the slot of a probed device; its claim allocates from the
        // slot.
        Expected{kAttach,
                 Kernel(KernelVersion::kV6_0),
                 {.devices = 2, .steps = 4},
                 Verdict::kViolated,
                 3,
                 1},
        // One driver in the system.
        Expected{kReuse, Kernel(KernelVersion::kV6_1), {.devices = 3, .steps = 5}, Verdict::kHolds},
        Expected{
            kAttach, Kernel(KernelVersion::kV6_1), {.devices = 2, .steps = 5}, Verdict::kHolds},
        // configure puts a device of B into the group of A's, which is on A's default domain.
        Expected{kAttach,
                 Kernel(KernelVersion::kV6_12),
                 {.devices = 3, .steps = 5},
                 Verdict::kViolated,
                 3,
                 2},
        Expected{kAttach,
                 Kernel(KernelVersion::kV6_12, {}, {Rule::kCoreOwnerEvery}),
                 {.devices = 2, .steps = 4},
                 Verdict::kHolds},
        // Without both comparisons one group of each driver is enough, but B's device has a fwspec
        // only after configure.
        Expected{kReuse,
                 Kernel(KernelVersion::kV6_12, {Rule::kCoreOwnerFirst, Rule::kType1SameOps},
                        {Rule::kAssumeHomogeneousGroups, Rule::kAssumeNoUnregisterWhenAttached}),
                 {.devices = 2, .steps = 6},
                 Verdict::kViolated,
                 6,
                 2},
        // As before, but one device is behind instances of both: its first group outlives the first
        // driver.
        Expected{kReuse,
                 Kernel(KernelVersion::kV6_12, {Rule::kCoreOwnerFirst, Rule::kType1SameOps}),
                 {.devices = 1, .steps = 6},
                 Verdict::kViolated,
                 6,
                 1},
        // The first device of a mixed group gives B's ops; no configure is needed here.
        Expected{kReuse,
                 Kernel(KernelVersion::kV7_1),
                 {.devices = 3, .steps = 5},
                 Verdict::kViolated,
                 5,
                 3}));

TEST(Query, IsTheSameEachTime) {
  const KernelSpec kernel = Kernel(KernelVersion::kV6_12);
  const Bounds bounds{.devices = 2, .steps = 4};
  const QueryResult first = Ask(kAttach, kernel, bounds);
  const QueryResult second = Ask(kAttach, kernel, bounds);
  EXPECT_EQ(first.found, second.found);
  EXPECT_EQ(first.resources, second.resources);
}

TEST(Query, FindsPlainCases) {
  const QueryResult result =
      Ask(kAttach, Kernel(KernelVersion::kV6_12), {.devices = 3, .steps = 5});
  const Topology& t = result.found.topology;
  ASSERT_EQ(t.drivers_count, 2);
  ASSERT_EQ(t.instances_count, 2);
  for (int r = 0; r < 2; ++r) {
    Driver plain;
    plain.table = static_cast<TableId>(r);
    EXPECT_EQ(t.drivers[r], plain);
  }
  for (int d = 0; d < 2; ++d) EXPECT_EQ(t.devices[d].masters[1], kNoId);
  ASSERT_EQ(result.found.expectations.size(), 1U);
  EXPECT_EQ(result.found.expectations[0].at, 3);
}

TEST(Query, RunsOutOfBudget) {
  const QueryResult result =
      Ask(kReuse, Kernel(KernelVersion::kV6_12), {.devices = 3, .steps = 6, .budget = 1000});
  EXPECT_EQ(result.verdict, Verdict::kUnknown);
  EXPECT_FALSE(result.reason.empty());
  EXPECT_LT(result.proved_steps, 6);
}

TEST(Query, RefusesBounds) {
  const KernelSpec kernel;
  EXPECT_FALSE(Query(kReuse, kernel, {.devices = 0}).ok());
  EXPECT_FALSE(Query(kReuse, kernel, {.devices = kMaxBoundDevices + 1}).ok());
  EXPECT_FALSE(Query(kReuse, kernel, {.devices = 2, .steps = kMaxBoundSteps + 1}).ok());
}

TEST(Query, WritesSmtLib) {
  for (KernelVersion version : {KernelVersion::kV6_1, KernelVersion::kV6_12}) {
    const absl::StatusOr<QueryResult> result =
        Query(kAttach, Kernel(version), {.devices = 2, .steps = 4}, true);
    ASSERT_TRUE(result.ok());
    ASSERT_FALSE(result->smt2.empty());
    z3::context context;
    z3::solver solver(context);
    solver.from_string(result->smt2.c_str());
    EXPECT_EQ(solver.check(), result->verdict == Verdict::kHolds ? z3::unsat : z3::sat);
  }
}

// Replays, with the errnos that docs/model.md gives.

TEST(Replay, BusSlotIsTakenOnce) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_0));
  c.topology.drivers[1].claims = c.topology.drivers[0].claims;
  c.topology.devices[1].bus = Bus::kPci;
  Add(c, kRegister, 0);
  Add(c, kRegister, 1);
  const Replay replay = RunCase(c);
  EXPECT_EQ(replay.errors, (std::vector<int>{0, -16}));
  EXPECT_EQ(replay.device_driver, (std::vector<uint8_t>{0, kNoId}));
}

TEST(Replay, GroupsOfTwoDriversStayApart) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_0));
  for (int i = 0; i < 2; ++i) Add(c, kRegister, i);
  for (int g = 0; g < 2; ++g) Add(c, kSetContainer, g);
  Add(c, kSetIommu, 0);
  Replay replay = RunCase(c);
  EXPECT_EQ(replay.errors, std::vector<int>(5, 0));
  EXPECT_EQ(replay.device_hw_driver, (std::vector<uint8_t>{0, 1}));
  EXPECT_NE(replay.device_vfio[0], replay.device_vfio[1]);
  EXPECT_FALSE(replay.violated[0] || replay.violated[1]);

  c.kernel.dropped.add(Rule::kType1SameOps);
  replay = RunCase(c);
  EXPECT_EQ(replay.device_vfio[0], replay.device_vfio[1]);
  // The head of the container's list is group 1, of driver 1.
  EXPECT_EQ(replay.device_hw_driver, (std::vector<uint8_t>{1, 1}));
  EXPECT_TRUE(replay.violated[static_cast<size_t>(kReuse)]);

  c.kernel.added.add(Rule::kDriverSameInstance);
  replay = RunCase(c);
  EXPECT_EQ(replay.errors, std::vector<int>(5, 0));  // it is attached to its new domain again
  EXPECT_NE(replay.device_vfio[0], replay.device_vfio[1]);
  EXPECT_FALSE(replay.violated[0] || replay.violated[1]);
}

TEST(Replay, OneDriverPerSystem) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_1));
  Add(c, kRegister, 1);
  Add(c, kRegister, 0);
  Add(c, kUnregister, 1);
  Add(c, kRegister, 0);
  Replay replay = RunCase(c);
  EXPECT_EQ(replay.errors, (std::vector<int>{0, -16, 0, -16}));  // the slots stay
  EXPECT_EQ(replay.device_driver, (std::vector<uint8_t>{kNoId, kNoId}));
  c.kernel.dropped.add(Rule::kRegisterStickyOps);
  replay = RunCase(c);
  EXPECT_EQ(replay.errors, (std::vector<int>{0, -16, 0, 0}));
  EXPECT_EQ(replay.device_driver, (std::vector<uint8_t>{0, kNoId}));
}

TEST(Replay, FwnodeOfTheFirmware) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_12));
  c.topology.instances[1].fwnode = true;
  Add(c, kConfigure, 1);
  Add(c, kRegister, 1);
  Add(c, kConfigure, 1);
  Add(c, kRegister, 0);
  Replay replay = RunCase(c);
  EXPECT_EQ(replay.errors, (std::vector<int>{-517, 0, 0, 0}));
  EXPECT_EQ(replay.device_driver, (std::vector<uint8_t>{0, 1}));
  EXPECT_EQ(replay.device_hw_driver, (std::vector<uint8_t>{0, 1}));

  c.kernel = Kernel(KernelVersion::kV7_1);
  c.ops.resize(2);
  EXPECT_EQ(RunCase(c).device_driver, (std::vector<uint8_t>{kNoId, 1}));
}

TEST(Replay, ContainerErrnos) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_12));
  Add(c, kRegister, 0);
  Add(c, kSetIommu, 0);        // the container has no groups
  Add(c, kUnsetContainer, 0);  // the group is in no container
  Add(c, kSetContainer, 0, 1);
  Add(c, kSetContainer, 0, 0);  // the group is in a container already
  Add(c, kSetIommu, 1);
  Add(c, kSetIommu, 1);
  Add(c, kUnsetContainer, 0);
  Replay replay = RunCase(c);
  EXPECT_EQ(replay.errors, (std::vector<int>{0, -22, -22, 0, -22, 0, -22, 0}));
  EXPECT_EQ(replay.device_vfio[0], kNoId);

  c.topology.drivers[0].coherent = false;
  replay = RunCase(c);
  EXPECT_EQ(replay.errors, (std::vector<int>{0, -22, -22, -2, -2, -22, -22, -22}));
}

TEST(Replay, LastDeviceTakesItsGroupOut) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_1));
  Add(c, kRegister, 0);
  Add(c, kSetContainer, 0);
  Add(c, kSetIommu, 0);
  Add(c, kRemove, 0);
  Add(c, kSetContainer, 0);
  Replay replay = RunCase(c);
  EXPECT_FALSE(replay.possible);  // the group does not exist any more
  EXPECT_EQ(replay.impossible_at, 5);
  c.kernel = Kernel(KernelVersion::kV6_0);
  c.topology.drivers[0].claims[static_cast<size_t>(Bus::kPlatform)] = Claim::kStrict;
  replay = RunCase(c);
  EXPECT_TRUE(replay.possible);
  EXPECT_EQ(replay.errors, (std::vector<int>{0, 0, 0, 0, -22}));  // it is still in the container
}

TEST(Replay, Assumptions) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_0));
  c.topology.drivers[1].accepts_foreign = true;
  Add(c, kRegister, 0);
  Replay replay = RunCase(c);
  EXPECT_FALSE(replay.possible);
  EXPECT_EQ(replay.impossible_at, 0);

  c = TwoDrivers(Kernel(KernelVersion::kV6_0, {}, {Rule::kAssumeBusOpsNotReplaced}));
  c.topology.drivers[1].claims[static_cast<size_t>(Bus::kPci)] = Claim::kStore;
  Add(c, kRegister, 0);
  Add(c, kRegister, 1);
  replay = RunCase(c);
  EXPECT_FALSE(replay.possible);
  EXPECT_EQ(replay.impossible_at, 2);
}

TEST(Replay, FaultsAreNotEncoded) {
  Case c = TwoDrivers(Kernel(KernelVersion::kV6_0));
  Add(c, kRegister, 0);
  c.ops[0].op.faults[0].kind = Fault::Kind::kAlloc;
  EXPECT_FALSE(RunCase(c).supported);
}

// The facts that queries rely on are true in random machines and runs; a replay fails if they are
// not.
class RandomCase {
 public:
  explicit RandomCase(unsigned seed) : random_(seed) {}
  Case Make();

 private:
  int Pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  bool Coin() { return Pick(2) == 1; }
  void MakeTopology(Topology& t);
  std::mt19937 random_;
};

void RandomCase::MakeTopology(Topology& t) {
  t.drivers_count = static_cast<uint8_t>(1 + Pick(3));
  t.tables_count = 4;
  t.instances_count = static_cast<uint8_t>(1 + Pick(4));
  t.devices_count = static_cast<uint8_t>(1 + Pick(4));
  for (int r = 0; r < t.drivers_count; ++r) {
    Driver& driver = t.drivers[r];
    for (Claim& claim : driver.claims) claim = static_cast<Claim>(Pick(6));
    driver.unwinds = Coin();
    driver.clears = Coin();
    driver.table = static_cast<TableId>(Pick(4));
    driver.same_instance = Pick(3) == 0;
    driver.instance_groups = Pick(4) == 0;
    driver.default_domains = Pick(4) != 0;
    driver.accepts_foreign = Pick(4) == 0;
  }
  for (int i = 0; i < t.instances_count; ++i) {
    t.instances[i].driver = static_cast<DriverId>(Pick(t.drivers_count));
    t.instances[i].fwnode = Coin();
    t.instances[i].table = static_cast<TableId>(Pick(4));
  }
  for (int d = 0; d < t.devices_count; ++d) {
    t.devices[d].bus = static_cast<Bus>(Pick(3));
    t.devices[d].slot = static_cast<uint8_t>(Pick(2));
    t.devices[d].masters[0] = static_cast<InstanceId>(Pick(t.instances_count));
    t.devices[d].absent = Pick(4) == 0;
  }
}

Case RandomCase::Make() {
  Case c;
  c.kernel.version = kKernelVersions[Pick(kKernelVersionCount)];
  for (const RuleInfo& info : EncodedRuleInfos())
    if (info.kind == RuleKind::kAssumption || Pick(6) == 0) c.kernel.dropped.add(info.rule);
  if (Pick(4) == 0) c.kernel.added.add(Rule::kCoreOwnerEvery);
  MakeTopology(c.topology);
  // Leave out steps that are not possible.
  for (int n = 0; n < 24 && c.ops.size() < 14; ++n) {
    const OpKind kind = kEncodedOps[Pick(kEncodedOpCount)];
    int limit = c.topology.devices_count;
    if (kind == kRegister || kind == kUnregister) limit = c.topology.instances_count;
    Add(c, kind, kind == kSetIommu ? 0 : Pick(limit));
    if (!RunCase(c).possible) c.ops.pop_back();
  }
  return c;
}

TEST(Replay, KeepsInvariants) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const Case c = RandomCase(seed).Make();
    EXPECT_EQ(RunCase(c).errors.size(), c.ops.size());
    if (HasFailure()) return;
  }
}

// A group of a driver without default domains gets the default domain of another driver's device,
// and the device that was there is not attached to it: no attach is foreign, but the group's domain
// is.
TEST(Replay, ADefaultDomainMayBeForeignToDevicesThatAreOnNone) {
  const absl::StatusOr<Case> c = ParseCase(
      "kernel v6.1 drop register.single_driver add alloc.by_device\n"
      "driver without no-default-domain\ndriver with\n"
      "instance iommu0 without\ninstance iommu1 with\n"
      "device dev0 pci iommu0 iommu1 absent\ndevice dev1 pci iommu0 alias=dev0\n\n"
      "register iommu0 -> ok\nregister iommu1 -> ok\nadd dev0 -> ok\n",
      "case");
  ASSERT_TRUE(c.ok()) << c.status();
  const Replay replay = RunCase(*c);
  EXPECT_THAT(replay.errors, testing::ElementsAre(0, 0, 0));
  EXPECT_FALSE(replay.violated[0]);
}

// The solvers get the facts as assertions. Each must follow from the other assertions.
void ExpectFactsFollow(Property property, const KernelSpec& kernel) {
  const int steps = StepsNeeded(property);
  Unrolling runs(kernel, RuleSet(), 2,
                 {.property = property, .steps = steps + 1, .spare = OpKinds().set()});
  Solver solver(runs.space().circuit(), Solver::Use::kOften, 0);
  for (Bit constraint : runs.space().constraints()) solver.Assert(constraint);
  for (int step = 1; step <= 3; ++step) {
    Bit facts = true;
    for (const Constraint& constraint : runs.NextStep())
      if (constraint.fact)
        facts &= constraint.bit;
      else
        solver.Assert(constraint.bit);
    EXPECT_EQ(solver.Check({~facts}), Solver::Answer::kUnsat)
        << report::KernelName(kernel) << ": " << PropertyName(property) << ", step " << step;
    solver.Assert(facts);
  }
}

TEST(Facts, FollowFromTheRest) {
  for (const Promise& promise : EncodedPromises()) {
    KernelSpec kernel = Kernel(promise.version);
    for (const Rule rule : promise.assumptions) kernel.added.add(rule);
    ExpectFactsFollow(promise.property, kernel);
  }
}

// Also on kernels that have lost rules and gained others.
TEST(Facts, FollowOnPatchedKernels) {
  std::mt19937 random(1);
  for (int n = 0; n < 36; ++n) {
    KernelSpec kernel = Kernel(kKernelVersions[static_cast<size_t>(n) % kKernelVersions.size()]);
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      const Rule rule = EncodedRuleInfos()[random() % EncodedRuleInfos().size()].rule;
      (ProfileOf(kernel.version).has(rule) ? kernel.dropped : kernel.added).add(rule);
    }
    ExpectFactsFollow(kEncodedProperties[random() % 2], kernel);
  }
}

}  // namespace
}  // namespace iommucheck::smt
