// SPDX-License-Identifier: Apache-2.0
//
// Checks the map of guards with the model and with single questions to the solver.
#include "src/guards/guards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/case/run.h"
#include "src/report/guards_text.h"
#include "tests/given.h"

namespace iommucheck::guards {
namespace {

RuleSet Rules(std::initializer_list<const char*> ids) {
  RuleSet rules;
  for (const char* id : ids) rules.add(*FindRule(id));
  return rules;
}

Map MapOf(KernelVersion version, Property property, bool bounded) {
  Map map = FindGuards({.property = property,
                        .kernel = {.version = version},
                        .bounds = {.steps = 0},
                        .bounded = bounded})
                .value();
  EXPECT_TRUE(map.complete);
  return map;
}

bool Violates(const Map& map, const Case& found, RuleSet rules) {
  Case c = found;
  c.kernel = KernelWith(map.question.kernel, map.universe, rules);
  return Play(c).of(map.question.property).at == static_cast<int>(c.ops.size());
}

Verdict Ask(const Map& map, RuleSet rules) {
  const KernelSpec kernel = KernelWith(map.question.kernel, map.universe, rules);
  return smt::Query(map.question.property, kernel, map.question.bounds).value().verdict;
}

using enum KernelVersion;
using Asked = std::pair<KernelVersion, Property>;
std::string NameOf(const testing::TestParamInfo<Asked>& asked) {
  return TestName(absl::StrCat(std::string(VersionName(asked.param.first)), " ",
                               std::string(PropertyName(asked.param.second))));
}

class BoundedMap : public testing::TestWithParam<Asked> {};

TEST_P(BoundedMap, IsWhatSingleQuestionsSay) {
  const Map map = MapOf(GetParam().first, GetParam().second, true);
  ASSERT_FALSE(map.sufficient.empty());
  ASSERT_FALSE(map.removals.empty());
  for (const Removal& removal : map.removals) {
    // Without these rules the kernel violates the property; with any one of them back it does not.
    EXPECT_TRUE(Violates(map, removal.found, map.universe - removal.rules));
    for (const RuleInfo& info : AllRules()) {
      if (!removal.rules.has(info.rule)) continue;
      const RuleSet back = (map.universe - removal.rules) | RuleSet().add(info.rule);
      EXPECT_EQ(Ask(map, back), Verdict::kHolds) << info.id;
    }
    // A set of rules that breaks it by its removal has a rule of each sufficient set.
    for (const Sufficient& set : map.sufficient) EXPECT_TRUE(removal.rules.has_any(set.rules));
  }
  for (const Sufficient& set : map.sufficient) {
    EXPECT_EQ(Ask(map, set.rules), Verdict::kHolds);
    for (const RuleInfo& info : AllRules()) {
      if (!set.rules.has(info.rule)) continue;
      // Each rule is needed: there is a removal that contains no other rule of the set.
      const RuleSet rest = RuleSet(set.rules).drop(info.rule);
      EXPECT_TRUE(std::ranges::any_of(map.removals, [&](const Removal& removal) {
        return !removal.rules.has_any(rest);
      })) << info.id;
    }
  }
  for (const Alone& alone : map.alone)
    EXPECT_EQ(Ask(map, RuleSet(map.in_table).drop(alone.rule)), alone.with_all.verdict)
        << InfoOf(alone.rule).id;
}

INSTANTIATE_TEST_SUITE_P(Guards, BoundedMap,
                         testing::Values(Asked(kV5_15, kReuse), Asked(kV6_0, kReuse),
                                         Asked(kV6_1, kReuse), Asked(kV7_1, kReuse),
                                         Asked(kV6_0, kAttach), Asked(kV7_1, kAttach)),
                         NameOf);

// The map's answers about the kernel in question, and about it without each rule, are those of
// `query` and `query --drop`, down to the size: the map adds no assumption that the kernel does not
// make.
class KernelAsItIs : public testing::TestWithParam<Asked> {};

TEST_P(KernelAsItIs, IsWhatQuerySays) {
  const auto& [version, property] = GetParam();
  const smt::Bounds bounds{.devices = 2, .steps = 5};
  const Map map =
      FindGuards(
          {.property = property, .kernel = {.version = version}, .bounds = bounds, .bounded = true})
          .value();
  const auto agrees = [&](const Standing& standing, const KernelSpec& kernel,
                          std::string_view what) {
    const smt::QueryResult asked = smt::Query(property, kernel, bounds).value();
    EXPECT_EQ(standing.verdict, asked.verdict) << what;
    EXPECT_EQ(standing.found.ops.size(), asked.found.ops.size()) << what;
    EXPECT_EQ(standing.found.topology.devices_count, asked.found.topology.devices_count) << what;
  };
  agrees(map.kernel, {.version = version}, "as it is");
  int rules = 0;
  for (const Alone& alone : map.alone) {
    EXPECT_EQ(alone.as_is.has_value(), ProfileOf(version).has(alone.rule));
    if (!alone.as_is) continue;
    agrees(*alone.as_is, {.version = version, .dropped = RuleSet().add(alone.rule)},
           InfoOf(alone.rule).id);
    ++rules;
  }
  EXPECT_GE(rules, 10);
}

INSTANTIATE_TEST_SUITE_P(Guards, KernelAsItIs,
                         testing::Values(Asked(kV6_0, kReuse), Asked(kV6_1, kReuse),
                                         Asked(kV7_1, kAttach)),
                         NameOf);

// v6.1 does not assume that bus slots stay. Without register.single_driver it violates the
// property, though the rule is redundant on a kernel with that assumption.
TEST(Map, DoesNotCallARuleRedundantThatTheKernelNeeds) {
  const Map map = MapOf(KernelVersion::kV6_1, kReuse, true);
  const auto row = std::ranges::find(map.alone, Rule::kRegisterSingleDriver, &Alone::rule);
  ASSERT_NE(row, map.alone.end());
  EXPECT_EQ(row->as_is->verdict, Verdict::kViolated);
  EXPECT_EQ(row->as_is->found.ops.size(), 5U);
  EXPECT_EQ(row->with_all.verdict, Verdict::kHolds);
  EXPECT_EQ(map.kernel.verdict, Verdict::kHolds);
}

// Together with these rules the comparison of 2022 keeps the property, and nothing else does but
// the drivers' own test.
TEST(Map, OfThe2022QuestionIsProved) {
  const Map map = MapOf(KernelVersion::kV6_0, kReuse, false);
  std::vector<RuleSet> sets;
  for (const Sufficient& set : map.sufficient) {
    EXPECT_TRUE(set.every_size);
    sets.push_back(set.rules);
  }
  EXPECT_THAT(sets, testing::UnorderedElementsAre(
                        Rules({"driver.same_instance"}),
                        Rules({"type1.same_ops", "assume.tables_not_shared",
                               "assume.address_not_reused", "assume.bus_ops_not_replaced"})));
  EXPECT_EQ(map.removals.size(), 4U);
}

TEST(Map, WithoutBudgetIsNotComplete) {
  const Map map = FindGuards({.property = kReuse,
                              .kernel = {.version = KernelVersion::kV6_0},
                              .bounds = {.steps = 0, .budget = 1'000'000}})
                      .value();
  EXPECT_FALSE(map.complete);
  EXPECT_THAT(report::GuardsText(map, false), testing::HasSubstr("the budget is used up"));
}

TEST(Map, LeavesOutWhatTheQuestionDrops) {
  const KernelSpec kernel = KernelOf("v6.0,-type1.same_ops");
  EXPECT_FALSE(UniverseOf(kernel).has(Rule::kType1SameOps));
  EXPECT_TRUE(UniverseOf(kernel).has(Rule::kAssumeHomogeneousGroups));
}

}  // namespace
}  // namespace iommucheck::guards
