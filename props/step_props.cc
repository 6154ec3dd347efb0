// SPDX-License-Identifier: Apache-2.0
//
// The effects of each step, on every kernel and every patch of one; docs/model.md says why.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "model/invariants.h"
#include "props/generators.h"

namespace iommucheck {
namespace {

using enum OpKind;

struct Taken : StepView {
  const KernelProfile& kernel;

  [[nodiscard]] bool failed() const { return result.error != 0; }
  [[nodiscard]] const GroupState& group_before() const { return before.groups[op.a]; }
  [[nodiscard]] const GroupState& group_after() const { return after.groups[op.a]; }
  [[nodiscard]] const ContainerState& container_before() const { return before.containers[op.a]; }
  [[nodiscard]] const ContainerState& container_after() const { return after.containers[op.a]; }
  [[nodiscard]] bool warned() const {
    return std::ranges::any_of(events, [](const Event& e) { return e.kind == Event::Kind::kWarn; });
  }
};

// Plays the scenario and passes each step to `judge`.
template <typename Judge>
void ForEachTaken(const Scenario& s, Judge judge) {
  const KernelProfile kernel = ProfileOf(s.kernel);
  ForEachStep(s, [&](const StepView& step) {
    RC_ASSERT(step.result.outcome == Outcome::kDone);
    judge(Taken{step, kernel});
  });
}

bool Registered(const State& s, InstanceId instance) {
  const auto end = s.registered.begin() + s.registered_count;
  return std::find(s.registered.begin(), end, instance) != end;
}

bool Serves(const State& s, InstanceId instance) {
  return std::ranges::any_of(s.devices,
                             [&](const DeviceState& d) { return d.instance == instance; });
}

// Whether every device of the group is on group->domain.
bool Settled(const State& s, GroupId group) {
  const GroupState& g = s.groups[group];
  for (DeviceId dev = g.devices; dev != kNoId; dev = s.devices[dev].next)
    if (s.devices[dev].hw != g.domain) return false;
  return g.domain != kNoId;
}

bool Same(const Event& a, const Event& b) {
  return a.kind == b.kind && a.error == b.error && a.device == b.device && a.group == b.group &&
         a.domain == b.domain && a.type == b.type && a.driver == b.driver &&
         a.device_driver == b.device_driver && a.rule == b.rule &&
         std::string_view(a.where) == b.where;
}

// The properties here test mappings only if runs reach them.
TEST(WholeScenarios, OftenMapAndPin) {
  constexpr int kRuns = 20000;
  Words words(1);
  std::map<OpKind, int> runs_with;
  for (int n = 0; n < kRuns; ++n) {
    const Scenario s = DrawScenario(words, DrawPromisedKernel, kWhole);
    std::set<OpKind> done;
    ForEachStep(s, [&](const StepView& step) {
      if (step.result.error == 0) done.insert(step.op.kind);
    });
    for (const OpKind kind : done) ++runs_with[kind];
  }
  for (int kind = 0; kind < kOpKindCount; ++kind)
    EXPECT_GT(runs_with[static_cast<OpKind>(kind)], 0) << InfoOf(static_cast<OpKind>(kind)).word;
  EXPECT_GT(runs_with[OpKind::kMap], kRuns / 4);
  EXPECT_GT(runs_with[OpKind::kUnmap], kRuns / 8);
  EXPECT_GT(runs_with[OpKind::kPin], kRuns / 20);
}

RC_GTEST_PROP(Step, GivesTheSameEachTime, ()) {
  ForEachTaken(*Scenarios(DrawPatchedKernel, kWhole), [](const Taken& t) {
    State again = t.before;
    std::vector<Event> events(3, Event{.kind = Event::Kind::kOops});
    const StepResult result = Step(t.kernel, t.topology, t.op, again, events);
    RC_ASSERT(result.error == t.result.error);
    RC_ASSERT(again == t.after);
    RC_ASSERT(std::ranges::equal(events, t.events, Same));
  });
}

RC_GTEST_PROP(Step, LeavesTheStateAloneIfItIsNotTaken, ()) {
  const Scenario s = *Scenarios(DrawPatchedKernel, kWhole);
  const KernelProfile kernel = ProfileOf(s.kernel);
  Words words(*rc::gen::arbitrary<uint64_t>());
  std::vector<Event> events;
  State state = InitialState(s.topology);
  for (const Op& op : s.ops) {
    Step(kernel, s.topology, op, state, events);
    const State before = state;
    const StepResult result =
        Step(kernel, s.topology, DrawOp(words, s.topology, kWhole), state, events);
    if (result.outcome == Outcome::kDone) continue;
    RC_ASSERT(state == before);
    RC_ASSERT(events.empty());
  }
}

RC_GTEST_PROP(Step, KeepsEveryInvariant, ()) {
  ForEachTaken(*Scenarios(DrawPatchedKernel, kWhole), [](const Taken& t) {
    const char* broken = BrokenInvariant(t.topology, t.after);
    if (broken != nullptr) RC_FAIL(broken);
  });
}

RC_GTEST_PROP(Step, LeavesNothingPastTheEnds, ()) {
  ForEachTaken(*Scenarios(DrawPatchedKernel, kWhole), [](const Taken& t) {
    const State& s = t.after;
    const auto blank = [](const auto& entry) { return entry == std::decay_t<decltype(entry)>{}; };
    RC_ASSERT(std::all_of(s.groups.begin() + s.groups_end, s.groups.end(), blank));
    RC_ASSERT(std::all_of(s.domains.begin() + s.domains_end, s.domains.end(), blank));
  });
}

// --- the effects of each op ---

// A sentence about each step of one kind that failed, or about each that did not.
struct Law {
  const char* sentence;
  OpKind kind;
  bool failed;
  void (*judge)(const Taken& t);
};

const Law kLaws[] = {
    {"FailedRegister.LeavesTheInstanceUnlisted", kRegister, true,
     [](const Taken& t) { RC_ASSERT(!Registered(t.after, t.op.a)); }},
    {"FailedRegister.LeavesNoDeviceServedFromSixOneOn", kRegister, true,
     [](const Taken& t) {
       if (t.kernel.era != Era::kBusSlots) RC_ASSERT(!Serves(t.after, t.op.a));
     }},
    {"FailedRegister.ChangesNothingWhereTheFirmwareIsOfTheOtherKind", kRegister, true,
     [](const Taken& t) {
       if (!t.events.empty() && t.events[0].kind == Event::Kind::kRefused &&
           t.events[0].rule == Rule::kFirmwareDtXorAcpi)
         RC_ASSERT(t.after == t.before);
     }},
    {"TakenRegister.ListsTheInstanceLast", kRegister, false,
     [](const Taken& t) {
       RC_ASSERT(t.after.registered[t.after.registered_count - 1] == t.op.a);
       RC_ASSERT(t.after.registered_count == t.before.registered_count + 1);
     }},
    {"Unregister.TakesTheDevicesAlongFromSixOneOn", kUnregister, false,
     [](const Taken& t) {
       RC_ASSERT(!Registered(t.after, t.op.a));
       RC_ASSERT(t.after.instance_group[t.op.a] == kNoId);
       if (t.kernel.era != Era::kBusSlots) RC_ASSERT(!Serves(t.after, t.op.a));
     }},
    {"Unregister.NeverFails", kUnregister, true, [](const Taken&) { RC_FAIL("it failed"); }},
    {"Add.BringsTheDevice", kAdd, false,
     [](const Taken& t) { RC_ASSERT(t.after.devices[t.op.a].present); }},
    {"Add.NeverFails", kAdd, true, [](const Taken&) { RC_FAIL("it failed"); }},
    {"Remove.LeavesTheDeviceUnserved", kRemove, false,
     [](const Taken& t) { RC_ASSERT(t.after.devices[t.op.a] == DeviceState{}); }},
    {"Remove.NeverFails", kRemove, true, [](const Taken&) { RC_FAIL("it failed"); }},
    {"Remove.OfTheLastDeviceTakesTheGroupOutOfItsContainer", kRemove, false,
     [](const Taken& t) {
       const GroupId group = t.before.devices[t.op.a].group;
       if (group == kNoId || !t.kernel.has(Rule::kVfioLeaveOnLast)) return;
       // VFIO may have a device there that its IOMMU has let go.
       const bool vfio_has_one = std::ranges::any_of(
           t.after.devices, [group](const DeviceState& d) { return d.vfio_in == group; });
       if (t.after.groups[group].devices == kNoId && !vfio_has_one)
         RC_ASSERT(t.after.groups[group].container == kNoId);
     }},
    {"FailedConfigure.LeavesTheDeviceWithTheInstanceItHad", kConfigure, true,
     [](const Taken& t) {
       RC_ASSERT(t.after.devices[t.op.a].instance == t.before.devices[t.op.a].instance);
       RC_ASSERT(t.after.devices[t.op.a].group == t.before.devices[t.op.a].group);
     }},
    // With ACPI, 7.1 leaves the probe to the walks of the buses.
    {"TakenConfigure.LeavesADeviceThatWasNotDescribedInAGroup", kConfigure, false,
     [](const Taken& t) {
       const bool walks_probe =
           t.kernel.has(Rule::kProbeDmaConfigure) && t.topology.firmware == Firmware::kAcpi;
       if (t.before.devices[t.op.a].fwspec == kNoId && !walks_probe)
         RC_ASSERT(t.after.devices[t.op.a].group != kNoId);
     }},
    {"FailedSetContainer.ChangesNothingForAGroupThatIsInOne", kSetContainer, true,
     [](const Taken& t) {
       if (t.group_before().container != kNoId) RC_ASSERT(t.after == t.before);
     }},
    {"FailedSetContainer.LeavesTheGroupInNoneAndNotOwned", kSetContainer, true,
     [](const Taken& t) {
       if (t.group_before().container != kNoId) return;
       RC_ASSERT(t.group_after().container == kNoId);
       RC_ASSERT(t.group_after().vfio_domain == kNoId);
       RC_ASSERT(!t.group_after().owner);
       RC_ASSERT(t.after.containers == t.before.containers);
     }},
    {"FailedSetContainer.LeavesTheGroupWhereItWasOrOnItsDefaultDomain", kSetContainer, true,
     [](const Taken& t) {
       if (t.warned()) return;  // the rollback failed, too
       RC_ASSERT(t.group_after().domain == t.group_before().domain ||
                 t.group_after().domain == t.group_after().default_domain);
     }},
    {"TakenSetContainer.PutsTheGroupFirst", kSetContainer, false,
     [](const Taken& t) {
       const ContainerState& c = t.after.containers[t.op.b];
       RC_ASSERT(c.groups == t.op.a);
       RC_ASSERT(t.group_after().next_in_container == t.before.containers[t.op.b].groups);
       RC_ASSERT((t.group_after().vfio_domain != kNoId) == c.iommu);
       RC_ASSERT(t.group_after().owner == t.kernel.has(Rule::kCoreDmaOwner));
     }},
    {"FailedSetIommu.LeavesTheContainerAsItWas", kSetIommu, true,
     [](const Taken& t) {
       RC_ASSERT(t.container_after() == t.container_before());
       if (t.container_before().iommu) RC_ASSERT(t.after == t.before);
     }},
    {"FailedSetIommu.LeavesNoGroupOnAType1Domain", kSetIommu, true,
     [](const Taken& t) {
       if (t.container_before().iommu) return;
       RC_ASSERT(t.container_after().domains == kNoId);
       for (GroupId g = t.container_after().groups; g != kNoId;
            g = t.after.groups[g].next_in_container)
         RC_ASSERT(t.after.groups[g].vfio_domain == kNoId);
     }},
    {"TakenSetIommu.PutsEveryGroupOnAType1Domain", kSetIommu, false,
     [](const Taken& t) {
       RC_ASSERT(t.container_after().iommu);
       for (GroupId g = t.container_after().groups; g != kNoId;
            g = t.after.groups[g].next_in_container)
         RC_ASSERT(t.after.groups[g].vfio_domain != kNoId);
     }},
    {"FailedUnsetContainer.ChangesNothing", kUnsetContainer, true,
     [](const Taken& t) { RC_ASSERT(t.after == t.before); }},
    {"TakenUnsetContainer.ReleasesTheGroup", kUnsetContainer, false,
     [](const Taken& t) {
       RC_ASSERT(t.group_after().container == kNoId);
       RC_ASSERT(t.group_after().vfio_domain == kNoId);
       RC_ASSERT(!t.group_after().owner);
     }},
    {"TakenUnsetContainer.PutsTheGroupToRest", kUnsetContainer, false,
     [](const Taken& t) {
       if (t.warned() || !t.group_after().live) return;
       const ContainerState& container = t.before.containers[t.group_before().container];
       const bool was_moved = container.iommu || t.kernel.has(Rule::kCoreDmaOwner);
       RC_ASSERT(t.group_after().domain ==
                 (was_moved ? t.group_after().default_domain : t.group_before().domain));
     }},
};

RC_GTEST_PROP(EachOp, KeepsTheLaws, ()) {
  ForEachTaken(*Scenarios(DrawPatchedKernel), [](const Taken& t) {
    for (const Law& law : kLaws) {
      if (t.op.kind != law.kind || t.failed() != law.failed) continue;
      try {
        law.judge(t);
      } catch (...) {
        RC_LOG() << law.sentence << '\n';
        throw;
      }
    }
  });
}

// core.attach_rollback, as long as no driver fails during the rollback.
RC_GTEST_PROP(FailedSetContainer, LeavesEveryDeviceWhereItsGroupIs, ()) {
  ForEachTaken(*Scenarios(DrawPromisedKernel), [](const Taken& t) {
    if (t.op.kind != OpKind::kSetContainer || !t.failed() || t.warned()) return;
    if (!t.kernel.has(Rule::kCoreAttachRollback) || !Settled(t.before, t.op.a)) return;
    RC_ASSERT(Settled(t.after, t.op.a));
  });
}

RC_GTEST_PROP(AGroup, IsOwnedWhileItIsInAContainer, ()) {
  ForEachTaken(*Scenarios(DrawPatchedKernel), [](const Taken& t) {
    const bool claims = t.kernel.has(Rule::kCoreDmaOwner);
    for (const GroupState& g : t.after.groups)
      RC_ASSERT(g.owner == (claims && g.container != kNoId));
  });
}

}  // namespace
}  // namespace iommucheck
