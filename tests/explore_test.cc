// SPDX-License-Identifier: Apache-2.0
#include "src/explore/explore.h"

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/step.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/explore/key_set.h"
#include "src/explore/state_codec.h"
#include "src/explore/visited.h"
#include "src/import/import.h"
#include "src/report/text.h"
#include "tests/given.h"

namespace iommucheck::explore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

// d1 shares a group with whichever of the other two came first.
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
  const Case machine = Parsed(On("v6.0 drop type1.same_ops", kTwoBuses));
  const ExploreResult r = ExploreMachine(machine, kReuse, 8, 1'000'000);
  ASSERT_EQ(r.verdict, Verdict::kViolated) << r.reason;
  // Two drivers, two groups, one container with an iommu.
  EXPECT_EQ(r.found.ops.size(), 5U);
  EXPECT_EQ(r.depth, 4);
  EXPECT_THAT(Mismatches(r.found, Play(r.found)), IsEmpty());
  EXPECT_EQ(ParseCase(PrintCase(r.found), "again")->ops, r.found.ops);
}

TEST(Explore, TheComparisonHolds) {
  const Case machine = Parsed(On("v6.0", kTwoBuses));
  const ExploreResult r = ExploreMachine(machine, kReuse, 6, 1'000'000);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_EQ(r.depth, 6);
}

TEST(Explore, SeesEveryStateOfASmallMachine) {
  const Case machine = Parsed(On("v6.0", "\ndriver A claims=pci:strict\ninstance a0 A\n"));
  const ExploreResult r = ExploreMachine(machine, kAttach, 100, 1'000);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_TRUE(r.every_depth);
  EXPECT_LT(r.depth, 100);
}

TEST(Explore, GivesUpWhenStatesRunOut) {
  const Case machine = Parsed(On("v6.12", kOneGroupOfTwo));
  const ExploreResult r = ExploreMachine(machine, kReuse, 20, 100);
  EXPECT_EQ(r.verdict, Verdict::kUnknown);
  EXPECT_THAT(r.reason, HasSubstr("more than 100 states"));
  EXPECT_GT(r.depth, 0);
}

TEST(Explore, KeepsToTheAssumptions) {
  const Case inside = Parsed(On("v6.12", kOneGroupOfTwo));
  const ExploreResult found = ExploreMachine(inside, kAttach, 6, 1'000'000);
  EXPECT_EQ(found.verdict, Verdict::kViolated);
  const Case outside = Parsed(On("v6.12 add assume.homogeneous_groups", kOneGroupOfTwo));
  const ExploreResult r = ExploreMachine(outside, kAttach, 6, 1'000'000);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_THAT(r.reason, HasSubstr("assume.homogeneous_groups"));
}

// --- compared with a search that keeps whole states ---

static_assert(std::has_unique_object_representations_v<State>, "states compare as bytes");

std::vector<Op> EveryOp(const Topology& t, int containers) {
  std::vector<Op> ops;
  for (uint8_t i = 0; i < t.instances_count; ++i)
    for (const OpKind kind : {OpKind::kRegister, OpKind::kUnregister}) ops.push_back({kind, i});
  for (uint8_t d = 0; d < t.devices_count; ++d)
    for (const OpKind kind : {OpKind::kAdd, OpKind::kRemove, OpKind::kConfigure})
      ops.push_back({kind, d});
  for (uint8_t g = 0; g <= t.devices_count; ++g) {
    ops.push_back({OpKind::kUnsetContainer, g});
    for (uint8_t c = 0; c < static_cast<uint8_t>(containers); ++c)
      ops.push_back({OpKind::kSetContainer, g, c});
  }
  for (uint8_t c = 0; c < static_cast<uint8_t>(containers); ++c)
    ops.push_back({OpKind::kSetIommu, c});
  return ops;
}

// The fewest steps of a run that violates the property; 0: there is none of up to `max_steps`.
int SearchPlainly(const Case& machine, Property property, int max_steps, int containers) {
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
        if (FindViolation(property, events) != nullptr) return step;
        if (known.insert(bytes(state)).second) next.push_back(state);
      }
    level = std::move(next);
  }
  return 0;
}

class Agreement : public testing::TestWithParam<const char*> {};

