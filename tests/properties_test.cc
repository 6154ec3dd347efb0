// SPDX-License-Identifier: Apache-2.0
//
// The properties and the promises: each property can be violated, and each assumption is needed. That
// random runs keep the promises is for fuzz/promises.cc.
#include "model/properties.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/invariants.h"
#include "model/step.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/draw/draw.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

void PlayRandom(const KernelProfile& kernel, uint64_t seed, FaultSet without,
                const draw::Show& show) {
  draw::Words words(seed);
  draw::DrawRun(words, kernel, {.scope = draw::Scope::kWhole, .without = without}, show);
}

KernelProfile With(KernelVersion version, std::span<const Rule> assumptions) {
  KernelProfile kernel = ProfileOf(version);
  for (Rule rule : assumptions) kernel.rules.add(rule);
  return kernel;
}

const Promise* PromiseOf(KernelVersion version, Property property) {
  for (const Promise& p : Promises())
    if (p.version == version && p.property == property) return &p;
  return nullptr;
}

TEST(Properties, AreFoundByTheirNamesAndSayWhatTheyAre) {
  for (Property p : kProperties) {
    EXPECT_EQ(FindProperty(PropertyName(p)), p);
    EXPECT_FALSE(PropertySentence(p).empty());
  }
  EXPECT_EQ(FindProperty("no-such-property"), std::nullopt);
}

// The engines have a separate list, since they have a place for each property by its number.
TEST(Properties, AreEncodedWhereTheirRowsSaySo) {
  std::vector<Property> encoded;
  for (Property p : kProperties)
    if (IsEncoded(p)) encoded.push_back(p);
  EXPECT_EQ(encoded, std::vector<Property>(kEncodedProperties.begin(), kEncodedProperties.end()));
  for (size_t i = 0; i < encoded.size(); ++i) EXPECT_EQ(static_cast<size_t>(encoded[i]), i);
}

TEST(Promises, OfEncodedPropertiesAreOfEveryKernel) {
  EXPECT_EQ(EncodedPromises().size(), size_t{kEncodedPropertyCount} * kKernelVersionCount);
  for (const Promise& p : EncodedPromises()) EXPECT_TRUE(IsEncoded(p.property));
}

TEST(Promises, AreByPropertyThenByVersionEachOnce) {
  const auto place = [](const Promise& p) { return std::pair(p.property, p.version); };
  EXPECT_EQ(std::ranges::adjacent_find(Promises(), std::ranges::greater_equal(), place),
            Promises().end());
  for (Property p : kProperties) {
    EXPECT_EQ(InfoOf(p).property, p);
    for (KernelVersion v : kKernelVersions)
      EXPECT_EQ(IsPromised(v, p), PromiseOf(v, p) != nullptr) << PropertyName(p);
  }
}

// A kernel of the version without one of its rules, or whole.
KernelProfile WithoutOne(KernelVersion version, uint64_t number) {
  KernelProfile kernel = ProfileOf(version);
  const RuleInfo& info = AllRules()[number % AllRules().size()];
  kernel.rules.drop(info.rule);
  return kernel;
}

// The fuzz targets judge after a step only what it can have broken.
TEST(WhatAPropertyReads, IsChangedByEachStepThatChangesTheVerdict) {
  int skipped = 0;
  int broken = 0;
  for (KernelVersion version : kKernelVersions)
    for (uint64_t seed = 0; seed < 1500; ++seed) {
      std::map<Property, bool> was;
      PlayRandom(WithoutOne(version, seed), seed, 0, [&](const StepView& view) {
        const Reads changed = ChangedBy(view);
        for (Property p : kProperties) {
          const Reads reads = InfoOf(p).check.reads;
          const bool is = FindViolation(p, view).has_value();
          const auto [it, first] = was.try_emplace(p, is);
          broken += is && !it->second ? 1 : 0;
          if (!first && (reads & changed) == 0) {
            ++skipped;
            ASSERT_EQ(is, reads != kReadsEvents && it->second)
                << PropertyName(p) << " on " << VersionName(version) << ", seed " << seed;
          }
          it->second = is;
        }
      });
    }
  EXPECT_GT(skipped, 1000000);
  EXPECT_GT(broken, 1000);
}

