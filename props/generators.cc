// SPDX-License-Identifier: Apache-2.0
#include "props/generators.h"

#include <iostream>

#include "fuzz/fuzzing.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/case/smaller.h"

namespace iommucheck {
namespace {

Scenario ToScenario(const Case& c) {
  Scenario scenario{.kernel = c.kernel, .topology = c.topology, .ops = {}};
  for (const CaseOp& op : c.ops) scenario.ops.push_back(op.op);
  return scenario;
}

rc::Seq<Scenario> Smaller(const Scenario& s) {
  std::vector<Scenario> smaller;
  AnySmaller(ToCase(s), [&](const Case& c) {
    smaller.push_back(ToScenario(c));
    return false;
  });
  return rc::seq::fromContainer(std::move(smaller));
}

}  // namespace

Case ToCase(const Scenario& scenario) {
  Case c;
  c.kernel = scenario.kernel;
  c.topology = scenario.topology;
  c.names = DefaultNames(c.topology);
  for (const Op& op : scenario.ops)
    c.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  Normalize(c);
  return c;
}

void showValue(const Scenario& scenario, std::ostream& os) {
  const Case c = ToCase(scenario);
  os << '\n' << PrintCase(Asserted(c, Play(c)));
}

KernelSpec DrawPromisedKernel(Words& words) {
  return fuzzing::PromisedKernel(kKernelVersions[words.Below(kKernelVersionCount)], {});
}

KernelSpec DrawPatchedKernel(Words& words) {
  KernelSpec spec;
  spec.version = kKernelVersions[words.Below(kKernelVersionCount)];
  const RuleSet rules = ProfileOf(spec.version).rules;
  // Newer kernels have several checks against the same mistake: half of the time most are changed.
  const int one_in = words.OneIn(2) ? 6 : 2;
  for (const RuleInfo& info : AllRules())
    if (IsEncoded(info.rule) && words.OneIn(one_in))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

KernelSpec DrawAnyKernel(Words& words) {
  KernelSpec spec = DrawPatchedKernel(words);
  const RuleSet rules = ProfileOf(spec.version).rules;
  for (const RuleInfo& info : AllRules())
    if (!IsEncoded(info.rule) && words.OneIn(12))
      (rules.has(info.rule) ? spec.dropped : spec.added).add(info.rule);
  return spec;
}

Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape) {
  const KernelSpec kernel = draw_kernel(words);
  const DecodedCase run = draw::DrawRun(words, ProfileOf(kernel), shape);
  return {.kernel = kernel,
          .topology = run.topology,
          .ops = {run.ops.begin(), run.ops.begin() + run.ops_count}};
}

rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape) {
  return [draw_kernel = std::move(draw_kernel), shape](const rc::Random& random, int /*size*/) {
    Words words(rc::Random(random).next());
    // rapidcheck asks for smaller scenarios only when a property fails. What is small then may fail
    // for another reason, so the scenario as it was drawn is shown first.
    return rc::shrinkable::shrink(
        rc::fn::constant(DrawScenario(words, draw_kernel, shape)), [](const Scenario& drawn) {
          std::cerr << "The case that failed first, before it is made smaller:\n";
          showValue(drawn, std::cerr);
          std::cerr << std::endl;
          return rc::seq::map(Smaller(drawn), [](Scenario smaller) {
            return rc::shrinkable::shrinkRecur(std::move(smaller),
                                               [](const Scenario& s) { return Smaller(s); });
          });
        });
  };
}

}  // namespace iommucheck
