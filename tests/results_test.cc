// SPDX-License-Identifier: Apache-2.0
//
// JUnit, KTAP and SARIF of what was checked.
#include "src/report/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/report/claim.h"
#include "tests/run_tool.h"

namespace iommucheck::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Outcome = CheckResult::Outcome;

// One of each outcome, with characters that a form could take for its own.
std::vector<CheckResult> OneOfEach() {
  return {{.name = "good # 1"},
          {.name = "a<b>&\"c\"",
           .outcome = Outcome::kFail,
           .kind = "no-oops",
           .message = "expected <this>, got \x01 that",
           .detail = "line 1\nline 2\n",
           .file = "dir/a b.case",
           .line = 7,
           .kernel = {{.file = "drivers/iommu/iommu.c",
                       .function = "__iommu_attach_group",
                       .why = "core.owner_first: refused"}}},
          {.name = "unreadable", .outcome = Outcome::kError, .message = "cannot be read"},
          {.name = "skipped", .outcome = Outcome::kSkip, .message = "no # such kernel"}};
}

TEST(Junit, CountsAndQuotes) {
  const std::string text = ResultsText(ResultForm::kJunit, "judge", OneOfEach());
  EXPECT_THAT(text, AllOf(HasSubstr("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""),
                          HasSubstr("name=\"a&lt;b&gt;&amp;&quot;c&quot;\""),
                          HasSubstr("file=\"dir/a b.case\" line=\"7\""),
                          HasSubstr("<failure type=\"no-oops\" message=\"expected &lt;this&gt;, "
                                    "got ? that\">"),
                          HasSubstr("<skipped message=\"no # such kernel\"/>"),
                          HasSubstr("line 1&#10;line 2"), Not(HasSubstr("\x01"))));
}

TEST(Junit, IsXmlThatAParserReads) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "results.xml")
      << ResultsText(ResultForm::kJunit, "judge", OneOfEach());
  const ToolOutcome parsed = RunShell(
      "python3 -c 'import sys, xml.etree.ElementTree as e; "
      "print(*(t.get(\"name\") + \":\" + \"\".join(c.tag for c in t) "
      "for t in e.parse(sys.argv[1]).iter(\"testcase\")), sep=\"|\")' '" +
      (folder.path() / "results.xml").string() + "' 2>&1");
  EXPECT_EQ(parsed.out, "good # 1:|a<b>&\"c\":failure|unreadable:error|skipped:skipped\n");
}

TEST(Ktap, HasAPlanDiagnosticsAndDirectives) {
  const std::vector<std::string> lines =
      Split(ResultsText(ResultForm::kKtap, "judge", OneOfEach()));
  ASSERT_EQ(lines.size(), 13U);
  EXPECT_EQ(lines[0], "KTAP version 1");
  EXPECT_EQ(
      std::vector(lines.begin() + 3, lines.end()),
      (std::vector<std::string>{
          "1..4", "ok 1 good   1", "# dir/a b.case:7: expected <this>, got ? that",
          "#   drivers/iommu/iommu.c: __iommu_attach_group: core.owner_first: refused", "# line 1",
          "# line 2", "not ok 2 a<b>&\"c\"", "# cannot be read",
          "not ok 3 unreadable # ERROR cannot be read", "ok 4 skipped # SKIP no   such kernel"}));
}

TEST(Ktap, IndentsTheListOfTheParts) {
  const CheckResult whole{
      .name = "whole",
      .outcome = Outcome::kFail,
      .parts = {{.name = "one"}, {.name = "two", .outcome = Outcome::kFail, .message = "no"}}};
  const std::vector<std::string> lines = Split(ResultsText(ResultForm::kKtap, "judge", {whole}));
  EXPECT_EQ(std::vector(lines.begin() + 3, lines.end()),
            (std::vector<std::string>{"1..1", "  KTAP version 1", "  # Subtest: whole", "  1..2",
                                      "  ok 1 one", "  # no", "  not ok 2 two", "not ok 1 whole"}));
}

nlohmann::json Sarif(const std::vector<CheckResult>& results) {
  return nlohmann::json::parse(ResultsText(ResultForm::kSarif, "judge", results))["runs"][0];
}

