// SPDX-License-Identifier: Apache-2.0
#include "src/explore/explore.h"

#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/step.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/explore/packer.h"
#include "src/explore/seen.h"
#include "src/import/import.h"

namespace iommucheck::explore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Case Parse(const std::string& text) {
  absl::StatusOr<Case> parsed = ParseCase(text, "test");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

constexpr char kTwoBuses[] = R"(
driver A claims=pci:strict
driver B claims=platform:strict
instance a0 A
instance b0 B
device d0 pci a0
device d1 platform b0
)";

constexpr char kOneGroupOfTwo[] = R"(
driver A
driver B
instance a0 A
instance b0 B fwnode
device d0 pci a0 b0 slot=1
device d1 pci a0 b0 slot=1
device d2 pci a0
)";

constexpr char kSharedGroup[] = R"(
driver A claims=platform:skip clears per-instance-groups
driver B claims=platform:ignore,pci:own-ok unwinds
instance a0 A fwnode
instance b0 B
device d0 platform a0
device d1 platform a0 absent
device d2 pci b0
device d3 pci b0 alias=d2
)";

// d1 is with whichever of the other two came first.
constexpr char kChain[] = R"(
driver A same-instance
driver B claims=pci:ignore
instance a0 A
instance b0 B fwnode
device d0 pci a0 alias=d1
device d1 pci a0 b0 absent
device d2 pci b0 a0 alias=d1
device d3 pci a0 slot=1
)";

std::string On(const std::string& kernel, const std::string& machine) {
  return "kernel " + kernel + machine;
}

TEST(Explore, FindsTheShortestRun) {
  const Case machine = Parse(On("v6.0 drop type1.same_ops", kTwoBuses));
  const ExploreResult r = ExploreMachine(machine, Property::kNoCrossDriverReuse, 8, 1'000'000);
  ASSERT_EQ(r.verdict, Verdict::kViolated) << r.reason;
  // Two drivers, two groups, one container with an iommu.
  EXPECT_EQ(r.found.ops.size(), 5U);
  EXPECT_EQ(r.depth, 4);
  EXPECT_THAT(Mismatches(r.found, Play(r.found)), IsEmpty());
  EXPECT_EQ(ParseCase(PrintCase(r.found), "again")->ops, r.found.ops);
}

TEST(Explore, TheComparisonHolds) {
  const Case machine = Parse(On("v6.0", kTwoBuses));
  const ExploreResult r = ExploreMachine(machine, Property::kNoCrossDriverReuse, 6, 1'000'000);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_EQ(r.depth, 6);
}

