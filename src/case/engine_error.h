// SPDX-License-Identifier: Apache-2.0
//
// The errors for exceptions that leave an engine, and the memory that Z3 cannot do without.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace iommucheck {

// Z3 has its own exception, which begins with the first of these words; the second is its reason
// for an unknown.
inline bool SaysOutOfMemory(std::string_view words) {
  return words.find("out of memory") != std::string_view::npos ||
         words.find("memout") != std::string_view::npos;
}
inline bool IsOutOfMemory(const std::exception& e) {
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr || SaysOutOfMemory(e.what());
}

// A Z3 context that finds no memory while it is constructed ends the process without an exception.
// A member declared before the context allocates that much first, and throws std::bad_alloc.
struct RoomForZ3 {
  RoomForZ3() {
    constexpr std::size_t kRoom = std::size_t{24} << 20U;
    void* const room = std::malloc(kRoom);  // NOLINT: allocated, and freed at once
    if (room == nullptr) throw std::bad_alloc();
    std::free(room);  // NOLINT
  }
};

inline constexpr char kOutOfMemory[] = "out of memory";

// Memory that ran out is ResourceExhausted: nothing is known. Everything else is a bug of
// iommucheck, Internal.
inline absl::Status EngineError(const std::exception& e) {
  if (IsOutOfMemory(e))
    return absl::ResourceExhaustedError(absl::StrCat("unknown: ", kOutOfMemory));
  return absl::InternalError(std::string("in an engine: ") + e.what());
}

}  // namespace iommucheck
