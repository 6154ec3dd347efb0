// SPDX-License-Identifier: Apache-2.0
//
// The calls that an input of kernel_ioctl has made, kept for the report of a failure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kernel/harness.h"

namespace iommucheck::fuzzing {

struct LoggedCall {
  enum class Kind : uint8_t { kCase, kExtra, kArm };
  static constexpr int kUnderWay = 1;  // no op returns this
  Kind kind;
  harness_op op;  // kArm: a and b
  harness_extra_op extra;
  int ret;
};

// One line, with the line feed.
std::string Text(const LoggedCall& call);

// Allocates only to be printed.
class CallLog {
 public:
  // Forgets the calls so far. `input` stays the caller's; empty: no input is under way.
  void Start(std::span<const uint8_t> input);
  // If an input has more calls than fit, the last entry is overwritten.
  LoggedCall& Add(const LoggedCall& call);
  // The calls, and how to save the input; nothing if none is under way.
  [[nodiscard]] std::string Report() const;
  // The last op by its kind. Its numbers are of the input, and the finding is the same without them.
  [[nodiscard]] std::string LastOp() const;

 private:
  std::span<const uint8_t> input_;
  std::array<LoggedCall, 104> calls_;  // up to 32 of a warm start, and 3 of each op
  size_t count_ = 0;
};

}  // namespace iommucheck::fuzzing
