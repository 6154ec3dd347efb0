// SPDX-License-Identifier: Apache-2.0
#include "src/report/verdict_line.h"

#include <gtest/gtest.h>

#include "src/report/blame.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

using report::VerdictName;

TEST(VerdictName, OfAProofAndOfABoundAreTwo) {
  EXPECT_STREQ(VerdictName(Verdict::kHolds, true), "holds");
  EXPECT_STREQ(VerdictName(Verdict::kHolds, false), "none");
  for (const bool proved : {false, true}) {
    EXPECT_STREQ(VerdictName(Verdict::kViolated, proved), "violated");
    EXPECT_STREQ(VerdictName(Verdict::kUnknown, proved), "unknown");
  }
}

TEST(KernelWord, IsWhatKernelTakes) {
  for (const char* word :
       {"v6.0", "v6.12.y", "v6.0,-type1.same_ops,+assume.bus_ops_not_replaced",
        "v7.1,-core.owner_first,-type1.same_ops,+core.owner_every,+assume.homogeneous_groups"}) {
    const KernelSpec kernel = KernelOf(word);
    const std::string printed = report::KernelWord(kernel);
    EXPECT_EQ(printed.find(' '), std::string::npos);
    EXPECT_EQ(KernelOf(printed), kernel) << printed;
  }
  EXPECT_EQ(report::KernelWord(KernelOf("v6.0,+assume.bus_ops_not_replaced,-type1.same_ops")),
            "v6.0,-type1.same_ops,+assume.bus_ops_not_replaced");
}

TEST(VerdictLine, HasFiveWords) {
  EXPECT_EQ(report::VerdictLine(kReuse, KernelOf("v6.0,-type1.same_ops"), "violated",
                                report::SizeScope({2, 5})),
            "Verdict no-cross-driver-reuse v6.0,-type1.same_ops violated devices=2,steps=5");
}

TEST(Scopes, OfNothingAreNothing) {
  EXPECT_EQ(report::SizeScope({0, 4}), "nothing");
  EXPECT_EQ(report::SizeScope({3, 0}), "nothing");
  EXPECT_EQ(report::SizeScope({3, 6}), "devices=3,steps=6");
  EXPECT_EQ(report::MachineScope(), "machine");
  EXPECT_EQ(report::MachineScope(0), "nothing");
  EXPECT_EQ(report::MachineScope(6), "machine,steps=6");
}

TEST(ReplayVerdictLines, NameTheFileInOneWord) {
  const Case c = Parsed(
      "kernel v6.0\ndriver a claims=pci:ignore\ninstance i a\ndevice d pci i\n\nregister i\n");
  EXPECT_EQ(report::ReplayVerdictLines(c, Play(c), "my case\n100%.case"),
            "Verdict promised v6.0 none case=my%20case%0A100%25.case,steps=1\n");
}

// The kernel without the patch has none of its dropped and added rules, but the same assumptions.
TEST(WithoutPatch, KeepsAssumptions) {
  EXPECT_EQ(report::WithoutPatch(KernelOf("v6.0,-type1.same_ops,+assume.bus_ops_not_replaced")),
            KernelOf("v6.0,+assume.bus_ops_not_replaced"));
  EXPECT_EQ(report::WithoutPatch(KernelOf("v6.8,+core.owner_every,-assume.tables_not_shared")),
            KernelOf("v6.8,-assume.tables_not_shared"));
  EXPECT_EQ(report::WithoutPatch(KernelOf("v6.0,+assume.bus_ops_not_replaced")), std::nullopt);
}

report::Answer AskOf(const std::string& kernel, int devices, int steps) {
  report::Answer answer = report::Ask({.property = kReuse,
                                       .kernel = KernelOf(kernel),
                                       .bounds = {.devices = devices, .steps = steps},
                                       .bounded = true})
                              .value();
  const absl::Status changed = report::AskChange(answer);
  EXPECT_TRUE(changed.ok()) << changed;
  return answer;
}

std::string Because(const report::Answer& a) {
  return report::BecauseOf(a.result.verdict, a.change->result.verdict);
}

TEST(Change, IsBlamedForWhatItBreaks) {
  const report::Answer a = AskOf("v6.0,-type1.same_ops,+assume.bus_ops_not_replaced", 2, 5);
  ASSERT_EQ(a.result.verdict, Verdict::kViolated);
  EXPECT_EQ(Because(a), "yes");
  EXPECT_FALSE(a.change->only);
}

// v7.1 itself violates it if groups are mixed, and the patch allows no further run.
TEST(Change, IsNotBlamedForWhatTheKernelDoesAnyway) {
  const report::Answer a = AskOf("v7.1,-type1.same_ops", 3, 5);
  ASSERT_EQ(a.result.verdict, Verdict::kViolated);
  ASSERT_EQ(a.change->result.verdict, Verdict::kViolated);
  EXPECT_EQ(Because(a), "no");
  ASSERT_TRUE(a.change->only);
  EXPECT_EQ(a.change->only->verdict, Verdict::kHolds);
  EXPECT_TRUE(report::AssumptionsNotMade(a).has(Rule::kAssumeHomogeneousGroups));
}

// Both kernels violate it, but the patch also allows runs that the other refuses.
TEST(Change, ShowsAHoleOfItsOwn) {
  const report::Answer a = AskOf("v6.0,-type1.same_ops", 2, 5);
  ASSERT_EQ(a.change->result.verdict, Verdict::kViolated);
  EXPECT_EQ(Because(a), "no");
  ASSERT_TRUE(a.change->only);
  ASSERT_EQ(a.change->only->verdict, Verdict::kViolated);
  Case before = a.change->only->found;
  EXPECT_NE(Play(before).of(kReuse).at, 0);
  before.kernel = a.change->before;
  EXPECT_EQ(Play(before).of(kReuse).at, 0);
}

TEST(Change, OfAssumptionsIsNone) {
  EXPECT_FALSE(AskOf("v6.0,+assume.bus_ops_not_replaced", 1, 4).change);
}

}  // namespace
}  // namespace iommucheck