TEST(Explore, SeesEveryStateOfASmallMachine) {
  const Case machine = Parse(On("v6.0", "\ndriver A claims=pci:strict\ninstance a0 A\n"));
  const ExploreResult r = ExploreMachine(machine, Property::kNoCrossDriverAttach, 100, 1'000);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_TRUE(r.every_depth);
  EXPECT_LT(r.depth, 100);
}

TEST(Explore, GivesUpWhenStatesRunOut) {
  const Case machine = Parse(On("v6.12", kOneGroupOfTwo));
  const ExploreResult r = ExploreMachine(machine, Property::kNoCrossDriverReuse, 20, 100);
  EXPECT_EQ(r.verdict, Verdict::kUnknown);
  EXPECT_THAT(r.reason, HasSubstr("more than 100 states"));
  EXPECT_GT(r.depth, 0);
}

TEST(Explore, KeepsToTheAssumptions) {
  const Case inside = Parse(On("v6.12", kOneGroupOfTwo));
  const ExploreResult found = ExploreMachine(inside, Property::kNoCrossDriverAttach, 6, 1'000'000);
  EXPECT_EQ(found.verdict, Verdict::kViolated);
  const Case outside = Parse(On("v6.12 add assume.homogeneous_groups", kOneGroupOfTwo));
  const ExploreResult r = ExploreMachine(outside, Property::kNoCrossDriverAttach, 6, 1'000'000);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_THAT(r.reason, HasSubstr("assume.homogeneous_groups"));
}

// --- the search against one that keeps states as they are ---

static_assert(std::has_unique_object_representations_v<State>, "states compare as bytes");

struct Plain {
  int violated_at = 0;  // 0: in no run of that many steps
};

std::vector<Op> EveryOp(const Topology& t, int containers) {
  std::vector<Op> ops;
  for (uint8_t i = 0; i < t.instances_count; ++i)
    for (const OpKind kind : {OpKind::kRegister, OpKind::kUnregister}) ops.push_back({kind, i});
  for (uint8_t d = 0; d < t.devices_count; ++d)
    for (const OpKind kind : {OpKind::kAdd, OpKind::kRemove, OpKind::kConfigure})
      ops.push_back({kind, d});
  for (uint8_t g = 0; g <= t.devices_count; ++g) {
    ops.push_back({OpKind::kUnsetContainer, g});
    for (uint8_t c = 0; c < containers; ++c) ops.push_back({OpKind::kSetContainer, g, c});
  }
  for (uint8_t c = 0; c < containers; ++c) ops.push_back({OpKind::kSetIommu, c});
  return ops;
}

Plain SearchPlainly(const Case& machine, Property property, int max_steps, int containers) {
  const KernelProfile profile = ProfileOf(machine.kernel);
  const std::vector<Op> ops = EveryOp(machine.topology, containers);
  std::vector<Event> events;
  std::vector<State> level = {InitialState(machine.topology)};
  const auto bytes = [](const State& s) {
    return std::string(reinterpret_cast<const char*>(&s), sizeof(s));
  };
  std::set<std::string> known = {bytes(level[0])};
  for (int step = 1; step <= max_steps; ++step) {
    std::vector<State> next;
    for (const State& from : level)
      for (const Op& op : ops) {
        State state = from;
        if (Step(profile, machine.topology, op, state, events).outcome != Outcome::kDone) continue;
        if (FindViolation(property, events) != nullptr) return {step};
        if (known.insert(bytes(state)).second) next.push_back(state);
      }
    level = std::move(next);
  }
  return {};
}

class Agreement : public testing::TestWithParam<const char*> {};

TEST_P(Agreement, OfBothSearches) {
  constexpr int kSteps = 7;
  for (const KernelVersion version : kKernelVersions)
    for (const char* patch : {"", " drop type1.same_ops", " drop type1.same_ops core.owner_first"})
      for (const Property property : kProperties) {
        Case machine = Parse(On(std::string(VersionName(version)), GetParam()));
        if (std::string(patch) != "") machine.kernel.dropped.add(Rule::kType1SameOps);
        if (std::string(patch).ends_with("first"))
          machine.kernel.dropped.add(Rule::kCoreOwnerFirst);
        const ExploreResult r = ExploreMachine(machine, property, kSteps, 10'000'000);
        const Plain one = SearchPlainly(machine, property, kSteps, 1);
        EXPECT_EQ(r.verdict == Verdict::kViolated, one.violated_at > 0);
        EXPECT_EQ(static_cast<int>(r.found.ops.size()), one.violated_at)
            << VersionName(version) << patch << " " << PropertyName(property);
        if (r.verdict != Verdict::kViolated) continue;
        EXPECT_THAT(Mismatches(r.found, Play(r.found)), IsEmpty());
      }
}

INSTANTIATE_TEST_SUITE_P(Machines, Agreement,
                         testing::Values(kTwoBuses, kOneGroupOfTwo, kSharedGroup, kChain));

TEST(Explore, OneContainerIsEnough) {
  for (const KernelVersion version : {KernelVersion::kV6_0, KernelVersion::kV6_12})
    for (const Property property : kProperties) {
      Case machine = Parse(On(std::string(VersionName(version)), kTwoBuses));
      machine.kernel.dropped.add(Rule::kType1SameOps).add(Rule::kCoreOwnerFirst);
      EXPECT_EQ(SearchPlainly(machine, property, 5, 1).violated_at,
                SearchPlainly(machine, property, 5, 2).violated_at);
    }
}

// --- states as bits ---

size_t Violations(const std::vector<Event>& events) {
  size_t violated = 0;
  for (const Property property : kProperties)
    violated += FindViolation(property, events) != nullptr ? 1 : 0;
  return violated;
}

std::vector<KernelSpec> KernelsWithAndWithoutEachRule() {
  std::vector<KernelSpec> kernels;
  for (const KernelVersion version : kKernelVersions) {
    kernels.push_back({.version = version});
    for (const RuleInfo& info : AllRules()) {
      KernelSpec kernel{.version = version};
      (ProfileOf(version).has(info.rule) ? kernel.dropped : kernel.added).add(info.rule);
      kernels.push_back(kernel);
    }
  }
  return kernels;
}

TEST(Packer, UnpackedIsTheSameStateAnew) {
  std::mt19937 random(1);
  for (const char* text : {kTwoBuses, kOneGroupOfTwo, kSharedGroup, kChain})
    for (const KernelSpec& kernel : KernelsWithAndWithoutEachRule()) {
      const Case machine = Parse(On("v7.1", text));
      const KernelProfile profile = ProfileOf(kernel);
      const std::vector<Op> ops = EveryOp(machine.topology, 1);
      Packer packer(profile, {.topology = machine.topology});
      State state = InitialState(machine.topology);
      State unpacked;
      std::vector<Event> events;
      Key key;
      Key again;
      Values values{};
      for (int step = 0; step < 300; ++step) {
        Step(profile, machine.topology, ops[random() % ops.size()], state, events);
        packer.Pack(state, {}, key);
        packer.Unpack(key.span(), unpacked, values);
        packer.Pack(unpacked, {}, again);
        ASSERT_TRUE(std::ranges::equal(key.span(), again.span()));
        EXPECT_EQ(HasForeignDomain(machine.topology, state),
                  HasForeignDomain(machine.topology, unpacked));
        // What was left out makes no difference to any step from here on.
        if (random() % 40 == 0) state = unpacked;
        const Op op = ops[random() % ops.size()];
        State one = state;
        State other;
        CopyState(unpacked, machine.topology.devices_count, other);
        if (op.kind == OpKind::kSetContainer || op.kind == OpKind::kUnsetContainer) continue;
        const StepResult first = Step(profile, machine.topology, op, one, events);
        const size_t violations = Violations(events);
        const StepResult second = Step(profile, machine.topology, op, other, events);
        EXPECT_EQ(first.error, second.error);
        EXPECT_EQ(first.outcome, second.outcome);
        EXPECT_EQ(violations, Violations(events));
        packer.Pack(one, {}, key);
        packer.Pack(other, {}, again);
        ASSERT_TRUE(std::ranges::equal(key.span(), again.span()));
      }
    }
}

TEST(Seen, KeepsStatesAndTheWayToThem) {
  Seen seen;
  for (int round = 0; round < 2; ++round) {
    seen.Clear();
    std::vector<Place> places;
    for (uint32_t n = 0; n < 200'000; ++n) {
      const std::vector<uint32_t> key(1 + n % 7, n);
      ASSERT_TRUE(seen.Add(key, n == 0 ? 0 : places[n / 2],
                           {OpKind::kAdd, static_cast<uint8_t>(n % 64), 0, {}}));
      places.push_back(n == 0 ? 0 : seen.Next(places.back()));
      ASSERT_FALSE(seen.Add(key, 0, {}));
    }
    EXPECT_EQ(seen.size(), 200'000U);
    uint32_t n = 0;
    for (Place at = 0; at != seen.end(); at = seen.Next(at), ++n) {
      ASSERT_EQ(seen.KeyAt(at).size(), 1 + n % 7);
      ASSERT_EQ(seen.KeyAt(at)[0], n);
      ASSERT_EQ(seen.OpOf(at).a, n % 64);
      const std::vector<uint32_t> parent(1 + n / 2 % 7, n / 2);
      ASSERT_TRUE(std::ranges::equal(seen.KeyAt(seen.ParentOf(at)), parent));
    }
    EXPECT_EQ(n, 200'000U);
  }
}

// --- real machines ---

TEST(Explore, AnswersForSnapshots) {
  for (const char* name : {"qemu-vtd-6.1.tar.gz", "qemu-vtd-virtio-6.12.tar.gz"}) {
    const auto system =
        import::ReadSystem(std::string(IOMMUCHECK_SOURCE_DIR) + "/corpus/systems/" + name);
    ASSERT_TRUE(system.ok()) << system.status();
    Case machine;
    machine.kernel.version = *system->nearest;
    machine.topology = system->topology;
    machine.names = system->names;
    const ExploreResult r = ExploreMachine(machine, Property::kNoCrossDriverReuse, 5, 10'000'000);
    EXPECT_EQ(r.verdict, Verdict::kHolds) << name;
  }
}

}  // namespace
}  // namespace iommucheck::explore
