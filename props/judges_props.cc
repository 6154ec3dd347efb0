// SPDX-License-Identifier: Apache-2.0
//
// The model and the solver's encoding were written independently, and agree on every run.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <bit>
#include <vector>

#include "model/pci.h"
#include "model/step.h"
#include "props/generators.h"
#include "props/labels.h"
#include "src/smt/replayed.h"

namespace iommucheck {
namespace {

// Faults are not encoded.
constexpr Shape kSmall = {
    .drivers = 3, .instances = 4, .devices = 4, .ops = 14, .without = draw::kAllFaults};

// A query considers only runs that have these ops (Needed() of src/smt/query.h).
void ExpectNeededOps(const Case& c, Property property, int violated_at) {
  unsigned drivers = 0;
  int set_containers = 0;
  int set_iommus = 0;
  for (int i = 0; i < violated_at; ++i) {
    const Op& op = c.ops[i].op;
    if (op.kind == OpKind::kRegister) drivers |= 1U << c.topology.instances[op.a].driver;
    if (op.kind == OpKind::kSetContainer) ++set_containers;
    if (op.kind == OpKind::kSetIommu) ++set_iommus;
  }
  RC_ASSERT(std::popcount(drivers) >= 2);
  if (property != Property::kNoCrossDriverReuse) return;
  RC_ASSERT(set_containers >= 2);
  RC_ASSERT(set_iommus >= 1);
  const OpKind last = c.ops[violated_at - 1].op.kind;
  RC_ASSERT(last == OpKind::kSetContainer || last == OpKind::kSetIommu);
}

// Whether some step leaves a device in the group of a bridge above it, for its wiring.
bool JoinsABridge(const Case& c) {
  const Topology& t = c.topology;
  State state = InitialState(t);
  std::vector<Event> events;
  for (const CaseOp& op : c.ops) {
    if (Step(ProfileOf(c.kernel), t, op.op, state, events).outcome != Outcome::kDone) break;
    for (DeviceId d = 0; d < t.devices_count; ++d)
      for (DeviceId above = 0; above < d; ++above)
        if (state.devices[d].group != kNoId &&
            state.devices[above].group == state.devices[d].group && SharedBridges(t, d).has(above))
          return true;
  }
  return false;
}

void ExpectSame(const Case& c) {
  const Run run = Play(c);
  const smt::Replay replay = smt::ReplayInSolver(c).value();
  if (!replay.supported) RC_FAIL(replay.reason);
  RC_ASSERT(ReplayDiffersIn(c, run, replay) == "");
  if (!run.complete) return;
  for (Property p : kEncodedProperties)
    if (run.of(p).at != 0) ExpectNeededOps(c, p, run.of(p).at);
}

RC_GTEST_PROP(TheTwoJudges, AgreeOnEveryKernel, ()) {
  static Label joins("a device joins the group of a bridge", 10);
  const Case c = ToCase(*Scenarios(DrawPromisedKernel, kSmall));
  joins(JoinsABridge(c));
  ExpectSame(c);
}

RC_GTEST_PROP(TheTwoJudges, AgreeOnPatchedKernels, ()) {
  static Label violates("the run violates a property that is encoded", 1);
  const Case c = ToCase(*Scenarios(DrawPatchedKernel, kSmall));
  ExpectSame(c);
  const Run run = Play(c);
  violates(std::ranges::any_of(kEncodedProperties, [&](Property p) { return run.of(p).at != 0; }));
}

// The last op is one that the kernel may not be able to take.
RC_GTEST_PROP(TheTwoJudges, AgreeOnWhatIsPossible, ()) {
  Scenario s = *Scenarios(DrawPatchedKernel, kSmall);
  Words words(*rc::gen::arbitrary<uint64_t>());
  s.ops.push_back(DrawOp(words, s.topology, kSmall));
  ExpectSame(ToCase(s));
}

}  // namespace
}  // namespace iommucheck
