// SPDX-License-Identifier: Apache-2.0
//
// Plays a case again and again, each time with one more call that fails: the n-th allocation,
// attach, map or pin of each op, for every n that the op reaches.
#pragma once

#include <vector>

#include "model/op.h"
#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck {

// Resources that are still held after every device is closed and every group has left its
// container.
struct Leaks {
  uint32_t pins = 0;       // pinned pages of user memory
  uint32_t locked_vm = 0;  // pages accounted to the user
  int domains = 0;         // domains of type1
  int owned_groups = 0;
  friend bool operator==(const Leaks&, const Leaks&) = default;
};

struct SweptFailure {
  int at = 0;  // 1-based op
  Fault fault{};
  StepResult result{};
  // The state after the op, and the state to compare it with: that before the op if the op failed,
  // otherwise that of the run without the failure.
  State after{};
  State before{};
  // The properties that this run violates and the run without the failure does not.
  std::vector<Property> violated{};
  Leaks leaks{};  // besides those of the run without the failure
};

// In the order of the ops, by kind of call, by n. Ops with two faults already are left out, and so
// are the ops after one that cannot be taken. Precondition: the case passes Validate().
std::vector<SweptFailure> SweepFailures(const Case& c);

}  // namespace iommucheck
