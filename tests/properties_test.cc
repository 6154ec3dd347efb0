// SPDX-License-Identifier: Apache-2.0
//
// The properties: that kernels keep what they promise, and that none is empty words.
#include "model/properties.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "src/case/encoded.h"
#include "tests/random_runs.h"

namespace iommucheck {
namespace {

using testing_runs::PlayRandom;

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

TEST(Promises, OfEncodedPropertiesComeFirst) {
  EXPECT_EQ(EncodedPromises().size(), size_t{kEncodedPropertyCount} * kKernelVersionCount);
  for (const Promise& p : EncodedPromises()) EXPECT_TRUE(IsEncoded(p.property));
  for (const Promise& p : Promises().subspan(EncodedPromises().size()))
    EXPECT_FALSE(IsEncoded(p.property));
}

// Promises that rest on the same are tried in the same runs.
TEST(Promises, AreKeptInRandomRuns) {
  for (KernelVersion version : kKernelVersions) {
    std::map<std::pair<const Rule*, FaultSet>, std::vector<const Promise*>> together;
    for (const Promise& p : Promises())
      if (p.version == version) together[{p.assumptions.data(), p.without}].push_back(&p);
    for (const auto& [key, promises] : together) {
      const KernelProfile kernel = With(version, promises.front()->assumptions);
      for (uint64_t seed = 0; seed < 1500; ++seed)
        PlayRandom(kernel, seed, promises.front()->without, [&](const StepView& view) {
          for (const Promise* p : promises) {
            const auto found = FindViolation(p->property, view);
            ASSERT_FALSE(found) << PropertyName(p->property) << " on " << VersionName(version)
                                << ", seed " << seed << ": " << found->why;
          }
        });
    }
  }
}

// A kernel without the rule violates what it promises with it, in the run of some seed.
struct Needed {
  Property property;
  KernelVersion version;
  Rule rule;
};

std::string Name(const testing::TestParamInfo<Needed>& param) {
  std::string name = absl::StrCat(std::string(PropertyName(param.param.property)), "_without_",
                                  std::string(InfoOf(param.param.rule).id));
  for (char& c : name)
    if (c == '-' || c == '.') c = '_';
  return name;
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
    });
  EXPECT_TRUE(violated);
}

using enum Property;
using enum KernelVersion;
INSTANTIATE_TEST_SUITE_P(
    Properties, WithoutARule,
    testing::Values(Needed{kNoCrossDriverAttach, kV6_12, Rule::kAssumeHomogeneousGroups},
                    Needed{kNoOops, kV6_0, Rule::kType1DetachEmptyCopy},
                    Needed{kNoFreedDomainInUse, kV7_1, Rule::kCoreResetMustSucceed},
                    Needed{kGroupHasOneDriver, kV6_1, Rule::kRegisterSingleDriver},
                    Needed{kGroupSharesADomain, kV6_8, Rule::kAssumeOneInstanceGroups},
                    Needed{kGroupDomainIsKnown, kV7_1, Rule::kCoreResetMustSucceed},
                    Needed{kDirectRegionStaysMapped, kV6_8, Rule::kCoreRequireDirect},
                    Needed{kIncompatibleMeansEinval, kV6_8, Rule::kDriverEinvalOnly},
                    Needed{kOwnershipBalances, kV6_8, Rule::kVfioReleaseOnError},
                    Needed{kKernelUsersBalance, kV6_8, Rule::kAssumeNoDriverBeforeIommu},
                    Needed{kNoDriverBesideUser, kV6_8, Rule::kCoreUseDefault},
                    Needed{kDriverRefusedOnlyWhenOwned, kV6_0, Rule::kCoreIdentityIsDefault},
                    Needed{kNoCrossDriverPasid, kV6_8, Rule::kCorePasidOwner},
                    Needed{kOwnPasidDomainIsAccepted, kV7_1, Rule::kCorePasidStatic},
                    Needed{kPasidKeepsItsDomain, kV6_8, Rule::kCorePasidBusy},
                    Needed{kGroupIsOpenedOnce, kV6_8, Rule::kVfioOpenOnce},
                    Needed{kNoIommuWantsPrivilege, kV6_8, Rule::kVfioNoIommuCap},
                    Needed{kNoIommuStaysApart, kV6_8, Rule::kVfioNoIommuApart},
                    Needed{kNoOops, kV6_8, Rule::kVfioContainerOnce},
                    Needed{kOpenDeviceHasItsIommu, kV6_8, Rule::kVfioUnsetUnused},
                    Needed{kEmptyContainerHasNoDriver, kV6_8, Rule::kVfioReleaseOnLast},
                    Needed{kEmulatedGroupsNeedNoIommu, kV6_8, Rule::kVfioClaimReal},
                    Needed{kFailedCallGoesBack, kV6_8, Rule::kCoreAttachRollback},
                    Needed{kNestingIsThere, kV6_8, Rule::kType1Nesting},
                    Needed{kMappingsAreApart, kV6_8, Rule::kType1MapOverlap},
                    Needed{kMappingsKeepTheirLimit, kV6_8, Rule::kType1MapEntries},
                    Needed{kMappedInEveryDomain, kV6_8, Rule::kType1Replay},
                    Needed{kValidIovaCanBeMapped, kV6_8, Rule::kType1AperResize},
                    Needed{kAttachMapsNothingReserved, kV6_8, Rule::kType1FgspInList},
                    Needed{kNoLeakedPin, kV6_8, Rule::kType1UnpinZero},
                    Needed{kLockedMemoryBalances, kV6_8, Rule::kType1PinAccounts},
                    Needed{kLockedMemoryKeepsItsLimit, kV6_8, Rule::kType1Memlock}),
    Name);

}  // namespace
}  // namespace iommucheck
