// SPDX-License-Identifier: Apache-2.0
//
// The model and the solver's encoding were written independently, and agree on every run.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <bit>

#include "props/generators.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/smt/query.h"

namespace iommucheck {
namespace {

// Faults are not encoded.
constexpr Shape kSmall = {
    .drivers = 3, .instances = 4, .devices = 4, .ops = 14, .without = draw::kAllFaults};

DomainId Type1Of(const State& s, DeviceId dev) {
  const GroupId group = s.devices[dev].group;
  return group == kNoId ? kNoId : s.groups[group].vfio_domain;
}

void ExpectSameDevices(const Case& c, const State& s, const smt::Replay& replay) {
  for (DeviceId a = 0; a < c.topology.devices_count; ++a) {
    RC_ASSERT(replay.device_driver[a] == DriverOfDevice(c, s, a));
    RC_ASSERT(replay.device_hw_driver[a] == DriverOfHardware(s, a));
    RC_ASSERT((replay.device_vfio[a] == kNoId) == (Type1Of(s, a) == kNoId));
    for (DeviceId b = 0; b < a; ++b)
      RC_ASSERT((replay.device_vfio[a] == replay.device_vfio[b]) ==
                (Type1Of(s, a) == Type1Of(s, b)));
  }
}

// A query considers only runs that have these ops (src/smt/needed.h).
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

void ExpectSame(const Case& c) {
  const Run run = Play(c);
  const auto replay = smt::ReplayInSolver(c);
  if (!replay.ok()) RC_FAIL(replay.status().ToString());
  if (!replay->supported) RC_FAIL(replay->reason);

  const size_t taken = run.complete ? run.steps.size() : run.steps.size() - 1;
  for (size_t i = 0; i < std::min(taken, replay->errors.size()); ++i)
    RC_ASSERT(replay->errors[i] == run.steps[i].result.error);
  RC_ASSERT(replay->errors.size() == taken);
  RC_ASSERT(replay->possible == run.complete);
  if (!run.complete) {
    RC_ASSERT(replay->impossible_at == static_cast<int>(run.steps.size()));
    return;
  }
  for (Property p : kEncodedProperties) {
    const int at = run.of(p).at;
    RC_ASSERT(replay->violated[static_cast<size_t>(p)] == (at != 0));
    if (at != 0) ExpectNeededOps(c, p, at);
  }
  ExpectSameDevices(c, run.final_state(), *replay);
}

RC_GTEST_PROP(TheTwoJudges, AgreeOnEveryKernel, ()) {
  ExpectSame(ToCase(*Scenarios(DrawPromisedKernel, kSmall)));
}

RC_GTEST_PROP(TheTwoJudges, AgreeOnPatchedKernels, ()) {
  ExpectSame(ToCase(*Scenarios(DrawPatchedKernel, kSmall)));
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
