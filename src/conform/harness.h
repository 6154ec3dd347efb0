// SPDX-License-Identifier: Apache-2.0
//
// A build of real kernel code (./dev kernel) that is loaded, and that plays whole cases. For single
// ops: src/conform/real_run.h; together with the model: src/conform/lockstep.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernel/harness.h"
#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// A difference between the profiles of an era that can be probed in a tree: the rule, and the
// HARNESS_ bit of trees that have it.
struct ProbedRule {
  Rule rule;
  uint32_t feature;
};
std::span<const ProbedRule> ProbedRules();
// A release that has the rules of the one before it, and a HARNESS_ bit that only its trees have.
struct ProbedRelease {
  KernelVersion release;
  uint32_t feature;
};
std::span<const ProbedRelease> ProbedReleases();
// The newest profile of the tree's era that agrees with the tree on these rules and releases. If
// there is none, as for a patched tree, earlier rules in the list decide before later ones.
KernelVersion ProfileOfTree(uint32_t features);

// "", or that the tree's release, as its Makefile has it, is not that of the profile.
std::string ReleaseNote(const std::string& build, KernelVersion profile);

// "", or a warning before the library in this folder is loaded: its tree was built in a sandbox,
// and this process does not run in one.
std::string SandboxNote(const std::string& build);

class Harness {
 public:
  // `library` is a kernel.so. `catch_oops`: a wild pointer ends the case and not the process.
  static absl::StatusOr<Harness> Load(const std::string& library, bool catch_oops);

  [[nodiscard]] const std::string& name() const { return name_; }
  // The profile that has the ops, allocations and probes of the build.
  [[nodiscard]] KernelVersion version() const { return version_; }
  // For code that plays single ops.
  [[nodiscard]] const harness& real() const { return *real_; }
  // Loads the library anew: after an oops its state is undefined.
  absl::Status Open();
  // Why the machine of the case cannot be built here, or "".
  [[nodiscard]] std::string WhyNot(const Case& c) const;

  struct Warn {
    std::string function;
    std::string file;  // its path in the kernel tree
    int line = 0;
    // "iommu_detach_group(), drivers/iommu/iommu.c:3100"
    [[nodiscard]] std::string text() const;
  };
  struct Result {
    std::vector<Warn> warns;
    // Resources that the teardown did not free, and of user memory more or less than the model
    // leaves.
    std::vector<std::string> leaks;
    std::string crash;  // "" or how the process died, such as "signal 6 (SIGABRT), in op 3"
    std::string said;   // its output before that
  };
  // Plays the first `ops` ops of the case in a separate process: a crash of kernel code, a function
  // that the harness lacks, or a minute of CPU time without an end is the result of this case
  // alone, and the next one starts with the library as it was loaded. An op that is not possible
  // here ends the trace; after a crash the trace has the ops that were played, and a call kCrash in
  // the one that was not. If `like` is not nullptr, an op whose errno or calls are not those of
  // `like` ends the trace, too, and is in it. Errors: no process could be made.
  absl::StatusOr<Result> PlayApart(const Case& c, size_t ops, Trace& trace,
                                   const Trace* like = nullptr);
  // The same in this process. If the trace has an oops or the result leaks, the library must be
  // loaded anew before the next case.
  Result PlayHere(const Case& c, size_t ops, const Trace* like, Trace& trace) const;

 private:
  [[nodiscard]] Result Finish(const Case& c, const Trace& trace) const;

  std::string path_;
  std::string name_;
  bool catch_oops_ = false;
  KernelVersion version_{};
  // Stays loaded until the process ends: the leak checker finds allocations of kernel code from
  // there.
  void* handle_ = nullptr;
  const harness* real_ = nullptr;
};

}  // namespace iommucheck::conform
