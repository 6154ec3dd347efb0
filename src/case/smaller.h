// SPDX-License-Identifier: Apache-2.0
//
// Smaller cases: what rapidcheck shrinks by, and `iommucheck minimize`.
#pragma once

#include <functional>

#include "model/properties.h"
#include "src/case/case.h"

namespace iommucheck {

// Gets a smaller case and says whether it will do; the search for others ends then.
using TakeCase = std::function<bool(const Case& smaller)>;

// Offers the cases that have one thing less, the largest things first: ops, devices, instances,
// drivers, buses; then ops without faults, flags and pages, and attributes with their plain values.
// Each passes Validate(), has only ops that are possible, and expects nothing. The kernel stays.
// Returns whether one of them would do.
bool AnySmaller(const Case& c, const TakeCase& take);

// AnySmaller(), also with the kernel changed: with a rule that it was without, or without a check or
// a mechanism that was added. Assumptions stay, since a violation of a kernel's promise counts only
// within them.
bool AnySmallerOnAnyKernel(const Case& c, const TakeCase& take);

// The case up to the op that violates the property, with nothing in it that can be taken away alone
// while the property is still violated. It expects what its run gives. A smaller case may violate
// the property, too, if it is not a part of this one.
// Once `stopped` is true it returns the smallest so far.
// Precondition: the case passes Validate(), and its run violates the property.
Case Minimized(const Case& c, Property property, const std::function<bool()>& stopped = {});

}  // namespace iommucheck
