// SPDX-License-Identifier: Apache-2.0
//
// The trace of a case in the model.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// Ends before the first op that is not possible or outside of an assumption, and after an oops:
// `steps` may be shorter than the case's ops. `run` is the result of Play(c).
Trace TraceOf(const Case& c);
Trace TraceOf(const Case& c, const Run& run);

// Pages of user memory that a kernel still holds: pinned, and accounted to the user.
struct HeldMemory {
  uint32_t pins = 0;
  uint32_t locked = 0;
  friend bool operator==(const HeldMemory&, const HeldMemory&) = default;
};

// What the kernel of the model still holds after user space has closed its devices and groups, in
// the harness's order. Most kernels have a run after which this is not nothing (no-leaked-pin).
HeldMemory HeldAfterTeardown(const KernelProfile& kernel, const Topology& topology, State state);

// For a caller that steps the model itself: Begin(), Step() for each op that was done, End(). Does
// not allocate if the trace has room.
class TraceBuilder {
 public:
  explicit TraceBuilder(Trace& trace) : trace_(trace) {}
  void Begin(const KernelProfile& kernel);  // clears the trace
  void Step(const StepResult& result, std::span<const Event> events, const State& after);
  void End(const Topology& topology, const State& state);

 private:
  void AddPages(Call::Kind kind, DomainId domain, uint64_t pages);

  Trace& trace_;
  Era era_{};
  uint32_t step_calls_ = 0;  // count of calls before the step
  HeldMemory held_;
  std::array<uint64_t, kMaxDomains> mapped_{};  // pages that the calls so far have mapped
  std::array<uint16_t, kMaxDomains> number_{};  // by the model's ids, which are reused
  uint16_t allocated_ = 0;
};

}  // namespace iommucheck::conform
