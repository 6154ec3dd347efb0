// SPDX-License-Identifier: Apache-2.0
//
// Solver, explorer and model answer the same questions: every machine of a small scope, every
// profile, each rule dropped, both properties.
// IOMMUCHECK_AGREEMENT=devices,attach-steps,reuse-steps chooses a larger scope than there is time
// for by default.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/explore/search.h"
#include "src/report/text.h"
#include "src/smt/query.h"

namespace iommucheck {
namespace {

struct Sizes {
  int attach_devices = 2;
  int reuse_devices = 2;
  int attach_steps = 3;
  int reuse_steps = 5;  // no violation of reuse is shorter
  // On kernels with bus slots, the explorer needs seconds for each of the larger questions.
  bool all = false;
};

Sizes SizesAsked(Era era) {
  Sizes sizes;
  if (era == Era::kBusSlots) sizes.attach_devices = 1;
  if (const char* asked = std::getenv("IOMMUCHECK_AGREEMENT"); asked != nullptr) {
    EXPECT_EQ(std::sscanf(asked, "%d,%d,%d", &sizes.reuse_devices, &sizes.attach_steps,
                          &sizes.reuse_steps),
              3)
        << asked;
    sizes.attach_devices = sizes.reuse_devices;
    sizes.all = true;
  }
  return sizes;
}

std::vector<KernelSpec> Kernels(KernelVersion version) {
  std::vector<KernelSpec> kernels = {{.version = version}};
  for (const RuleInfo& info : EncodedRuleInfos())
    if (ProfileOf(version).has(info.rule)) {
      KernelSpec kernel{.version = version};
      kernel.dropped.add(info.rule);
      kernels.push_back(kernel);
    }
  // Add the assumptions of promises, so that some kernels keep them.
  for (const Promise& promise : EncodedPromises()) {
    KernelSpec kernel{.version = version};
    for (const Rule rule : promise.assumptions) kernel.added.add(rule);
    if (promise.version == version && kernel != kernels.back()) kernels.push_back(kernel);
  }
  return kernels;
}

// The unpatched kernels and the patches that break them; others only with IOMMUCHECK_AGREEMENT.
bool InTheGate(const KernelSpec& kernel) {
  return kernel.added.empty() &&
         (kernel.dropped.empty() || kernel.dropped.has(Rule::kType1SameOps) ||
          kernel.dropped.has(Rule::kBusOneOps));
}

class Judges : public testing::TestWithParam<KernelVersion> {};

TEST_P(Judges, Agree) {
  const Era era = ProfileOf(GetParam()).era;
  const Sizes sizes = SizesAsked(era);
  int violated = 0;
  int held = 0;
  for (const KernelSpec& kernel : Kernels(GetParam()))
    for (const Property property : kEncodedProperties) {
      const bool attach = property == Property::kNoCrossDriverAttach;
      const int devices = attach ? sizes.attach_devices : sizes.reuse_devices;
      const int steps = attach ? sizes.attach_steps : sizes.reuse_steps;
      if (!sizes.all && era == Era::kBusSlots && property == Property::kNoCrossDriverReuse &&
          !InTheGate(kernel))
        continue;
      SCOPED_TRACE(report::KernelName(kernel) + ": " + std::string(PropertyName(property)));
      const auto solved =
          smt::Query(property, kernel, {.devices = devices, .steps = steps, .budget = 0}).value();
      explore::Progress progress;
      progress.question = {
          .property = property, .kernel = kernel, .scope = {.devices = devices, .steps = steps}};
      const explore::ScopeAnswer explored = explore::SearchScope(progress, {.threads = 2});
      const bool is_violated = solved.verdict == Verdict::kViolated;
      EXPECT_EQ(is_violated, explored.verdict == Verdict::kViolated)
          << PrintCase(is_violated ? solved.found : explored.found);
      EXPECT_NE(solved.verdict, Verdict::kUnknown);
      EXPECT_NE(explored.verdict, Verdict::kUnknown);
      ++(is_violated ? violated : held);
      if (!is_violated || explored.verdict != Verdict::kViolated) continue;
      EXPECT_EQ(solved.found.ops.size(), explored.found.ops.size());
      EXPECT_EQ(solved.found.topology.devices_count, explored.found.topology.devices_count);
      // A case found by one judge is a case for the others.
      const auto at_end = static_cast<int>(explored.found.ops.size());
      EXPECT_EQ(Play(solved.found).of(property).at, at_end);
      EXPECT_EQ(Play(explored.found).of(property).at, at_end);
      const auto replay = smt::ReplayInSolver(explored.found).value();
      ASSERT_TRUE(replay.supported && replay.possible) << PrintCase(explored.found);
      EXPECT_TRUE(replay.violated[static_cast<size_t>(property)]) << PrintCase(explored.found);
    }
  // If every answer were the same, the test would show little.
  EXPECT_GT(violated, 0);
  EXPECT_GT(held, 0);
  std::printf("%s: %d questions, %d of them violated\n",
              std::string(VersionName(GetParam())).c_str(), violated + held, violated);
}

INSTANTIATE_TEST_SUITE_P(Profiles, Judges, testing::ValuesIn(kKernelVersions));

}  // namespace
}  // namespace iommucheck
