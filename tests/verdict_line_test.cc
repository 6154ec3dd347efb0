// SPDX-License-Identifier: Apache-2.0
#include "src/report/verdict_line.h"

#include <gtest/gtest.h>

#include "src/case/kernel.h"
#include "src/report/blame.h"

namespace iommucheck {
namespace {

using report::VerdictName;

KernelSpec Kernel(const std::string& word) {
  const absl::StatusOr<KernelSpec> kernel = ParseKernel(word, {}, {});
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  return kernel.ok() ? *kernel : KernelSpec{};
}

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
    const KernelSpec kernel = Kernel(word);
    const std::string printed = report::KernelWord(kernel);
    EXPECT_EQ(printed.find(' '), std::string::npos);
    EXPECT_EQ(Kernel(printed), kernel) << printed;
  }
  EXPECT_EQ(report::KernelWord(Kernel("v6.0,+assume.bus_ops_not_replaced,-type1.same_ops")),
            "v6.0,-type1.same_ops,+assume.bus_ops_not_replaced");
}

TEST(VerdictLine, HasFiveWords) {
  EXPECT_EQ(report::VerdictLine(Property::kNoCrossDriverReuse, Kernel("v6.0,-type1.same_ops"),
                                "violated", report::SizeScope(2, 5)),
            "Verdict no-cross-driver-reuse v6.0,-type1.same_ops violated devices=2,steps=5");
}

TEST(Scopes, OfNothingAreNothing) {
  EXPECT_EQ(report::SizeScope(0, 4), "nothing");
  EXPECT_EQ(report::SizeScope(3, 0), "nothing");
  EXPECT_EQ(report::SizeScope(3, 6), "devices=3,steps=6");
  EXPECT_EQ(report::MachineScope(), "machine");
  EXPECT_EQ(report::MachineScope(0), "nothing");
  EXPECT_EQ(report::MachineScope(6), "machine,steps=6");
}

TEST(ReplayVerdictLines, NameTheFileInOneWord) {
  const absl::StatusOr<Case> c = ParseCase(
      "kernel v6.0\ndriver a claims=pci:ignore\ninstance i a\ndevice d pci i\n\nregister i\n", "c");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(report::ReplayVerdictLines(*c, Play(*c), "my case\n100%.case"),
            "Verdict promised v6.0 none case=my%20case%0A100%25.case,steps=1\n");
}

// The kernel without the patch has none of its dropped and added rules, but the same assumptions.
TEST(WithoutPatch, KeepsAssumptions) {
  EXPECT_EQ(report::WithoutPatch(Kernel("v6.0,-type1.same_ops,+assume.bus_ops_not_replaced")),
            Kernel("v6.0,+assume.bus_ops_not_replaced"));
  EXPECT_EQ(report::WithoutPatch(Kernel("v6.8,+core.owner_every,-assume.tables_not_shared")),
            Kernel("v6.8,-assume.tables_not_shared"));
  EXPECT_EQ(report::WithoutPatch(Kernel("v6.0,+assume.bus_ops_not_replaced")), std::nullopt);
}

report::Answer AskOf(Property property, const std::string& kernel, const smt::Bounds& bounds) {
  absl::StatusOr<report::Answer> answer = report::Ask(
      {.property = property, .kernel = Kernel(kernel), .bounds = bounds, .bounded = true});
  EXPECT_TRUE(answer.ok()) << answer.status();
  const absl::Status changed = report::AskChange(*answer);
  EXPECT_TRUE(changed.ok()) << changed;
  return *std::move(answer);
}

std::string Because(const report::Answer& a) {
  return report::BecauseOf(a.result.verdict, a.change->result.verdict);
}

TEST(Change, IsBlamedForWhatItBreaks) {
  const report::Answer a =
      AskOf(Property::kNoCrossDriverReuse, "v6.0,-type1.same_ops,+assume.bus_ops_not_replaced",
            {.devices = 2, .steps = 5});
  ASSERT_EQ(a.result.verdict, Verdict::kViolated);
  EXPECT_EQ(Because(a), "yes");
  EXPECT_FALSE(a.change->only);
}

// v7.1 itself violates it if groups are mixed, and the patch allows no further run.
TEST(Change, IsNotBlamedForWhatTheKernelDoesAnyway) {
  const report::Answer a =
      AskOf(Property::kNoCrossDriverReuse, "v7.1,-type1.same_ops", {.devices = 3, .steps = 5});
  ASSERT_EQ(a.result.verdict, Verdict::kViolated);
  ASSERT_EQ(a.change->result.verdict, Verdict::kViolated);
  EXPECT_EQ(Because(a), "no");
  ASSERT_TRUE(a.change->only);
  EXPECT_EQ(a.change->only->verdict, Verdict::kHolds);
  EXPECT_TRUE(report::AssumptionsNotMade(a).has(Rule::kAssumeHomogeneousGroups));
}

// Both kernels violate it, but the patch also allows runs that the other refuses.
TEST(Change, ShowsAHoleOfItsOwn) {
  const report::Answer a =
      AskOf(Property::kNoCrossDriverReuse, "v6.0,-type1.same_ops", {.devices = 2, .steps = 5});
  ASSERT_EQ(a.change->result.verdict, Verdict::kViolated);
  EXPECT_EQ(Because(a), "no");
  ASSERT_TRUE(a.change->only);
  ASSERT_EQ(a.change->only->verdict, Verdict::kViolated);
  Case before = a.change->only->found;
  EXPECT_NE(Play(before).of(Property::kNoCrossDriverReuse).at, 0);
  before.kernel = a.change->before;
  EXPECT_EQ(Play(before).of(Property::kNoCrossDriverReuse).at, 0);
}

TEST(Change, OfAssumptionsIsNone) {
  EXPECT_FALSE(AskOf(Property::kNoCrossDriverReuse, "v6.0,+assume.bus_ops_not_replaced",
                     {.devices = 1, .steps = 4})
                   .change);
}

}  // namespace
}  // namespace iommucheck
