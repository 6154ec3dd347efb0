// SPDX-License-Identifier: Apache-2.0
//
// The data of the rules, and what Step() promises about possible and impossible ops. Tests of the
// kernel's behaviour are in corpus/litmus.
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
                         "assume.no_unregister_while_serving",
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

// A stable series has the rules of its release and the backported ones, so a range must not begin
// or end with it.
TEST(Rules, ComeAndGoWithMainlineReleases) {
  for (const ProfileInfo& info : AllProfiles()) {
    EXPECT_FALSE(InfoOf(info.mainline).is_stable()) << info.name;
    EXPECT_EQ(info.era, InfoOf(info.mainline).era) << info.name;
    if (!info.is_stable()) continue;
    const auto before = static_cast<KernelVersion>(static_cast<int>(info.version) - 1);
    for (const RuleInfo& rule : AllRules())
      EXPECT_EQ(rule.versions.has(info.version), rule.versions.has(before))
          << rule.id << ", " << info.name;
    for (const Rule rule : info.backported)
      EXPECT_FALSE(ProfileOf(info.mainline).has(rule)) << InfoOf(rule).id << ", " << info.name;
  }
}

TEST(Versions, AreFoundByTheirNames) {
  for (const KernelVersion v : kKernelVersions) EXPECT_EQ(FindVersion(VersionName(v)), v);
}

TEST(Versions, RangesHaveTheirFirstAndNotTheirEnd) {
  using enum KernelVersion;
  EXPECT_TRUE(Since(kV6_1).Until(kV6_8).has(kV6_1));
  EXPECT_TRUE(Since(kV6_1).Until(kV6_8).has(kV6_1_y));
  EXPECT_FALSE(Since(kV6_1).Until(kV6_8).has(kV6_8));
  for (const KernelVersion v : kKernelVersions) {
    EXPECT_TRUE(kEveryVersion.has(v));
    EXPECT_FALSE(kNoVersion.has(v));
    EXPECT_EQ(Until(kV6_8).has(v), v < kV6_8);
    EXPECT_EQ(Since(kV6_8).has(v), v >= kV6_8);
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
  EXPECT_TRUE(Validate(t).ok());
  t.devices_count = 2;
  t.devices[0].alias = 1;
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
    EXPECT_EQ(result.outcome, Outcome::kNotPossible) << InfoOf(op.kind).word;
    EXPECT_STRNE(result.why, "");
    EXPECT_EQ(state, before) << InfoOf(op.kind).word;
  }
}

TEST(Step, AnInstanceThatServesADeviceStaysWhereThatIsAssumed) {
  const Topology t = OneDevice();
  for (KernelVersion v : kKernelVersions) {
    State state = InitialState(t);
    std::vector<Event> events;
    KernelProfile kernel = ProfileOf(v);
    EXPECT_FALSE(kernel.has(Rule::kAssumeNoUnregisterWhileServing));
    kernel.rules.add(Rule::kAssumeNoUnregisterWhileServing);
    const Op unregister{.kind = OpKind::kUnregister, .a = 0};
    EXPECT_EQ(Step(kernel, t, {.kind = OpKind::kRegister, .a = 0}, state, events).error, 0);
    const State before = state;
    const StepResult refused = Step(kernel, t, unregister, state, events);
    EXPECT_EQ(refused.outcome, Outcome::kOutside) << VersionName(v);
    EXPECT_EQ(refused.assumption, Rule::kAssumeNoUnregisterWhileServing) << VersionName(v);
    EXPECT_EQ(state, before) << VersionName(v);
    EXPECT_EQ(Step(kernel, t, {.kind = OpKind::kRemove, .a = 0}, state, events).error, 0);
    EXPECT_EQ(Step(kernel, t, unregister, state, events).outcome, Outcome::kDone) << VersionName(v);
  }
}

