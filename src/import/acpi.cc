// SPDX-License-Identifier: Apache-2.0
#include "src/import/acpi.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace iommucheck::import {
namespace {

// Sizes and offsets as in include/acpi/actbl1.h (DMAR), actbl2.h (IORT, IVRS) and actbl3.h (VIOT).
constexpr size_t kHeader = 36;
constexpr size_t kChecksum = 9;
constexpr size_t kDmarFirst = 48;
constexpr uint16_t kDmarUnit = 0;
constexpr size_t kDmarUnitBytes = 16;
constexpr uint8_t kIncludeAll = 1;
constexpr uint8_t kScopeEndpoint = 1;
constexpr uint8_t kScopeBridge = 2;
constexpr size_t kScopeBytes = 6;
constexpr size_t kViotHeader = 48;
constexpr size_t kViotIommuBytes = 16;
constexpr size_t kViotEndpointBytes = 24;
enum class ViotNode : uint8_t { kPciRange = 1, kMmio = 2, kIommuPci = 3, kIommuMmio = 4 };
constexpr size_t kIortHeader = 48;
constexpr size_t kIortNodeBytes = 16;
constexpr size_t kIortSmmuBytes = 24;  // up to and including its address
constexpr uint8_t kIortSmmuV2 = 3;
constexpr uint8_t kIortSmmuV3 = 4;
constexpr size_t kIvrsFirst = 48;
constexpr size_t kIvhdBytes = 24;
constexpr std::array<uint8_t, 3> kIvhdTypes = {0x10, 0x11, 0x40};

absl::Status Invalid(std::string_view expected, size_t at, std::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrFormat("expected %s at byte %d, found %s", expected, at, found));
}

// Read little-endian numbers from bytes. Callers check the length first.
uint8_t U8(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }
uint16_t U16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(U8(bytes, at) | (U8(bytes, at + 1) << 8));
}
uint32_t U32(std::string_view bytes, size_t at) {
  return U16(bytes, at) | (static_cast<uint32_t>(U16(bytes, at + 2)) << 16);
}
uint64_t U64(std::string_view bytes, size_t at) {
  return U32(bytes, at) | (static_cast<uint64_t>(U32(bytes, at + 4)) << 32);
}

// Checks signature, length and checksum, and cuts off the bytes after the length in the header.
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

// The length of the entry at `at`, which has it in two bytes at `length_at` and is no shorter than
// `least`. `what` is its name in errors, such as "a node".
absl::StatusOr<size_t> LengthOf(const char* what, std::string_view table, size_t at,
                                size_t length_at, size_t least = 4) {
  if (at > table.size() || table.size() - at < least)
    return Invalid(what, at, "the end of the table");
  const size_t length = U16(table, at + length_at);
  if (length < least || length > table.size() - at)
    return Invalid(absl::StrFormat("the length of %s", what), at + length_at,
                   absl::StrFormat("%d", length));
  return length;
}

absl::Status ReadScopes(std::string_view table, size_t at, size_t end, DmarUnit& unit) {
  while (at < end) {
    if (end - at < kScopeBytes) return Invalid("a device scope", at, "the end of its unit");
    const size_t length = U8(table, at + 1);
    if (length < kScopeBytes || length > end - at || length % 2 != 0)
      return Invalid("the length of a device scope", at + 1, absl::StrFormat("%d", length));
    const uint8_t type = U8(table, at);
    if (type == kScopeEndpoint || type == kScopeBridge) {
      DmarUnit::Scope scope{type == kScopeBridge, U8(table, at + 5), {}};
      for (size_t p = at + kScopeBytes; p < at + length; p += 2)
        scope.path.push_back(
            static_cast<uint8_t>((U8(table, p) & 0x1f) << 3 | (U8(table, p + 1) & 7)));
      unit.scopes.push_back(std::move(scope));
    }
    at += length;
  }
  return absl::OkStatus();
}

