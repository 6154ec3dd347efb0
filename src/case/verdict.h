// SPDX-License-Identifier: Apache-2.0
//
// The answer of an engine about a property.
#pragma once

#include <cstdint>

namespace iommucheck {

enum class Verdict : uint8_t {
  kHolds,     // within the scope that goes with it
  kViolated,  // there is a case that violates it
  kUnknown,   // the search did not finish; there is a reason
};

}  // namespace iommucheck
