// SPDX-License-Identifier: Apache-2.0
//
// What is said of the trees in which rules were seen.
#include "model/evidence.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "src/case/kernel.h"

namespace iommucheck {
namespace {

TEST(Evidence, HasATreeOfEachProfile) {
  for (const KernelVersion version : kKernelVersions) {
    EXPECT_FALSE(SeenTreesOf(version).empty()) << VersionName(version);
    for (const SeenTree& seen : SeenTreesOf(version)) EXPECT_EQ(seen.profile, version);
  }
}

TEST(Evidence, OfATreeThatIsRunIsOfTheFilesThatAreRun) {
  EXPECT_EQ(SeenIn(Rule::kType1SameOps, KernelVersion::kV6_12_y), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kType1SameOps, KernelVersion::kV6_0), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kType1SameOps, KernelVersion::kV6_1), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kFirmwareViot, KernelVersion::kV6_12), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kVfioOpenOnce, KernelVersion::kV6_12_y), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kVfioViable, KernelVersion::kV5_10_y), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kBindProbeErrno, KernelVersion::kV5_10_y), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kCoreResetBusy, KernelVersion::kV6_12_y), Seen::kText);
  EXPECT_EQ(SeenIn(Rule::kCoreResetBusy, KernelVersion::kV7_1), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kType1UnpinZero, KernelVersion::kV5_19), Seen::kCode);
  EXPECT_EQ(SeenIn(Rule::kVfioWaitOnLast, KernelVersion::kV5_18), Seen::kText);
  EXPECT_EQ(SeenIn(Rule::kAssumeTablesNotShared, KernelVersion::kV6_12_y), Seen::kNowhere);
}

// A release between two profiles says of each rule in which they differ which one it is like, and
// of no other.
TEST(Evidence, BetweenProfilesIsOfRulesInWhichTheyDiffer) {
  for (const ReadBetween& read : ReleasesReadBetween()) {
    const auto place = PlaceOf(read.release);
    ASSERT_TRUE(place && place->below && place->above && !place->exact) << read.release;
    for (const Rule rule : read.as_after)
      EXPECT_NE(ProfileOf(*place->below).has(rule), ProfileOf(*place->above).has(rule))
          << read.release << " " << InfoOf(rule).id;
  }
}

TEST(AskAs, NamesTheProfileOfARelease) {
  EXPECT_FALSE(AskAs("v6.12"));
  EXPECT_FALSE(AskAs("v6.12.y,-type1.same_ops"));
  const auto exact = AskAs("6.12.117+deb12-amd64,-type1.same_ops");
  ASSERT_TRUE(exact);
  EXPECT_EQ(exact->word, "v6.12.y,-type1.same_ops");
  EXPECT_EQ(exact->note, "Linux 6.12.117+deb12-amd64 is asked about as v6.12.y.");
  EXPECT_EQ(
      AskAs("5.19.3")->note,
      "Linux 5.19.3 is asked about as v5.19. v5.19 is the .0 release; the fixes of its stable "
      "series are not modelled.");
}

TEST(AskAs, TakesTheNearerProfileAndSaysHowTheyDiffer) {
  const auto before = AskAs("6.3.1");
  ASSERT_TRUE(before);
  EXPECT_EQ(before->word, "v6.1.y");
  EXPECT_EQ(AskAs("v6.5")->word, "v6.6");
  // Of two that are as near, the older.
  EXPECT_EQ(AskAs("6.7")->word, "v6.6");
  EXPECT_EQ(AskAs("6.15")->word, "v6.12.y");
  EXPECT_EQ(AskAs("6.19.1")->word, "v6.18");
  for (const RuleInfo& info : AllRules()) {
    const bool differ = ProfileOf(KernelVersion::kV6_1_y).has(info.rule) !=
                        ProfileOf(KernelVersion::kV6_6).has(info.rule);
    const bool named = before->note.find(std::string(info.id)) != std::string::npos;
    EXPECT_EQ(named, differ) << info.id << "\n" << before->note;
  }
  EXPECT_NE(AskAs("7.0.1")->note.find("Read in 7.0.0: as v7.1 in core.rollback_failing"),
            std::string::npos);
  EXPECT_EQ(AskAs("6.6.87-generic")->word, "v6.6");
  EXPECT_EQ(AskAs("5.10.200")->word, "v5.10.y");
  EXPECT_NE(AskAs("7.2")->note.find("They have the same rules."), std::string::npos);
}

TEST(AskAs, LeavesUnknownReleasesUnknown) {
  for (const char* word :
       {"5.9.1", "8.0", "6", "six", "", ",-type1.same_ops", "6.1\x1b[31m", "v6.1y", "6.12 x"})
    EXPECT_FALSE(AskAs(word)) << word;
}

}  // namespace
}  // namespace iommucheck
