// SPDX-License-Identifier: Apache-2.0
//
// The kernels keep their promises, and need each rule for that.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include "fuzz/fuzzing.h"
#include "model/properties.h"
#include "model/step.h"
#include "props/generators.h"

namespace iommucheck {
namespace {

// The 1-based op at which the property is violated, or 0.
int ViolatedAt(const Scenario& s, Property property) {
  const KernelProfile kernel = ProfileOf(s.kernel);
  std::vector<Event> events;
  State state = InitialState(s.topology);
  for (size_t i = 0; i < s.ops.size(); ++i) {
    Step(kernel, s.topology, s.ops[i], state, events);
    if (FindViolation(property, events) != nullptr) return static_cast<int>(i) + 1;
  }
  return 0;
}

RC_GTEST_PROP(EveryKernelUnderItsAssumptions, NeverAttachesAcrossDrivers, ()) {
  const Scenario s = *Scenarios(DrawPromisedKernel);
  RC_ASSERT(ViolatedAt(s, Property::kNoCrossDriverAttach) == 0);
}

RC_GTEST_PROP(EveryKernelUnderItsAssumptions, NeverReusesADomainAcrossDrivers, ()) {
  const Scenario s = *Scenarios(DrawPromisedKernel);
  RC_ASSERT(ViolatedAt(s, Property::kNoCrossDriverReuse) == 0);
}

RC_GTEST_PROP(AForeignDomain, IsNeverReachedWithoutAViolation, ()) {
  const Scenario s = *Scenarios(DrawPatchedKernel);
  const KernelProfile kernel = ProfileOf(s.kernel);
  std::vector<Event> events;
  State state = InitialState(s.topology);
  for (const Op& op : s.ops) {
    Step(kernel, s.topology, op, state, events);
    if (FindViolation(Property::kNoCrossDriverAttach, events) != nullptr) return;
  }
  RC_ASSERT(!HasForeignDomain(s.topology, state));
}

// --- dropped rules ---

struct Mutation {
  KernelVersion version;
  Property property;
  std::vector<Rule> dropped;
};

std::string MutationName(const testing::TestParamInfo<Mutation>& info) {
  std::string name(VersionName(info.param.version));
  name += "_" + std::string(PropertyName(info.param.property));
  for (Rule rule : info.param.dropped) name += "_without_" + std::string(InfoOf(rule).id);
  for (char& c : name)
    if (c == '.' || c == '-') c = '_';
  return name;
}

class WithoutARule : public testing::TestWithParam<Mutation> {};

TEST_P(WithoutARule, AViolatingRunIsFound) {
  constexpr int kRuns = 300000;
  RuleSet dropped;
  for (Rule rule : GetParam().dropped) dropped.add(rule);
  const KernelSpec kernel = fuzzing::PromisedKernel(GetParam().version, dropped);
  Words words(1);
  for (int n = 0; n < kRuns; ++n)
    if (ViolatedAt(DrawScenario(words, [&](Words&) { return kernel; }, {}), GetParam().property))
      return;
  FAIL() << "none in " << kRuns << " runs";
}

constexpr auto kAttach = Property::kNoCrossDriverAttach;
constexpr auto kReuse = Property::kNoCrossDriverReuse;
using enum KernelVersion;
using enum Rule;

// If two rules are listed together, either alone suffices.
INSTANTIATE_TEST_SUITE_P(
    Each, WithoutARule,
    testing::Values(Mutation{kV5_15, kReuse, {kType1SameOps}},
                    Mutation{kV5_15, kAttach, {kAssumeBusOpsNotReplaced}},
                    Mutation{kV5_15, kReuse, {kAllocOpsPerDriver, kAssumeTablesNotShared}},
                    Mutation{kV5_18, kReuse, {kType1SameOps}},
                    Mutation{kV5_18, kReuse, {kAssumeTablesNotShared}},
                    Mutation{kV5_18, kAttach, {kAssumeBusOpsNotReplaced}},
                    Mutation{kV6_0, kReuse, {kType1SameOps}},
                    Mutation{kV6_0, kReuse, {kAssumeTablesNotShared}},
                    Mutation{kV6_0, kAttach, {kAssumeBusOpsNotReplaced}},
                    Mutation{kV6_0, kReuse, {kBusOneOps, kAssumeBusOpsNotReplaced}},
                    Mutation{kV6_0, kReuse, {kCoreDmaOwner, kAssumeBusOpsNotReplaced}},
                    Mutation{kV6_0, kReuse, {kAssumeAddressNotReused, kAssumeBusOpsNotReplaced}},
                    Mutation{kV6_0, kReuse, {kAssumeProbeRejectsForeign, kAssumeBusOpsNotReplaced}},
                    Mutation{kV6_1, kAttach, {kRegisterSingleDriver}},
                    Mutation{kV6_1, kReuse, {kRegisterSingleDriver}},
                    Mutation{kV6_1, kAttach, {kRegisterStickyOps}},
                    Mutation{kV6_8, kReuse, {kCoreOwnerFirst, kType1SameOps}},
                    Mutation{kV6_8, kReuse, {kCoreOwnerFirst, kAllocBusUnique}},
                    Mutation{kV6_8, kReuse, {kCoreOwnerFirst, kAssumeTablesNotShared}},
                    Mutation{kV6_8, kAttach, {kAssumeProbeRejectsForeign}},
                    Mutation{kV6_8, kAttach, {kAssumeHomogeneousGroups}},
                    Mutation{kV6_12, kReuse, {kCoreOwnerFirst, kType1SameOps}},
                    Mutation{kV6_12, kReuse, {kCoreOwnerFirst, kAllocByDevice}},
                    Mutation{kV6_12, kReuse, {kCoreOwnerFirst, kAssumeTablesNotShared}},
                    Mutation{kV6_12, kAttach, {kAssumeProbeRejectsForeign}},
                    Mutation{kV6_12, kAttach, {kAssumeHomogeneousGroups}},
                    Mutation{kV7_1, kReuse, {kCoreOwnerFirst, kType1SameOps}},
                    Mutation{kV7_1, kReuse, {kCoreOwnerFirst, kAllocByDevice}},
                    Mutation{kV7_1, kReuse, {kCoreOwnerFirst, kAssumeTablesNotShared}},
                    Mutation{kV7_1, kAttach, {kAssumeProbeRejectsForeign}},
                    Mutation{kV7_1, kAttach, {kAssumeHomogeneousGroups}},
                    Mutation{kV7_1, kReuse, {kAssumeAddressNotReused, kVfioCacheCoherency}}),
    MutationName);

}  // namespace
}  // namespace iommucheck
