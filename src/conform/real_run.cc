// SPDX-License-Identifier: Apache-2.0
#include "src/conform/real_run.h"

#include <cerrno>
#include <cstdint>
#include <span>

#include "src/conform/harness_data.h"

namespace iommucheck::conform {

void RealRun::Begin(const harness& real, const Topology& topology, const KernelProfile& kernel,
                    Trace& trace) {
  real_ = &real;
  topology_ = &topology;
  trace_ = &trace;
  cross_driver_ = false;
  trace.Clear();
  trace.has_mapped = trace.has_groups = true;
  const harness_machine machine = MachineOf(topology, kernel);
  real.begin(&machine);
}

RealRun::Outcome RealRun::Take(const Op& op) {
  const harness_op given = OpOf(op);
  const int error = real_->op(&given);
  if (error == HARNESS_NOT_POSSIBLE) return Outcome::kNotPossible;
  uint32_t count = 0;
  const harness_call* calls = real_->calls(&count);
  // Only the last op can oops, and the harness reports this without a call.
  for (const harness_call& call : std::span(calls, count).subspan(trace_->calls.size())) {
    trace_->calls.push_back(CallOf(call));
    cross_driver_ |=
        call.kind == HARNESS_ATTACH && call.error == 0 && call.driver != call.device_driver;
  }
  const bool oops = error == HARNESS_OOPS;
  if (oops) trace_->calls.push_back({.kind = Call::Kind::kOops});
  trace_->steps.push_back({oops ? -EFAULT : error, static_cast<uint32_t>(trace_->calls.size())});
  return oops ? Outcome::kOops : Outcome::kDone;
}

void RealRun::End() {
  harness_end end{};
  real_->end(&end);
  SetEnd(*topology_, end, *trace_);
}

}  // namespace iommucheck::conform
