// SPDX-License-Identifier: Apache-2.0
//
// A run on a kernel, and what it violates; for those that compare a kernel with what it is without a
// rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/events.h"
#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"

namespace iommucheck::fuzzing {

using PropertySet = uint64_t;  // a bit for each property
static_assert(kPropertyCount <= 64);

class Player {
 public:
  // The properties that the run violates, whoever promises them; none on a machine that an
  // assumption of the kernel rules out. Ops that cannot be taken are left out. Allocates nothing
  // once the list of events has its size.
  PropertySet Violated(const KernelProfile& kernel, const Topology& topology,
                       std::span<const Op> ops);
  // The invariant that a state of the last run did not have (model/invariants.h), or nullptr.
  [[nodiscard]] const char* broken() const { return broken_; }

 private:
  State before_{};
  std::vector<Event> events_;
  const char* broken_ = nullptr;
};

}  // namespace iommucheck::fuzzing
