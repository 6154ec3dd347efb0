// SPDX-License-Identifier: Apache-2.0
//
// What an exception that left an engine says.
#pragma once

#include <cstddef>
#include <cstdlib>
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

// Z3 does not survive it when there is no memory for a context of its own. To be had before one.
struct RoomForZ3 {
  RoomForZ3() {
    constexpr std::size_t kRoom = std::size_t{24} << 20U;
    void* const room = std::malloc(kRoom);  // NOLINT: asked for, and given back at once
    if (room == nullptr) throw std::bad_alloc();
    std::free(room);  // NOLINT
  }
};

// Memory that ran out is ResourceExhausted: nothing is known. Anything else is a bug of iommucheck,
// Internal.
inline absl::Status EngineError(const std::exception& e) {
  if (IsOutOfMemory(e)) return absl::ResourceExhaustedError("unknown: out of memory");
  return absl::InternalError(std::string("in an engine: ") + e.what());
}

}  // namespace iommucheck
