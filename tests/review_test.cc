// SPDX-License-Identifier: Apache-2.0
//
// What a review reads of a patch, how it tells differences apart, and what explains them. Reviews of
// whole patches are in review_test.sh.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "src/case/kernel.h"
#include "src/conform/compare.h"
#include "src/conform/model_trace.h"
#include "src/review/both.h"
#include "src/review/changes.h"
#include "src/review/explain.h"

namespace iommucheck::review {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kMail = R"(From: A <a@example.org>
Subject: [PATCH] x

---
 drivers/a.c | 3 ++-

--- a/drivers/a.c
+++ b/drivers/a.c
@@ -10,4 +10,5 @@ static int first(void)
 	one();
-	two();
+	/* about two */
+	two_and_more();
 	three();

@@ -30,3 +31,2 @@ int second(struct x *x,
 	four();
-	five();
 	six();
-- 
2.39.5
)";

TEST(Changes, ReadsAMail) {
  const absl::StatusOr<Changes> changes = ParseChanges(kMail, "x.patch");
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_EQ(changes->files.size(), 1U);
  const FileChange& file = changes->files[0];
  EXPECT_EQ(file.file, "drivers/a.c");
  EXPECT_EQ(file.hunks.size(), 2U);
  EXPECT_THAT(FunctionsNear(file), ElementsAre("first", "second"));
  const std::vector<ChangedLine> lines = ChangedLines(file);
  ASSERT_EQ(lines.size(), 2U);  // a comment is no code
  EXPECT_EQ(lines[0].line, 12);
  EXPECT_EQ(lines[0].text, "\ttwo_and_more();");
  EXPECT_FALSE(lines[0].removed);
  EXPECT_EQ(lines[1].line, 32);
  EXPECT_TRUE(lines[1].removed);
}

TEST(Changes, ReadsWhatTheOverlaySays) {
  const std::string sum(64, 'a');
  const absl::StatusOr<Changes> changes =
      ParseChanges("patch " + sum +
                       " 0001-x.patch\nnot-built drivers/b.c\n"
                       "--- a/drivers/a.c\n+++ b/drivers/a.c\n@@ -5 +5 @@\n-x\n+y\n",
                   "changes");
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_EQ(changes->patches.size(), 1U);
  EXPECT_EQ(changes->patches[0].name, "0001-x.patch");
  EXPECT_THAT(changes->not_built, ElementsAre("drivers/b.c"));
  EXPECT_EQ(ChangedLines(changes->files.at(0)).at(0).line, 5);
}

TEST(Changes, NameTheFunctionsThatAreGone) {
  const absl::StatusOr<Changes> changes = ParseChanges(
      "--- a/a.c\n+++ b/a.c\n@@ -9,8 +8,0 @@ struct x {\n-static int gone(int a)\n-{\n-\treturn "
      "a;\n-}\n"
      "-\n-int here(int a)\n-{\n-\treturn 1;\n",
      "changes");
  ASSERT_TRUE(changes.ok()) << changes.status();
  // The end of the second is not in the diff, so that it may go on.
  EXPECT_THAT(FunctionsGone(changes->files.at(0)), ElementsAre("gone"));
}

TEST(Changes, SayWhereTheyAreNoDiff) {
  const auto error = [](std::string_view text) {
    return std::string(ParseChanges(text, "x.patch").status().message());
  };
  const std::string head = "--- a/a.c\n+++ b/a.c\n";
  EXPECT_THAT(error(head + "@@ nonsense @@\n"), HasSubstr("x.patch:3:1: expected @@ -LINE"));
  EXPECT_THAT(error(head + "@@ -1,99999999999 +1 @@\n"), HasSubstr("x.patch:3:1: expected @@"));
  EXPECT_THAT(error(head + "@@ -1,2 +1,2 @@\n a\n"), HasSubstr("x.patch:5:1: expected the rest"));
  EXPECT_THAT(error(head + "@@ -1,2 +1,2 @@\n a\n?\n"), HasSubstr("x.patch:5:1: expected a line"));
  EXPECT_THAT(error(head + "@@ -1,1 +1,2 @@\n a\n-b\n"), HasSubstr("as many lines"));
  EXPECT_THAT(ParseChanges("no diff\n--- \n\x01\n", "x")->files, IsEmpty());
  EXPECT_THAT(ParseChanges("", "x")->files, IsEmpty());
}

TEST(Functions, AreFoundByTheirBraces) {
  const std::vector<Function> functions = FunctionsOf(
      "struct a {\n\tint b;\n};\nstatic int f(int a,\n\t     int b)\n{\n\treturn a;\n}\n\n"
      "void\ng(void)\n{\n}\nint table[] = {\n};\nEXPORT(f);\n");
  ASSERT_EQ(functions.size(), 2U);
  EXPECT_EQ(functions[0].name, "f");
  EXPECT_EQ(functions[0].first, 4);
  EXPECT_EQ(functions[0].last, 8);
  EXPECT_EQ(functions[1].name, "g");
}

Case CaseOf(std::string_view text) {
  absl::StatusOr<Case> c = ParseCase(text, "x.case");
  EXPECT_TRUE(c.ok()) << c.status();
  return *c;
}

// Two drivers with tables of their own: with the comparison of ops each group has its own domain.
constexpr std::string_view kTwoTables = R"(kernel v6.12.y
table one
table two
driver drvA table=one
instance iommu0 drvA
instance iommu1 drvA table=two
device dev0 pci iommu0
device dev1 pci iommu1

register iommu0
register iommu1
set-container 0 c0
set-iommu c0
set-container 1 c0
)";