// `to` with the parts of `from` that are not in `kept`.
State Mixed(const State& kept_of, const State& from, Reads kept) {
  State to = kept_of;
  if ((kept & kReadsDevices) == 0) to.devices = from.devices;
  if ((kept & kReadsContainers) == 0) to.containers = from.containers;
  if ((kept & kReadsMapped) == 0) to.mapped = from.mapped;
  if ((kept & kReadsGroups) == 0) {
    to.groups = from.groups;
    to.groups_end = from.groups_end;
  }
  if ((kept & kReadsDomains) == 0) {
    to.domains = from.domains;
    to.domains_end = from.domains_end;
  }
  if ((kept & kReadsMemory) == 0) {
    to.pins = from.pins;
    to.zero_pins = from.zero_pins;
    to.locked_vm = from.locked_vm;
  }
  return to;
}

// Sharper: the verdict on a state stays what it is with all other parts of another state.
TEST(WhatAPropertyReads, IsAllThatItReads) {
  int violated = 0;
  for (KernelVersion version : kKernelVersions)
    for (uint64_t seed = 0; seed < 300; ++seed) {
      std::vector<State> earlier;
      PlayRandom(WithoutOne(version, seed), seed, 0, [&](const StepView& view) {
        earlier.push_back(view.before);
        for (Property p : kProperties) {
          const Reads reads = InfoOf(p).check.reads;
          if ((reads & (kReadsStep | kReadsEvents)) != 0) continue;
          const bool found = FindViolation(p, view).has_value();
          violated += found ? 1 : 0;
          for (const State* other : {&earlier.front(), &earlier[earlier.size() / 2]}) {
            const State mixed = Mixed(view.after, *other, reads);
            const StepView with = {view.topology, view.op, view.result, view.before, mixed, {}};
            ASSERT_EQ(FindViolation(p, with).has_value(), found)
                << PropertyName(p) << " on " << VersionName(version) << ", seed " << seed;
          }
        }
      });
    }
  EXPECT_GT(violated, 1000);
}

// Runs so rare that random ones seldom find them: with what the promise assumes they are outside it.
struct Unpromised {
  Property property;
  std::string_view run;
};

constexpr Unpromised kUnpromised[] = {
    // The undo of a mapping that is larger than the limit unpins VFIO's trial, for which no user pays.
    {Property::kLockedMemoryBalances,
     R"(kernel v6.12.y
settings memlock=1
driver drvA
instance iommu0 drvA page-sizes=2
device dev0 pci iommu0
device dev1 pci emulated
register iommu0
set-container 0 c0
set-iommu c0
map c0 0+16 0 write
set-container 1 c0
)"},
    // VFIO's trial takes an IOMMU of pages twice the CPU's for one without superpages. It then unmaps
    // page by page, which such an IOMMU does not do.
    {Property::kNoLeakedPin,
     R"(kernel v6.12.y
driver drvA claims=pci:strict
instance iommu0 drvA page-sizes=2
device dev0 pci iommu0
register iommu0
set-container 0 c0
set-iommu c0
map c0 0+2 0 read
unmap c0 0+2
)"},
    // A page of one IOMMU is larger than any that the other maps.
    {Property::kFailedMapChangesNothing,
     R"(kernel v6.0
driver drvA claims=pci:store
instance iommu0 drvA not-enforcing page-sizes=16
instance iommu1 drvA page-sizes=2,4,8
device dev0 pci iommu0
device dev1 pci iommu1
register iommu0
register iommu1
set-container 0 c0
set-iommu c0
set-container 1 c0
map c0 0+4 0 write
)"},
    // A slot without ops has no reserved regions.
    {Property::kMappingsLieOffReserved,
     R"(kernel v5.15
driver drvA claims=pci:own-ok clears
instance iommu0 drvA
device dev0 pci iommu0
device dev1 pci iommu0 resv=7-12:sw-msi
register iommu0
set-container 0 c0
set-iommu c0
set-container 1 c0
unregister iommu0
unset-container 0
map c0 7+1 0 read
)"},
    // VFIO's group outlives its last device that an IOMMU serves, since VFIO has another.
    {Property::kContainerGroupsAreOnTheirDomain,
     R"(kernel v6.8
table table1
table table2
driver drvB table=table1
driver drvC table=table2
instance iommu0 drvC fwnode
instance iommu1 drvB
instance iommu2 drvB
device dev0 pci iommu0 slot=2
device dev1 pci iommu2 slot=2
device dev3 platform iommu1
register iommu0
register iommu1
register iommu2
configure dev0
set-container 0 c0
set-iommu c0
open 1
unregister iommu2
set-container 1 c0
remove dev0
)"},
    // A device that never was on its group's domain cannot go back there.
    {Property::kFailedCallGoesBack,
     R"(kernel v6.18
driver drvA same-instance
instance iommu0 drvA fwnode
instance iommu1 drvA fwnode
device dev0 pci iommu1
device dev1 pci iommu0 iommu1 alias=dev0
register iommu0
register iommu1
register iommu1
set-container 0 c0
)"},
};

