// SPDX-License-Identifier: Apache-2.0
//
// A build of real kernel code (./dev kernel), loaded, and whole cases played in it. Op by op:
// src/conform/real_run.h, and beside the model src/conform/lockstep.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernel/harness.h"
#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// What is probed in trees and tells the profiles of an era apart: the rule, and the HARNESS_ bit of
// a tree that has it.
struct ProbedRule {
  Rule rule;
  uint32_t feature;
};
std::span<const ProbedRule> ProbedRules();
// The newest profile of the tree's era that has the same of these rules as the tree. Where none
// has, as of a patched tree, the first of them count most.
KernelVersion ProfileOfTree(uint32_t features);

// "", or what to know before the library of this folder is loaded: that it is of a tree that was
// built in a sandbox, and that this process is in none.
std::string SandboxNote(const std::string& build);

class Harness {
 public:
  // `library` is a kernel.so. `catch_oops`: a wild pointer ends the case and not the process.
  static absl::StatusOr<Harness> Load(const std::string& library, bool catch_oops);

  [[nodiscard]] const std::string& name() const { return name_; }
  // The profile whose ops, allocations and probes the build has.
  [[nodiscard]] KernelVersion version() const { return version_; }
  // For who plays op by op.
  [[nodiscard]] const harness& real() const { return *real_; }
  // A new load: after an oops the one before is half-way through anything.
  absl::Status Open();
  // Why the machine of the case cannot be built here, or "".
  [[nodiscard]] std::string WhyNot(const Case& c) const;

  struct Result {
    std::vector<std::string> warns;  // "iommu_detach_group(), drivers/iommu/iommu.c:3100"
    std::vector<std::string> leaks;  // what the teardown left behind
    std::string crash;  // "" or what the process died of, such as "signal 6 (SIGABRT), in op 3"
    std::string said;   // what it printed before that
  };
  // Plays the first `ops` ops of the case. An op that is not possible here ends the trace. What is
  // left half-done is not there in the next case: the library is loaded anew.
  absl::StatusOr<Result> Play(const Case& c, size_t ops, Trace& trace);
  // Plays them in a process of its own: a crash of kernel code, a function that the harness has not,
  // or a minute of CPU time without an end is the result of this case, and the next starts from the
  // library as it was loaded. `trace` then has what was played, and a call kCrash in the op that
  // was not. Errors: no process can be had.
  absl::StatusOr<Result> PlayApart(const Case& c, size_t ops, Trace& trace);

 private:
  // True at an oops. `told` is called after each op and at the end.
  bool PlayOps(const Case& c, size_t ops, Trace& trace, const std::function<void()>& told) const;
  [[nodiscard]] Result Finish(const Case& c, const Trace& trace) const;

  std::string path_;
  std::string name_;
  bool catch_oops_ = false;
  KernelVersion version_{};
  // Stays loaded to the end of the process: what the kernel code allocated is found from there.
  void* handle_ = nullptr;
  const harness* real_ = nullptr;
};

}  // namespace iommucheck::conform
