// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <z3++.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "src/case/encoded.h"
#include "src/draw/draw.h"
#include "src/report/text.h"
#include "src/smt/query.h"
#include "src/smt/replayed.h"
#include "src/smt/search_space.h"
#include "src/smt/solver.h"
#include "src/smt/unrolling.h"
#include "tests/given.h"

namespace iommucheck::smt {
namespace {

QueryResult Ask(Property property, const std::string& kernel, const Bounds& bounds) {
  return Query(property, KernelOf(kernel), bounds).value();
}

struct Expected {
  std::string sentence;
  Property property;
  std::string kernel;
  int devices;  // the bounds
  int steps;
  size_t found_steps = 0;  // of the smallest case; 0: there is none
  int found_devices = 0;
};

class Queries : public testing::TestWithParam<Expected> {};

TEST_P(Queries, FindTheSmallestCase) {
  const Expected& expected = GetParam();
  const QueryResult result = Ask(expected.property, expected.kernel,
                                 {.devices = expected.devices, .steps = expected.steps});
  const bool violated = expected.found_steps != 0;
  ASSERT_EQ(result.verdict, violated ? Verdict::kViolated : Verdict::kHolds) << result.reason;
  EXPECT_GT(result.resources, 0U);
  if (!violated) return;
  EXPECT_EQ(result.found.ops.size(), expected.found_steps);
  EXPECT_EQ(result.found.topology.devices_count, expected.found_devices);
  EXPECT_EQ(result.proved_steps, static_cast<int>(expected.found_steps) - 1);
  // The case alone violates the property when it is played, at its last step and not before.
  Case found = result.found;
  const auto at = static_cast<size_t>(expected.property);
  EXPECT_TRUE(ReplayInSolver(found).value().possible);
  EXPECT_TRUE(ReplayInSolver(found).value().violated[at]);
  found.ops.pop_back();
  EXPECT_FALSE(ReplayInSolver(found).value().violated[at]);
}

const char kAssuming[] = ",+assume.bus_ops_not_replaced,+assume.homogeneous_groups";
INSTANTIATE_TEST_SUITE_P(
    Profiles, Queries,
    testing::Values(
        Expected{"two drivers on two buses, both groups in one container, take five steps", kReuse,
                 std::string("v6.0,-type1.same_ops") + kAssuming, 3, 6, 5, 2},
        Expected{"the comparison holds if tables are not shared and slots not replaced", kReuse,
                 std::string("v6.0") + kAssuming, 2, 5},
        Expected{"two drivers that share a table pass the comparison", kReuse,
                 std::string("v6.0,-assume.tables_not_shared") + kAssuming, 2, 5, 5, 2},
        Expected{"a claim allocates from a slot that a second driver overwrote after the probe",
                 kAttach, "v6.0", 2, 4, 2, 2},
        Expected{"one driver in the system reuses nothing of another", kReuse, "v6.1", 3, 5},
        Expected{"one driver in the system attaches to nothing of another", kAttach, "v6.1", 2, 5},
        Expected{"configure puts a device into the group of another driver, on its default domain",
                 kAttach, "v6.12", 3, 5, 3, 2},
        Expected{"a core that asks for the owner of every device refuses it", kAttach,
                 "v6.12,+core.owner_every", 2, 4},
        Expected{"without both comparisons one group of each driver is enough after a configure",
                 kReuse,
                 "v6.12,-core.owner_first,-type1.same_ops,+assume.homogeneous_groups,"
                 "+assume.no_unregister_when_attached",
                 2, 6, 6, 2},
        Expected{"a device behind both drivers is VFIO's in the group of the first driver alone",
                 kReuse, "v6.12,-core.owner_first,-type1.same_ops", 1, 6},
        Expected{"the first device of a mixed group gives the ops without a configure", kReuse,
                 "v7.1", 3, 5, 5, 3}),
    [](const auto& row) { return TestName(row.param.sentence); });

TEST(Query, IsTheSameEachTime) {
  const Bounds bounds{.devices = 2, .steps = 4};
  const QueryResult first = Ask(kAttach, "v6.12", bounds);
  const QueryResult second = Ask(kAttach, "v6.12", bounds);
  EXPECT_EQ(first.found, second.found);
  EXPECT_EQ(first.resources, second.resources);
}

TEST(Query, FindsPlainCases) {
  const QueryResult result = Ask(kAttach, "v6.12", {.devices = 3, .steps = 5});
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
  const QueryResult result = Ask(kReuse, "v6.12", {.devices = 3, .steps = 6, .budget = 1000});
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
  for (const char* word : {"v6.1", "v6.12"}) {
    const QueryResult result =
        Query(kAttach, KernelOf(word), {.devices = 2, .steps = 4}, true).value();
    ASSERT_FALSE(result.smt2.empty());
    z3::context context;
    z3::solver solver(context);
    solver.from_string(result.smt2.c_str());
    EXPECT_EQ(solver.check(), result.verdict == Verdict::kHolds ? z3::unsat : z3::sat);
  }
}

// --- replays ---

// The solver plays the case as the model does. False: it has something that is not encoded.
bool ExpectReplayedAsPlayed(const Case& c) {
  const Replay replay = ReplayInSolver(c).value();
  if (!replay.supported) return false;
  EXPECT_EQ(ReplayDiffersIn(c, Play(c), replay), "") << PrintCase(c);
  return true;
}

// judge.corpus holds the model to the outcome that is written in these cases.
TEST(Replay, IsAsTheModelPlaysTheCorpus) {
  int replayed = 0;
  for (const auto& [name, c] : CorpusCases()) {
    if (!IsEncoded(c.topology)) continue;
    const bool has_faults =
        std::ranges::any_of(c.ops, [](const CaseOp& op) { return op.op.faults != Op{}.faults; });
    const bool is_supported = ExpectReplayedAsPlayed(c);
    EXPECT_FALSE(is_supported && has_faults) << name;
    replayed += is_supported ? 1 : 0;
  }
  EXPECT_GT(replayed, 100);
}

// Without an assumption. A replay fails if a fact is not true that queries rely on.
TEST(Replay, KeepsInvariants) {
  draw::Words words(1);
  for (int n = 0; n < 300 && !testing::Test::HasFailure(); ++n) {
    KernelSpec kernel{.version = kKernelVersions[words.Below(kKernelVersionCount)]};
    const RuleSet rules = ProfileOf(kernel.version).rules;
    for (const RuleInfo& info : EncodedRuleInfos())
      if (rules.has(info.rule) && (info.kind == RuleKind::kAssumption || words.OneIn(6)))
        kernel.dropped.add(info.rule);
    if (words.OneIn(4) && !rules.has(Rule::kCoreOwnerEvery))
      kernel.added.add(Rule::kCoreOwnerEvery);
    DecodedCase run = draw::DrawRun(
        words, ProfileOf(kernel),
        {.drivers = 3, .instances = 4, .devices = 4, .ops = 14, .without = draw::kAllFaults});
    run.kernel = kernel;
    EXPECT_TRUE(ExpectReplayedAsPlayed(ToCase(run)));
  }
}

TEST(Replay, AContainerIsSetUpOnceAndNoOpNamesAGroupThatIsGone) {
  const Case c = Parsed(
      "kernel v6.1\ndriver a\ninstance i a\ndevice d pci i\n\n"
      "register i\nset-container 0 c0\nset-iommu c0\nset-iommu c0\nremove d\n"
      "set-container 0 c0\n");
  EXPECT_TRUE(ExpectReplayedAsPlayed(c));
  const Replay replay = ReplayInSolver(c).value();
  EXPECT_THAT(replay.errors, testing::ElementsAre(0, 0, 0, -EINVAL, 0));
  EXPECT_FALSE(replay.possible);
  EXPECT_EQ(replay.impossible_at, 6);
}

// A group of a driver without default domains gets the default domain of another driver's device,
// and the device that was there is not attached to it: no attach is foreign, but the group's domain
// is.
TEST(Replay, ADefaultDomainMayBeForeignToDevicesThatAreOnNone) {
  const Replay replay =
      ReplayInSolver(Parsed("kernel v6.1 drop register.single_driver add alloc.by_device\n"
                            "driver without no-default-domain\ndriver with\n"
                            "instance iommu0 without\ninstance iommu1 with\n"
                            "device dev0 pci iommu0 iommu1 absent\n"
                            "device dev1 pci iommu0 alias=dev0\n\n"
                            "register iommu0\nregister iommu1\nadd dev0\n"))
          .value();
  EXPECT_THAT(replay.errors, testing::ElementsAre(0, 0, 0));
  EXPECT_FALSE(replay.violated[0]);
}

// --- facts ---

// The solvers get the facts as assertions. Each must follow from the other assertions.
void ExpectFactsFollow(Property property, const KernelSpec& kernel) {
  const int steps = StepsNeeded(property);
  SearchSpace space(kernel, RuleSet(), 2,
                    {.property = property, .steps = steps + 1, .spare = OpKinds().set()});
  Unrolling runs(space, space.kernel());
  Solver solver(space.circuit(), 0);
  for (Bit constraint : space.constraints()) solver.Assert(constraint);
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
    KernelSpec kernel{.version = promise.version};
    for (const Rule rule : promise.assumptions) kernel.added.add(rule);
    ExpectFactsFollow(promise.property, kernel);
  }
}

// Also on kernels that have lost rules and gained others.
TEST(Facts, FollowOnPatchedKernels) {
  std::mt19937 random(1);
  for (int n = 0; n < 36; ++n) {
    KernelSpec kernel{.version = kKernelVersions[static_cast<size_t>(n) % kKernelVersionCount]};
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      const Rule rule = EncodedRuleInfos()[random() % EncodedRuleInfos().size()].rule;
      (ProfileOf(kernel.version).has(rule) ? kernel.dropped : kernel.added).add(rule);
    }
    ExpectFactsFollow(kEncodedProperties[random() % 2], kernel);
  }
}

}  // namespace
}  // namespace iommucheck::smt
