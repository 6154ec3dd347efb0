// SPDX-License-Identifier: Apache-2.0
//
// The model and real kernel code do the same, on random machines and runs with failures, apart from
// the findings of docs/findings.md. The environment is that of fuzz/model_and_kernel.h.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>

#include "fuzz/model_and_kernel.h"
#include "props/generators.h"

namespace iommucheck {
namespace {

using fuzzing::ModelAndKernel;

ModelAndKernel& Both() {
  static ModelAndKernel& both = []() -> ModelAndKernel& {
    ModelAndKernel& opened = ModelAndKernel::OpenOrExit("kernel.so", /*catch_oops=*/true);
    opened.PlayOopses();
    ReportDeaths(opened);
    return opened;
  }();
  return both;
}

// The kernel of the build, on machines that keep the assumptions and on others.
KernelSpec DrawBuiltKernel(Words& words) {
  KernelSpec spec{.version = Both().kernel().version};
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption && words.OneIn(3))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

DecodedCase Decoded(const Scenario& scenario) {
  DecodedCase c{.kernel = scenario.kernel,
                .topology = scenario.topology,
                .ops_count = static_cast<int>(scenario.ops.size()),
                .ops = {}};
  RC_ASSERT(scenario.ops.size() <= c.ops.size());
  std::ranges::copy(scenario.ops, c.ops.begin());
  return c;
}

RC_GTEST_PROP(TheModel, AgreesWithRealCode, ()) {
  const DecodedCase c = Decoded(*Scenarios(DrawBuiltKernel, {.scope = draw::Scope::kWhole}));
  const ModelAndKernel::Verdict verdict = Both().Play(c);
  const std::string report =
      verdict == ModelAndKernel::Verdict::kAgree ? "" : Both().Report(verdict);
  if (Both().lockstep().spent()) RC_ASSERT(Both().loaded().Open().ok());
  if (verdict != ModelAndKernel::Verdict::kAgree) RC_FAIL(report);
}

}  // namespace
}  // namespace iommucheck
