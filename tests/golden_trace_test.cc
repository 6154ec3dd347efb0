// SPDX-License-Identifier: Apache-2.0
//
// The model and real code behave like booted kernels (corpus/traces), except for the listed
// differences, each with a reason that docs/recording.md explains.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/conform/golden.h"
#include "src/conform/harness.h"
#include "src/conform/model_trace.h"
#include "src/conform/script.h"

namespace iommucheck::conform {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = IOMMUCHECK_SOURCE_DIR;
const fs::path kTraces = kSource / "corpus/traces";

std::string ReadText(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(in) << path;
  return text.str();
}

Cases AllCases() {
  std::vector<std::string> paths = {(kTraces / "random.cases").string(),
                                    (kTraces / "differences.cases").string()};
  for (const fs::directory_entry& entry : fs::directory_iterator(kSource / "corpus/litmus"))
    if (entry.path().extension() == ".case") paths.push_back(entry.path().string());
  const absl::StatusOr<Cases> cases = ReadCases(paths);
  EXPECT_TRUE(cases.ok()) << cases.status();
  return cases.ok() ? *cases : Cases();
}

// The module that recorded 6.1.192 left a fwspec behind, and made none without ops, as firmware does
// on a machine of ACPI (docs/recording.md). It was told of no firmware, so it took every machine for
// one of that kind.
Cases CasesFor(KernelVersion version) {
  Cases cases = AllCases();
  if (version != KernelVersion::kV6_1_y) return cases;
  for (auto& [name, c] : cases) {
    c.topology.firmware = Firmware::kAcpi;
    for (Driver& driver : c.topology.drivers) driver.firmware = Firmware::kAny;
  }
  return cases;
}

// The reasons of the profile's differences, by case.
std::map<std::string, std::string> Listed(const std::string& profile) {
  std::map<std::string, std::string> listed;
  std::istringstream lines(ReadText(kTraces / "differences.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    std::string of;
    std::string name;
    std::string reason;
    words >> of >> name >> reason;
    if (of != profile) continue;
    EXPECT_TRUE(listed.emplace(name, reason).second) << line << " stands there twice";
  }
  return listed;
}

class GoldenTrace : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTrace, IsWhatTheModelDoes) {
  const std::string& profile = GetParam();
  const auto version = FindVersion(profile);
  ASSERT_TRUE(version);
  const Cases cases = AsPlayed(CasesFor(*version), *version);
  const fs::path path = kTraces / (profile + ".trace");
  const absl::StatusOr<TraceFile> recorded = ParseTraces(ReadText(path), path.string(), cases);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_GT(recorded->entries.size(), 300U);

  for (const TraceFile::Entry& entry : recorded->entries)
    EXPECT_TRUE(PrintScript(cases.find(entry.name)->second, entry.name).ok())
        << entry.name << " was recorded, and no machine can play it";

