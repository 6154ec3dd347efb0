// SPDX-License-Identifier: Apache-2.0
//
// What an exception that left an engine says.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace iommucheck {

// Z3 has an exception of its own, with these words.
inline bool IsOutOfMemory(const std::exception& e) {
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ||
         std::string_view(e.what()).find("out of memory") != std::string_view::npos;
}

// Memory that ran out is ResourceExhausted: nothing is known. Anything else is a bug of iommucheck,
// Internal.
inline absl::Status EngineError(const std::exception& e) {
  if (IsOutOfMemory(e)) return absl::ResourceExhaustedError("unknown: out of memory");
  return absl::InternalError(std::string("in an engine: ") + e.what());
}

}  // namespace iommucheck
