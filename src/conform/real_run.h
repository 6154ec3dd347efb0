// SPDX-License-Identifier: Apache-2.0
//
// One case in real kernel code, op by op, into a trace.
#pragma once

#include "kernel/harness.h"
#include "model/op.h"
#include "model/rules.h"
#include "model/topology.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// Begin(), then Take() of each op, then End() unless an op oopsed. What begin() and finish() of the
// harness make and tear down is its user's. Does not allocate where the trace has room.
class RealRun {
 public:
  // Clears the trace, and brings up the machine. All three outlive the run.
  void Begin(const harness& real, const Topology& topology, const KernelProfile& kernel,
             Trace& trace);
  enum class Outcome : uint8_t { kDone, kOops, kNotPossible };
  // Appends the op's step and calls, of an oops, too; of an op that is not possible, nothing.
  Outcome Take(const Op& op);
  // Fills the end of the trace.
  void End();
  // attach_dev() has taken a device of another driver.
  [[nodiscard]] bool cross_driver() const { return cross_driver_; }

 private:
  const harness* real_ = nullptr;
  const Topology* topology_ = nullptr;
  Trace* trace_ = nullptr;
  bool cross_driver_ = false;
};

}  // namespace iommucheck::conform
