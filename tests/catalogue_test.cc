// SPDX-License-Identifier: Apache-2.0
#include "src/import/catalogue.h"

#include <map>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/case/case.h"
#include "src/case/kernel.h"
#include "src/case/run.h"
#include "src/import/pairs.h"

namespace iommucheck::import {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Catalogue, HasEveryDriverOfEveryEra) {
  using enum KernelVersion;
  for (const auto& [version, drivers] : std::map<KernelVersion, size_t>{{kV5_15, 21},
                                                                        {kV5_18, 21},
                                                                        {kV5_19, 22},
                                                                        {kV6_0, 22},
                                                                        {kV6_1, 22},
                                                                        {kV6_8, 23},
                                                                        {kV6_12, 23},
                                                                        {kV6_18, 25},
                                                                        {kV7_1, 25},
                                                                        {kV7_3, 25}})
    EXPECT_EQ(DriversOf(version).size(), drivers) << VersionName(version);
  EXPECT_EQ(FindDriver("riscv", KernelVersion::kV6_12), nullptr);
  EXPECT_NE(FindDriver("riscv", KernelVersion::kV7_1), nullptr);
  EXPECT_EQ(FindDriver("tegra-gart", KernelVersion::kV6_12), nullptr);
}

// suppress_bind_attrs, or no remove(), read in 6.1 and 6.12.
TEST(Catalogue, KnowsWhatTheAdminCanUnbind) {
  for (const char* name : {"intel", "amd", "arm-smmu", "arm-smmu-v3", "rockchip", "exynos"})
    EXPECT_FALSE(Unbinds(name)) << name;
  for (const char* name : {"virtio-iommu", "ipmmu-vmsa", "omap", "mtk", "qcom_iommu", "no-such"})
    EXPECT_TRUE(Unbinds(name)) << name;
}

TEST(Catalogue, AssumesOfAMachineWhatAllItsDriversKeep) {
  constexpr Rule kServing = Rule::kAssumeNoUnregisterWhileServing;
  KernelSpec kernel{.version = KernelVersion::kV6_0};
  const auto assuming = [&](std::vector<std::string> drivers) {
    return AssumingInTree(kernel, drivers);
  };
  EXPECT_TRUE(assuming({"arm-smmu", "arm-smmu-v3"}).added.has(kServing));
  EXPECT_EQ(assuming({"intel", "virtio-iommu"}), kernel);
  EXPECT_EQ(assuming({"arm-smmu", "unknown-fkA0"}), kernel);
  const KernelSpec as_is = kernel;
  kernel.dropped.add(kServing);
  EXPECT_EQ(assuming({"arm-smmu"}), as_is);
  EXPECT_EQ(assuming({"virtio-iommu"}), as_is);
  kernel = as_is;
  kernel.added.add(kServing);
  EXPECT_EQ(assuming({"virtio-iommu"}), kernel);
}

TEST(Catalogue, ADropOfWhatIsAssumedIsUnderstood) {
  const std::vector<std::string> id = {"assume.no_unregister_while_serving"};
  EXPECT_FALSE(MakeKernel("v6.0", id, {}).ok());
  const auto kernel = MakeKernel("v6.0", id, {}, kAssumedInTree).value();
  EXPECT_EQ(kernel.dropped, kAssumedInTree);
  EXPECT_THAT(
      std::string(MakeKernel("v6.0", id, id, kAssumedInTree).status().message()),
      HasSubstr("expected each rule once, found 'assume.no_unregister_while_serving' again"));
}

TEST(Catalogue, ClaimsBusesOnlyWhileDriversDo) {
  for (const KernelVersion version : kKernelVersions) {
    if (version <= KernelVersion::kV6_0) continue;
    for (const CatalogueDriver* d : DriversOf(version)) EXPECT_THAT(d->claims, IsEmpty());
  }
}

