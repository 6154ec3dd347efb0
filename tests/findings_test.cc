// SPDX-License-Identifier: Apache-2.0
#include "fuzz/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "fuzz/durable.h"
#include "src/case/run.h"

namespace iommucheck::fuzzing {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The run of the 2022 patch, with a device and an op too many.
constexpr char kCase[] = R"(kernel v6.0 drop type1.same_ops
driver drvA claims=pci:own-ok
driver drvB claims=platform:store
instance iommu0 drvA
instance iommu1 drvB
device dev0 pci iommu0
device dev1 platform iommu1
device dev2 pci

register iommu0 -> ok
register iommu1 -> ok
set-container 0 c0 -> ok
set-container 1 c0 -> ok
set-iommu c0 -> ok

expect holds no-cross-driver-attach
)";

std::string Report(std::string_view text) {
  return absl::StrCat(
      "attach: fuzzing.cc:193: Assertion `no-cross-driver-attach on v6-0' failed.\n"
      "violated: no-cross-driver-attach: on v6.0 without type1.same_ops, in set-iommu c0\n"
      "a sentence\n\n",
      std::string(text),
      "\nreplay:  save the case above\ncommand: attach -seed=7 x\ntool:    iommucheck 0.1.0 "
      "(0123456789ab)\n\n");
}

std::string Key(std::string_view text) {
  const Reported r = ReadReport(Report(text));
  EXPECT_TRUE(r.property);
  return KeyOf(r, SmallestOf(*r.found, *r.property));
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "findingsXXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir = name;
    fs::create_directories(dir / "attach" / "inbox");
  }
  void TearDown() override { fs::remove_all(dir); }

  void Put(const std::string& name, const std::string& text, bool with_input = true) {
    std::ofstream(dir / "attach" / "inbox" / (name + ".txt")) << text;
    if (with_input) std::ofstream(dir / "attach" / "inbox" / (name + ".input")) << name;
  }
  int Take() {
    const auto fresh = TakeInbox(dir, "attach");
    EXPECT_TRUE(fresh.ok()) << fresh.status();
    EXPECT_TRUE(WriteIndex(dir).ok());
    return fresh.value_or(-1);
  }
  std::vector<nlohmann::json> Index() {
    std::vector<nlohmann::json> entries;
    std::ifstream in(dir / "findings" / "index.jsonl");
    for (std::string line; std::getline(in, line);) entries.push_back(nlohmann::json::parse(line));
    return entries;
  }
  static std::string Text(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  fs::path dir;
};

TEST(ReadReport, HasTheAssertionTheKernelAndTheCase) {
  const Reported r = ReadReport(Report(kCase));
  EXPECT_EQ(r.what, "no-cross-driver-attach on v6-0");
  EXPECT_EQ(r.kernel, "v6.0 without type1.same_ops");
  EXPECT_EQ(r.property, Property::kNoCrossDriverAttach);
  ASSERT_TRUE(r.found);
  EXPECT_EQ(r.found->ops.size(), 5U);
}

TEST(ReadReport, OfASanitizerIsItsSummary) {
  const Reported r = ReadReport(
      "==1==ERROR: AddressSanitizer: heap-use-after-free\n"
      "SUMMARY: AddressSanitizer: heap-use-after-free a.c:7 in f\n");
  EXPECT_EQ(r.what, "AddressSanitizer: heap-use-after-free a.c:7 in f");
  EXPECT_FALSE(r.property);
}

TEST(ReadReport, OfARunThatSawNothingSaysSo) {
  EXPECT_THAT(ReadReport("Executed x in 1 ms\n").what, HasSubstr("did not when it was run again"));
}

TEST(SmallestOf, LeavesOutWhatIsNotNeededAndFailsUntilMended) {
  const Reported r = ReadReport(Report(kCase));
  const Case smallest = SmallestOf(*r.found, *r.property);
  EXPECT_EQ(smallest.topology.devices_count, 2);
  EXPECT_THAT(Mismatches(smallest, Play(smallest)), Not(IsEmpty()));
}

TEST(KeyOf, IsTheSameWhateverTheNamesAndTheOrder) {
  const std::string renamed = absl::StrReplaceAll(
      kCase, {{"drvA", "amd"}, {"drvB", "arm"}, {"dev0", "00:04.0"}, {"iommu0", "left"}});
  EXPECT_EQ(Key(renamed), Key(kCase));
  const std::string reordered =
      absl::StrReplaceAll(kCase, {{"register iommu0 -> ok\nregister iommu1 -> ok",
                                   "register iommu1 -> ok\nregister iommu0 -> ok"},
                                  {"set-container 0 c0 -> ok\nset-container 1 c0 -> ok",
                                   "set-container 1 c0 -> ok\nset-container 0 c0 -> ok"}});
  EXPECT_EQ(Key(reordered), Key(kCase));
}

