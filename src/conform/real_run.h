// SPDX-License-Identifier: Apache-2.0
//
// Plays one case in real kernel code, op by op, into a trace.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/harness.h"
#include "model/op.h"
#include "model/rules.h"
#include "model/topology.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// The machine for the harness. The kernel's rules about drivers are a part of it.
harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel);
// Why a harness with these features cannot play such an op, or nullptr.
const char* WhyNotPlayed(const Op& op, uint32_t features);
// Why no harness can build such a machine, whatever the kernel, or nullptr.
const char* WhyNotPlayed(const Topology& topology);

// Call Begin(), then Take() for each op, then End() unless an op oopsed. The caller of begin() and
// finish() of the harness owns what they set up and tear down. Does not allocate if the trace has
// room.
class RealRun {
 public:
  // Clears the trace, and builds the machine. All three arguments must outlive the run.
  void Begin(const harness& real, const Topology& topology, const KernelProfile& kernel,
             Trace& trace);
  enum class Outcome : uint8_t { kDone, kOops, kNotPossible };
  // Appends the step and the calls of the op, even if it oopses; appends nothing if the op is not
  // possible.
  Outcome Take(const Op& op);
  // Fills the end of the trace.
  void End();
  // Whether attach_dev() has accepted a device of another driver.
  [[nodiscard]] bool cross_driver() const { return cross_driver_; }

 private:
  const harness* real_ = nullptr;
  const Topology* topology_ = nullptr;
  Trace* trace_ = nullptr;
  size_t seen_ = 0;  // calls that the harness has made
  bool unmaps_in_order_ = true;
  bool cross_driver_ = false;
};

}  // namespace iommucheck::conform
