// SPDX-License-Identifier: Apache-2.0
#include "src/import/acpi_table.h"

#include "absl/strings/str_format.h"

namespace iommucheck::import::acpi {
namespace {
constexpr size_t kHeader = 36;
constexpr size_t kChecksum = 9;
}  // namespace

absl::Status Invalid(std::string_view expected, size_t at, std::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrFormat("expected %s at byte %d, found %s", expected, at, found));
}

absl::Status CheckHeader(std::string_view signature, size_t fixed, std::string_view& table) {
  if (table.size() < kHeader || table.substr(0, 4) != signature)
    return Invalid(absl::StrFormat("a %s table", signature), 0,
                   absl::StrFormat("%d bytes of something else", table.size()));
  const uint32_t length = U32(table, 4);
  if (length < fixed || length > table.size())
    return Invalid(absl::StrFormat("a length from %d to %d", fixed, table.size()), 4,
                   absl::StrFormat("%d", length));
  table = table.substr(0, length);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  unsigned sum = 0;
  for (size_t at = 0; at < length; ++at) sum += U8(table, at);
  if (sum % 256 != 0)
    return Invalid("a checksum that makes all bytes add up to 0", kChecksum,
                   absl::StrFormat("a sum of %d", sum % 256));
#endif
  return absl::OkStatus();
}

absl::StatusOr<size_t> LengthOf(const char* what, std::string_view table, size_t at,
                                size_t length_at, size_t least) {
  if (at > table.size() || table.size() - at < least)
    return Invalid(what, at, "the end of the table");
  const size_t length = U16(table, at + length_at);
  if (length < least || length > table.size() - at)
    return Invalid(absl::StrFormat("the length of %s", what), at + length_at,
                   absl::StrFormat("%d", length));
  return length;
}

absl::StatusOr<std::string> TextAt(const char* what, std::string_view table, size_t at,
                                   size_t most) {
  const std::string_view bytes = table.substr(at, most);
  const size_t end = bytes.find('\0');
  if (end == std::string_view::npos) return Invalid(what, at, "no zero byte after it");
  for (size_t i = 0; i < end; ++i)
    if (bytes[i] < ' ' || bytes[i] > '~')
      return Invalid(absl::StrFormat("%s of printable characters", what), at + i,
                     absl::StrFormat("0x%02x", U8(bytes, i)));
  return std::string(bytes.substr(0, end));
}

}  // namespace iommucheck::import::acpi