TEST_P(Agreement, OfBothSearches) {
  constexpr int kSteps = 7;
  for (const KernelVersion version : kKernelVersions)
    for (const RuleSet& patch : {RuleSet(), RuleSet().add(Rule::kType1SameOps),
                                 RuleSet().add(Rule::kType1SameOps).add(Rule::kCoreOwnerFirst)})
      for (const Property property : kEncodedProperties) {
        Case machine = Parsed(On(std::string(VersionName(version)), GetParam()));
        machine.kernel.dropped = patch;
        const ExploreResult r = ExploreMachine(machine, property, kSteps, 10'000'000);
        const int shortest = SearchPlainly(machine, property, kSteps, 1);
        EXPECT_EQ(r.verdict == Verdict::kViolated, shortest > 0);
        EXPECT_EQ(static_cast<int>(r.found.ops.size()), shortest)
            << report::KernelName(machine.kernel) << " " << PropertyName(property);
        if (r.verdict != Verdict::kViolated) continue;
        EXPECT_THAT(Mismatches(r.found, Play(r.found)), IsEmpty());
      }
}

INSTANTIATE_TEST_SUITE_P(Machines, Agreement,
                         testing::Values(kTwoBuses, kOneGroupOfTwo, kSharedGroup, kChain));

// Checks the argument of src/explore/explore.h about one container, and about containers that trade
// names.
TEST(Explore, SecondContainerChangesNoVerdict) {
  for (const char* text : {kTwoBuses, kOneGroupOfTwo, kChain})
    for (const KernelVersion version : kKernelVersions)
      for (const Property property : kEncodedProperties)
        for (const bool drop : {false, true}) {
          Case machine = Parsed(On(std::string(VersionName(version)), text));
          if (drop) machine.kernel.dropped.add(Rule::kType1SameOps).add(Rule::kCoreOwnerFirst);
          Explorer explorer(ProfileOf(machine.kernel), property);
          const auto explore = [&](int containers) {
            return explorer.Explore({.topology = machine.topology, .containers = containers},
                                    {.max_steps = 5});
          };
          const ShapeResult one = explore(1);
          const ShapeResult two = explore(2);
          const int shortest = SearchPlainly(machine, property, 5, 2);
          EXPECT_EQ(one.verdict, two.verdict);
          EXPECT_EQ(one.ops.size(), two.ops.size());
          EXPECT_EQ(two.verdict == Verdict::kViolated, shortest > 0);
          EXPECT_EQ(static_cast<int>(two.ops.size()), shortest);
          if (two.verdict != Verdict::kViolated) continue;
          const Case found = CaseOf(machine.kernel, two.topology, machine.names, two.ops, property);
          EXPECT_THAT(Mismatches(found, Play(found)), IsEmpty());
        }
}

// If groups join one at a time, it does not matter which container they are in.
TEST(Explore, ContainersTradeNames) {
  const Case machine = Parsed(On("v7.1 add assume.no_unregister_when_attached",
                                 "\ndriver A\ninstance a0 A\ninstance a1 A\ndevice d0 pci a0\n"));
  Explorer explorer(ProfileOf(machine.kernel), kReuse);
  const ShapeResult one = explorer.Explore({.topology = machine.topology}, {});
  const ShapeResult two = explorer.Explore({.topology = machine.topology, .containers = 2}, {});
  EXPECT_TRUE(one.every_depth);
  EXPECT_TRUE(two.every_depth);
  EXPECT_EQ(one.states, two.states);
  EXPECT_EQ(one.transitions, two.transitions);
}

// --- states as bits ---

size_t Violations(const std::vector<Event>& events) {
  size_t violated = 0;
  for (const Property property : kEncodedProperties)
    violated += FindViolation(property, events) != nullptr ? 1 : 0;
  return violated;
}

