// SPDX-License-Identifier: Apache-2.0
//
// Plays inputs in the model and in real kernel code in lockstep, and reports those in which the two
// differ.
//
// Environment:
//   IOMMUCHECK_KERNEL_BUILD=build/kernel/linux-source-6.12   the build of ./dev kernel
//   IOMMUCHECK_KERNEL=v6.12                 the model's kernel, if not that of the build
//   IOMMUCHECK_DROP=rule.id[,rule.id]       rules to drop from the model's kernel
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "src/case/bytes.h"
#include "src/conform/harness.h"
#include "src/conform/lockstep.h"

namespace iommucheck::fuzzing {

class ModelAndKernel {
 public:
  // `library` is a file of the environment's build, such as "kernel.so". `catch_oops`: see
  // Harness::Load.
  static absl::StatusOr<std::unique_ptr<ModelAndKernel>> Open(const std::string& library,
                                                              bool catch_oops);

  // As Open(), for programs that cannot do without: ends with status 2 and the reason. The result
  // lives as long as the process.
  static ModelAndKernel& OpenOrExit(const std::string& library, bool catch_oops);

  using Verdict = conform::Lockstep::Verdict;
  // Decodes a case, replaces its kernel by that of the build, and plays it after a warm start. Does
  // not allocate once its buffers have grown.
  Verdict Play(std::span<const uint8_t> bytes);
  // Plays a decoded case, from a cold start.
  Verdict Play(const DecodedCase& c);

  // About the last or the current Play(): the failure, the case, how to replay it, and both
  // columns.
  [[nodiscard]] std::string Report(Verdict verdict) const;
  // One line that distinguishes kinds of findings, and is the same for each case of a kind: which
  // call or errno differs first, the function that WARNs, the op.
  [[nodiscard]] std::string Kind(Verdict verdict) const;

  [[nodiscard]] conform::Harness& loaded() { return harness_; }
  [[nodiscard]] const KernelSpec& kernel() const { return kernel_; }
  [[nodiscard]] const conform::Lockstep& lockstep() const { return lockstep_; }
  // As Lockstep::PlayOopses().
  void PlayOopses(bool plays = true) { lockstep_.PlayOopses(plays); }

 private:
  ModelAndKernel(conform::Harness harness, std::string build, const KernelSpec& kernel,
                 bool sanitized);
  void TakeKernel();
  [[nodiscard]] Case TakenCase() const;
  Verdict PlayTaken(unsigned warm);
  void MakeWarmStart(unsigned how);

  conform::Harness harness_;
  std::string build_;
  KernelSpec kernel_;
  RuleSet promising_;  // under which kernel_ promises that no driver gets another's device
  conform::Lockstep lockstep_;
  // The current case; a member, so that no play allocates.
  DecodedCase case_;
  KernelProfile profile_{};
  bool promises_ = false;  // whether the kernel promises that no driver gets another's device
  static constexpr int kWarmOps = 32;
  std::array<Op, kWarmOps> warm_;
  int warm_count_ = 0;
};

// Prints the report of the current case when the process dies in it. `both` must live as long as
// the process.
void ReportDeaths(ModelAndKernel& both);

// Prints the report and aborts.
[[noreturn]] void TrapOn(const ModelAndKernel& both, ModelAndKernel::Verdict verdict);

}  // namespace iommucheck::fuzzing