TEST(Catalogue, EveryDriverMakesAValidTopology) {
  for (const CatalogueDriver& row : Catalogue()) {
    Topology t;
    t.drivers_count = t.tables_count = t.instances_count = 1;
    t.drivers[0] = ToModelDriver(row);
    EXPECT_TRUE(Validate(t).ok()) << row.name;
    // Paging domains need a table, and only drivers without domains have none.
    EXPECT_EQ(row.tables.empty(), row.reuse == Reuse::kNone) << row.name;
  }
}

TEST(Catalogue, IntelStoresItsOpsInPlatform) {
  const Driver intel = ToModelDriver(*FindDriver("intel", KernelVersion::kV6_0));
  EXPECT_EQ(intel.claims[static_cast<size_t>(Bus::kPci)], Claim::kIgnore);
  EXPECT_EQ(intel.claims[static_cast<size_t>(Bus::kPlatform)], Claim::kStore);
  EXPECT_EQ(intel.claim_order[0], Bus::kPci);
  EXPECT_EQ(intel.firmware, Firmware::kAcpi);
}

TEST(Catalogue, ArmSmmuV3ClearsAndUnwinds) {
  const Driver smmu = ToModelDriver(*FindDriver("arm-smmu-v3", KernelVersion::kV5_18));
  EXPECT_TRUE(smmu.clears);
  EXPECT_TRUE(smmu.unwinds);
  EXPECT_TRUE(smmu.same_instance);
  EXPECT_EQ(smmu.firmware, Firmware::kAny);
}

TEST(Catalogue, FactsChangeWithTheEra) {
  EXPECT_FALSE(ToModelDriver(*FindDriver("virtio-iommu", KernelVersion::kV5_18)).coherent);
  EXPECT_TRUE(ToModelDriver(*FindDriver("virtio-iommu", KernelVersion::kV6_0)).coherent);
  EXPECT_EQ(FindDriver("mtk", KernelVersion::kV5_18)->claims.size(), 1U);
  EXPECT_EQ(FindDriver("mtk", KernelVersion::kV6_0)->claims.size(), 2U);
  EXPECT_THAT(FindDriver("intel", KernelVersion::kV7_1)->tables,
              ElementsAre("intel_fs_paging_domain_ops", "intel_ss_paging_domain_ops"));
}

TEST(Catalogue, FindsTheDriverOfABoundDevice) {
  ASSERT_NE(FindDriverByBound("virtio_iommu"), nullptr);
  EXPECT_EQ(FindDriverByBound("virtio_iommu")->name, "virtio-iommu");
  EXPECT_EQ(FindDriverByBound("e1000"), nullptr);
}

TEST(Catalogue, RefusesOtherText) {
  EXPECT_EQ(ParseCatalogue("{").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ParseCatalogue("[]").ok());
  EXPECT_FALSE(ParseCatalogue(R"({"eras": ["v6.0"], "drivers": [{"name": 3}]})").ok());
  const auto era = ParseCatalogue(R"({"eras": ["v2.4"], "drivers": [{"name": "x", "eras": {}}]})");
  EXPECT_TRUE(era.ok());  // the reader skips an era without a driver
}

// A driver claims a bus in some way, or the file does not list the bus.
TEST(Catalogue, RefusesAClaimThatIsNone) {
  const auto claiming = [](const std::string& how) {
    return absl::StrCat(
        R"({"eras": ["v6.0"], "drivers": [{"name": "x", "arch": [], "soc": "", "firmware": [], "bound": [],)",
        R"("fwnode": false, "claims_once": false, "remove_clears": [], "cache_coherency": "no",)",
        R"("default_domains": true, "group": "pci", "eras": {"v6.0": {"claims": [["pci", ")", how,
        R"("]], "on_failure": "leak", "enforces_coherency": "no", "reuse": "any_instance",)",
        R"("tables": ["x_ops"]}}}]})");
  };
  EXPECT_EQ(ParseCatalogue(claiming("strict")).status(), absl::OkStatus());
  EXPECT_THAT(std::string(ParseCatalogue(claiming("none")).status().message()),
              HasSubstr("claim 'none' is not known"));
}

