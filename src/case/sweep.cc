// SPDX-License-Identifier: Apache-2.0
#include "src/case/sweep.h"

#include <algorithm>
#include <span>

namespace iommucheck {
namespace {

// A free entry for one more failure, or nullptr.
Fault* FreeFault(Op& op) {
  const auto it = std::ranges::find(op.faults, Fault::Kind::kNone, &Fault::kind);
  return it == op.faults.end() ? nullptr : &*it;
}

// Closes every device and takes every group out of its container, as far as the kernel allows.
State GiveBack(const Case& c, State state) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  std::vector<Event> events;
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (state.devices[d].open_in != kNoId)
      Step(kernel, c.topology, {.kind = OpKind::kPutDevice, .a = d}, state, events);
  for (GroupId g = 0; g < kMaxGroups; ++g)
    if (state.groups[g].live && state.groups[g].container != kNoId)
      Step(kernel, c.topology, {.kind = OpKind::kUnsetContainer, .a = g}, state, events);
  return state;
}

Leaks LeaksOf(const Case& c, const State& last) {
  const State s = GiveBack(c, last);
  Leaks leaks{.pins = s.pins, .locked_vm = s.locked_vm};
  for (const DomainState& d : s.domains)
    if (d.type == DomainType::kPaging) ++leaks.domains;
  for (const GroupState& g : s.groups)
    if (g.owner) ++leaks.owned_groups;
  return leaks;
}

Leaks Beyond(const Leaks& a, const Leaks& b) {
  return {.pins = a.pins - std::min(a.pins, b.pins),
          .locked_vm = a.locked_vm - std::min(a.locked_vm, b.locked_vm),
          .domains = std::max(0, a.domains - b.domains),
          .owned_groups = std::max(0, a.owned_groups - b.owned_groups)};
}

SweptFailure Compare(const Case& c, const Case& failing, const Run& plain, const Leaks& leaks,
                     size_t op, const Fault& fault) {
  const Run run = Play(failing);
  const PlayedStep& step = run.steps[op];
  SweptFailure out{.at = static_cast<int>(op) + 1, .fault = fault, .result = step.result};
  const State& before = op == 0 ? run.initial : run.steps[op - 1].after;
  const bool failed = step.result.error != 0 && step.result.error != plain.steps[op].result.error;
  out.before = failed ? before : plain.steps[op].after;
  out.after = step.after;
  for (Property p : kProperties)
    if (run.of(p).at != 0 && plain.of(p).at == 0) out.violated.push_back(p);
  out.leaks = Beyond(LeaksOf(c, run.final_state()), leaks);
  return out;
}

}  // namespace

std::vector<SweptFailure> SweepFailures(const Case& c) {
  const Run plain = Play(c);
  const Leaks leaks = LeaksOf(c, plain.final_state());
  std::vector<SweptFailure> out;
  Case failing = c;
  for (size_t op = 0; op < plain.steps.size(); ++op) {
    Fault* const entry = FreeFault(failing.ops[op].op);
    if (entry == nullptr) continue;
    const auto index = entry - failing.ops[op].op.faults.data();
    for (const FaultInfo& calls : AllFaults())
      for (uint8_t n = 1; n != UINT8_MAX && calls.swept_error != 0; ++n) {
        *entry = {.kind = calls.kind, .target = n, .error = calls.swept_error};
        SweptFailure swept = Compare(c, failing, plain, leaks, op, *entry);
        if (((swept.result.struck >> index) & 1U) == 0) break;
        out.push_back(std::move(swept));
      }
    *entry = {};
  }
  return out;
}

}  // namespace iommucheck
