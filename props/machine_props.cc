// SPDX-License-Identifier: Apache-2.0
//
// The solver on one machine and the explorer, which share nothing but the contract of the model,
// agree on it; and a machine fulfils the facts about it.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include "model/step.h"
#include "props/generators.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/explore/explore.h"
#include "src/prove/facts.h"
#include "src/smt/machine_query.h"

namespace iommucheck {
namespace {

constexpr int kSteps = 4;
constexpr uint64_t kStates = 1'000'000;

// Any version, with many of its checks dropped and no assumption added: on an unpatched kernel most
// machines violate nothing.
KernelSpec DrawWeakKernel(Words& words) {
  KernelSpec spec;
  spec.version = kKernelVersions[words.Below(kKernelVersionCount)];
  for (const RuleInfo& info : EncodedRuleInfos())
    if (info.kind != RuleKind::kAssumption && ProfileOf(spec.version).has(info.rule) &&
        words.OneIn(3))
      spec.dropped.add(info.rule);
  return spec;
}

// The number of steps of a shortest run; 0: there is none.
int StepsIn(Verdict verdict, const Case& found) {
  RC_ASSERT(verdict != Verdict::kUnknown);
  return verdict == Verdict::kViolated ? static_cast<int>(found.ops.size()) : 0;
}

void ExpectSame(const Case& machine, int steps, int whole_devices) {
  RC_PRE(!BrokenAssumption(machine.topology, ProfileOf(machine.kernel).rules));
  for (Property p : kEncodedProperties) {
    const explore::ExploreResult explored = explore::ExploreMachine(machine, p, steps, kStates);
    const smt::QueryResult result =
        smt::QueryMachine(p, machine, {.steps = steps}, false, {}, whole_devices).value().query;
    const int at = StepsIn(result.verdict, result.found);
    RC_ASSERT(at == StepsIn(explored.verdict, explored.found));
    if (at != 0) RC_ASSERT(Play(result.found).of(p).at == at);
  }
}

Scenario DrawMachine(const DrawKernel& draw_kernel) {
  Scenario s = *Scenarios(
      draw_kernel,
      {.drivers = 3, .instances = 4, .devices = 4, .ops = 1, .without = draw::kAllFaults});
  s.ops.clear();
  return s;
}

RC_GTEST_PROP(OneMachine, IsEncodedWhole, ()) {
  ExpectSame(ToCase(DrawMachine(DrawWeakKernel)), kSteps, smt::kMaxWholeDevices);
}

RC_GTEST_PROP(OneMachine, IsEncodedWholeOnPatchedKernels, ()) {
  ExpectSame(ToCase(DrawMachine(DrawPatchedKernel)), kSteps, smt::kMaxWholeDevices);
}

// Checks the argument about large machines on small ones.
RC_GTEST_PROP(OneMachine, IsEncodedInParts, ()) {
  ExpectSame(ToCase(DrawMachine(DrawWeakKernel)), kSteps, 0);
}

// Five devices of two drivers, on kernels without the comparison of ops, as patches like that of
// 2022 leave them, and runs that are long enough to reuse a domain.
RC_GTEST_PROP(OneMachine, ReusesADomain, (uint64_t seed)) {
  Words words(seed);
  KernelSpec kernel;
  kernel.version = kKernelVersions[words.Below(kKernelVersionCount)];
  kernel.dropped.add(Rule::kType1SameOps);
  for (Rule rule : {Rule::kCoreOwnerFirst, Rule::kRegisterSingleDriver})
    if (ProfileOf(kernel.version).has(rule)) kernel.dropped.add(rule);
  Case machine;
  machine.kernel = kernel;
  Topology& t = machine.topology;
  t.drivers_count = t.tables_count = t.instances_count = 2;
  t.devices_count = 5;
  for (uint8_t r = 0; r < 2; ++r) {
    t.drivers[r].table = t.instances[r].table = t.instances[r].driver = r;
    t.drivers[r].claims[words.Below(2)] = static_cast<Claim>(1 + words.Below(5));
    t.instances[r].fwnode = words.OneIn(3);
  }
  for (uint8_t d = 0; d < t.devices_count; ++d) {
    t.devices[d].bus = static_cast<Bus>(words.Below(2));
    t.devices[d].masters[0] = static_cast<InstanceId>(words.Below(2));
    if (words.OneIn(3)) t.devices[d].slot = 1;
  }
  machine.names = DefaultNames(t);
  Normalize(machine);
  ExpectSame(machine, 5, words.OneIn(2) ? 0 : smt::kMaxWholeDevices);
}

// A rule that the facts say a machine fulfils changes no run on it.
RC_GTEST_PROP(FactsOfAMachine, ChangeNoRun, ()) {
  const Scenario s = *Scenarios(DrawWeakKernel, {.without = draw::kAllFaults});
  const KernelProfile kernel = ProfileOf(s.kernel);
  const RuleSet facts = prove::FactsOf(kernel, s.topology);
  KernelProfile with = kernel;
  for (const RuleInfo& info : EncodedRuleInfos())
    if (facts.has(info.rule)) with.rules.add(info.rule);
  RC_ASSERT(!BrokenAssumption(s.topology, facts));
  State state = InitialState(s.topology);
  State other = state;
  std::vector<Event> events;
  for (const Op& op : s.ops) {
    const StepResult result = Step(kernel, s.topology, op, state, events);
    const StepResult same = Step(with, s.topology, op, other, events);
    RC_ASSERT(same.outcome == result.outcome);
    RC_ASSERT(same.error == result.error);
    RC_ASSERT(state == other);
  }
}

}  // namespace
}  // namespace iommucheck