TEST(Promises, RestOnWhatARareRunBreaks) {
  for (const Unpromised& rare : kUnpromised) {
    SCOPED_TRACE(PropertyName(rare.property));
    absl::StatusOr<Case> c = ParseCase(rare.run, "rare.case");
    ASSERT_TRUE(c.ok()) << c.status();
    EXPECT_NE(Play(*c).of(rare.property).at, 0);
    const Promise* promise = PromiseOf(c->kernel.version, rare.property);
    ASSERT_NE(promise, nullptr);
    for (Rule rule : promise->assumptions) c->kernel.added.add(rule);
    EXPECT_TRUE(Play(*c).outside.has_value());
  }
}

// A kernel without the rule violates a promise in the run of some seed.
struct Needed {
  Property property;
  KernelVersion version;
  Rule rule;
};

std::string Name(const testing::TestParamInfo<Needed>& param) {
  return TestName(absl::StrCat(std::string(PropertyName(param.param.property)), " without ",
                               std::string(InfoOf(param.param.rule).id)));
}

class WithoutARule : public testing::TestWithParam<Needed> {};

TEST_P(WithoutARule, AKernelViolatesTheProperty) {
  const auto& [property, version, rule] = GetParam();
  const Promise* const promise = PromiseOf(version, property);
  ASSERT_NE(promise, nullptr);
  KernelProfile kernel = With(version, promise->assumptions);
  ASSERT_TRUE(kernel.has(rule));
  kernel.rules.drop(rule);
  bool violated = false;
  for (uint64_t seed = 0; seed < 60'000 && !violated; ++seed)
    PlayRandom(kernel, seed, promise->without, [&](const StepView& view) {
      violated |= FindViolation(property, view).has_value();
      // Step() asserts this, also of kernels that lack rules.
      ASSERT_STREQ(BrokenInvariant(view.topology, view.after), nullptr);
    });
  EXPECT_TRUE(violated);
}

using enum Property;
using enum KernelVersion;
const std::vector<Needed>& WithoutRules() {
  static const std::vector<Needed> kNeeded = {
      {kNoCrossDriverAttach, kV6_12, Rule::kAssumeHomogeneousGroups},
      {kNoOops, kV6_8, Rule::kType1DetachEmptyCopy},
      {kNoFreedDomainInUse, kV7_1, Rule::kCoreResetMustSucceed},
      {kGroupHasOneDriver, kV6_1, Rule::kRegisterSingleDriver},
      {kGroupSharesADomain, kV6_8, Rule::kAssumeOneInstanceGroups},
      {kGroupDomainIsKnown, kV7_1, Rule::kCoreResetMustSucceed},
      {kDirectRegionStaysMapped, kV6_8, Rule::kCoreRequireDirect},
      {kIncompatibleMeansEinval, kV6_8, Rule::kDriverEinvalOnly},
      {kOwnershipBalances, kV6_8, Rule::kVfioReleaseOnError},
      {kKernelUsersBalance, kV6_8, Rule::kAssumeNoDriverBeforeIommu},
      {kNoDriverBesideUser, kV6_8, Rule::kCoreUseDefault},
      {kDriverRefusedOnlyWhenOwned, kV6_0, Rule::kCoreIdentityIsDefault},
      {kNoCrossDriverPasid, kV6_8, Rule::kCorePasidOwner},
      {kOwnPasidDomainIsAccepted, kV7_1, Rule::kCorePasidStatic},
      {kPasidKeepsItsDomain, kV6_8, Rule::kCorePasidBusy},
      {kResetIsRefusedOnlyByTheDriver, kV7_1, Rule::kCoreResetPerDevice},
      {kUnownedGroupIsOnDefault, kV6_8, Rule::kCoreDetachNofail},
      {kOwnedGroupIsOffDefault, kV6_8, Rule::kCoreClaimBlocking},
      {kGroupIsOpenedOnce, kV6_8, Rule::kVfioOpenOnce},
      {kNoIommuWantsPrivilege, kV6_8, Rule::kVfioNoIommuCap},
      {kNoIommuStaysApart, kV6_8, Rule::kVfioNoIommuApart},
      {kNoOops, kV6_8, Rule::kVfioContainerOnce},
      {kOpenDeviceHasItsIommu, kV6_8, Rule::kVfioUnsetUnused},
      {kEmptyContainerHasNoDriver, kV6_8, Rule::kVfioReleaseOnLast},
      {kEmulatedGroupsNeedNoIommu, kV6_8, Rule::kVfioClaimReal},
      {kFailedCallGoesBack, kV6_8, Rule::kCoreAttachRollback},
      {kFailedMapChangesNothing, kV6_8, Rule::kType1MapUnwind},
      {kNoUnpinWhileMapped, kV6_8, Rule::kType1UnmapEveryDomain},
      {kNestingIsThere, kV6_8, Rule::kType1Nesting},
      {kMappingsAreApart, kV6_8, Rule::kType1MapOverlap},
      {kMappingsKeepTheirLimit, kV6_8, Rule::kType1MapEntries},
      {kMappedInEveryDomain, kV6_8, Rule::kType1Replay},
      {kValidIovaCanBeMapped, kV6_8, Rule::kType1AperResize},
      {kAttachMapsNothingReserved, kV6_8, Rule::kType1FgspInList},
      {kNoLeakedPin, kV6_8, Rule::kType1UnpinZero},
      {kLockedMemoryBalances, kV6_8, Rule::kType1PinAccounts},
      {kLockedMemoryKeepsItsLimit, kV6_8, Rule::kType1Memlock},
  };
  return kNeeded;
}
INSTANTIATE_TEST_SUITE_P(Properties, WithoutARule, testing::ValuesIn(WithoutRules()), Name);

// --- violations that no run of a model without one rule shows ---

// A correct step that the tests then break.
struct Seen {
  Topology topology;
  Op op;
  StepResult result;
  State before;
  State after;
  std::vector<Event> events;

  [[nodiscard]] StepView view() const { return {topology, op, result, before, after, events}; }
};

// Two groups in a container, of which the first has no IOMMU; one mapping.
Seen HealthyStep() {
  const Case c = Parsed(
      "kernel v6.12\ndriver A\ninstance i A\ndevice d0 pci i\ndevice d1 platform emulated\n\n"
      "register i\nset-container 0 c0\nset-container 1 c0\nset-iommu c0\n"
      "map c0 8+4 0 read write\n");
  Seen seen{.topology = c.topology,
            .op = {},
            .result = {},
            .before = InitialState(c.topology),
            .after = InitialState(c.topology),
            .events = {}};
  for (const CaseOp& op : c.ops) {
    seen.op = op.op;
    seen.before = seen.after;
    seen.result = Step(ProfileOf(c.kernel), c.topology, op.op, seen.after, seen.events);
    EXPECT_EQ(seen.result.outcome, Outcome::kDone);
    EXPECT_EQ(seen.result.error, 0);
  }
  return seen;
}

struct Broken {
  std::string what;
  Property property;
  void (*how)(Seen& seen);
};

const std::vector<Broken>& BrokenSteps() {
  static const std::vector<Broken> kSteps = {

      {"a domain on no list", kNoLeakedDomain,
       [](Seen& s) { s.after.containers[0].domains = kNoId; }},
      {"a device that another driver probed", kProbedByFirmwaresDriver,
       [](Seen& s) {
         s.events.push_back({.kind = Event::Kind::kProbe, .device = 0, .device_driver = 7});
       }},
      {"a device in reset on a type1 domain", kResettingDeviceIsBlocked,
       [](Seen& s) { s.after.devices[0].reset_depth = 1; }},
      {"more resets than devices", kResetsOfAGroupAreCounted,
       [](Seen& s) { s.after.groups[1].recovery_cnt = 1; }},
      {"a group on the list of another container", kGroupHasOneContainer,
       [](Seen& s) { s.after.groups[1].container = 1; }},
      {"a second driver of a container", kSetIommuOnce,
       [](Seen& s) { s.op = {.kind = OpKind::kSetIommu}; }},
      {"a type1 domain of an emulated group", kEmulatedGroupsNeedNoIommu,
       [](Seen& s) { s.after.groups[0].vfio_domain = s.after.containers[0].domains; }},
      {"a mapping for an emulated group", kEmulatedGroupsNeedNoIommu,
       [](Seen& s) { s.events.push_back({.kind = Event::Kind::kMap, .group = 0}); }},
      {"a failed call that leaves a mapping", kFailedCallGoesBack,
       [](Seen& s) {
         s.op = {.kind = OpKind::kSetContainer, .a = 1};
         s.result.error = -EINVAL;
       }},
      {"a group that is not on the container's domains", kContainerGroupsAreOnTheirDomain,
       [](Seen& s) { s.after.groups[1].vfio_domain = kNoId; }},
      {"a second MSI cookie", kMsiCookieOnce,
       [](Seen& s) { s.events.push_back({.kind = Event::Kind::kMsiCookie, .error = EBUSY}); }},
      {"a mapping of what is reserved", kMappingsLieOffReserved,
       [](Seen& s) { s.topology.devices[0].regions[0] = {Region::Type::kReserved, 10, 10}; }},
      {"a refusal by nobody", kRefusedForAReason,
       [](Seen& s) {
         s.op = {.kind = OpKind::kSetContainer, .a = 1};
         s.result.error = -EINVAL;
         s.events.clear();
       }},
      {"one stale vaddr too many", kStaleVaddrsAreCounted,
       [](Seen& s) { s.after.containers[0].vaddr_invalid_count = 1; }},
      {"a mapping in no domain", kMappedExactlyWithADomain,
       [](Seen& s) { s.after.containers[0].dmas[0].iommu_mapped = false; }},
      {"a pin by an address that is not valid", kNoPinByStaleVaddr,
       [](Seen& s) {
         s.op = {.kind = OpKind::kSetContainer, .a = 0, .b = 0};
         s.before.containers[0].vaddr_invalid_count = 1;
         s.events.push_back({.kind = Event::Kind::kPin});
       }},
      {"a default domain that translates", kIdentityIsHonoured,
       [](Seen& s) {
         s.topology.devices[0].default_type = DefaultType::kIdentity;
         s.before.groups[1].default_domain = kNoId;
       }},
      {"an IOMMU that does not isolate interrupts", kMsiIsIsolated,
       [](Seen& s) { s.topology.instances[0].isolates_msi = false; }},
      {"an unmap of the first half", kUnmapTakesWholeMappings,
       [](Seen& s) {
         s.op = {.kind = OpKind::kUnmap, .at = {8, 2}};
         s.before = s.after;
         s.after.containers[0].dmas_count = 0;
       }},
      {"a page that stays mapped", kNoStaleTranslation,
       [](Seen& s) { s.after.mapped[s.after.containers[0].domains] |= 1; }},
  };
  return kSteps;
}

class ABrokenStep : public testing::TestWithParam<Broken> {};

TEST_P(ABrokenStep, ViolatesTheProperty) {
  Seen seen = HealthyStep();
  GetParam().how(seen);
  EXPECT_TRUE(FindViolation(GetParam().property, seen.view()));
}

TEST(AHealthyStep, ViolatesNothing) {
  const Seen seen = HealthyStep();
  for (Property p : kProperties) EXPECT_FALSE(FindViolation(p, seen.view())) << PropertyName(p);
}

INSTANTIATE_TEST_SUITE_P(Properties, ABrokenStep, testing::ValuesIn(BrokenSteps()),
                         [](const auto& row) { return TestName(row.param.what); });

// By a kernel without a rule, by a case of the corpus, or by a broken step.
TEST(EveryProperty, IsViolatedBySomething) {
  std::set<Property> violated;
  for (const Broken& broken : BrokenSteps()) violated.insert(broken.property);
  for (const Needed& needed : WithoutRules()) violated.insert(needed.property);
  for (const auto& [name, c] : CorpusCases())
    for (const Expectation& e : c.expectations)
      if (e.kind == Expectation::Kind::kViolated) violated.insert(e.property);
  for (Property p : kProperties) EXPECT_TRUE(violated.contains(p)) << PropertyName(p);
}

}  // namespace
}  // namespace iommucheck