TEST(Sarif, ListsWhatIsNoPassWithItsPlaces) {
  const nlohmann::json run = Sarif(OneOfEach());
  EXPECT_EQ(run["invocations"][0]["executionSuccessful"], false);
  ASSERT_EQ(run["results"].size(), 2U);
  const nlohmann::json& failed = run["results"][0];
  EXPECT_EQ(failed["ruleId"], "no-oops");
  const nlohmann::json& at = failed["locations"][0]["physicalLocation"];
  EXPECT_EQ(at["artifactLocation"]["uri"], "dir/a%20b.case");
  EXPECT_EQ(at["region"]["startLine"], 7);
  const nlohmann::json& kernel = failed["relatedLocations"][0];
  EXPECT_EQ(kernel["physicalLocation"]["artifactLocation"]["uriBaseId"], "KERNEL");
  EXPECT_EQ(kernel["logicalLocations"][0]["name"], "__iommu_attach_group");
  EXPECT_FALSE(kernel["physicalLocation"].contains("region"));
}

TEST(Sarif, HasTheLinesOfATree) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "drivers/iommu/iommu.c";
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << "/* __iommu_attach_group() attaches. */\n"
                         "static int __iommu_attach_group(struct iommu_domain *domain,\n"
                         "\t\t\t\tstruct iommu_group *group);\n"
                         "int my__iommu_attach_group(void)\n{\n"
                         "\treturn __iommu_attach_group(0, 0);\n}\n\n"
                         "static int __iommu_attach_group(struct iommu_domain *domain,\n"
                         "\t\t\t\tstruct iommu_group *group)\n{\n}\n";
  std::vector<CheckResult> results = OneOfEach();
  results[1].kernel.push_back({.file = "drivers/none.c", .function = "none", .why = ""});
  FindLines(folder.path(), results);
  EXPECT_EQ(results[1].kernel[0].line, 9);
  EXPECT_EQ(results[1].kernel[1].line, 0);
  EXPECT_EQ(
      Sarif(
          results)["results"][0]["relatedLocations"][0]["physicalLocation"]["region"]["startLine"],
      9);
}

constexpr const char* kViolates = R"(kernel v6.0 drop type1.same_ops
driver intel claims=pci:ignore
driver rk claims=platform:ignore
instance dmar0 intel
instance rk0 rk
device nic pci dmar0
device fdb0 platform rk0
register dmar0 -> ok
register rk0 -> ok
set-container 0 c0 -> ok
set-iommu c0 -> -EBUSY
set-container 1 c0 -> ok
expect holds no-cross-driver-reuse
)";

// Which parts of a case fail, where, and which kernel function that is about.
TEST(TheResultOfACase, NamesTheCheckThatWouldHaveStoppedIt) {
  const std::vector<CheckResult> results =
      JudgeResults(std::vector{JudgeCase("x.case", Parsed(kViolates))});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].outcome, Outcome::kFail);
  std::vector<std::string> failed;
  for (const CheckResult& part : results[0].parts)
    if (part.outcome == Outcome::kFail)
      failed.push_back(part.kind + ":" + std::to_string(part.line));
  EXPECT_THAT(failed, ElementsAre("errno:11", "no-cross-driver-reuse:13"));
  std::vector<std::string> functions;
  for (const KernelPlace& place : results[0].parts.back().kernel)
    functions.push_back(place.function);
  EXPECT_THAT(functions, testing::Contains("vfio_iommu_type1_attach_group"));
}

TEST(TheResultOfAnUnreadableFile, HasItsLine) {
  const std::vector<CheckResult> results = JudgeResults(std::vector<Judged>{
      {.path = "x.case", .status = absl::InvalidArgumentError("x.case:12:3: expected a, found b")},
      {.path = "y.case", .status = absl::InvalidArgumentError("y.case: cannot be read")}});
  EXPECT_EQ(results[0].line, 12);
  EXPECT_EQ(results[0].message, "expected a, found b");
  EXPECT_EQ(results[1].line, 0);
  EXPECT_EQ(results[1].message, "cannot be read");
  EXPECT_EQ(results[1].outcome, Outcome::kError);
}

}  // namespace
}  // namespace iommucheck::report
