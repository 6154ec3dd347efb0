// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "absl/strings/str_format.h"
#include "src/import/acpi.h"
#include "src/import/acpi_table.h"

namespace iommucheck::import {
namespace {

using acpi::Invalid;
using acpi::U16;
using acpi::U32;
using acpi::U64;
using acpi::U8;

// Sizes and offsets as in include/acpi/actbl3.h.
constexpr size_t kHeader = 48;
constexpr size_t kIommuBytes = 16;
constexpr size_t kEndpointBytes = 24;
enum class Type : uint8_t { kPciRange = 1, kMmio = 2, kIommuPci = 3, kIommuMmio = 4 };

absl::Status ReadNode(std::string_view table, size_t at, size_t length,
                      std::map<size_t, size_t>& iommu_at, Viot& viot) {
  const auto type = static_cast<Type>(U8(table, at));
  const bool is_iommu = type == Type::kIommuPci || type == Type::kIommuMmio;
  const bool is_endpoint = type == Type::kPciRange || type == Type::kMmio;
  // A node of an unknown type may be an IOMMU, or a device behind one.
  if (!is_iommu && !is_endpoint)
    return Invalid("a node of type 1 to 4", at, absl::StrFormat("type %d", U8(table, at)));
  if (length < (is_iommu ? kIommuBytes : kEndpointBytes))
    return Invalid("the length of a node", at + 2, absl::StrFormat("%d", length));
  if (is_iommu) {
    ViotIommu iommu;
    iommu.is_pci = type == Type::kIommuPci;
    if (iommu.is_pci)
      iommu.pci = {U16(table, at + 4), U16(table, at + 6)};
    else
      iommu.address = U64(table, at + 8);
    iommu_at[at] = viot.iommus.size();
    viot.iommus.push_back(iommu);
    return absl::OkStatus();
  }
  ViotEndpoints e;
  e.is_pci = type == Type::kPciRange;
  e.id = U32(table, at + 4);
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

absl::StatusOr<Viot> ParseViot(std::string_view table) {
  if (absl::Status status = acpi::CheckHeader("VIOT", kHeader, table); !status.ok()) return status;
  Viot viot;
  std::map<size_t, size_t> iommu_at;  // offset in the table -> index
  const size_t count = U16(table, 36);
  size_t at = U16(table, 38);
  for (size_t i = 0; i < count; ++i) {
    if (at < kHeader) return Invalid("a node", at, "the header");
    const absl::StatusOr<size_t> length = acpi::LengthOf("a node", table, at, 2);
    if (!length.ok()) return length.status();
    if (absl::Status s = ReadNode(table, at, *length, iommu_at, viot); !s.ok()) return s;
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

}  // namespace iommucheck::import
