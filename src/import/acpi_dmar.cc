// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_format.h"
#include "src/import/acpi.h"
#include "src/import/acpi_table.h"

namespace iommucheck::import {
namespace {

using acpi::Invalid;
using acpi::U16;
using acpi::U64;
using acpi::U8;

// Sizes and offsets as in include/acpi/actbl1.h.
constexpr size_t kFirst = 48;
constexpr size_t kScopeBytes = 6;
constexpr size_t kAnddBytes = 8;
enum class Type : uint16_t { kDrhd, kRmrr, kAtsr, kRhsa, kAndd, kSatc, kSidp };

// The bytes of an entry before its scopes.
size_t FixedBytes(Type type) {
  switch (type) {
    case Type::kDrhd:
      return 16;
    case Type::kRmrr:
      return 24;
    case Type::kRhsa:
      return 20;
    default:
      return 8;
  }
}

absl::StatusOr<std::vector<DmarScope>> ReadScopes(std::string_view table, size_t at, size_t end) {
  std::vector<DmarScope> scopes;
  while (at < end) {
    if (end - at < kScopeBytes) return Invalid("a device scope", at, "the end of its unit");
    const size_t length = U8(table, at + 1);
    // A device has a path of at least one level.
    if (length <= kScopeBytes || length > end - at || length % 2 != 0)
      return Invalid("the length of a device scope", at + 1, absl::StrFormat("%d", length));
    const uint8_t type = U8(table, at);
    if (type < 1 || type > 5)
      return Invalid("a device scope of type 1 to 5", at, absl::StrFormat("type %d", type));
    DmarScope scope{.kind = static_cast<DmarScope::Kind>(type),
                    .id = U8(table, at + 4),
                    .bus = U8(table, at + 5),
                    .path = {}};
    for (size_t p = at + kScopeBytes; p < at + length; p += 2)
      scope.path.push_back(
          static_cast<uint8_t>((U8(table, p) & 0x1f) << 3 | (U8(table, p + 1) & 7)));
    scopes.push_back(std::move(scope));
    at += length;
  }
  return scopes;
}

absl::Status ReadEntry(std::string_view table, size_t at, size_t length, Dmar& dmar) {
  const auto type = static_cast<Type>(U16(table, at));
  if (type > Type::kSidp) {
    dmar.unread.push_back(absl::StrFormat("an entry of type %d at byte %d", U16(table, at), at));
    return absl::OkStatus();
  }
  if (type == Type::kAndd) {
    if (length < kAnddBytes + 1) return Invalid("a namespace device", at, "a shorter entry");
    absl::StatusOr<std::string> name =
        acpi::TextAt("the name of a namespace device", table, at + kAnddBytes, length - kAnddBytes);
    if (!name.ok()) return name.status();
    dmar.names.push_back({.number = U8(table, at + 7), .name = *std::move(name)});
    return absl::OkStatus();
  }
  if (length < FixedBytes(type))
    return Invalid(absl::StrFormat("an entry of %d bytes", FixedBytes(type)), at, "a shorter one");
  if (type == Type::kRhsa) return absl::OkStatus();  // which NUMA node a unit is of
  absl::StatusOr<std::vector<DmarScope>> scopes =
      ReadScopes(table, at + FixedBytes(type), at + length);
  if (!scopes.ok()) return scopes.status();
  const uint8_t flags = U8(table, at + 4);
  const uint16_t segment = U16(table, at + 6);
  if (type == Type::kDrhd) {
    dmar.units.push_back({.segment = segment,
                          .all_pci = (flags & 1) != 0,
                          .address = U64(table, at + 8),
                          .scopes = *std::move(scopes)});
  } else if (type == Type::kRmrr) {
    dmar.reserved.push_back({.segment = segment,
                             .first = U64(table, at + 8),
                             .last = U64(table, at + 16),
                             .scopes = *std::move(scopes)});
  } else if (type == Type::kAtsr || type == Type::kSatc) {
    dmar.ats.push_back({.integrated = type == Type::kSatc,
                        .segment = segment,
                        .all = (flags & 1) != 0,
                        .scopes = *std::move(scopes)});
  }
  return absl::OkStatus();
}

// A scope of a namespace device names one that the table has.
absl::Status CheckNames(const Dmar& dmar) {
  for (const DmarUnit& unit : dmar.units)
    for (const DmarScope& scope : unit.scopes)
      if (scope.kind == DmarScope::Kind::kNamespace &&
          std::ranges::find(dmar.names, scope.id, &DmarName::number) == dmar.names.end())
        return Invalid(absl::StrFormat("a namespace device (ANDD) with number %d", scope.id),
                       kFirst, "none in the whole table");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Dmar> ParseDmar(std::string_view table) {
  if (absl::Status s = acpi::CheckHeader("DMAR", kFirst, table); !s.ok()) return s;
  Dmar dmar;
  for (size_t at = kFirst; at < table.size();) {
    const absl::StatusOr<size_t> length = acpi::LengthOf("an entry", table, at, 2, 8);
    if (!length.ok()) return length.status();
    if (absl::Status s = ReadEntry(table, at, *length, dmar); !s.ok()) return s;
    at += *length;
  }
  if (absl::Status s = CheckNames(dmar); !s.ok()) return s;
  return dmar;
}

}  // namespace iommucheck::import
