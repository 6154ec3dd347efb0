// SPDX-License-Identifier: Apache-2.0
//
// What an engine says of a property.
#pragma once

#include <cstdint>

namespace iommucheck {

enum class Verdict : uint8_t {
  kHolds,     // within the scope that goes with it
  kViolated,  // there is a case
  kUnknown,   // the search did not come to its end; there is a reason
};

}  // namespace iommucheck
