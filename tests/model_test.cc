// SPDX-License-Identifier: Apache-2.0
//
// What the data of the rules says, and what Step() promises about possible and impossible ops. The
// kernel's behaviour itself is in corpus/litmus.
#include <gtest/gtest.h>

#include <set>

#include "model/properties.h"
#include "model/step.h"

namespace iommucheck {
namespace {

Topology OneDevice() {
  Topology t;
  t.drivers_count = t.tables_count = t.instances_count = t.devices_count = 1;
  t.drivers[0].claims[static_cast<size_t>(Bus::kPci)] = Claim::kIgnore;
  t.devices[0].masters[0] = 0;
  return t;
}

TEST(Rules, HaveUniqueIdsThatAreFound) {
  std::set<std::string_view> ids;
  for (const RuleInfo& info : AllRules()) {
    EXPECT_TRUE(ids.insert(info.id).second) << info.id;
    EXPECT_EQ(FindRule(info.id), info.rule);
    EXPECT_FALSE(info.holds.empty() || info.dropped.empty()) << info.id;
    EXPECT_EQ(info.kind == RuleKind::kAssumption, info.file.empty()) << info.id;
  }
  EXPECT_EQ(FindRule("type1.no_such_rule"), std::nullopt);
}

TEST(Rules, TheDesignsIdsAreThere) {
  for (const char* id : {"bus.one_ops",
                         "register.single_driver",
                         "register.sticky_ops",
                         "type1.same_bus",
                         "type1.same_ops",
                         "type1.same_coherency",
                         "core.owner_first",
                         "core.owner_every",
                         "core.attach_busy",
                         "core.attach_rollback",
                         "core.dma_owner",
                         "fwspec.one_driver",
                         "firmware.dt_xor_acpi",
                         "assume.tables_not_shared",
                         "assume.address_not_reused",
                         "assume.probe_rejects_foreign",
                         "assume.homogeneous_groups",
                         "assume.no_hot_add_when_attached",
                         "assume.no_unregister_when_attached",
                         "assume.drivers_compete_for_a_bus",
                         "driver.same_instance"})
    EXPECT_TRUE(FindRule(id).has_value()) << id;
}

TEST(Rules, AssumptionsThatDriversKeepAreOnAndOthersOff) {
  for (KernelVersion v : kKernelVersions) {
    const KernelProfile profile = ProfileOf(v);
    EXPECT_TRUE(profile.has(Rule::kAssumeTablesNotShared));
    EXPECT_TRUE(profile.has(Rule::kAssumeAddressNotReused));
    EXPECT_TRUE(profile.has(Rule::kAssumeProbeRejectsForeign));
    EXPECT_FALSE(profile.has(Rule::kAssumeHomogeneousGroups));
    EXPECT_FALSE(profile.has(Rule::kDriverSameInstance));
  }
}

TEST(Rules, ASpecDropsAndAdds) {
  KernelSpec spec{.version = KernelVersion::kV6_0};
  spec.dropped.add(Rule::kType1SameOps);
  spec.added.add(Rule::kCoreOwnerFirst);
  const KernelProfile profile = ProfileOf(spec);
  EXPECT_FALSE(profile.has(Rule::kType1SameOps));
  EXPECT_TRUE(profile.has(Rule::kCoreOwnerFirst));
  EXPECT_EQ(profile.era, Era::kBusSlots);
}

TEST(Validate, RefusesWhatIsOutOfRange) {
  const Topology good = OneDevice();
  EXPECT_TRUE(Validate(good).ok());
  Topology t = good;
  t.instances[0].driver = 1;
  EXPECT_FALSE(Validate(t).ok());
  t = good;
  t.devices[0].masters[0] = 1;
  EXPECT_FALSE(Validate(t).ok());
  t = good;
  t.devices[0].alias = 0;
  EXPECT_FALSE(Validate(t).ok());
  t = good;
  t.drivers[0].address = 0;
  EXPECT_FALSE(Validate(t).ok());
  t = good;
  t.devices[0].bus = Bus::kPlatform;
  t.devices[0].slot = 1;
  EXPECT_FALSE(Validate(t).ok());
  t = good;
  t.drivers_count = kMaxDrivers + 1;
  EXPECT_FALSE(Validate(t).ok());
}

TEST(Step, RegisterProbesAndUnregisterReleasesFrom6_1On) {
  const Topology t = OneDevice();
  for (KernelVersion v : kKernelVersions) {
    State state = InitialState(t);
    std::vector<Event> events;
    const KernelProfile kernel = ProfileOf(v);
    EXPECT_EQ(Step(kernel, t, {.kind = OpKind::kRegister, .a = 0}, state, events).error, 0);
    EXPECT_EQ(state.devices[0].instance, 0) << VersionName(v);
    EXPECT_EQ(state.devices[0].group, 0) << VersionName(v);
    EXPECT_NE(state.devices[0].hw, kNoId) << VersionName(v);
    EXPECT_EQ(Step(kernel, t, {.kind = OpKind::kUnregister, .a = 0}, state, events).error, 0);
    EXPECT_EQ(state.devices[0].instance == kNoId, v >= KernelVersion::kV6_1) << VersionName(v);
  }
}

TEST(Step, AnImpossibleOpLeavesTheStateAlone) {
  const Topology t = OneDevice();
  State state = InitialState(t);
  std::vector<Event> events;
  for (const Op& op : {Op{.kind = OpKind::kUnregister}, Op{.kind = OpKind::kAdd},
                       Op{.kind = OpKind::kConfigure}, Op{.kind = OpKind::kSetContainer}}) {
    const State before = state;
    const StepResult result = Step(ProfileOf(KernelVersion::kV6_12), t, op, state, events);
    EXPECT_EQ(result.outcome, Outcome::kNotPossible) << OpName(op.kind);
    EXPECT_STRNE(result.why, "");
    EXPECT_EQ(state, before) << OpName(op.kind);
  }
}

TEST(Properties, HaveNamesThatAreFound) {
  for (Property p : kProperties) EXPECT_EQ(FindProperty(PropertyName(p)), p);
}

}  // namespace
}  // namespace iommucheck