// Orders in which a device would come before its bridge have no end in the model.
TEST(KeyOf, OfACaseWithABridgeIsFound) {
  const std::string bridged = absl::StrReplaceAll(
      kCase, {{"device dev0 pci iommu0\n",
               "device dev2 pci bridge=upstream\ndevice dev0 pci iommu0 below=dev2\n"},
              {"device dev2 pci\n", ""}});
  const absl::StatusOr<Case> c = ParseCase(bridged, "bridged");
  ASSERT_TRUE(c.ok()) << c.status();
  const Reported r = ReadReport(Report(bridged));
  EXPECT_THAT(KeyOf(r, *c), HasSubstr(r.what));
}

TEST(KeyOf, DiffersByTheRules) {
  const Reported r = ReadReport(Report(kCase));
  Reported other = r;
  other.kernel = "v6.0 without core.dma_owner";
  const Case smallest = SmallestOf(*r.found, *r.property);
  EXPECT_NE(KeyOf(r, smallest), KeyOf(other, smallest));
}

TEST_F(Folder, AFindingIsKeptOnceAndCounted) {
  Put("a", Report(kCase));
  EXPECT_EQ(Take(), 1);
  Put("b", Report(kCase));
  EXPECT_EQ(Take(), 0);
  const auto index = Index();
  ASSERT_EQ(index.size(), 1U);
  EXPECT_EQ(index[0]["times"], 2);
  EXPECT_EQ(index[0]["property"], "no-cross-driver-attach");
  EXPECT_EQ(index[0]["tool"], "iommucheck 0.1.0 (0123456789ab)");
  EXPECT_EQ(index[0]["command"], "attach -seed=7 x");
  const fs::path finding = dir / "findings" / index[0]["id"].get<std::string>();
  EXPECT_EQ(Text(finding / "input"), "a");
  EXPECT_THAT(Text(finding / "report.txt"),
              HasSubstr("Subject: [iommucheck] no-cross-driver-attach on v6-0\n"));
  EXPECT_THAT(Text(finding / "smallest.case"), HasSubstr("expect holds no-cross-driver-attach"));
  EXPECT_TRUE(fs::is_empty(dir / "attach" / "inbox"));
}

TEST_F(Folder, AReportWhoseInputIsStillToComeWaits) {
  Put("a", Report(kCase), /*with_input=*/false);
  EXPECT_EQ(Take(), 0);
  EXPECT_TRUE(fs::exists(dir / "attach" / "inbox" / "a.txt"));
}

TEST_F(Folder, AnInputWhoseReportIsMissingStaysAndTheRestIsTaken) {
  Put("a", Report(kCase));
  Put("b", Report(kCase));
  fs::remove(dir / "attach" / "inbox" / "a.txt");
  const auto fresh = TakeInbox(dir, "attach");
  ASSERT_FALSE(fresh.ok());
  EXPECT_THAT(std::string(fresh.status().message()), HasSubstr("a.txt: cannot be read"));
  EXPECT_TRUE(fs::exists(dir / "attach" / "inbox" / "a.input"));
  ASSERT_TRUE(WriteIndex(dir).ok());
  EXPECT_EQ(Index().size(), 1U);
}

TEST_F(Folder, WithoutFindingsHasAnEmptyIndex) {
  ASSERT_TRUE(WriteIndex(dir).ok());
  EXPECT_THAT(Index(), IsEmpty());
}

TEST_F(Folder, ADamagedFindingIsListedAndReplaced) {
  Put("a", Report(kCase));
  EXPECT_EQ(Take(), 1);
  const std::string id = Index()[0]["id"];
  std::ofstream(dir / "findings" / id / "finding.json") << "{";
  ASSERT_TRUE(WriteIndex(dir).ok());
  EXPECT_EQ(Index()[0]["what"], "damaged");
  Put("b", Report(kCase));
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Index()[0]["times"], 1);
}

TEST_F(Folder, ATakeThatWasKilledBeforeTheRenameIsRepeated) {
  Put("a", Report(kCase));
  EXPECT_EQ(Take(), 1);
  const std::string id = Index()[0]["id"];
  fs::rename(dir / "findings" / id, dir / "findings" / (".new-" + id));
  ASSERT_TRUE(WriteIndex(dir).ok());
  EXPECT_THAT(Index(), IsEmpty());
  Put("a", Report(kCase));
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Index().size(), 1U);
  EXPECT_FALSE(fs::exists(dir / "findings" / (".new-" + id)));
}

TEST_F(Folder, AFileIsWrittenWholeOrNotAtAll) {
  const std::string path = dir / "file";
  EXPECT_EQ(WriteDurably(path, "one"), "");
  EXPECT_THAT(WriteDurably(dir / "no" / "file", "two"), HasSubstr("No such file"));
  EXPECT_EQ(Text(path), "one");
}

}  // namespace
}  // namespace iommucheck::fuzzing