absl::Status ReadViotNode(std::string_view table, size_t at, size_t length,
                          std::map<size_t, size_t>& iommu_at, Viot& viot) {
  const auto type = static_cast<ViotNode>(U8(table, at));
  const bool is_iommu = type == ViotNode::kIommuPci || type == ViotNode::kIommuMmio;
  const bool is_endpoint = type == ViotNode::kPciRange || type == ViotNode::kMmio;
  // A node of an unknown type may be an IOMMU, or a device behind one.
  if (!is_iommu && !is_endpoint)
    return Invalid("a node of type 1 to 4", at, absl::StrFormat("type %d", U8(table, at)));
  if (length < (is_iommu ? kViotIommuBytes : kViotEndpointBytes))
    return Invalid("the length of a node", at + 2, absl::StrFormat("%d", length));
  if (is_iommu) {
    ViotIommu iommu;
    iommu.is_pci = type == ViotNode::kIommuPci;
    if (iommu.is_pci)
      iommu.pci = {U16(table, at + 4), U16(table, at + 6)};
    else
      iommu.address = U64(table, at + 8);
    iommu_at[at] = viot.iommus.size();
    viot.iommus.push_back(iommu);
    return absl::OkStatus();
  }
  ViotEndpoints e;
  e.is_pci = type == ViotNode::kPciRange;
  e.iommu = U16(table, at + 16);  // an offset for now: the node may come later
  if (e.is_pci) {
    e.segment_first = U16(table, at + 8);
    e.segment_last = U16(table, at + 10);
    e.bdf_first = U16(table, at + 12);
    e.bdf_last = U16(table, at + 14);
    if (e.segment_first > e.segment_last || e.bdf_first > e.bdf_last)
      return Invalid("a range of endpoints", at + 8, "one that ends before it begins");
  } else {
    e.address = U64(table, at + 8);
  }
  viot.endpoints.push_back(e);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<DmarUnit>> ParseDmar(std::string_view table) {
  if (absl::Status status = CheckHeader("DMAR", kDmarFirst, table); !status.ok()) return status;
  std::vector<DmarUnit> units;
  for (size_t at = kDmarFirst; at < table.size();) {
    const absl::StatusOr<size_t> length = LengthOf("an entry", table, at, 2);
    if (!length.ok()) return length.status();
    if (U16(table, at) == kDmarUnit) {
      if (*length < kDmarUnitBytes) return Invalid("a remapping unit", at, "a shorter entry");
      DmarUnit unit;
      unit.all_pci = (U8(table, at + 4) & kIncludeAll) != 0;
      unit.segment = U16(table, at + 6);
      unit.address = U64(table, at + 8);
      if (absl::Status s = ReadScopes(table, at + kDmarUnitBytes, at + *length, unit); !s.ok())
        return s;
      units.push_back(std::move(unit));
    }
    at += *length;
  }
  return units;
}

absl::StatusOr<Viot> ParseViot(std::string_view table) {
  if (absl::Status status = CheckHeader("VIOT", kViotHeader, table); !status.ok()) return status;
  Viot viot;
  std::map<size_t, size_t> iommu_at;  // offset in the table -> index
  const size_t count = U16(table, 36);
  size_t at = U16(table, 38);
  for (size_t i = 0; i < count; ++i) {
    if (at < kViotHeader) return Invalid("a node", at, "the header");
    const absl::StatusOr<size_t> length = LengthOf("a node", table, at, 2);
    if (!length.ok()) return length.status();
    if (absl::Status s = ReadViotNode(table, at, *length, iommu_at, viot); !s.ok()) return s;
    at += *length;
  }
  if (at != table.size())
    return Invalid(absl::StrFormat("%d nodes up to the end of the table", count), at, "more of it");
  for (ViotEndpoints& e : viot.endpoints) {
    const auto it = iommu_at.find(e.iommu);
    if (it == iommu_at.end())
      return Invalid("an IOMMU node", e.iommu, "none, though endpoints name it");
    e.iommu = it->second;
  }
  return viot;
}

absl::StatusOr<std::vector<IortSmmu>> ParseIort(std::string_view table) {
  if (absl::Status status = CheckHeader("IORT", kIortHeader, table); !status.ok()) return status;
  std::vector<IortSmmu> smmus;
  const uint32_t count = U32(table, 36);
  size_t at = U32(table, 40);
  for (uint32_t i = 0; i < count; ++i) {
    if (at < kIortHeader || at > table.size() || table.size() - at < kIortNodeBytes)
      return Invalid("a node", at, "the end of the table");
    const uint8_t type = U8(table, at);
    const size_t length = U16(table, at + 1);
    const bool is_smmu = type == kIortSmmuV2 || type == kIortSmmuV3;
    if (length < (is_smmu ? kIortSmmuBytes : kIortNodeBytes) || length > table.size() - at)
      return Invalid("the length of a node", at + 1, absl::StrFormat("%d", length));
    if (is_smmu) smmus.push_back({type == kIortSmmuV3, U64(table, at + 16)});
    at += length;
  }
  return smmus;
}

absl::StatusOr<std::vector<PciAddress>> ParseIvrs(std::string_view table) {
  if (absl::Status status = CheckHeader("IVRS", kIvrsFirst, table); !status.ok()) return status;
  std::vector<PciAddress> iommus;
  for (size_t at = kIvrsFirst; at < table.size();) {
    if (table.size() - at < 4) return Invalid("a block", at, "the end of the table");
    const size_t length = U16(table, at + 2);
    const bool is_iommu = std::ranges::count(kIvhdTypes, U8(table, at)) > 0;
    if (length < (is_iommu ? kIvhdBytes : 4) || length > table.size() - at)
      return Invalid("the length of a block", at + 2, absl::StrFormat("%d", length));
    const PciAddress address =
        is_iommu ? PciAddress{U16(table, at + 16), U16(table, at + 4)} : PciAddress{};
    if (is_iommu && std::ranges::count(iommus, address) == 0) iommus.push_back(address);
    at += length;
  }
  return iommus;
}

}  // namespace iommucheck::import
