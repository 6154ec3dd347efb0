// SPDX-License-Identifier: Apache-2.0
//
// All cases of the smallest size.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "src/case/case.h"
#include "src/smt/query.h"

namespace iommucheck::smt {

struct Enumeration {
  bool complete = false;  // there are no more; else `reason` says why it ended
  std::string reason;
  uint64_t resources = 0;
  int checks = 0;
};

// Calls `take` with the cases that violate the property at the last of so many steps, on so many
// devices, until it returns false. A link is: a device is behind an instance, or behind one before
// another; is an alias of another device; shares a slot with it. For each run, and buses of the
// devices, there is a case for each set of links that violates it with some attributes of drivers,
// instances and devices where no smaller one does; its attributes are the plainest that do. Many of
// these are the same but for names and the order of steps (src/case/variants.h).
// Precondition: no run of fewer steps violates the property.
absl::StatusOr<Enumeration> EnumerateSize(Property property, const KernelSpec& kernel, int devices,
                                          int steps, uint64_t budget,
                                          const std::function<bool(const Case&)>& take);

}  // namespace iommucheck::smt
