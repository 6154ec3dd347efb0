// SPDX-License-Identifier: Apache-2.0
#include "src/report/diff.h"

#include <gtest/gtest.h>

#include "tests/given.h"
#include "tests/small_machines.h"

namespace iommucheck {
namespace {

report::Diff Ask(Property property, const std::string& a, const std::string& b,
                 const smt::Bounds& bounds) {
  return report::AskDiff({.property = property,
                          .kernels = {KernelOf(a), KernelOf(b)},
                          .bounds = bounds,
                          .bounded = true})
      .value();
}

// Whether a run from here with exactly so many steps violates the property on the first kernel at
// its last step, and nowhere on the second kernel.
bool Differs(const Topology& t, Property property, const SmallRun& a, const SmallRun& b,
             int steps) {
  std::vector<Op> ops;
  explore::ListOps(t, a.state, 1, ops);
  for (const Op& op : ops) {
    SmallRun next_a = a;
    SmallRun next_b = b;
    Take(next_a, t, op, property);
    Take(next_b, t, op, property);
    if (next_a.ended || next_b.violated) continue;
    if (steps == 1 && next_a.violated) return true;
    if (steps > 1 && !next_a.violated && Differs(t, property, next_a, next_b, steps - 1))
      return true;
  }
  return false;
}

// Whether some small machine has such a run.
bool AnyDiffers(Property property, const KernelProfile& a, const KernelProfile& b,
                const SmallMachines& small, int steps) {
  bool any = false;
  ForEachSmallMachine(small, [&](const Topology& t) {
    if (any || BrokenAssumption(t, a.rules) || BrokenAssumption(t, b.rules)) return;
    any = Differs(t, property, {.kernel = a, .state = InitialState(t)},
                  {.kernel = b, .state = InitialState(t)}, steps);
  });
  return any;
}

struct Pair {
  Property property;
  const char* a;
  const char* b;
  // The steps of the case that only A allows; 0: there is none up to three steps.
  int steps;
  int devices;
  SmallMachines small{};
};

class Pairs : public testing::TestWithParam<Pair> {};

TEST_P(Pairs, FindTheSmallestCase) {
  const Pair& p = GetParam();
  const report::Diff diff = Ask(p.property, p.a, p.b, {.devices = 2, .steps = 3});
  const report::Direction& only_a = diff.directions[0];
  ASSERT_EQ(only_a.verdict, p.steps == 0 ? Verdict::kHolds : Verdict::kViolated);
  if (p.steps == 0) {
    EXPECT_EQ(only_a.result.proved_steps, 3);
    return;
  }
  const Case& found = only_a.result.found;
  EXPECT_EQ(found.ops.size(), static_cast<size_t>(p.steps));
  EXPECT_EQ(found.topology.devices_count, p.devices);
  EXPECT_EQ(Play(found).of(p.property).at, p.steps);
  const Case other = report::RefusedCase(diff.question, only_a);
  EXPECT_EQ(other.kernel, KernelOf(p.b));
  EXPECT_EQ(Play(other).of(p.property).at, 0);
}

// Compares with brute force: every run of every machine in a part of the space.
TEST_P(Pairs, AreAsBruteForceFindsThem) {
  const Pair& p = GetParam();
  const KernelProfile a = ProfileOf(KernelOf(p.a));
  const KernelProfile b = ProfileOf(KernelOf(p.b));
  for (int steps = 1; steps <= (p.steps == 0 ? 3 : p.steps); ++steps)
    for (int devices = 1; devices <= (steps == p.steps ? p.devices : 2); ++devices) {
      SmallMachines small = p.small;
      small.devices = devices;
      EXPECT_EQ(AnyDiffers(p.property, a, b, small, steps),
                steps == p.steps && devices == p.devices)
          << devices << " devices, " << steps << " steps";
    }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, Pairs,
    testing::Values(
        Pair{kAttach, "v6.12", "v7.1", 3, 2, {.instance_groups = true}},
        Pair{kAttach, "v7.1", "v6.12", 2, 2},  //
        Pair{kAttach, "v6.0", "v6.12", 2, 2, {.claims = true, .stores = true}},
        Pair{kAttach, "v6.12", "v6.0", 3, 2, {.claims = true, .stores = true}},
        Pair{kAttach, "v6.12", "v6.12,+core.owner_every", 3, 2},
        Pair{kAttach, "v6.12,+core.owner_every", "v6.12", 0, 0, {.instance_groups = true}},
        Pair{kAttach, "v7.1", "v7.1,+assume.no_hot_add_when_attached", 3, 2},
        Pair{kAttach, "v7.1", "v7.1,-probe.dma_configure", 2, 2},
        Pair{kAttach, "v7.1,-type1.same_ops", "v7.1", 0, 0}));

// The solver gets no hint that the kernels are equal, and has to find it out.
TEST(Diff, OfAKernelAndItselfIsNothing) {
  for (const char* word : {"v5.15", "v6.0", "v6.12", "v7.1"}) {
    const KernelSpec kernel = KernelOf(word);
    const smt::QueryResult result =
        smt::Query(kAttach, kernel, {.devices = 2, .steps = 4}, false, {}, kernel).value();
    EXPECT_EQ(result.verdict, Verdict::kHolds) << word;
    EXPECT_TRUE(Ask(kAttach, word, word, {}).same_rules);
  }
}

TEST(Diff, FindsARuleThatIsDropped) {
  const report::Diff diff =
      Ask(kReuse, "v6.0,+assume.bus_ops_not_replaced",
          "v6.0,+assume.bus_ops_not_replaced,-type1.same_ops", {.devices = 2, .steps = 5});
  EXPECT_EQ(diff.directions[0].verdict, Verdict::kHolds);
  ASSERT_EQ(diff.directions[1].verdict, Verdict::kViolated);
  EXPECT_EQ(diff.directions[1].result.found.ops.size(), 5U);
  EXPECT_EQ(report::PartingLine(diff, diff.directions[1]),
            "op 5, set-iommu c0: ok on A; type1.same_ops: not this domain");
}

// A case of that size in which the refusing kernel takes every step is preferred.
TEST(Diff, PrefersRunsThatBothTake) {
  const report::Diff diff = Ask(kAttach, "v6.12", "v6.0", {.devices = 2, .steps = 3});
  ASSERT_EQ(diff.directions[0].verdict, Verdict::kViolated);
  EXPECT_TRUE(diff.directions[0].refused.complete);
}

TEST(Diff, IsProvedForEverySize) {
  const report::Diff diff =
      report::AskDiff(
          {.property = kAttach, .kernels = {KernelOf("v6.1"), KernelOf("v6.1.y")}, .bounds = {}})
          .value();
  EXPECT_EQ(diff.verdict(), Verdict::kHolds);
  for (const report::Direction& d : diff.directions) EXPECT_TRUE(d.every_size);
}

}  // namespace
}  // namespace iommucheck
