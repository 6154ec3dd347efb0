// SPDX-License-Identifier: Apache-2.0
//
// Drives the model and real kernel code on the same case, one op at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernel/harness.h"
#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"
#include "src/conform/findings.h"
#include "src/conform/model_trace.h"
#include "src/conform/real_run.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// Call Begin(), then Take() for each op until it returns false, then End(). Does not allocate once
// the buffers have grown.
class Lockstep {
 public:
  enum class Verdict : uint8_t {
    kAgree,
    kCrossDriver,  // attach_dev() got a device of another driver, though the kernel promises not to
    kDiffer,       // errno, calls, groups, domains or WARNs
    kLeak,  // domains, objects, locks or references are left, or other pins than in the model
    kOops,  // a wild pointer in the teardown (in an op: kDiffer)
  };

  // `sanitized`: in this build of real code a use of freed memory ends the process.
  explicit Lockstep(bool sanitized) : sanitized_(sanitized) {}
  Lockstep(const Lockstep&) = delete;
  Lockstep& operator=(const Lockstep&) = delete;
  // The model may say that in the next op the kernel follows a wild pointer. The case ends before
  // such an op, unless this was called: then Take() plays it too and compares up to the pointer. The
  // library must be loaded anew after each such op.
  void PlayOopses(bool plays = true) { plays_oopses_ = plays; }

  // The machine must be one that the harness can build (WhyNotPlayed()); library and machine
  // outlive the case.
  void Begin(const harness& real, const Topology& topology, const KernelProfile& kernel);
  // Gives the op to both. An op that is not possible, or that the harness cannot play, is left out.
  // False ends the case: at the first difference, since the rest cannot be compared, and at an op
  // that the kernel does not survive.
  bool Take(const Op& op);
  // `promised`: the kernel promises that no driver gets another's device.
  Verdict End(bool promised);

  // About the last or the current case. The ops that both were given:
  [[nodiscard]] std::span<const Op> ops() const { return taken_; }
  [[nodiscard]] const Trace& model() const { return model_; }
  [[nodiscard]] const Trace& real() const { return real_; }
  // The resources that the teardown left:
  [[nodiscard]] const harness_leaks& leaks() const { return leaks_; }
  // Whether the case ended before an op in which the kernel follows a wild pointer, as the model
  // says.
  [[nodiscard]] bool ended_before_oops() const { return before_oops_; }
  // Whether the library must be loaded anew before the next case, since its state is undefined.
  [[nodiscard]] bool spent() const { return spent_; }
  // The finding that ended the case, by its heading in docs/findings.md: a state that the kernel
  // does not recover from and the model does not have. nullptr: none.
  [[nodiscard]] const char* finding() const { return finding_; }

 private:
  [[nodiscard]] bool Leaks() const;

  bool sanitized_;
  bool plays_oopses_ = false;
  const harness* library_ = nullptr;
  const Topology* topology_ = nullptr;
  KernelProfile kernel_{};
  State state_;
  State before_;  // the state before the op that Take() plays; between ops, state_
  std::vector<Event> events_;
  Trace model_;
  Trace real_;
  TraceBuilder model_run_{model_};
  RealRun real_run_;
  std::vector<Op> taken_;
  bool before_oops_ = false;
  bool spent_ = false;
  const char* finding_ = nullptr;
  harness_leaks leaks_{};
};

}  // namespace iommucheck::conform
