// SPDX-License-Identifier: Apache-2.0
//
// The mails in docs/reports are what `iommucheck report` prints of the cases beside them, and each is
// about a finding of docs/findings.md. IOMMUCHECK_UPDATE_GOLDEN=1 writes them anew; read the diff.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_replace.h"
#include "src/case/run.h"
#include "src/report/mail.h"
#include "src/report/text.h"
#include "src/tool/provenance.h"
#include "tests/run_tool.h"

namespace iommucheck {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

Case Parsed(const std::string& text, const std::string& name = "x.case") {
  const absl::StatusOr<Case> c = ParseCase(text, name);
  EXPECT_TRUE(c.ok()) << c.status();
  return c.value_or(Case());
}

std::string MailOf(const std::string& text) {
  const Case c = Parsed(text);
  const absl::StatusOr<std::string> mail = report::Mail(c, Play(c), std::nullopt, "x");
  return mail.ok() ? *mail : std::string(mail.status().message());
}

const std::string kRun = R"(kernel v6.12.y
driver drvA
instance iommuA drvA
device 00:04.0 pci iommuA

register iommuA -> ok
set-container 0 c0 -> ok
set-iommu c0 -> ok
map c0 60+4 0 read write -> ok
)";
const std::string kWrong = kRun + "unset-container 0 -> ok\n";

TEST(Mail, NamesStepFunctionAndFixOfItself) {
  const std::string mail = MailOf("# Pages are lost.\n" + kWrong);
  EXPECT_THAT(mail, testing::StartsWith(
                        "To: (scripts/get_maintainer.pl -f drivers/vfio/vfio_iommu_type1.c)\n"
                        "Subject: vfio/type1: unset-container violates no-leaked-pin on v6.12.y\n"
                        "\nPages are lost.\n\nkernel    v6.12.y\n"));
  EXPECT_THAT(mail, HasSubstr("function  vfio_unmap_unpin() in drivers/vfio/vfio_iommu_type1.c\n"
                              "wrong     5. ioctl(group 0, VFIO_GROUP_UNSET_CONTAINER) = 0\n"));
  EXPECT_THAT(mail, HasSubstr("fixed by  vfio_unmap_unpin()"));
  EXPECT_THAT(mail, HasSubstr("Fixes: (the Fixes: of the commit that stops it)\nCloses: ("));
  EXPECT_THAT(mail, HasSubstr("\n-- >8 -- x.c\n// SPDX-License-Identifier: GPL-2.0-only"));
}

TEST(Mail, IsReadFromACommentAsFromACommit) {
  const std::string mail = MailOf(
      "# vfio/type1: pages are lost\n#\n# They stay pinned.\n#\n#   as they are\n#\n"
      "# To: a@b\n# Function: vfio_dma_do_unmap() x.c\n# Seen: 6.12.1\n# Fixes: 0123 (\"x\")\n" +
      kWrong);
  EXPECT_THAT(mail, testing::StartsWith("To: a@b\nSubject: vfio/type1: pages are lost\n\n"
                                        "They stay pinned.\n\n  as they are\n\nkernel    v6.12.y\n"
                                        "seen      6.12.1\n"
                                        "function  vfio_dma_do_unmap() in x.c\n"));
  EXPECT_THAT(mail, HasSubstr("\nFixes: 0123 (\"x\")\nCloses: ("));
  EXPECT_THAT(mail, HasSubstr("--package linux-source-6.12\n"));
  EXPECT_THAT(mail, Not(HasSubstr("\n# vfio/type1: pages")));
}

TEST(Mail, ALastParagraphWithAnotherLineIsProse) {
  EXPECT_THAT(MailOf("# subject\n#\n# Fixes: 01\n# Nothing: 02\n" + kWrong),
              HasSubstr("\n\nFixes: 01 Nothing: 02\n\nkernel"));
}

TEST(Mail, SaysWhatIsWrongWhereNoPropertyDoes) {
  const std::string mail = MailOf("# s\n#\n# t\n#\n# Wrong: 2 it is late\n" + kRun);
  EXPECT_THAT(mail, HasSubstr("wrong     2. ioctl(group 0, VFIO_GROUP_SET_CONTAINER, c0) = 0\n"
                              "          it is late\n\n"));
  EXPECT_THAT(mail, Not(HasSubstr("kernels ")));
}

TEST(Mail, RefusesAStepThatTheRunHasNot) {
  for (const std::string wrong : {"0 x", "5 x", "2", "x y"})
    EXPECT_EQ(
        MailOf("# s\n#\n# t\n#\n# Wrong: " + wrong + "\n" + kRun),
        "expected 'Wrong: STEP SENTENCE' with a step of the run, found 'Wrong: " + wrong + "'");
}

TEST(Mail, RefusesACaseInWhichNothingIsWrong) {
  EXPECT_EQ(MailOf(kRun), "expected a case that violates a property, found one that does not");
}

TEST(Mail, SaysThatAStepOopses) {
  const std::string mail = MailOf(
      "kernel v6.12\ndriver drvA\ninstance iommuA drvA\ndevice 00:04.0 pci iommuA\n"
      "register iommuA\nset-container 0 c0\nunregister iommuA\nset-iommu c0\n");
  EXPECT_THAT(mail, HasSubstr("function  iommu_attach_group()\n"
                              "wrong     4. ioctl(c0, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU): oops"));
  EXPECT_THAT(mail, Not(HasSubstr("-- >8 -- x.c\n")));
}

// Those that are written by hand, too.
TEST(Reports, AreListedBesideTheirFindings) {
  for (const fs::path& mail : FilesWith(kSource / "docs/reports", ".txt"))
    for (const char* document : {"docs/findings.md", "docs/reports/README.md"})
      EXPECT_THAT(ReadWhole(kSource / document), HasSubstr(mail.filename().string())) << document;
}

class Report : public testing::TestWithParam<fs::path> {};

TEST_P(Report, IsWhatIsPrintedOfItsCase) {
  const std::string name = fs::path(GetParam()).stem().string();
  const Case c = Parsed(ReadWhole(GetParam()), name);
  const iommucheck::Run run = Play(c);
  EXPECT_TRUE(Mismatches(c, run).empty());
  const absl::StatusOr<std::string> mail = report::Mail(c, run, std::nullopt, name);
  ASSERT_TRUE(mail.ok()) << mail.status();
  // A file in the tree cannot name the commit that it is part of.
  const std::string got = absl::StrReplaceAll(*mail, {{report::ToolName(), tool::Release()}});
  const fs::path expected = fs::path(GetParam()).replace_extension(".txt");
  if (std::getenv("IOMMUCHECK_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << got;
  EXPECT_EQ(got, ReadWhole(expected));
  for (const char byte : got)
    ASSERT_TRUE(byte == '\n' || byte == '\t' || (byte >= ' ' && byte <= '~'));
  EXPECT_THAT(got, Not(testing::StartsWith("To: (scripts/get_maintainer.pl -f FILE)")));
}

INSTANTIATE_TEST_SUITE_P(Docs, Report,
                         testing::ValuesIn(FilesWith(kSource / "docs/reports", ".case")),
                         [](const auto& report) { return TestName(report.param.stem().string()); });

}  // namespace
}  // namespace iommucheck