  std::map<std::string, std::string> listed = Listed(profile);
  const std::string explained = ReadText(kSource / "docs/recording.md");
  for (const auto& [name, reason] : listed)
    EXPECT_THAT(explained, testing::HasSubstr("**" + reason + "**")) << name;
  const std::vector<Difference> differences =
      CompareTraces(*recorded, cases, "the model", [](const Case& c) { return TraceOf(c); });
  for (const Difference& d : differences)
    EXPECT_EQ(listed.erase(d.name), 1U) << d.name << " differs:\n" << d.comparison.text;
  for (const auto& [name, reason] : listed) ADD_FAILURE() << name << " is listed, and agrees";
}

// Real code in this process (IOMMUCHECK_KERNEL_BUILD, a build of ./dev kernel) agrees, also where
// the model does not, unless the case is another one now.
TEST(GoldenTraceOfTheBuild, IsWhatRealCodeDoes) {
  const char* build = std::getenv("IOMMUCHECK_KERNEL_BUILD");
  if (build == nullptr || !fs::exists(fs::path(build) / "kernel.so"))
    GTEST_SKIP() << "IOMMUCHECK_KERNEL_BUILD names no build of ./dev kernel";
  auto harness = Harness::Load(std::string(build) + "/kernel.so", /*catch_oops=*/true);
  ASSERT_TRUE(harness.ok()) << harness.status();
  const std::string profile(VersionName(harness->version()));
  const Cases cases = AsPlayed(CasesFor(harness->version()), harness->version());
  const fs::path path = kTraces / (profile + ".trace");
  const absl::StatusOr<TraceFile> recorded = ParseTraces(ReadText(path), path.string(), cases);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  const std::map<std::string, std::string> listed = Listed(profile);
  size_t compared = 0;
  const auto real_code = [&](const Case& c) {
    ++compared;
    EXPECT_EQ(harness->WhyNot(c), "");
    Trace trace;
    EXPECT_TRUE(harness->PlayApart(c, c.ops.size(), trace).ok());
    return trace;
  };
  for (const Difference& d : CompareTraces(*recorded, cases, harness->name(), real_code))
    EXPECT_THAT(listed, testing::Contains(testing::Pair(d.name, "other-machine")))
        << d.name << " differs:\n"
        << d.comparison.text;
  EXPECT_GT(compared, 300U);
}

INSTANTIATE_TEST_SUITE_P(Kernels, GoldenTrace, testing::Values("v6.1.y", "v6.12.y"));

// Tests the comparison itself: it must be able to fail.
TEST(CompareTraces, SeesOneChangedErrno) {
  Cases cases;
  absl::StatusOr<Case> c = ParseCase(
      "kernel v6.12\ndriver A\ninstance i A\ndevice d pci i\n\nregister i\nset-container 0 c0\n",
      "a.case");
  ASSERT_TRUE(c.ok()) << c.status();
  cases.emplace("a", *c);
  TraceFile recorded{.kernel = "a kernel", .entries = {{"a", TraceOf(*c)}}};
  const auto model = [](const Case& of) { return TraceOf(of); };
  EXPECT_TRUE(CompareTraces(recorded, cases, "the model", model).empty());
  recorded.entries[0].trace.steps[1].error = -EBUSY;
  const std::vector<Difference> differences = CompareTraces(recorded, cases, "the model", model);
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_EQ(differences[0].comparison.step, 1U);
}

TEST(AsPlayed, DropsWhatTheKernelDoesNotAssume) {
  absl::StatusOr<Case> c = ParseCase(
      "kernel v7.1 drop type1.same_ops\ndriver A\ninstance i A\ndevice d pci i\n\n"
      "register i -> ok\nregister i\nunregister i\n\nexpect device d driver A\n",
      "a.case");
  ASSERT_TRUE(c.ok()) << c.status();
  const Case played = AsPlayed(*c, KernelVersion::kV6_12);
  EXPECT_EQ(played.kernel.version, KernelVersion::kV6_12);
  EXPECT_FALSE(ProfileOf(played.kernel).has(Rule::kAssumeTablesNotShared));
  EXPECT_TRUE(ProfileOf(played.kernel).has(Rule::kType1SameOps));
  EXPECT_EQ(played.ops.size(), 1U) << "it is registered already";
  EXPECT_TRUE(played.expectations.empty());
}

TEST(ReadCases, SaysWhatIsWrongInAFileOfMany) {
  const fs::path path = fs::temp_directory_path() / "iommucheck-golden.cases";
  std::ofstream(path) << "=== a\nkernel v6.1\n=== b\nkernel v6.3\n";
  const absl::StatusOr<Cases> cases = ReadCases({path.string()});
  fs::remove(path);
  ASSERT_FALSE(cases.ok());
  EXPECT_THAT(std::string(cases.status().message()), testing::HasSubstr(".cases b:2:8: expected"));
}

}  // namespace
}  // namespace iommucheck::conform
