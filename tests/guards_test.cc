// SPDX-License-Identifier: Apache-2.0
//
// The map of guards, held to what it says by the model and by single questions to the solver.
#include "src/guards/guards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/case/kernel.h"
#include "src/case/run.h"
#include "src/report/guards_text.h"

namespace iommucheck::guards {
namespace {

RuleSet Rules(std::initializer_list<const char*> ids) {
  RuleSet rules;
  for (const char* id : ids) rules.add(*FindRule(id));
  return rules;
}

Map MapOf(KernelVersion version, Property property, bool bounded) {
  absl::StatusOr<Map> map = FindGuards({.property = property,
                                        .kernel = {.version = version},
                                        .bounds = {.steps = 0},
                                        .bounded = bounded});
  EXPECT_TRUE(map.ok()) << map.status();
  EXPECT_TRUE(map->complete);
  return *std::move(map);
}

bool Violates(const Map& map, const Case& found, RuleSet rules) {
  Case c = found;
  c.kernel = KernelWith(map.question.kernel, map.universe, rules);
  return Play(c).of(map.question.property).at == static_cast<int>(c.ops.size());
}

Verdict Ask(const Map& map, RuleSet rules) {
  const absl::StatusOr<smt::QueryResult> result =
      smt::Query(map.question.property, KernelWith(map.question.kernel, map.universe, rules),
                 map.question.bounds);
  EXPECT_TRUE(result.ok()) << result.status();
  return result->verdict;
}

class BoundedMap : public testing::TestWithParam<std::pair<KernelVersion, Property>> {};

TEST_P(BoundedMap, IsWhatSingleQuestionsSay) {
  const Map map = MapOf(GetParam().first, GetParam().second, true);
  ASSERT_FALSE(map.sufficient.empty());
  ASSERT_FALSE(map.removals.empty());
  for (const Removal& removal : map.removals) {
    // Without these the kernel violates it, and with any of them back it does not.
    EXPECT_TRUE(Violates(map, removal.found, map.universe - removal.rules));
    for (const RuleInfo& info : AllRules()) {
      if (!removal.rules.has(info.rule)) continue;
      const RuleSet back = (map.universe - removal.rules) | RuleSet().add(info.rule);
      EXPECT_EQ(Ask(map, back), Verdict::kHolds) << info.id;
    }
    // What breaks it leaves no sufficient set whole.
    for (const Sufficient& set : map.sufficient) EXPECT_TRUE(removal.rules.has_any(set.rules));
  }
  for (const Sufficient& set : map.sufficient) {
    EXPECT_EQ(Ask(map, set.rules), Verdict::kHolds);
    for (const RuleInfo& info : AllRules()) {
      if (!set.rules.has(info.rule)) continue;
      // Each rule is needed: there is a removal that the rest of the set does not meet.
      const RuleSet rest = RuleSet(set.rules).drop(info.rule);
      EXPECT_TRUE(std::ranges::any_of(map.removals, [&](const Removal& removal) {
        return !removal.rules.has_any(rest);
      })) << info.id;
    }
  }
  for (const Alone& alone : map.alone)
    EXPECT_EQ(Ask(map, RuleSet(map.in_table).drop(alone.rule)), alone.verdict)
        << InfoOf(alone.rule).id;
}

INSTANTIATE_TEST_SUITE_P(
    Guards, BoundedMap,
    testing::Values(std::pair(KernelVersion::kV5_15, Property::kNoCrossDriverReuse),
                    std::pair(KernelVersion::kV6_0, Property::kNoCrossDriverReuse),
                    std::pair(KernelVersion::kV6_1, Property::kNoCrossDriverReuse),
                    std::pair(KernelVersion::kV7_1, Property::kNoCrossDriverReuse),
                    std::pair(KernelVersion::kV6_0, Property::kNoCrossDriverAttach),
                    std::pair(KernelVersion::kV7_1, Property::kNoCrossDriverAttach)),
    [](const auto& param) {
      std::string name(VersionName(param.param.first));
      std::erase(name, '.');
      return absl::StrCat(name,
                          param.param.second == Property::kNoCrossDriverReuse ? "Reuse" : "Attach");
    });

// The comparison of 2022 holds the property together with these, and nothing else does but the
// drivers' own test.
TEST(Map, OfThe2022QuestionIsProved) {
  const Map map = MapOf(KernelVersion::kV6_0, Property::kNoCrossDriverReuse, false);
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
  const absl::StatusOr<Map> map = FindGuards({.property = Property::kNoCrossDriverReuse,
                                              .kernel = {.version = KernelVersion::kV6_0},
                                              .bounds = {.steps = 0, .budget = 1'000'000}});
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_FALSE(map->complete);
  EXPECT_THAT(report::GuardsText(*map, false), testing::HasSubstr("the budget is used up"));
}

TEST(Map, LeavesOutWhatTheQuestionDrops) {
  const KernelSpec kernel = *MakeKernel("v6.0", std::vector<std::string>{"type1.same_ops"}, {});
  EXPECT_FALSE(UniverseOf(kernel).has(Rule::kType1SameOps));
  EXPECT_TRUE(UniverseOf(kernel).has(Rule::kAssumeHomogeneousGroups));
}

}  // namespace
}  // namespace iommucheck::guards
