// SPDX-License-Identifier: Apache-2.0
//
// Questions about one machine: large machines, and those of the corpus.
#include "src/report/machine.h"

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/case/encoded.h"
#include "src/explore/explore.h"
#include "src/import/import.h"
#include "src/prove/facts.h"
#include "src/report/system.h"
#include "tests/given.h"

namespace iommucheck::report {
namespace {

using ::testing::HasSubstr;

KernelSpec Kernel(KernelVersion version, std::initializer_list<Rule> dropped = {},
                  std::initializer_list<Rule> added = {}) {
  KernelSpec spec{.version = version, .dropped = {}, .added = {}};
  for (Rule rule : dropped)
    if (ProfileOf(version).has(rule)) spec.dropped.add(rule);
  for (Rule rule : added) spec.added.add(rule);
  return spec;
}

// 64 devices in 32 groups of two functions of a slot, 4 drivers with two instances each. Up to and
// including 6.0 the first driver claims pci, the bus of most devices; the second claims platform,
// the bus of its own devices.
Case Large(const KernelSpec& kernel) {
  Case c;
  c.kernel = kernel;
  Topology& t = c.topology;
  t.drivers_count = t.tables_count = 4;
  t.instances_count = 8;
  t.devices_count = 64;
  for (uint8_t r = 0; r < 4; ++r) {
    t.drivers[r].table = r;
    t.drivers[r].claims[static_cast<size_t>(r == 1 ? Bus::kPlatform : Bus::kPci)] = Claim::kIgnore;
  }
  for (uint8_t i = 0; i < 8; ++i)
    t.instances[i] = {.driver = static_cast<DriverId>(i % 4),
                      .fwnode = i % 4 != 0,
                      .table = static_cast<TableId>(i % 4)};
  for (uint8_t d = 0; d < 64; ++d) {
    const auto group = static_cast<uint8_t>(d / 2);
    const bool platform = group % 4 == 1;
    t.devices[d].bus = platform ? Bus::kPlatform : Bus::kPci;
    t.devices[d].masters[0] = static_cast<InstanceId>(group % 8);
    if (!platform) t.devices[d].slot = static_cast<uint8_t>(group + 1);
  }
  c.names = DefaultNames(t);
  Normalize(c);
  return c;
}

// The second device of one slot is behind another driver.
Case WithMixedGroup(Case c) {
  c.topology.devices[41].masters[0] = 3;
  return c;
}

MachineAnswer Ask(Property property, const Case& machine, int steps, bool bounded = false) {
  MachineQuestion question{.property = property,
                           .path = "machine",
                           .machine = machine,
                           .assumptions = {},
                           .gaps = {},
                           .bounds = {.steps = steps},
                           .want_smt2 = false,
                           .bounded = bounded};
  return AskOnMachine(question).value();
}

// The fewest steps of a violation; 0: there is none.
int StepsOf(const MachineAnswer& a) {
  EXPECT_NE(a.result.query.verdict, Verdict::kUnknown) << a.result.query.reason;
  if (a.result.query.verdict != Verdict::kViolated) return 0;
  const auto steps = static_cast<int>(a.result.query.found.ops.size());
  EXPECT_EQ(a.run.of(a.question.property).at, steps);
  EXPECT_EQ(a.result.query.found.topology, a.question.machine.topology);
  return steps;
}

// Whether the core itself has the firmware description applied when it probes a device.
bool ProbesByFirmware(KernelVersion version) {
  return ProfileOf(version).has(Rule::kProbeDmaConfigure);
}

class Large64 : public testing::TestWithParam<KernelVersion> {};

TEST_P(Large64, HoldsInAnyRun) {
  const Case machine = Large(Kernel(GetParam()));
  for (Property p : kEncodedProperties) {
    const MachineAnswer answer = Ask(p, machine, 6);
    EXPECT_EQ(StepsOf(answer), 0);
    EXPECT_TRUE(HoldsForEveryRun(answer)) << answer.proof->reason;
    EXPECT_FALSE(answer.result.refuted);
  }
}

TEST_P(Large64, ReusesADomainWithoutTheComparisons) {
  const Case machine = Large(Kernel(
      GetParam(), {Rule::kType1SameOps, Rule::kCoreOwnerFirst, Rule::kRegisterSingleDriver}));
  const MachineAnswer answer = Ask(kReuse, machine, 6);
  // A device behind an instance with a fwnode needs a configure, or from 6.18 on a walk of the bus,
  // which applies the firmware description. In 6.1 two groups of the first driver get a domain of
  // the second, which has taken over all slots.
  const bool slots = WritesEverySlot(ProfileOf(GetParam()).era);
  EXPECT_EQ(StepsOf(answer), slots || ProbesByFirmware(GetParam()) ? 5 : 6);
  EXPECT_FALSE(answer.result.whole);
}

TEST_P(Large64, PutsAMixedGroupOnADomainOfOneDriver) {
  const Case machine = WithMixedGroup(Large(Kernel(GetParam())));
  const MachineAnswer answer = Ask(kAttach, machine, 6);
  int steps = 0;  // up to and including 6.1 the bus has one driver
  if (ProfileOf(GetParam()).era == Era::kFwnode) steps = ProbesByFirmware(GetParam()) ? 2 : 3;
  EXPECT_EQ(StepsOf(answer), steps);
}

INSTANTIATE_TEST_SUITE_P(Profiles, Large64, testing::ValuesIn(kKernelVersions));

TEST(Machine, IsOutsideOfAnAssumption) {
  const Case machine =
      WithMixedGroup(Large(Kernel(KernelVersion::kV7_1, {}, {Rule::kAssumeHomogeneousGroups})));
  const MachineAnswer answer = Ask(kAttach, machine, 6);
  EXPECT_EQ(answer.outside, Rule::kAssumeHomogeneousGroups);
  EXPECT_EQ(answer.result.query.verdict, Verdict::kHolds);
}

// A store over a slot, which the kernel's assumption rules out if any device of the bus is probed,
// even one that is not in the circuit.
TEST(Machine, IsRefutedByWhatIsNotInTheCircuit) {
  Case machine = Large(Kernel(KernelVersion::kV6_0, {}, {Rule::kAssumeBusOpsNotReplaced}));
  machine.topology.drivers[3].claims[static_cast<size_t>(Bus::kPci)] = Claim::kStore;
  const MachineAnswer answer = Ask(kAttach, machine, 5, true);
  EXPECT_EQ(StepsOf(answer), 0);
  machine.kernel.added.drop(Rule::kAssumeBusOpsNotReplaced);
  EXPECT_EQ(StepsOf(Ask(kAttach, machine, 5)), 3);
}

// A PCI host behind arm-smmu-v3 and platform devices behind arm-smmu, as on laptops at EL2.
Case TwoSmmus(const KernelSpec& kernel) {
  Case machine = Parsed(
      "kernel v6.0\nfirmware dt\n"
      "driver arm-smmu claims=platform:skip,amba:skip,pci:skip,fsl-mc:skip unwinds same-instance\n"
      "driver arm-smmu-v3 claims=pci:own-ok,amba:own-ok,platform:own-ok clears unwinds "
      "same-instance\n"
      "instance smmu0 arm-smmu fwnode not-enforcing\n"
      "instance smmu1 arm-smmu fwnode not-enforcing\n"
      "instance smmu3 arm-smmu-v3 fwnode\n"
      "device gpu platform smmu0\ndevice gmu platform smmu0\n"
      "device dma platform smmu1\ndevice host pci smmu3\ndevice nvme pci smmu3\n");
  machine.kernel = kernel;
  return machine;
}

TEST(Machine, InstancesThatServeDevicesStay) {
  const Case machine = TwoSmmus(Kernel(KernelVersion::kV6_0));
  EXPECT_EQ(StepsOf(Ask(kAttach, machine, 5, true)), 5);
  const Case assumed =
      TwoSmmus(Kernel(KernelVersion::kV6_0, {}, {Rule::kAssumeNoUnregisterWhileServing}));
  const MachineAnswer answer = Ask(kAttach, assumed, 5, true);
  EXPECT_EQ(StepsOf(answer), 0);
  EXPECT_THAT(absl::StrReplaceAll(MachineAnswersText({answer}), {{"\n          ", " "}}),
              HasSubstr("none up to 5 steps, assuming that no instance unregisters while it serves "
                        "a device (assume.no_unregister_while_serving); 5 devices"));
  const explore::ExploreResult explored = explore::ExploreMachine(assumed, kAttach, 6, 2'000'000);
  EXPECT_EQ(explored.verdict, Verdict::kHolds);
}

// If the mixed group's devices are on platform instead of pci, nothing else changes.
TEST(Machine, AGroupOfTwoDriversIsTheSameOnAnyBus) {
  for (KernelVersion version :
       {KernelVersion::kV6_0, KernelVersion::kV6_1, KernelVersion::kV6_8, KernelVersion::kV7_1})
    for (Property p : kEncodedProperties) {
      Case on_pci = TwoSmmus(Kernel(version, {Rule::kType1SameOps}));
      Topology& t = on_pci.topology;
      for (DriverId r = 0; r < 2; ++r) {
        t.drivers[r] = {.table = r};
        t.drivers[r].claims.fill(Claim::kIgnore);
      }
      // Two devices in one group, behind smmu0 and smmu3; and one more behind smmu3.
      t.devices_count = 3;
      for (DeviceId d = 0; d < 3; ++d)
        t.devices[d] = {.bus = Bus::kPci,
                        .masters = {static_cast<InstanceId>(d == 0 ? 0 : 2), kNoId},
                        .slot = static_cast<uint8_t>(d == 2 ? 0 : 9)};
      on_pci.names = DefaultNames(t);
      Normalize(on_pci);
      Case on_platform = on_pci;
      for (DeviceId d = 0; d < t.devices_count; ++d)
        on_platform.topology.devices[d].bus = Bus::kPlatform;
      const MachineAnswer pci = Ask(p, on_pci, 5);
      const MachineAnswer platform = Ask(p, on_platform, 5);
      EXPECT_EQ(StepsOf(platform), StepsOf(pci)) << VersionName(version) << PropertyName(p);
      EXPECT_EQ(HoldsForEveryRun(platform), HoldsForEveryRun(pci)) << VersionName(version);
      const explore::ExploreResult explored = explore::ExploreMachine(on_platform, p, 5, 2'000'000);
      EXPECT_EQ(
          explored.verdict == Verdict::kViolated ? static_cast<int>(explored.found.ops.size()) : 0,
          StepsOf(platform))
          << VersionName(version) << PropertyName(p);
      if (p == kAttach && ProfileOf(version).era == Era::kFwnode) {
        EXPECT_NE(StepsOf(platform), 0) << VersionName(version);
      }
    }
}

TEST(Machine, SaysWhatStandsForIt) {
  const Case machine = Large(Kernel(KernelVersion::kV7_1));
  const std::string text = MachineAnswersText({Ask(kReuse, machine, 5, true)});
  EXPECT_THAT(text, HasSubstr("none up to 5 steps; 64 devices"));
  EXPECT_THAT(text, HasSubstr("argued"));
}

// If the visible part holds, the machine is unknown; if it violates, the machine does.
TEST(Machine, OfWhichAPartIsMissingIsUnknown) {
  const import::Gap gap{
      .missing = "The table is \x1b[31mgone.", .unknown = "what is in it", .settle = "look"};
  Case one_driver = Large(Kernel(KernelVersion::kV7_1));
  one_driver.topology.instances_count = 1;
  for (Device& d : one_driver.topology.devices) d.masters = {0, kNoId};
  MachineAnswer answer = Ask(kAttach, one_driver, 4);
  EXPECT_EQ(VerdictOf(answer), Verdict::kHolds);
  answer.question.gaps.push_back(gap);
  EXPECT_EQ(VerdictOf(answer), Verdict::kUnknown);
  EXPECT_FALSE(IsProved(answer));
  const std::string text = MachineAnswersText({answer});
  EXPECT_THAT(text, HasSubstr("verdict   unknown: not all of the machine could be read"));
  EXPECT_THAT(text, HasSubstr("The table is \\x1b[31mgone."));
  EXPECT_THAT(text, HasSubstr("To settle it: look."));
  EXPECT_THAT(text, testing::Not(HasSubstr("holds")));
  EXPECT_THAT(text, testing::Not(HasSubstr("proof")));
  const std::string json = MachineAnswersJson({answer});
  EXPECT_THAT(json, HasSubstr("\"verdict\": \"unknown\""));
  EXPECT_THAT(json, HasSubstr("\"settle\": \"look\""));
  EXPECT_THAT(json, testing::Not(HasSubstr("every_run")));

  MachineAnswer violated = Ask(kAttach, WithMixedGroup(Large(Kernel(KernelVersion::kV6_8))), 4);
  ASSERT_EQ(VerdictOf(violated), Verdict::kViolated);
  violated.question.gaps.push_back(gap);
  EXPECT_EQ(VerdictOf(violated), Verdict::kViolated);
  // The worse of the two kernels decides, and the report has the other verdict, too.
  const std::vector<MachineAnswer> both = {answer, violated};
  EXPECT_EQ(&WorstOf(both), &both[1]);
  EXPECT_THAT(MachineAnswersJson(both), HasSubstr("other_kernels"));
}

// The verdict is that of the worse kernel; the hypothetical patch of 2022 does not count.
TEST(System, IsJudgedByTheKernelsAskedAbout) {
  const auto verdict = [](std::initializer_list<std::pair<bool, Verdict>> searches) {
    SystemReport report;
    for (const auto& [hypothetical, of_search] : searches) {
      report.searches.emplace_back();
      report.searches.back().hypothetical = hypothetical;
      report.searches.back().verdict = of_search;
    }
    return report.verdict();
  };
  EXPECT_EQ(verdict({{false, Verdict::kHolds}, {true, Verdict::kViolated}}), Verdict::kHolds);
  EXPECT_EQ(verdict({{false, Verdict::kHolds}, {true, Verdict::kUnknown}}), Verdict::kHolds);
  EXPECT_EQ(verdict({{false, Verdict::kHolds}, {false, Verdict::kUnknown}}), Verdict::kUnknown);
  EXPECT_EQ(verdict({{false, Verdict::kUnknown}, {false, Verdict::kViolated}}), Verdict::kViolated);
}

TEST(System, AsksAboutTheProfilesAroundItsKernel) {
  const auto kernels = [](const std::string& release) {
    import::Found found;
    found.kernel_release = release;
    found.release_trouble = "none";
    std::vector<KernelVersion> versions;
    const absl::StatusOr<SystemKernels> asked = KernelsFor("x", found, std::nullopt);
    if (asked.ok())
      for (const KernelSpec& kernel : asked->kernels) versions.push_back(kernel.version);
    return std::pair(versions, asked.ok() ? asked->place : std::string(asked.status().message()));
  };
  using Versions = std::vector<KernelVersion>;
  EXPECT_EQ(kernels("6.12.117+deb12").first, Versions{KernelVersion::kV6_12_y});
  EXPECT_EQ(kernels("6.12.117+deb12").second, "");
  EXPECT_EQ(kernels("6.4.16").first, (Versions{KernelVersion::kV6_1_y, KernelVersion::kV6_6}));
  EXPECT_THAT(kernels("6.4.16").second, HasSubstr("They differ in 9 rules (core.attach_rollback"));
  EXPECT_EQ(kernels("6.15").first, (Versions{KernelVersion::kV6_12_y, KernelVersion::kV6_18}));
  EXPECT_EQ(kernels("6.18").first, Versions{KernelVersion::kV6_18});
  EXPECT_EQ(kernels("7.2.1").first, Versions{KernelVersion::kV7_1});
  EXPECT_THAT(kernels("7.2.1").second, HasSubstr("They have the same rules."));
  EXPECT_EQ(kernels("5.15.180").first, Versions{KernelVersion::kV5_15});
  EXPECT_THAT(kernels("5.15.180").second, HasSubstr("fixes of its stable series are not modelled"));
  EXPECT_EQ(kernels("8.0-rc1").first, Versions{KernelVersion::kV7_3});
  EXPECT_THAT(kernels("8.0-rc1").second, HasSubstr("newer than the newest profile, v7.3"));
  EXPECT_EQ(kernels("5.10.200").first, Versions{KernelVersion::kV5_10_y});
  EXPECT_EQ(kernels("5.10.200").second, "");
  EXPECT_EQ(kernels("5.12").first, (Versions{KernelVersion::kV5_10_y, KernelVersion::kV5_15}));
  EXPECT_THAT(kernels("5.4.200").second, HasSubstr("from 5.10 on, found 5.4.200; say --kernel"));
  EXPECT_THAT(kernels("").second, HasSubstr("found none; say --kernel"));
  EXPECT_THAT(kernels("6.").second, HasSubstr("say --kernel"));
}

TEST(Machine, RunsOutOfBudget) {
  MachineQuestion question;
  question.property = kReuse;
  question.machine = Large(Kernel(KernelVersion::kV7_1));
  question.bounds = {.steps = 6, .budget = 1000};
  question.bounded = true;
  const MachineAnswer answer = AskOnMachine(question).value();
  EXPECT_EQ(answer.result.query.verdict, Verdict::kUnknown);
  EXPECT_FALSE(answer.result.query.reason.empty());
}

// Compares whole snapshots in the solver with their reduced machines in the explorer.
class Snapshot : public testing::TestWithParam<const char*> {};

TEST_P(Snapshot, IsAsTheExplorerSays) {
  const auto found = import::ReadTree(kSource / "corpus/systems" / GetParam()).value();
  for (KernelVersion version : {KernelVersion::kV6_0, KernelVersion::kV6_1, KernelVersion::kV7_1}) {
    const auto whole = import::ToSystem(found, version, import::Keep::kAllThatFit).value();
    const auto part = import::ToSystem(found, version).value();
    EXPECT_EQ(whole.topology.devices_count, whole.devices_found);
    for (Property p : kEncodedProperties) {
      const auto machine = [&](const import::System& s) {
        Case c;
        c.kernel.version = version;
        c.topology = s.topology;
        c.names = s.names;
        return c;
      };
      const explore::ExploreResult explored =
          explore::ExploreMachine(machine(part), p, 4, 2'000'000);
      const MachineAnswer answer = Ask(p, machine(whole), 4);
      EXPECT_EQ(StepsOf(answer), explored.verdict == Verdict::kViolated
                                     ? static_cast<int>(explored.found.ops.size())
                                     : 0)
          << VersionName(version) << " " << PropertyName(p);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Corpus, Snapshot,
                         testing::Values("qemu-vtd-6.1.tar.gz", "qemu-vtd-virtio-6.12.tar.gz"));

}  // namespace
}  // namespace iommucheck::report
