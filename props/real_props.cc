// SPDX-License-Identifier: Apache-2.0
//
// The model and real kernel code do the same, on random machines and runs with failures. The build
// is IOMMUCHECK_KERNEL_BUILD, a folder of ./dev kernel.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <string>

#include "props/generators.h"
#include "src/conform/harness.h"

namespace iommucheck {
namespace {

conform::Harness& Real() {
  static auto* const harness = [] {
    const char* build = std::getenv("IOMMUCHECK_KERNEL_BUILD");
    if (build == nullptr) {
      std::fprintf(stderr, "expected IOMMUCHECK_KERNEL_BUILD to be a build of ./dev kernel\n");
      std::exit(2);
    }
    auto loaded = conform::Harness::Load(std::string(build) + "/kernel.so", /*catch_oops=*/true);
    if (!loaded.ok()) {
      std::fprintf(stderr, "%s\n", std::string(loaded.status().message()).c_str());
      std::exit(2);
    }
    return new conform::Harness(*std::move(loaded));
  }();
  return *harness;
}

// The kernel that was built, on machines inside and outside of the assumptions.
KernelSpec DrawBuiltKernel(Words& words) {
  KernelSpec spec{.version = Real().version()};
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption && words.OneIn(3))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

RC_GTEST_PROP(TheModel, AgreesWithRealCode, ()) {
  const Case c = ToCase(*Scenarios(DrawBuiltKernel));
  const conform::Trace model = conform::TraceOf(c);
  conform::Trace real;
  RC_PRE(Real().WhyNot(c).empty());
  const auto played = Real().Play(c, model.steps.size(), real);
  RC_ASSERT(played.ok());
  if (!Agree(model, real) || !played->leaks.empty()) {
    for (const std::string& warn : played->warns) RC_LOG() << "WARN in " << warn << "\n";
    for (const std::string& leak : played->leaks) RC_LOG() << "left: " << leak << "\n";
    RC_LOG() << conform::Compare(c, model, "model", real, "real code").text;
    RC_FAIL("model and real code differ");
  }
}

}  // namespace
}  // namespace iommucheck
