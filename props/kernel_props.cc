// SPDX-License-Identifier: Apache-2.0
//
// The kernels keep their promises, and need each rule for that.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include "fuzz/fuzzing.h"
#include "props/generators.h"
#include "props/labels.h"
#include "src/case/encoded.h"
#include "tests/mutations.h"

namespace iommucheck {
namespace {

bool Violates(const Scenario& s, Property property) {
  bool violated = false;
  ForEachStep(s, [&](const StepView& step) {
    violated |= FindViolation(property, step.events) != nullptr;
  });
  return violated;
}

// Whether two groups come to one domain of type1.
bool SharesADomain(const Scenario& s) {
  bool shares = false;
  ForEachStep(s, [&](const StepView& step) {
    const auto groups = std::span(step.after.groups).first(step.after.groups_end);
    for (size_t a = 0; a < groups.size() && !shares; ++a)
      for (size_t b = a + 1; b < groups.size(); ++b)
        shares |= groups[a].vfio_domain != kNoId && groups[a].vfio_domain == groups[b].vfio_domain;
  });
  return shares;
}

RC_GTEST_PROP(EveryKernelUnderItsAssumptions, KeepsDriversApart, ()) {
  static Label shares("two groups share a domain of type1", 80);
  const Scenario s = *Scenarios(DrawPromisedKernel);
  shares(SharesADomain(s));
  for (const Property property : kEncodedProperties) RC_ASSERT(!Violates(s, property));
}

RC_GTEST_PROP(AForeignDomain, IsNeverReachedWithoutAViolation, ()) {
  const Scenario s = *Scenarios(DrawPatchedKernel);
  const State end = ForEachStep(s, [](const StepView&) {});
  RC_ASSERT(Violates(s, kAttach) || !HasForeignDomain(s.topology, end));
}

// --- dropped rules ---

// All but one, whose run is drawn too seldom; the attach target comes to it.
std::vector<Mutation> MutationsDrawn() {
  std::vector<Mutation> mutations = ReadMutations();
  std::erase_if(mutations, [](const Mutation& mutation) {
    return mutation.text == "v6.1 assume.address_not_reused no-cross-driver-attach";
  });
  return mutations;
}

class WithoutARule : public testing::TestWithParam<Mutation> {};

TEST_P(WithoutARule, AViolatingRunIsFound) {
  constexpr int kRuns = 300000;
  const KernelSpec kernel = fuzzing::PromisedKernel(GetParam().version, GetParam().dropped);
  Words words(1);
  for (int n = 0; n < kRuns; ++n)
    if (Violates(DrawScenario(words, [&](Words&) { return kernel; }, {}), GetParam().property))
      return;
  FAIL() << "none in " << kRuns << " runs";
}

INSTANTIATE_TEST_SUITE_P(Each, WithoutARule, testing::ValuesIn(MutationsDrawn()),
                         [](const auto& row) { return TestName(row.param.text); });

}  // namespace
}  // namespace iommucheck
