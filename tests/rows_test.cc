// SPDX-License-Identifier: Apache-2.0
//
// Documents agree with the rows of profiles and properties, and the probes distinguish kernel
// trees. IOMMUCHECK_UPDATE_GOLDEN=1 writes these parts of the documents anew; read the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/profiles.h"
#include "model/properties.h"
#include "src/conform/harness.h"

namespace iommucheck {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Expects `wanted` as the text of the file from the only `begin` to the next `end`.
void ExpectPart(const std::string& file, std::string_view begin, std::string_view end,
                const std::string& wanted) {
  const std::string path = std::string(IOMMUCHECK_SOURCE_DIR) + "/" + file;
  std::string text = ReadWhole(path);
  const size_t at = text.find(begin);
  ASSERT_NE(at, std::string::npos) << file << " has no: " << begin;
  ASSERT_EQ(text.find(begin, at + 1), std::string::npos) << file << " has twice: " << begin;
  const size_t from = at + begin.size();
  const size_t to = text.find(end, from);
  ASSERT_NE(to, std::string::npos) << file;
  EXPECT_EQ(text.substr(from, to - from), wanted) << file;
  if (std::getenv("IOMMUCHECK_UPDATE_GOLDEN") == nullptr) return;
  text.replace(from, to - from, wanted);
  std::ofstream(path) << text;
}

std::string JsonList(const std::vector<std::string>& words) {
  return absl::StrCat("\"", absl::StrJoin(words, "\", \""), "\"");
}

// "a, b and c"
std::string ProseList(std::vector<std::string> words) {
  const std::string last = words.back();
  words.pop_back();
  return words.empty() ? last : absl::StrCat(absl::StrJoin(words, ", "), " and ", last);
}

std::vector<std::string> Names(bool mainline, bool stable) {
  std::vector<std::string> names;
  for (const ProfileInfo& info : AllProfiles())
    if (info.is_stable() ? stable : mainline) names.emplace_back(info.name);
  return names;
}

TEST(Docs, HaveTheProfiles) {
  const std::string all = JsonList(Names(true, true));
  ExpectPart("docs/output.schema.json", R"("profile": {"enum": [)", "]}", all);
  ExpectPart("README.md", "Modelled, for ", ", each step",
             absl::StrCat(ProseList(Names(true, false)), " (mainline `.0`), and ",
                          ProseList(Names(false, true)), "\n(stable)"));
}

TEST(Docs, HaveTheProperties) {
  std::vector<std::string> encoded;
  std::string table;
  for (const Property property : kProperties) {
    const PropertyInfo& info = InfoOf(property);
    if (info.encoded) encoded.emplace_back(info.name);
    absl::StrAppend(&table, "| `", std::string(info.name), "` | ", std::string(info.sentence),
                    " |\n");
  }
  ExpectPart("docs/properties.md", "| property | sentence |\n|---|---|\n", "\nNot among", table);
  ExpectPart("docs/output.schema.json", R"("property": {"enum": [)", "]}", JsonList(encoded));
}

// Without a probe for each difference, a tree would get the profile of another. Trees before 6.1
// cannot be built.
TEST(Trees, AreToldApartByWhatIsProbed) {
  for (const ProfileInfo& info : AllProfiles()) {
    if (info.era == Era::kBusSlots) continue;
    uint32_t features = info.era == Era::kSingleDriver ? HARNESS_BUS_OPS : 0;
    for (const auto& [rule, feature] : conform::ProbedRules())
      if (ProfileOf(info.version).has(rule)) features |= feature;
    EXPECT_EQ(VersionName(conform::ProfileOfTree(features)), info.name);
  }
}

// A backported fix does not give an older tree the profile of a newer kernel.
TEST(Trees, ThatArePatchedAreOfTheProfileThatIsNearest) {
  using enum KernelVersion;
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_DEFER_UNSET), kV6_8);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_DMA_CONFIGURE | HARNESS_DEFER_UNSET), kV6_8);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_ALLOC_BY_DEV | HARNESS_DMA_CONFIGURE), kV7_1);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_ALLOC_BY_DEV | HARNESS_REATTACH), kV6_12);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_BUS_OPS | HARNESS_DEFER_UNSET), kV6_1);
}

}  // namespace
}  // namespace iommucheck
