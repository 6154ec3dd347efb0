// SPDX-License-Identifier: Apache-2.0
//
// The data of the rules, and what Step() promises about possible and impossible ops. Tests of the
// kernel's behaviour are in corpus/litmus.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
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
// or end with it. If the release has no profile, the ranges are of the series' own row.
TEST(Rules, ComeAndGoWithMainlineReleases) {
  for (const ProfileInfo& info : AllProfiles()) {
    EXPECT_EQ(info.era, InfoOf(info.mainline).era) << info.name;
    EXPECT_TRUE(info.is_stable() || info.mainline == info.version) << info.name;
    if (info.mainline == info.version) continue;
    EXPECT_FALSE(InfoOf(info.mainline).is_stable()) << info.name;
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
  EXPECT_TRUE(Validate(OneDevice()).ok());
  Topology t = OneDevice();
  t.devices[0].bus = Bus::kPlatform;
  t.devices[0].slot = 1;
  EXPECT_TRUE(Validate(t).ok());
  const std::map<const char*, void (*)(Topology&)> wrong = {
      {"an instance of no driver", [](Topology& m) { m.instances[0].driver = 1; }},
      {"a device behind no instance", [](Topology& m) { m.devices[0].masters[0] = 1; }},
      {"a device that is its own alias", [](Topology& m) { m.devices[0].alias = 0; }},
      {"a driver that names itself", [](Topology& m) { m.drivers[0].address = 0; }},
      {"an alias of a platform device",
       [](Topology& m) {
         m.devices_count = 2;
         m.devices[0].bus = Bus::kPlatform;
         m.devices[0].alias = 1;
       }},
      {"a device below one that is no bridge",
       [](Topology& m) {
         m.devices_count = 2;
         m.devices[1].below = 0;
       }},
      {"a device below a bridge that comes later",
       [](Topology& m) {
         m.devices_count = 2;
         m.devices[1].bridge = Bridge::kRootPort;
         m.devices[0].below = 1;
       }},
      {"a device that is there, below a bridge that is not",
       [](Topology& m) {
         m.devices_count = 2;
         m.devices[0].bridge = Bridge::kRootPort;
         m.devices[0].absent = true;
         m.devices[1].below = 0;
       }},
      {"an alias on another bus of pci",
       [](Topology& m) {
         m.devices_count = 2;
         m.devices[0].bridge = Bridge::kRootPort;
         m.devices[1].below = 0;
         m.devices[1].alias = 0;
       }},
      {"a platform device with ACS",
       [](Topology& m) {
         m.devices[0].bus = Bus::kPlatform;
         m.devices[0].acs = true;
       }},
      {"too many drivers", [](Topology& m) { m.drivers_count = kMaxDrivers + 1; }}};
  for (const auto& [what, change] : wrong) {
    t = OneDevice();
    change(t);
    EXPECT_FALSE(Validate(t).ok()) << what;
  }
}

// A run on one kernel.
struct Machine {
  Topology topology;
  KernelProfile kernel;
  State state = InitialState(topology);
  std::vector<Event> events{};

  StepResult Do(const Op& op) { return Step(kernel, topology, op, state, events); }
};

constexpr Op kRegister0{.kind = OpKind::kRegister, .a = 0};
constexpr Op kUnregister0{.kind = OpKind::kUnregister, .a = 0};

TEST(Step, RegisterProbesAndUnregisterReleasesFrom6_1On) {
  for (KernelVersion v : kKernelVersions) {
    SCOPED_TRACE(VersionName(v));
    Machine m{OneDevice(), ProfileOf(v)};
    EXPECT_EQ(m.Do(kRegister0).error, 0);
    EXPECT_EQ(m.state.devices[0].instance, 0);
    EXPECT_EQ(m.state.devices[0].group, 0);
    EXPECT_NE(m.state.devices[0].hw, kNoId);
    EXPECT_EQ(m.Do(kUnregister0).error, 0);
    EXPECT_EQ(m.state.devices[0].instance == kNoId, v >= KernelVersion::kV6_1);
  }
}

TEST(Step, AnImpossibleOpLeavesTheStateAlone) {
  Machine m{OneDevice(), ProfileOf(KernelVersion::kV6_12)};
  for (const OpKind kind :
       {OpKind::kUnregister, OpKind::kAdd, OpKind::kConfigure, OpKind::kSetContainer}) {
    const State before = m.state;
    const StepResult result = m.Do({.kind = kind});
    EXPECT_EQ(result.outcome, Outcome::kNotPossible) << InfoOf(kind).word;
    EXPECT_STRNE(result.why, "");
    EXPECT_EQ(m.state, before) << InfoOf(kind).word;
  }
}

TEST(Step, AnInstanceThatServesADeviceStaysWhereThatIsAssumed) {
  for (KernelVersion v : kKernelVersions) {
    SCOPED_TRACE(VersionName(v));
    Machine m{OneDevice(), ProfileOf(v)};
    EXPECT_FALSE(m.kernel.has(Rule::kAssumeNoUnregisterWhileServing));
    m.kernel.rules.add(Rule::kAssumeNoUnregisterWhileServing);
    EXPECT_EQ(m.Do(kRegister0).error, 0);
    const State before = m.state;
    const StepResult refused = m.Do(kUnregister0);
    EXPECT_EQ(refused.outcome, Outcome::kOutside);
    EXPECT_EQ(refused.assumption, Rule::kAssumeNoUnregisterWhileServing);
    EXPECT_EQ(m.state, before);
    EXPECT_EQ(m.Do({.kind = OpKind::kRemove, .a = 0}).error, 0);
    EXPECT_EQ(m.Do(kUnregister0).outcome, Outcome::kDone);
  }
}

// A register whose walk fails releases the devices that it has probed, and unregisters.
TEST(Step, ARegisterThatFailsUnregistersWhateverIsAssumed) {
  Topology t = OneDevice();
  t.devices_count = 2;
  t.devices[1] = t.devices[0];
  Machine m{t, ProfileOf(KernelVersion::kV6_12)};
  m.kernel.rules.add(Rule::kAssumeNoUnregisterWhileServing);
  Op op = kRegister0;
  op.faults[0] = {Fault::Kind::kProbe, 1, 1, EBUSY};
  const StepResult result = m.Do(op);
  EXPECT_EQ(result.outcome, Outcome::kDone);
  EXPECT_EQ(result.error, -EBUSY);
  EXPECT_EQ(m.state.registered_count, 0);
}

// really_probe() calls dma_configure() first, and stops if that defers.
TEST(Step, NoDriverBindsAfterItsConfigureDeferred) {
  Topology t = OneDevice();
  t.instances[0].fwnode = true;
  const Op configure{.kind = OpKind::kConfigure, .a = 0};
  const Op bind{.kind = OpKind::kBind, .a = 0};
  for (KernelVersion v : kKernelVersions) {
    SCOPED_TRACE(VersionName(v));
    Machine m{t, ProfileOf(v)};
    EXPECT_EQ(m.Do(configure).error, -517);
    const StepResult refused = m.Do(bind);
    EXPECT_EQ(refused.outcome, Outcome::kNotPossible);
    EXPECT_STREQ(refused.why, "dma_configure() of the device has deferred its drivers");
    // Another device in its place has not been configured yet.
    Machine again = m;
    again.Do({.kind = OpKind::kRemove, .a = 0});
    again.Do({.kind = OpKind::kAdd, .a = 0});
    EXPECT_EQ(again.Do(bind).outcome, Outcome::kDone);

    EXPECT_EQ(m.Do(kRegister0).error, 0);
    EXPECT_EQ(m.Do(configure).error, 0);
    EXPECT_EQ(m.Do(bind).outcome, Outcome::kDone);
  }
}

// vfio_unregister_group_dev() of 5.15 and 5.18 waits for the user, whatever kind of group it is.
TEST(Step, TheLastDeviceOfAGroupInAContainerGoesFromFiveNineteenOn) {
  Topology t = OneDevice();
  t.devices_count = 2;
  t.devices[1].kind = DeviceKind::kEmulated;  // group 0: it has one from the beginning
  for (KernelVersion v : kKernelVersions)
    for (const OpKind kind : {OpKind::kRemove, OpKind::kBind})
      for (const GroupId group : {GroupId{0}, GroupId{1}}) {
        State state = InitialState(t);
        std::vector<Event> events;
        const KernelProfile kernel = ProfileOf(v);
        const Op leave{.kind = kind, .a = static_cast<uint8_t>(1 - group)};
        ASSERT_EQ(Step(kernel, t, {.kind = OpKind::kRegister}, state, events).error, 0);
        const Op enter{.kind = OpKind::kSetContainer, .a = group};
        ASSERT_EQ(Step(kernel, t, enter, state, events).error, 0) << VersionName(v);

        State in_container = state;
        const StepResult refused = Step(kernel, t, leave, in_container, events);
        EXPECT_EQ(refused.outcome == Outcome::kNotPossible, v < KernelVersion::kV5_19)
            << VersionName(v) << " " << InfoOf(kind).word << ", group " << int{group};
        EXPECT_EQ(
            Step(kernel, t, {.kind = OpKind::kUnsetContainer, .a = group}, state, events).error, 0);
        EXPECT_EQ(Step(kernel, t, leave, state, events).outcome, Outcome::kDone) << VersionName(v);
      }
}

// pci_stop_and_remove_bus_device() takes what is below a bridge first.
TEST(Step, ABridgeGoesAfterTheDevicesBelowIt) {
  Topology t = OneDevice();
  t.devices_count = 2;
  t.devices[0].bus = t.devices[1].bus = Bus::kPci;
  t.devices[0].bridge = Bridge::kRootPort;
  t.devices[1].below = 0;
  ASSERT_TRUE(Validate(t).ok());
  Machine m{t, ProfileOf(KernelVersion::kV6_12)};
  const auto can = [&m](OpKind kind, DeviceId d) {
    return m.Do({.kind = kind, .a = d}).outcome == Outcome::kDone;
  };
  EXPECT_FALSE(can(OpKind::kRemove, 0));
  EXPECT_TRUE(can(OpKind::kRemove, 1));
  EXPECT_TRUE(can(OpKind::kRemove, 0));
  EXPECT_FALSE(can(OpKind::kAdd, 1));
  EXPECT_TRUE(can(OpKind::kAdd, 0));
  EXPECT_TRUE(can(OpKind::kAdd, 1));
}

auto Warns(const Machine& m) {
  return std::ranges::count(m.events, Event::Kind::kWarn, &Event::kind);
}

// vfio_group_nb_add_dev()
TEST(Step, ADeviceThatJoinsAGroupInAContainerIsAWarnUpToFiveEighteen) {
  Topology t = OneDevice();
  t.devices[0].slot = 1;
  t.devices_count = 2;
  t.devices[1] = t.devices[0];
  t.devices[1].absent = true;
  for (KernelVersion v : kKernelVersions) {
    Machine m{t, ProfileOf(v)};
    EXPECT_EQ(m.Do(kRegister0).error, 0);
    EXPECT_EQ(m.Do({.kind = OpKind::kSetContainer}).error, 0) << VersionName(v);
    EXPECT_EQ(m.Do({.kind = OpKind::kAdd, .a = 1}).error, 0);
    EXPECT_EQ(m.state.devices[1].group, 0) << VersionName(v);
    EXPECT_EQ(Warns(m), v < KernelVersion::kV5_19 ? 1 : 0) << VersionName(v);
  }
}

TEST(Step, AnUnpinOfPagesThatAreNotPinnedIsAWarnFromSixZeroOn) {
  Topology t = OneDevice();
  t.devices[0].kind = DeviceKind::kEmulated;
  t.devices[0].masters[0] = kNoId;
  for (KernelVersion v : kKernelVersions) {
    Machine m{t, ProfileOf(v)};
    EXPECT_EQ(m.Do({.kind = OpKind::kSetContainer}).error, 0);
    EXPECT_EQ(m.Do({.kind = OpKind::kSetIommu}).error, 0);
    EXPECT_EQ(m.Do({.kind = OpKind::kGetDevice}).error, 0);
    EXPECT_EQ(m.Do({.kind = OpKind::kUnpin, .at = {8, 1}}).outcome, Outcome::kDone);
    EXPECT_EQ(Warns(m), v < KernelVersion::kV6_0 ? 0 : 1) << VersionName(v);
  }
}

// Each bus_set_iommu() that succeeds adds a notifier, and one that fails takes back its own.
TEST(Step, ABusHasANotifierForEachClaimThatSucceeded) {
  Topology t = OneDevice();
  t.drivers[0].claims[static_cast<size_t>(Bus::kPci)] = Claim::kStrict;
  t.drivers[0].clears = true;
  t.devices_count = 2;
  t.devices[1] = t.devices[0];
  t.devices[1].absent = true;
  Machine m{t, ProfileOf(KernelVersion::kV6_0)};
  for (int n = 0; n < 2; ++n) {
    EXPECT_EQ(m.Do(kRegister0).error, 0);
    EXPECT_EQ(m.Do(kUnregister0).error, 0);
  }
  Op fails = kRegister0;
  m.Do({.kind = OpKind::kRemove, .a = 0});
  m.Do({.kind = OpKind::kAdd, .a = 0});
  fails.faults[0] = {Fault::Kind::kProbe, 0, 1, EBUSY};
  EXPECT_EQ(m.Do(fails).error, -EBUSY);
  EXPECT_EQ(m.state.bus_notifiers[static_cast<size_t>(Bus::kPci)], 2);
  EXPECT_EQ(m.Do(kRegister0).error, 0);
  EXPECT_EQ(m.Do({.kind = OpKind::kAdd, .a = 1}).error, 0);
  EXPECT_EQ(std::ranges::count(m.events, Event::Kind::kProbe, &Event::kind), 3);
}

// A root port with ACS has a group of its own, and still comes before what is below it.
TEST(Topology, BridgesConnectWhatTheyIsolate) {
  Topology t;
  t.devices_count = 4;
  t.devices[0].bridge = Bridge::kRootPort;
  t.devices[0].acs = true;
  t.devices[1].bridge = Bridge::kPcieToPci;
  t.devices[1].below = 0;
  t.devices[2].below = 1;
  ASSERT_TRUE(Validate(t).ok());
  EXPECT_TRUE(t.related(1, 2));
  EXPECT_FALSE(t.related(0, 2));
  EXPECT_TRUE(t.connected(0, 2));
  EXPECT_FALSE(t.connected(0, 3));
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
  Machine m{t, ProfileOf(KernelVersion::kV7_1)};
  for (InstanceId i = 0; i < 2; ++i) EXPECT_EQ(m.Do({.kind = OpKind::kRegister, .a = i}).error, 0);
  EXPECT_EQ(m.state.devices[0].group, m.state.devices[2].group);
  EXPECT_NE(m.state.devices[0].group, m.state.devices[1].group);
  EXPECT_NE(m.state.devices[0].group, m.state.devices[3].group);
  EXPECT_EQ(m.state.devices[2].instance, 1);
}

}  // namespace
}  // namespace iommucheck
