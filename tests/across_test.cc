// SPDX-License-Identifier: Apache-2.0
#include "src/report/across.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/report/kernel_table.h"
#include "tests/given.h"

namespace iommucheck::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(KernelTable, MergesKernelsThatAreAlikeAndMarksRowsThatDiffer) {
  const KernelTable table = {.kernels = {"v1", "v2", "v3", "v4", "v5"},
                             .rows = {{.head = "a", .cells = {"ok", "ok", "ok", "no", "ok"}},
                                      {.head = "b", .cells = {"-", "-", "-", "-", "-"}}}};
  EXPECT_EQ(KernelTableText(table),
            "     v1     v4\n"
            "     to v3\n"
            "     v5\n"
            "* a  ok     no\n"
            "  b  -      -\n");
}

TEST(KernelTable, BreaksWhatDoesNotFitBesideEachOther) {
  KernelTable table;
  for (int k = 0; k < 14; ++k) table.kernels.push_back("kernel" + std::to_string(k));
  table.rows.push_back({.head = std::string(60, 'x'), .cells = {}, .below = {"why"}});
  for (int k = 0; k < 14; ++k) table.rows[0].cells.push_back("cell" + std::to_string(k));
  const std::string text = KernelTableText(table);
  for (int k = 0; k < 14; ++k) EXPECT_THAT(text, HasSubstr("cell" + std::to_string(k)));
  EXPECT_EQ(text.find("why"), text.rfind("why"));
  for (const std::string& line : Split(text)) EXPECT_LE(line.size(), 75U) << line;
}

std::vector<PlayedOn> OnAll(const Case& c) { return PlayOn(c, kKernelVersions); }

// The second driver: refused by the bus, then by the core, then by nobody.
constexpr char kTwoDrivers[] =
    "kernel v6.12\n"
    "driver a claims=pci:strict\n"
    "driver b claims=pci:strict\n"
    "instance a0 a fwnode\n"
    "instance b0 b fwnode\n"
    "device 00:04.0 pci a0\n"
    "device 00:05.0 pci b0\n"
    "register a0 -> ok\n"
    "register b0 -> ok\n"
    "configure 00:05.0 -> ok\n"
    "expect holds no-cross-driver-reuse\n";

TEST(Across, SaysWhichRuleRefusesAnOpWhere) {
  const Case c = Parsed(kTwoDrivers);
  const std::string text = AcrossText(c, OnAll(c), "x.case");
  EXPECT_THAT(text, HasSubstr("  1 register a0"));
  EXPECT_THAT(text, HasSubstr("* 2 register b0"));
  EXPECT_THAT(text, HasSubstr("-EBUSY by bus.one_ops"));
  EXPECT_THAT(text, HasSubstr("-EBUSY by register.single_driver"));
  EXPECT_THAT(text, HasSubstr("* 00:05.0 served by"));
  EXPECT_THAT(text, HasSubstr("Verdict promised v7.3 none case=x.case,steps=3"));
  EXPECT_THAT(AcrossJson(c, OnAll(c), "x.case"), HasSubstr("\"refused_by\": \"bus.one_ops\""));
}

// Rules of the case go with it to the kernels that have them, and assumptions to all.
TEST(Across, TakesThePatchOfTheCaseAlong) {
  Case c = Parsed(kTwoDrivers);
  c.kernel = KernelOf("v6.8,-alloc.bus_unique,+assume.homogeneous_groups");
  for (const PlayedOn& on : OnAll(c)) {
    const bool has = ProfileOf(on.played.kernel.version).has(Rule::kAllocBusUnique);
    EXPECT_EQ(on.played.kernel.dropped.has(Rule::kAllocBusUnique), has);
    EXPECT_TRUE(on.played.kernel.added.has(Rule::kAssumeHomogeneousGroups));
    EXPECT_FALSE(ProfileOf(on.played.kernel).has(Rule::kAllocBusUnique));
  }
}

// On each kernel the run is the one that a case of that kernel has.
TEST(Across, IsTheRunOfEachKernelAlone) {
  for (const auto& path : FilesWith(kSource / "corpus/litmus", ".case")) {
    const Case c = Parsed(ReadWhole(path));
    const std::vector<PlayedOn> played = OnAll(c);
    const auto own = std::ranges::find_if(
        played, [&](const PlayedOn& on) { return on.played.kernel == c.kernel; });
    ASSERT_NE(own, played.end()) << path;
    const auto run = Play(c);
    ASSERT_EQ(own->run.steps.size(), run.steps.size()) << path;
    for (size_t n = 0; n < run.steps.size(); ++n)
      EXPECT_EQ(own->run.steps[n].result.error, run.steps[n].result.error) << path;
    EXPECT_THAT(AcrossText(c, played, "x"), Not(HasSubstr("\t")));
  }
}

}  // namespace
}  // namespace iommucheck::report
