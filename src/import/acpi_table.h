// SPDX-License-Identifier: Apache-2.0
//
// What the readers of ACPI tables share: little-endian numbers, lengths, and errors that name their
// place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iommucheck::import::acpi {

// InvalidArgument "expected WHAT at byte N, found WHAT".
absl::Status Invalid(std::string_view expected, size_t at, std::string_view found);

// Callers check the length first.
inline uint8_t U8(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }
inline uint16_t U16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(U8(bytes, at) | (U8(bytes, at + 1) << 8));
}
inline uint32_t U32(std::string_view bytes, size_t at) {
  return U16(bytes, at) | (static_cast<uint32_t>(U16(bytes, at + 2)) << 16);
}
inline uint64_t U64(std::string_view bytes, size_t at) {
  return U32(bytes, at) | (static_cast<uint64_t>(U32(bytes, at + 4)) << 32);
}

// Checks signature, length and checksum, and cuts off the bytes after the length in the header.
absl::Status CheckHeader(std::string_view signature, size_t fixed, std::string_view& table);

// The length of the entry at `at`, which has it in two bytes at `length_at` and is no shorter than
// `least`. `what` is its name in errors, such as "a node".
absl::StatusOr<size_t> LengthOf(const char* what, std::string_view table, size_t at,
                                size_t length_at, size_t least = 4);

// The text of at most `most` bytes from `at` on, up to its zero byte. Errors: it has other bytes
// than printable ASCII, or does not end.
absl::StatusOr<std::string> TextAt(const char* what, std::string_view table, size_t at,
                                   size_t most);

}  // namespace iommucheck::import::acpi