KernelSpec Patched(KernelVersion version) {
  return {.version = version, .dropped = RuleSet().add(Rule::kType1SameOps)};
}

const PairResult* Find(const std::vector<PairResult>& pairs, std::string_view a,
                       std::string_view b) {
  for (const PairResult& p : pairs)
    if ((p.a == a && p.b == b) || (p.a == b && p.b == a)) return &p;
  return nullptr;
}

TEST(Pairs, NoTwoDriversOfOneMachineClaimDisjointBuses) {
  for (const auto version : {KernelVersion::kV5_15, KernelVersion::kV5_18, KernelVersion::kV6_0}) {
    const std::vector<PairResult> pairs = AnalysePairs(Patched(version));
    const size_t drivers = DriversThatExist(version).size();
    EXPECT_EQ(pairs.size(), drivers * (drivers - 1) / 2);
    for (const PairResult& p : pairs) EXPECT_NE(p.reason, PairReason::kDisjoint) << p.a << p.b;
  }
}

TEST(Pairs, SkippedBusesLetTwoDriversServe) {
  const std::vector<PairResult> pairs = AnalysePairs(Patched(KernelVersion::kV6_0));
  const PairResult* smmus = Find(pairs, "arm-smmu", "arm-smmu-v3");
  ASSERT_NE(smmus, nullptr);
  EXPECT_EQ(smmus->reason, PairReason::kBothServe);
  EXPECT_THAT(smmus->detail, HasSubstr("when arm-smmu-v3 comes first"));
  EXPECT_TRUE(smmus->vfio_usable);
  EXPECT_FALSE(smmus->violates);  // attach_dev of both drivers tests the instance
  const PairResult* exynos = Find(pairs, "arm-smmu", "exynos");
  EXPECT_TRUE(exynos->both_serve);
  EXPECT_FALSE(exynos->vfio_usable);  // exynos lacks IOMMU_CAP_CACHE_COHERENCY
}

TEST(Pairs, GiveTheFirstReasonThatApplies) {
  const std::vector<PairResult> pairs = AnalysePairs(Patched(KernelVersion::kV6_0));
  EXPECT_EQ(Find(pairs, "intel", "s390")->reason, PairReason::kNoArchitecture);
  EXPECT_EQ(Find(pairs, "intel", "riscv"), nullptr);  // the kernel has no such driver
  EXPECT_EQ(Find(pairs, "intel", "hyperv-iommu")->reason, PairReason::kClaimsNothing);
  EXPECT_EQ(Find(pairs, "exynos", "rockchip")->reason, PairReason::kNoSoc);
  EXPECT_EQ(Find(pairs, "amd", "virtio-iommu")->reason, PairReason::kOneLoses);
}

TEST(Pairs, ExamplesReplay) {
  for (const PairResult& p : AnalysePairs(Patched(KernelVersion::kV6_0))) {
    if (p.reason < PairReason::kOneLoses) continue;
    ASSERT_FALSE(p.example.ops.empty()) << p.a << " " << p.b;
    EXPECT_TRUE(Validate(p.example.topology).ok());
    EXPECT_THAT(Mismatches(p.example, Play(p.example)), IsEmpty()) << p.a << " " << p.b;
    EXPECT_EQ(p.violates, !p.example.expectations.empty()) << p.a << " " << p.b;
  }
}

TEST(Pairs, TheComparisonKeepsThemApartWhileSlotsStay) {
  for (const auto version : {KernelVersion::kV5_15, KernelVersion::kV5_18, KernelVersion::kV6_0}) {
    KernelSpec kernel{version, {}, {}};
    // Intel's store replaces the ops of the platform bus under devices of the other driver.
    EXPECT_TRUE(Find(AnalysePairs(kernel), "amd", "intel")->violates);
    kernel.added.add(Rule::kAssumeBusOpsNotReplaced);
    for (const PairResult& p : AnalysePairs(kernel)) EXPECT_FALSE(p.violates) << p.a << " " << p.b;
  }
}

