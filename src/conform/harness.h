// SPDX-License-Identifier: Apache-2.0
//
// A build of real kernel code (./dev kernel), loaded, and cases played in it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernel/harness.h"
#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// The machine and the ops as the harness takes them. driver.same_instance is what drivers do, so it
// is the machine's here.
harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel);
harness_op OpOf(const Op& op);
// Why no op like this can be played in a harness with these features, or nullptr.
const char* WhyNotPlayed(const Op& op, uint32_t features);
// The same of a machine, whatever the kernel says to it.
const char* WhyNotPlayed(const Topology& topology);
Call CallOf(const harness_call& call);
void SetEnd(const Topology& topology, const harness_end& end, Trace& trace);

// Whether the machine and its drivers keep the rule, and not the kernel that was built.
bool IsTheMachines(const RuleInfo& info);
// `built` with what the case drops and adds of the machine's rules.
KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c);
// Real code goes on where an assumption ends a run of the model.
KernelSpec WithoutAssumptions(KernelSpec kernel);

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
    std::vector<std::string> warns;  // "iommu_detach_group, drivers/iommu/iommu.c:3100"
    std::vector<std::string> leaks;  // what the teardown left behind
  };
  // Plays the first `ops` ops of the case. An op that is not possible here ends the trace.
  absl::StatusOr<Result> Play(const Case& c, size_t ops, Trace& trace);

 private:
  [[nodiscard]] KernelVersion FindProfile();

  std::string path_;
  std::string name_;
  bool catch_oops_ = false;
  KernelVersion version_{};
  // Stays loaded to the end of the process: what the kernel code allocated is found from there.
  void* handle_ = nullptr;
  const harness* real_ = nullptr;
};

}  // namespace iommucheck::conform