std::vector<KernelSpec> KernelsWithAndWithoutEachRule() {
  std::vector<KernelSpec> kernels;
  for (const KernelVersion version : kKernelVersions) {
    kernels.push_back({.version = version});
    for (const RuleInfo& info : EncodedRuleInfos()) {
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
      const Case machine = Parsed(On("v7.1", text));
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
        // Packing leaves out only what makes no difference to any later step.
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

TEST(KeySet, KnowsWhatItHas) {
  KeySet set;
  for (int round = 0; round < 2; ++round) {
    set.Clear();
    std::vector<Place> places;
    for (uint32_t n = 0; n < 200'000; ++n) {
      const std::vector<uint32_t> key(1 + n % 7, n);
      const KeySet::Added added = set.Add(key);
      ASSERT_TRUE(added.is_new);
      places.push_back(added.place);
      ASSERT_FALSE(set.Add(key).is_new);
    }
    EXPECT_EQ(set.size(), 200'000U);
    for (uint32_t n = 0; n < 200'000; ++n)
      ASSERT_TRUE(std::ranges::equal(set.KeyAt(places[n]), std::vector<uint32_t>(1 + n % 7, n)));
  }
}

TEST(Visited, KeepsStatesAndTheWayToThem) {
  Visited visited;
  for (const int words : {1, 2, 1}) {
    visited.Clear(words);
    uint32_t spare = 0;
    const auto key = [&](uint32_t n) {
      return StateKey{{n * uint64_t{0x9e3779b97f4a7c15U}, words == 2 ? n % 5 : 0}};
    };
    for (uint32_t n = 0; n < 300'000; ++n) {
      if (visited.room() == 0) visited.Reserve(1);
      ASSERT_TRUE(visited.Add(key(n), HashOf(key(n)), n / 2, spare));
      ASSERT_FALSE(visited.Add(key(n), HashOf(key(n)), 0, spare));
    }
    EXPECT_EQ(visited.size(), 300'000U);
    for (uint32_t n = 0; n < 300'000; ++n) {
      ASSERT_EQ(visited.KeyAt(n), key(n));
      ASSERT_EQ(visited.ParentOf(n), n / 2);
      ASSERT_FALSE(visited.Add(key(n), HashOf(key(n)), 0, spare));
    }
  }
}

TEST(Visited, TakesEachStateOnceFromManyThreads) {
  constexpr uint32_t kStates = 200'000;
  Visited visited;
  visited.Clear(2);
  visited.Reserve(kStates);
  std::atomic<uint64_t> added = 0;
  std::vector<uint32_t> spares(4);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kStates; ++i) {
        const uint64_t n = t % 2 == 0 ? i : kStates - 1 - i;
        const StateKey key{{n, n << 40U}};
        if (visited.Add(key, HashOf(key), t, spares[t])) ++added;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (uint32_t& spare : spares) visited.ReturnSpare(spare);
  EXPECT_EQ(added, kStates);
  EXPECT_EQ(visited.size(), kStates);
  std::set<uint64_t> held;
  for (uint32_t n = 0; n < visited.end(); ++n)
    if (!visited.IsHole(n)) held.insert(visited.KeyAt(n).words[0]);
  EXPECT_EQ(held.size(), kStates);
}

// --- states by parts, and steps that are looked up ---

constexpr char kAlike[] = R"(
driver A
driver B
instance a0 A fwnode
instance b0 B fwnode
instance b1 B
device d0 pci a0
device d1 pci a0
device d2 pci b0
device d3 pci b0
)";

constexpr char kAlikeAndNot[] = R"(
driver A claims=pci:strict
driver B claims=platform:strict,pci:skip same-instance
instance a0 A
instance a1 A fwnode
instance b0 B
device d0 platform b0
device d1 pci a0
device d2 pci a0
)";

constexpr char kPairAndOne[] = R"(
driver A
driver B
instance a0 A fwnode
instance b0 B fwnode
device d0 pci a0 slot=1
device d1 pci a0 b0 slot=1
device d2 pci b0
)";

// Two states have the same key by parts if and only if they have the same packed key.
TEST(StateCodec, TellApartWhatPackerTellsApart) {
  std::mt19937 random(3);
  for (const char* text : {kTwoBuses, kOneGroupOfTwo, kChain, kAlike, kAlikeAndNot, kPairAndOne})
    for (const KernelSpec& kernel : KernelsWithAndWithoutEachRule()) {
      const Case machine = Parsed(On("v7.1", text));
      const KernelProfile profile = ProfileOf(kernel);
      const std::vector<Op> ops = EveryOp(machine.topology, 1);
      const Shape shape{.topology = machine.topology};
      PartTables part_tables;
      StateCodec parts(profile, shape, part_tables);
      ASSERT_TRUE(parts.splits()) << text;
      std::map<std::vector<uint32_t>, std::pair<uint64_t, uint64_t>> key_of;
      std::set<std::pair<uint64_t, uint64_t>> keys;
      State state = InitialState(machine.topology);
      State decoded;
      std::vector<Event> events;
      Key whole;
      Values values{};
      for (int step = 0; step < 300; ++step) {
        Step(profile, machine.topology, ops[random() % ops.size()], state, events);
        const StateCodec::Encoded to = parts.Encode(state, {});
        const std::pair key(to.key.words[0], to.key.words[1]);
        parts.packer().Pack(state, {}, whole);
        const std::vector<uint32_t> packed(whole.span().begin(), whole.span().end());
        const auto [known, is_new] = key_of.emplace(packed, key);
        ASSERT_EQ(known->second, key);
        ASSERT_EQ(keys.insert(key).second, is_new);
        parts.Decode(to.key, decoded, values);
        parts.packer().Pack(decoded, {}, whole);
        ASSERT_TRUE(std::ranges::equal(whole.span(), packed));
        ASSERT_EQ(HasForeignDomain(machine.topology, decoded),
                  HasForeignDomain(machine.topology, state));
        if (random() % 50 == 0) state = InitialState(machine.topology);
      }
    }
}

void ExpectSame(const ShapeResult& a, const ShapeResult& b, const std::string& what) {
  EXPECT_EQ(a.verdict, b.verdict) << what;
  EXPECT_EQ(a.depth, b.depth) << what;
  EXPECT_EQ(a.every_depth, b.every_depth) << what;
  EXPECT_EQ(a.ops.size(), b.ops.size()) << what;
  if (a.verdict == Verdict::kViolated) return;  // they may stop after different numbers of states
  EXPECT_EQ(a.states, b.states) << what;
  EXPECT_EQ(a.transitions, b.transitions) << what;
}

class LookedUp : public testing::TestWithParam<const char*> {};

TEST_P(LookedUp, StepsAreThoseOfTheModel) {
  constexpr uint64_t kMost = 2'000;
  size_t turn = 0;
  for (const KernelSpec& kernel : KernelsWithAndWithoutEachRule()) {
    Case machine = Parsed(On("v7.1", GetParam()));
    machine.kernel = kernel;
    if (BrokenAssumption(machine.topology, ProfileOf(kernel).rules)) continue;
    // Ask two of the four questions about each kernel.
    const Property property = kEncodedProperties[++turn % 2];
    Explorer explorer(ProfileOf(kernel), property);
    const Shape shape{.topology = machine.topology};
    // Otherwise groups that lost their devices pile up in the container, without end.
    const bool has_end =
        ProfileOf(kernel).has(Rule::kAssumeNoUnregisterWhenAttached) && kernel.dropped.empty();
    for (const int steps : {has_end ? kUnbounded : 7, 6}) {
      const auto explore = [&](bool tables, bool alike) {
        return explorer.Explore(
            shape, {.max_steps = steps, .max_states = kMost, .tables = tables, .alike = alike});
      };
      const ShapeResult plain = explore(false, false);
      if (plain.verdict == Verdict::kUnknown) continue;
      const std::string what = std::string(VersionName(kernel.version)) + " " + PrintCase(machine) +
                               std::string(PropertyName(property));
      ExpectSame(plain, explore(true, false), "tables, " + what);
      const ShapeResult both = explore(true, true);
      ExpectSame(plain, both, "both, " + what);
      if (both.verdict != Verdict::kViolated) {
        EXPECT_LE(both.kept, plain.kept) << what;
        continue;
      }
      const Case found = CaseOf(kernel, both.topology, machine.names, both.ops, property);
      EXPECT_THAT(Mismatches(found, Play(found)), IsEmpty()) << what;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, LookedUp,
                         testing::Values(kTwoBuses, kOneGroupOfTwo, kChain, kAlike, kAlikeAndNot,
                                         kPairAndOne));

TEST(Explore, ThreadsDoNotChangeTheAnswer) {
  // Levels of some thousand states, one of which has a violation.
  constexpr char kWide[] = R"(
driver A
driver B
instance a0 A fwnode
instance a1 A fwnode not-enforcing
instance b0 B fwnode
device d0 pci a0
device d1 pci a1
device d2 pci b0
device d3 pci a0
device d4 pci a1
)";
  for (const char* kernel :
       {"v7.1 add assume.no_unregister_when_attached", "v7.1 drop type1.same_ops core.owner_first"})
    for (const bool tables : {true, false}) {
      const Case machine = Parsed(On(kernel, kWide));
      Explorer explorer(ProfileOf(machine.kernel), kReuse);
      const Shape shape{.topology = machine.topology};
      const auto explore = [&](int threads) {
        return explorer.Explore(
            shape, {.max_steps = 12, .threads = threads, .tables = tables, .alike = false});
      };
      const ShapeResult one = explore(1);
      for (const int threads : {2, 5}) {
        const ShapeResult many = explore(threads);
        ExpectSame(one, many, kernel);
        EXPECT_EQ(one.ops, many.ops);
        EXPECT_EQ(one.states, many.states);
      }
    }
}

// --- real machines ---

TEST(Explore, AnswersForSnapshots) {
  for (const char* name : {"qemu-vtd-6.1.tar.gz", "qemu-vtd-virtio-6.12.tar.gz"}) {
    const auto found = import::ReadTree(kSource / "corpus/systems" / name).value();
    const KernelVersion version = *PlaceOf(found.kernel_release)->below;
    const auto system = import::ToSystem(found, version).value();
    const ExploreResult r = ExploreMachine(
        {.kernel = {.version = version}, .topology = system.topology, .names = system.names},
        kReuse, 5, 10'000'000);
    EXPECT_EQ(r.verdict, Verdict::kHolds) << name;
  }
}

}  // namespace
}  // namespace iommucheck::explore
