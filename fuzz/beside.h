// SPDX-License-Identifier: Apache-2.0
//
// The model and real kernel code, driven op by op on the same case.
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
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "src/case/bytes.h"
#include "src/conform/harness.h"
#include "src/conform/model_trace.h"
#include "src/conform/trace.h"

namespace iommucheck::fuzzing {

class Beside {
 public:
  // `library` is of the environment's build, such as "kernel.so". `catch_oops`: see Harness::Load.
  static absl::StatusOr<std::unique_ptr<Beside>> Open(const std::string& library, bool catch_oops);

  enum class Verdict : uint8_t {
    kAgree,
    kCrossDriver,  // attach_dev() took a device of another driver, where the kernel promises not to
    kDiffer,       // errno, calls, groups, domains or WARNs
    kLeak,         // the teardown left domains, objects, locks, references or pins
    kOops,         // a wild pointer in the teardown; in an op it is a difference
  };
  // Plays what the bytes are: a case, whose kernel gives way to the build's, after a warm start.
  // Does not allocate once it is warm itself.
  Verdict Play(std::span<const uint8_t> bytes);
  // The same of a case that is made already, from a cold start.
  Verdict Play(const DecodedCase& c);

  // Of the last Play(), or of the one under way: what is wrong, the case, how to replay it, and
  // both columns.
  [[nodiscard]] std::string Report(Verdict verdict) const;

  // One line, by which findings of a kind are told from others.
  [[nodiscard]] std::string Summary(Verdict verdict) const;

  [[nodiscard]] conform::Harness& loaded() { return harness_; }
  [[nodiscard]] const KernelSpec& kernel() const { return kernel_; }
  // What the last Play() gave to both.
  [[nodiscard]] std::span<const Op> ops() const { return std::span(taken_).first(taken_count_); }
  // The last Play() ended before an op in which the model has the kernel follow a wild pointer.
  [[nodiscard]] bool ended_before_oops() const { return before_oops_; }
  // Play such an op, too, and compare up to the oops: a load of the library a case that comes to
  // it.
  void PlayOopses() { plays_oopses_ = true; }
  // The last Play() left the library half-way through something: loaded().Open() before the next.
  [[nodiscard]] bool spent() const { return spent_; }
  // The heading in docs/findings.md of a state that the kernel does not come back from, and that
  // the model does not have: the last Play() ended there. nullptr: it did not.
  [[nodiscard]] const char* finding() const { return finding_; }

 private:
  Beside(conform::Harness harness, std::string build, const KernelSpec& kernel, bool sanitized);
  void TakeKernel();
  Verdict PlayTaken(unsigned warm);
  void MakeWarmStart(unsigned how);
  bool TakeOp(const Op& op, conform::TraceBuilder& model);
  Verdict Judge();

  conform::Harness harness_;
  std::string build_;
  KernelSpec kernel_;
  bool sanitized_;  // a use of freed memory ends the process

  // Of the case that is played, kept so that no play allocates.
  DecodedCase case_;
  KernelProfile profile_{};
  bool promises_ = false;  // that no driver gets another's device
  State state_;
  std::vector<Event> events_;
  conform::Trace model_;
  conform::Trace real_;
  static constexpr int kWarmOps = 32;
  std::array<Op, kWarmOps> warm_;
  int warm_count_ = 0;
  std::array<Op, kWarmOps + kMaxDecodedOps> taken_;
  int taken_count_ = 0;
  bool before_oops_ = false;
  bool plays_oopses_ = false;
  bool spent_ = false;
  const char* finding_ = nullptr;
  bool cross_driver_ = false;
  harness_leaks leaks_{};
};

// Prints the report of the case under way when the process dies in it: a signal, and where it is
// built with ASan, a report of ASan's. `beside` lives as long as the process.
void ReportDeaths(Beside& beside);

// Prints the report and traps.
[[noreturn]] void TrapOn(const Beside& beside, Beside::Verdict verdict);

}  // namespace iommucheck::fuzzing
