// SPDX-License-Identifier: Apache-2.0
#include "src/report/survey_data.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/report/pairs_text.h"
#include "tests/given.h"

namespace iommucheck::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kData[] =
    "# device trees: 3\n"
    "machine,model,kernel,drivers,buses,answer,patched\n"
    "a.dtb,\"One, the \"\"first\"\"\",v7.3,x+y,x:pci y:platform,not affected,affected\n"
    "v/b.dtb,Two,v7.3,x,x:pci,not affected,not affected\n";

SurveyData Parsed(const std::string& text) { return ParseSurveyData(text, "d.csv").value(); }

TEST(SurveyData, IsReadAsItIsPrinted) {
  const SurveyData data = Parsed(kData);
  EXPECT_EQ(data.machines, 3U);
  EXPECT_EQ(data.entries.front().model, "One, the \"first\"");
  EXPECT_THAT(ServingDrivers(data.entries.front()), ElementsAre("x", "y"));
  EXPECT_EQ(PrintSurveyData(data), kData);
  for (const auto& path : FilesWith(kSource / "data/systems", ".csv")) {
    const std::string text = ReadWhole(path);
    EXPECT_EQ(PrintSurveyData(Parsed(text)), text) << path;
  }
}

TEST(SurveyData, SaysWhereItIsWrong) {
  const auto error = [](const std::string& text) {
    return std::string(ParseSurveyData(text, "d.csv").status().message());
  };
  const std::string head = "# device trees: 1\nmachine,model,kernel,drivers,buses,answer,patched\n";
  EXPECT_THAT(error(""), HasSubstr("d.csv:1:1: expected '# device trees: ' and a number"));
  EXPECT_THAT(error("# device trees: -1\n"), HasSubstr("d.csv:1:1: "));
  EXPECT_THAT(error("# device trees: 1\n"), HasSubstr("d.csv:2:1: expected 'machine,"));
  EXPECT_THAT(error(head + "a,b"), HasSubstr("d.csv:3:4: expected an end of line"));
  EXPECT_THAT(error(head + "a,b\n"), HasSubstr("d.csv:3:1: expected 7 cells, found 2"));
  EXPECT_THAT(error(head + "a,\"b\n"), HasSubstr("d.csv:3:3: expected a cell that is closed"));
  EXPECT_THAT(error(head + "a,\"b\"c,\n"), HasSubstr("d.csv:3:6: "));
}

TEST(SurveyData, SaysWhatCameWentAndChanged) {
  const SurveyData before = Parsed(kData);
  EXPECT_THAT(SurveyChanges(before, before), IsEmpty());
  SurveyData after = before;
  after.machines = 4;
  after.entries[0].answer = "affected";
  after.entries[1].machine = "v/c.dtb";
  EXPECT_THAT(SurveyChanges(before, after),
              ElementsAre("4 device trees, 3 before", HasSubstr("changed: a.dtb"),
                          HasSubstr("vanished: v/b.dtb (Two)"), HasSubstr("appeared: v/c.dtb")));
}

// The boards that `pairs` names are those of the survey.
TEST(SurveyData, KnowsTheBoardsOfAPair) {
  EXPECT_EQ(BoardsWith("arm-smmu", "arm-smmu-v3").size(), 33U);
  EXPECT_EQ(BoardsWith("vsi", "rockchip").size(), 52U);
  EXPECT_THAT(BoardsWith("amd", "intel"), IsEmpty());
  std::vector<PairsOn> kernels;
  for (const KernelVersion version : {KernelVersion::kV6_1, KernelVersion::kV7_3}) {
    const KernelSpec kernel{.version = version, .dropped = {}, .added = {}};
    kernels.push_back({kernel, import::AnalysePairs(kernel)});
  }
  const std::string text = PairsAcrossText(kernels);
  EXPECT_THAT(text, HasSubstr("33 device trees of Debian's 7.2"));
  for (const std::string& line : Split(text))
    EXPECT_TRUE(line.size() <= 75 || line.find("iommucheck") != line.npos) << line;
}

// A machine that is not affected has not the colour of those that are.
TEST(SurveyPage, KeepsVerdictsApart) {
  const SurveyVerdict verdict = {
      .kernel = "v7.3", .verdict = "not affected", .patched = "affected"};
  const std::string page = SurveyHtml({{.name = "a.dtb", .verdicts = {verdict}}});
  EXPECT_THAT(page, HasSubstr("<td class=\"not-affected\""));
  EXPECT_THAT(page, HasSubstr("<td class=\"affected\">affected"));
}

}  // namespace
}  // namespace iommucheck::report
