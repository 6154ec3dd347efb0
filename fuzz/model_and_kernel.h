// SPDX-License-Identifier: Apache-2.0
//
// Inputs played in the model and in real kernel code in lockstep, and what is said of those in
// which the two part.
//
// Environment:
//   IOMMUCHECK_KERNEL_BUILD=build/kernel/linux-source-6.12   the build of ./dev kernel
//   IOMMUCHECK_KERNEL=v6.12                 the model's kernel, if not the one that the build is
//   IOMMUCHECK_DROP=rule.id[,rule.id]       rules that the model's kernel is without
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
  // `library` is of the environment's build, such as "kernel.so". `catch_oops`: see Harness::Load.
  static absl::StatusOr<std::unique_ptr<ModelAndKernel>> Open(const std::string& library,
                                                              bool catch_oops);

  using Verdict = conform::Lockstep::Verdict;
  // Plays what the bytes are: a case, whose kernel gives way to the build's, after a warm start.
  // Does not allocate once it is warm itself.
  Verdict Play(std::span<const uint8_t> bytes);
  // Plays a case that is made already, from a cold start.
  Verdict Play(const DecodedCase& c);

  // Of the last Play(), or of the one under way: what is wrong, the case, how to replay it, and
  // both columns.
  [[nodiscard]] std::string Report(Verdict verdict) const;
  // One line, by which findings of a kind are told from others.
  [[nodiscard]] std::string Summary(Verdict verdict) const;

  [[nodiscard]] conform::Harness& loaded() { return harness_; }
  [[nodiscard]] const KernelSpec& kernel() const { return kernel_; }
  [[nodiscard]] const conform::Lockstep& lockstep() const { return lockstep_; }
  // As Lockstep::PlayOopses().
  void PlayOopses() { lockstep_.PlayOopses(); }

 private:
  ModelAndKernel(conform::Harness harness, std::string build, const KernelSpec& kernel,
                 bool sanitized);
  void TakeKernel();
  Verdict PlayTaken(unsigned warm);
  void MakeWarmStart(unsigned how);

  conform::Harness harness_;
  std::string build_;
  KernelSpec kernel_;
  conform::Lockstep lockstep_;
  // Of the case that is played, kept so that no play allocates.
  DecodedCase case_;
  KernelProfile profile_{};
  bool promises_ = false;  // that no driver gets another's device
  static constexpr int kWarmOps = 32;
  std::array<Op, kWarmOps> warm_;
  int warm_count_ = 0;
};

// Prints the report of the case under way when the process dies in it. `both` lives as long as the
// process.
void ReportDeaths(ModelAndKernel& both);

// Prints the report and traps.
[[noreturn]] void TrapOn(const ModelAndKernel& both, ModelAndKernel::Verdict verdict);

}  // namespace iommucheck::fuzzing
