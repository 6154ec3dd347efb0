// SPDX-License-Identifier: Apache-2.0
#include "src/conform/model_trace.h"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace iommucheck::conform {

void TraceBuilder::Begin(const KernelProfile& kernel) {
  trace_.Clear();
  era_ = kernel.era;
  step_calls_ = 0;
  held_ = {};
  allocated_ = 0;
  mapped_.fill(0);
  number_.fill(Call::kNoDomain);
}

// Pages that begin where the previous call in this step ended belong to that call.
void TraceBuilder::AddPages(Call::Kind kind, DomainId domain, uint64_t pages) {
  while (pages != 0) {
    const Pages range = TakeRange(pages);
    Call* const last = trace_.calls.size() > step_calls_ ? &trace_.calls.back() : nullptr;
    if (last != nullptr && last->kind == kind && last->domain == number_[domain] &&
        last->pages.first + last->pages.count == range.first)
      last->pages.count = static_cast<uint8_t>(last->pages.count + range.count);
    else
      trace_.calls.push_back({.kind = kind, .domain = number_[domain], .pages = range});
  }
}

void TraceBuilder::Step(const StepResult& result, std::span<const Event> events,
                        const State& after) {
  using enum Event::Kind;
  step_calls_ = static_cast<uint32_t>(trace_.calls.size());
  for (const Event& e : events) {
    Call call{.device = e.device, .error = static_cast<int16_t>(-int{e.error})};
    if (e.domain != kNoId) call.domain = number_[e.domain];
    switch (e.kind) {
      case kProbe:
        call.kind = Call::Kind::kProbe;
        call.instance = e.instance;
        break;
      case kRelease:
        call.kind = Call::Kind::kRelease;
        break;
      case kAlloc:
        call.kind = Call::Kind::kAlloc;
        call.driver = e.driver;
        call.table = e.table;
        if (e.error != 0) break;
        call.domain = number_[e.domain] = allocated_++;
        mapped_[e.domain] = 0;
        ++trace_.domains;
        break;
      case kFree:
        call.kind = Call::Kind::kFree;
        --trace_.domains;
        // Up to and including 6.1 a freed domain may still be used. In later kernels the next
        // domain with this id may be a static one, which nobody allocates.
        if (era_ == Era::kFwnode) number_[e.domain] = Call::kNoDomain;
        break;
      case kAttachDev:
        call.kind = Call::Kind::kAttach;
        break;
      case kDetachDev:
        call.kind = Call::Kind::kDetach;
        break;
      case kOops:
        if (e.oops == Oops::kUndefined) continue;  // the code goes on
        // In the real kernel the op ends here, with all that it had yet to do; the model may go on.
        trace_.calls.push_back({.kind = Call::Kind::kOops});
        trace_.steps.push_back({-EFAULT, static_cast<uint32_t>(trace_.calls.size())});
        return;
      case kWarn:
        ++trace_.warns;
        continue;
      case kMap:
        if (e.error != 0) continue;
        mapped_[e.domain] |= MaskOf(e.pages);
        AddPages(Call::Kind::kMap, e.domain, MaskOf(e.pages));
        continue;
      case kUnmap:
        AddPages(Call::Kind::kUnmap, e.domain, mapped_[e.domain] & MaskOf(e.pages));
        mapped_[e.domain] &= ~MaskOf(e.pages);
        continue;
      case kMsiCookie:
        call.kind = Call::Kind::kCookie;
        call.error = 0;
        break;
      case kAttachGroup:
      case kRefused:
      case kWait:
      case kPin:
      case kUnpin:
      case kRemovePasid:
        continue;
      case kAttachPasid:
        call.kind = Call::Kind::kSetPasid;
        break;
    }
    trace_.calls.push_back(call);
  }
  if (const HeldMemory held{.pins = after.pins + after.zero_pins, .locked = after.locked_vm};
      held != held_) {
    held_ = held;
    trace_.calls.push_back({.kind = Call::Kind::kHeld,
                            .pins = static_cast<uint16_t>(held.pins),
                            .locked = static_cast<uint16_t>(held.locked)});
  }
  trace_.steps.push_back({result.error, static_cast<uint32_t>(trace_.calls.size())});
}

void TraceBuilder::End(const Topology& topology, const State& state) {
  trace_.has_mapped = trace_.has_groups = true;
  if (trace_.oops()) {
    trace_.domains = trace_.warns = 0;
    return;
  }
  for (DomainId d = 0; d < state.domains_end; ++d)
    if (const DomainType type = state.domains[d].type;
        type != DomainType::kFree && type != DomainType::kFreed && state.mapped[d] != 0)
      trace_.mapped.push_back({number_[d], state.mapped[d]});
  std::ranges::sort(trace_.mapped, {}, &Mapped::domain);
  const auto number_of = [&](DomainId domain) {
    // A freed domain that a group still points at does not count as its domain.
    // ABSTRACTION: a driver has one object for its static domain, the model has one for each group.
    const bool none = domain == kNoId || state.domains[domain].type == DomainType::kFreed ||
                      state.domains[domain].ownerless;
    return static_cast<int16_t>(none ? -1 : int{number_[domain]});
  };
  std::array<DeviceEnd, kMaxDevices> devices;
  for (DeviceId dev = 0; dev < topology.devices_count; ++dev) {
    const GroupId group = state.devices[dev].group;
    if (group == kNoId) continue;
    const GroupState& g = state.groups[group];
    devices[dev] = {group,
                    {.domain = number_of(g.domain),
                     .default_domain = number_of(g.default_domain),
                     .owner_cnt = static_cast<int16_t>(g.owner_cnt),
                     .owned = g.owner}};
  }
  SetGroups(std::span(devices).first(topology.devices_count), trace_);
}

HeldMemory HeldAfterTeardown(const KernelProfile& kernel, const Topology& topology, State state) {
  std::vector<Event> events;
  // Most of these are not possible, and leave the state as it is.
  const auto take = [&](OpKind kind, uint8_t a) {
    Step(kernel, topology, {.kind = kind, .a = a}, state, events);
  };
  for (DeviceId dev = 0; dev < topology.devices_count; ++dev) take(OpKind::kPutDevice, dev);
  for (GroupId group = 0; group < state.groups_end; ++group) {
    take(OpKind::kUnsetContainer, group);
    take(OpKind::kClose, group);
  }
  return {.pins = state.pins + state.zero_pins, .locked = state.locked_vm};
}

Trace TraceOf(const Case& c) { return TraceOf(c, Play(c)); }

Trace TraceOf(const Case& c, const Run& run) {
  Trace trace;
  TraceBuilder builder(trace);
  builder.Begin(ProfileOf(c.kernel));
  const State* last = &run.initial;
  for (const PlayedStep& step : run.steps) {
    if (step.result.outcome != Outcome::kDone) break;
    builder.Step(step.result, step.events, step.after);
    last = &step.after;
    if (trace.oops()) break;
  }
  builder.End(c.topology, *last);
  return trace;
}

}  // namespace iommucheck::conform
