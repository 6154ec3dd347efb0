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

// Sizes and offsets as in include/acpi/actbl2.h.
constexpr size_t kHeader = 48;
constexpr size_t kMapBytes = 20;
enum Type : uint8_t { kIommu, kRootComplex, kPlatform };
constexpr uint8_t kTypes = 3;
constexpr size_t kFixedBytes[kTypes] = {40, 20, 12};
constexpr uint32_t kIommuIsPci = 1;

class Reader {
 public:
  explicit Reader(std::string_view table) : table_(table) {}

  absl::StatusOr<Rimt> Read() {
    if (absl::Status s = FindIommus(); !s.ok()) return s;
    for (const auto& [at, length] : sources_)
      if (absl::Status s = ReadSource(at, length); !s.ok()) return s;
    return std::move(rimt_);
  }

 private:
  absl::Status FindIommus() {
    const uint32_t count = U32(table_, 36);
    size_t at = U32(table_, 40);
    for (uint32_t i = 0; i < count; ++i) {
      if (at < kHeader) return Invalid("a node", at, "the header");
      const absl::StatusOr<size_t> length = acpi::LengthOf("a node", table_, at, 2, 8);
      if (!length.ok()) return length.status();
      const uint8_t type = U8(table_, at);
      // A node of an unknown type may be an IOMMU, or a device behind one.
      if (type >= kTypes)
        return Invalid("a node of type 0 to 2", at, absl::StrFormat("type %d", type));
      if (*length < kFixedBytes[type])
        return Invalid("the length of a node", at + 2, absl::StrFormat("%d", *length));
      if (type == kIommu) {
        iommu_at_[at] = rimt_.iommus.size();
        rimt_.iommus.push_back({.is_pci = (U32(table_, at + 24) & kIommuIsPci) != 0,
                                .pci = {U16(table_, at + 32), U16(table_, at + 34)},
                                .address = U64(table_, at + 16)});
      } else {
        sources_.emplace_back(at, *length);
      }
      at += *length;
    }
    return absl::OkStatus();
  }

  absl::Status ReadSource(size_t at, size_t length) {
    IdSource source{.is_pci = U8(table_, at) == kRootComplex};
    const size_t where = at + (source.is_pci ? 16 : 8);  // of the offset and number of mappings
    const size_t offset = U16(table_, where);
    const size_t count = U16(table_, where + 2);
    if (source.is_pci) {
      source.segment = U16(table_, at + 14);
    } else {
      absl::StatusOr<std::string> name =
          acpi::TextAt("the name of a platform device", table_, at + kFixedBytes[kPlatform],
                       length - kFixedBytes[kPlatform]);
      if (!name.ok()) return name.status();
      source.name = *std::move(name);
    }
    if (count > 0 && (offset < 8 || offset > length || (length - offset) / kMapBytes < count))
      return Invalid(absl::StrFormat("%d mappings within the node", count), where,
                     absl::StrFormat("an offset of %d in %d bytes", offset, length));
    for (size_t i = 0; i < count; ++i) {
      const size_t map = at + offset + i * kMapBytes;
      const auto iommu = iommu_at_.find(U32(table_, map + 12));
      if (iommu == iommu_at_.end())
        return Invalid("the offset of an IOMMU node", map + 12,
                       absl::StrFormat("%d", U32(table_, map + 12)));
      const uint32_t first = U32(table_, map);
      const uint32_t ids = U32(table_, map + 4);
      if (ids > 0xffffffff - first)
        return Invalid("a range of ids of 32 bits", map, "one that goes beyond");
      // Like rimt_id_map(), which takes one id more than the number says.
      source.maps.push_back({.first = first,
                             .last = first + ids,
                             .out = U32(table_, map + 8),
                             .iommu = iommu->second});
    }
    rimt_.sources.push_back(std::move(source));
    return absl::OkStatus();
  }

  std::string_view table_;
  Rimt rimt_;
  std::vector<std::pair<size_t, size_t>> sources_;  // offset and length
  std::map<size_t, size_t> iommu_at_;
};

}  // namespace

absl::StatusOr<Rimt> ParseRimt(std::string_view table) {
  if (absl::Status s = acpi::CheckHeader("RIMT", kHeader, table); !s.ok()) return s;
  return Reader(table).Read();
}

}  // namespace iommucheck::import
