// SPDX-License-Identifier: Apache-2.0
//
// A case again and again, each time with one more call that fails: the n-th allocation, attach, map
// or pin of each op, for every n that the op comes to.
#pragma once

#include <vector>

#include "model/op.h"
#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck {

// What is never given back, once every device is closed and every group has left its container.
struct Leaks {
  uint32_t pins = 0;       // pages of user memory
  uint32_t locked_vm = 0;  // pages accounted to the user
  int domains = 0;         // of type1
  int owned_groups = 0;
  friend bool operator==(const Leaks&, const Leaks&) = default;
};

struct SweptFailure {
  int at = 0;  // 1-based op
  Fault fault{};
  StepResult result{};
  // After the op, and what that is compared with: the state before an op that failed, else that of
  // the run without the failure.
  State after{};
  State before{};
  // Violated by this run, and not by the one without the failure.
  std::vector<Property> violated{};
  Leaks leaks{};  // beyond those of the run without the failure
};

// In the order of the ops, by kind of call, by n. Ops that fail twice already are left out.
// Precondition: the case passes Validate(). What follows an op that cannot be taken is left out.
std::vector<SweptFailure> SweepFailures(const Case& c);

}  // namespace iommucheck