Played InModel(Case c, std::string_view patch) {
  if (!patch.empty()) c.kernel = *ParseKernel("v6.12.y," + std::string(patch), {}, {});
  return {.trace = conform::TraceOf(c), .result = {}};
}

TEST(Kinds, SayWhatDiffersFirst) {
  const Case c = CaseOf(kTwoTables);
  const Played before = InModel(c, "");
  EXPECT_THAT(KindsOf(c, before, before), IsEmpty());
  const std::vector<Kind> kinds = KindsOf(c, before, InModel(c, "-type1.same_ops"));
  ASSERT_EQ(kinds.size(), 1U);
  EXPECT_EQ(kinds[0].effect, Effect::kChanged);
  EXPECT_THAT(kinds[0].text, HasSubstr("set-container: `attach = 0` now"));

  Played after = before;
  after.trace.steps[3].error = -EPERM;
  EXPECT_THAT(KindsOf(c, before, after).at(0).text,
              HasSubstr("set-iommu: refused with -EPERM now, was taken"));
  EXPECT_THAT(KindsOf(c, after, before).at(0).text,
              HasSubstr("set-iommu: taken now, was refused with -EPERM"));
}

TEST(Kinds, OfLeaksWarnsAndCrashesAreWorseOrBetter) {
  const Case c = CaseOf(kTwoTables);
  const Played before = InModel(c, "");
  Played after = before;
  after.result.leaks = {"3 heap objects"};
  after.result.warns = {{.function = "f", .file = "drivers/iommu/iommu.c", .line = 12}};
  std::vector<Kind> kinds = KindsOf(c, before, after);
  ASSERT_EQ(kinds.size(), 2U);
  EXPECT_EQ(kinds[0].text, "now a WARN in f()");
  EXPECT_EQ(kinds[1].text, "now left after the teardown: heap objects");
  for (const Kind& kind : kinds) EXPECT_EQ(kind.effect, Effect::kWorse);
  kinds = KindsOf(c, after, before);
  ASSERT_EQ(kinds.size(), 2U);
  for (const Kind& kind : kinds) EXPECT_EQ(kind.effect, Effect::kBetter);
  after = before;
  after.result.crash = "signal 11 (SIGSEGV), in op 5";
  EXPECT_EQ(KindsOf(c, before, after).at(0).effect, Effect::kWorse);
}

TEST(Kinds, OfADomainThatIsFreedInUseAreWorse) {
  const Case c = CaseOf(kTwoTables);
  const Played before = InModel(c, "");
  ASSERT_THAT(FreesInUse(before.trace), IsEmpty());
  // set-iommu attaches a domain to dev0; here it is freed at once.
  Played after = before;
  conform::Trace& trace = after.trace;
  const auto last = trace.calls.begin() + trace.steps[3].calls_end - 1;
  const auto attach = std::find_if(
      std::make_reverse_iterator(last + 1), trace.calls.rend(),
      [](const conform::Call& call) { return call.kind == conform::Call::Kind::kAttach; });
  ASSERT_NE(attach, trace.calls.rend());
  const conform::Call free{.kind = conform::Call::Kind::kFree, .domain = attach->domain};
  trace.calls.insert(last + 1, free);
  for (size_t step = 3; step < trace.steps.size(); ++step) ++trace.steps[step].calls_end;
  EXPECT_THAT(FreesInUse(trace), ElementsAre(3));
  const std::vector<Kind> kinds = KindsOf(c, before, after);
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds[0].effect, Effect::kWorse);
  EXPECT_EQ(kinds[0].text, "set-iommu: a domain is now freed that a device is still on");
}