// A register whose walk fails releases the devices that it has probed, and unregisters.
TEST(Step, ARegisterThatFailsUnregistersWhateverIsAssumed) {
  Topology t = OneDevice();
  t.devices_count = 2;
  t.devices[1] = t.devices[0];
  State state = InitialState(t);
  std::vector<Event> events;
  KernelProfile kernel = ProfileOf(KernelVersion::kV6_12);
  kernel.rules.add(Rule::kAssumeNoUnregisterWhileServing);
  Op op{.kind = OpKind::kRegister, .a = 0};
  op.faults[0] = {Fault::Kind::kProbe, 1, 1, EBUSY};
  const StepResult result = Step(kernel, t, op, state, events);
  EXPECT_EQ(result.outcome, Outcome::kDone);
  EXPECT_EQ(result.error, -EBUSY);
  EXPECT_EQ(state.registered_count, 0);
}

// really_probe() calls dma_configure() first, and stops if that defers.
TEST(Step, NoDriverBindsAfterItsConfigureDeferred) {
  Topology t = OneDevice();
  t.instances[0].fwnode = true;
  const Op configure{.kind = OpKind::kConfigure, .a = 0};
  const Op bind{.kind = OpKind::kBind, .a = 0};
  for (KernelVersion v : kKernelVersions) {
    State state = InitialState(t);
    std::vector<Event> events;
    const KernelProfile kernel = ProfileOf(v);
    EXPECT_EQ(Step(kernel, t, configure, state, events).error, -517) << VersionName(v);
    const StepResult refused = Step(kernel, t, bind, state, events);
    EXPECT_EQ(refused.outcome, Outcome::kNotPossible) << VersionName(v);
    EXPECT_STREQ(refused.why, "dma_configure() of the device has deferred its drivers");
    // Another device in its place has not been configured yet.
    State again = state;
    Step(kernel, t, {.kind = OpKind::kRemove, .a = 0}, again, events);
    Step(kernel, t, {.kind = OpKind::kAdd, .a = 0}, again, events);
    EXPECT_EQ(Step(kernel, t, bind, again, events).outcome, Outcome::kDone) << VersionName(v);

    EXPECT_EQ(Step(kernel, t, {.kind = OpKind::kRegister, .a = 0}, state, events).error, 0);
    EXPECT_EQ(Step(kernel, t, configure, state, events).error, 0) << VersionName(v);
    EXPECT_EQ(Step(kernel, t, bind, state, events).outcome, Outcome::kDone) << VersionName(v);
  }
}

// On any bus but pci, devices with one number share a group, whichever driver serves them.
TEST(Step, DevicesOfOneStreamShareAGroup) {
  Topology t;
  t.drivers_count = t.tables_count = t.instances_count = 2;
  t.devices_count = 4;
  t.drivers[1].table = t.instances[1].table = t.instances[1].driver = 1;
  for (Instance& i : t.instances) i.fwnode = true;
  for (Device& d : t.devices) {
    d.bus = Bus::kAmba;
    d.masters[0] = 0;
    d.slot = 3;
  }
  t.devices[1].slot = 0;
  t.devices[2].masters[0] = 1;
  t.devices[3].bus = Bus::kFslMc;
  ASSERT_TRUE(Validate(t).ok());
  EXPECT_TRUE(t.related(0, 2));
  EXPECT_FALSE(t.related(0, 3));
  EXPECT_EQ(BrokenAssumption(t, RuleSet().add(Rule::kAssumeHomogeneousGroups)),
            Rule::kAssumeHomogeneousGroups);
  State state = InitialState(t);
  std::vector<Event> events;
  const KernelProfile kernel = ProfileOf(KernelVersion::kV7_1);
  for (InstanceId i = 0; i < 2; ++i)
    EXPECT_EQ(Step(kernel, t, {.kind = OpKind::kRegister, .a = i}, state, events).error, 0);
  EXPECT_EQ(state.devices[0].group, state.devices[2].group);
  EXPECT_NE(state.devices[0].group, state.devices[1].group);
  EXPECT_NE(state.devices[0].group, state.devices[3].group);
  EXPECT_EQ(state.devices[2].instance, 1);
}

TEST(Properties, HaveNamesThatAreFound) {
  for (Property p : kProperties) EXPECT_EQ(FindProperty(PropertyName(p)), p);
}

}  // namespace
}  // namespace iommucheck