// From 6.1 on drivers claim no bus. Up to and including 6.7 the core accepts the instances of one
// driver; later, those of all drivers that a machine can have.
TEST(Pairs, AreDecidedByRegistrationWhereNobodyClaims) {
  for (const PairResult& p : AnalysePairs({KernelVersion::kV6_1, {}, {}})) {
    EXPECT_FALSE(p.both_serve) << p.a << " " << p.b;
    EXPECT_NE(p.reason, PairReason::kClaimsNothing);
  }
  for (const auto version : {KernelVersion::kV6_8, KernelVersion::kV7_1}) {
    const std::vector<PairResult> pairs = AnalysePairs({version, {}, {}});
    const PairResult* intel = Find(pairs, "intel", "virtio-iommu");
    EXPECT_EQ(intel->reason, PairReason::kNoClaims);
    EXPECT_TRUE(intel->both_serve);
    EXPECT_FALSE(intel->violates);
    EXPECT_EQ(Find(pairs, "intel", "s390")->reason, PairReason::kNoArchitecture);
  }
  // With two drivers on one bus, VFIO gets no domain up to and including 6.10.
  const std::vector<PairResult> old = AnalysePairs({KernelVersion::kV6_8, {}, {}});
  EXPECT_EQ(Find(old, "intel", "virtio-iommu")->refused, Rule::kAllocBusUnique);
  const std::vector<PairResult> now = AnalysePairs({KernelVersion::kV7_1, {}, {}});
  EXPECT_TRUE(Find(now, "intel", "virtio-iommu")->vfio_usable);
}

std::vector<std::string> NamesIn(KernelVersion version) {
  std::vector<std::string> names;
  for (const CatalogueDriver* driver : DriversThatExist(version)) names.push_back(driver->name);
  return names;
}

// What sources of 5.10, 5.15, 5.19, 6.1, 6.8, 6.12, 7.1 and 7.2 have.
TEST(Pairs, AreOfDriversThatTheKernelHas) {
  using ::testing::Contains;
  using ::testing::Not;
  const auto came = [](const char* driver, KernelVersion before, KernelVersion first) {
    EXPECT_THAT(NamesIn(before), Not(Contains(driver)));
    EXPECT_THAT(NamesIn(first), Contains(driver));
  };
  came("sprd", KernelVersion::kV5_10_y, KernelVersion::kV5_15);
  came("apple-dart", KernelVersion::kV5_10_y, KernelVersion::kV5_15);
  came("xen-grant-dma", KernelVersion::kV5_18, KernelVersion::kV5_19);
  came("spapr_tce", KernelVersion::kV6_1_y, KernelVersion::kV6_6);
  came("iommufd-mock", KernelVersion::kV6_1_y, KernelVersion::kV6_6);
  came("riscv", KernelVersion::kV6_12_y, KernelVersion::kV6_18);
  came("vsi", KernelVersion::kV7_1, KernelVersion::kV7_3);
  EXPECT_THAT(NamesIn(KernelVersion::kV6_6), Contains("tegra-gart"));
  EXPECT_THAT(NamesIn(KernelVersion::kV6_8), Not(Contains("tegra-gart")));
  EXPECT_EQ(NamesIn(KernelVersion::kV6_0).size(), 22U);
}

// virtio-iommu could be built for x86 from 5.14 on.
TEST(Pairs, AreOfArchitecturesThatTheKernelCanBeBuiltFor) {
  const auto intel_and_virtio = [](KernelVersion version) {
    const std::vector<PairResult> pairs = AnalysePairs({version, {}, {}});
    return Find(pairs, "intel", "virtio-iommu")->reason;
  };
  EXPECT_EQ(intel_and_virtio(KernelVersion::kV5_10_y), PairReason::kNoArchitecture);
  EXPECT_NE(intel_and_virtio(KernelVersion::kV5_15), PairReason::kNoArchitecture);
}

}  // namespace
}  // namespace iommucheck::import