TEST(Kinds, OfAWarnWhereTheCaseFailsTheWayBackAreNoFaultOfThePatch) {
  const Case c = CaseOf(std::string(kTwoTables) + "unset-container 1 fail=attach:dev1:EIO\n");
  const Played before = InModel(c, "");
  Played after = before;
  after.result.warns = {{.function = "__iommu_group_set_domain_nofail",
                         .file = "drivers/iommu/iommu.c",
                         .line = 158}};
  const std::vector<Kind> excused = KindsOf(c, before, after);
  ASSERT_EQ(excused.size(), 1U);
  EXPECT_EQ(excused[0].effect, Effect::kChanged);
  EXPECT_THAT(excused[0].text, HasSubstr("a driver fail to go back"));
  // Not where no attach fails, and not where another function WARNs.
  const Case plain = CaseOf(kTwoTables);
  EXPECT_EQ(KindsOf(plain, before, after).at(0).effect, Effect::kWorse);
  after.result.warns = {
      {.function = "iommu_detach_group", .file = "drivers/iommu/iommu.c", .line = 99}};
  EXPECT_EQ(KindsOf(c, before, after).at(0).effect, Effect::kWorse);
}

TEST(Explain, FindsTheRuleThatAPatchTakesAway) {
  const Case c = CaseOf(kTwoTables);
  const auto with = [&c](std::string_view patch) {
    return std::vector<Answered>{{.c = c, .after = InModel(c, patch).trace}};
  };
  const auto version = KernelVersion::kV6_12_y;
  const std::vector<Rule> touched =
      RulesOf(std::vector<std::string>{"vfio_iommu_type1_attach_group"});
  EXPECT_NE(std::ranges::find(touched, Rule::kType1SameOps), touched.end());
  Explanation found = Explain(version, with("-type1.same_ops"), {}, touched);
  ASSERT_FALSE(found.fits.empty());
  EXPECT_THAT(RuleIds(found.fits[0].dropped), ElementsAre("type1.same_ops"));
  // Where nothing differs, no rule may change anything either.
  Case other = c;
  other.names.devices = {"a", "b"};
  found = Explain(version, with("-type1.same_ops"), std::vector<Case>{other}, touched);
  EXPECT_THAT(found.fits, IsEmpty());
  ASSERT_TRUE(found.best.has_value());
  EXPECT_EQ(found.best->cases, 1U);
}

TEST(Explain, SaysSoWhereNoRuleFits) {
  const Case c = CaseOf(kTwoTables);
  Answered answered{.c = c, .after = conform::TraceOf(c)};
  answered.after.steps[4].error = -EPERM;
  const Explanation found =
      Explain(KernelVersion::kV6_12_y, std::vector<Answered>{answered}, {}, {});
  EXPECT_THAT(found.fits, IsEmpty());
  EXPECT_GT(found.tried, 50U);
}

TEST(Unseen, AreTheRulesWithoutWhichNoCaseIsAnother) {
  const std::vector<Rule> touched =
      RulesOf(std::vector<std::string>{"vfio_iommu_type1_attach_group"});
  const auto has_same_ops = [&](const std::vector<Case>& cases) {
    const std::vector<Rule> unseen = Unseen(KernelVersion::kV6_12_y, cases, touched);
    return std::ranges::find(unseen, Rule::kType1SameOps) != unseen.end();
  };
  const Case two_tables = CaseOf(kTwoTables);
  Case one_table = two_tables;
  one_table.topology.instances[1].table = one_table.topology.instances[0].table;
  EXPECT_TRUE(has_same_ops({}));
  EXPECT_TRUE(has_same_ops({one_table}));
  EXPECT_FALSE(has_same_ops({one_table, two_tables}));
  EXPECT_FALSE(Agree(conform::TraceOf(two_tables), WithoutRule(two_tables, Rule::kType1SameOps)));
  EXPECT_TRUE(Agree(conform::TraceOf(one_table), WithoutRule(one_table, Rule::kType1SameOps)));
}

}  // namespace
}  // namespace iommucheck::review
