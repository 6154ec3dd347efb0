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
constexpr size_t kNodeBytes = 16;
constexpr size_t kMapBytes = 20;
constexpr size_t kRegionBytes = 20;
enum class Type : uint8_t { kIts, kNamed, kRootComplex, kSmmu, kSmmuV3, kPmcg, kRmr };
constexpr uint8_t kTypes = 7;

// The bytes of a node that are read, without its mappings.
size_t FixedBytes(Type type) {
  switch (type) {
    case Type::kNamed:
      return 29;
    case Type::kRootComplex:
      return 32;
    case Type::kSmmu:
      return 40;
    case Type::kSmmuV3:
    case Type::kRmr:
      return 28;
    default:
      return kNodeBytes;
  }
}

struct Node {
  Type type{};
  size_t at = 0;
  size_t length = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view table) : table_(table) {}

  absl::StatusOr<Iort> Read() {
    if (absl::Status s = FindNodes(); !s.ok()) return s;
    for (const Node& node : nodes_)
      if (absl::Status s = ReadNode(node); !s.ok()) return s;
    return std::move(iort_);
  }

 private:
  // A mapping may lead to a node that comes later, so that all nodes are found first.
  absl::Status FindNodes() {
    const uint32_t count = U32(table_, 36);
    size_t at = U32(table_, 40);
    for (uint32_t i = 0; i < count; ++i) {
      if (at < kHeader) return Invalid("a node", at, "the header");
      if (at > table_.size() || table_.size() - at < kNodeBytes)
        return Invalid("a node", at, "the end of the table");
      const size_t length = U16(table_, at + 1);
      const uint8_t type = U8(table_, at);
      if (length < kNodeBytes || length > table_.size() - at ||
          (type < kTypes && length < FixedBytes(static_cast<Type>(type))))
        return Invalid("the length of a node", at + 1, absl::StrFormat("%d", length));
      type_at_[at] = type;
      if (type >= kTypes)
        iort_.unread.push_back(absl::StrFormat("a node of type %d at byte %d", type, at));
      else
        nodes_.push_back({.type = static_cast<Type>(type), .at = at, .length = length});
      if (type == static_cast<uint8_t>(Type::kSmmu) || type == static_cast<uint8_t>(Type::kSmmuV3))
        AddSmmu(nodes_.back());
      at += length;
    }
    return absl::OkStatus();
  }

  void AddSmmu(const Node& node) {
    const bool v3 = node.type == Type::kSmmuV3;
    smmu_at_[node.at] = iort_.smmus.size();
    // ACPI_IORT_SMMU_V3_COHACC_OVERRIDE, which counts instead of what the hardware says;
    // ACPI_IORT_SMMU_COHERENT_WALK.
    const bool coherent =
        v3 ? (U32(table_, node.at + 24) & 1) != 0 : (U32(table_, node.at + 36) & 2) != 0;
    iort_.smmus.push_back({.v3 = v3, .address = U64(table_, node.at + 16), .coherent = coherent});
  }

  absl::Status ReadNode(const Node& node) {
    if (node.type != Type::kNamed && node.type != Type::kRootComplex && node.type != Type::kRmr)
      return absl::OkStatus();
    absl::StatusOr<std::vector<IdMap>> maps = ReadMaps(node);
    if (!maps.ok()) return maps.status();
    if (node.type == Type::kRmr) return ReadRegions(node, *maps);
    IdSource source{.is_pci = node.type == Type::kRootComplex, .maps = *std::move(maps)};
    source.coherent = U32(table_, node.at + (source.is_pci ? 16 : 20)) == 1;
    if (source.is_pci) {
      source.segment = U32(table_, node.at + 28);
    } else {
      absl::StatusOr<std::string> name =
          acpi::TextAt("the name of a named component", table_, node.at + FixedBytes(node.type),
                       node.length - FixedBytes(node.type));
      if (!name.ok()) return name.status();
      source.name = *std::move(name);
    }
    iort_.sources.push_back(std::move(source));
    return absl::OkStatus();
  }

  // The mappings that lead to an SMMU; others lead to an ITS, and so past all SMMUs.
  absl::StatusOr<std::vector<IdMap>> ReadMaps(const Node& node) {
    const uint32_t count = U32(table_, node.at + 8);
    const uint32_t offset = U32(table_, node.at + 12);
    std::vector<IdMap> maps;
    if (count == 0) return maps;
    if (offset < kNodeBytes || offset > node.length || (node.length - offset) / kMapBytes < count)
      return Invalid(absl::StrFormat("%d mappings within the node", count), node.at + 12,
                     absl::StrFormat("an offset of %d in %d bytes", offset, node.length));
    for (uint32_t i = 0; i < count; ++i) {
      const size_t at = node.at + offset + i * kMapBytes;
      const uint32_t target = U32(table_, at + 12);
      const auto type = type_at_.find(target);
      if (type == type_at_.end())
        return Invalid("the offset of a node", at + 12, absl::StrFormat("%d", target));
      if (const auto smmu = smmu_at_.find(target); smmu != smmu_at_.end()) {
        const uint32_t first = U32(table_, at);
        const uint32_t more = U32(table_, at + 4);
        if (more > 0xffffffff - first)
          return Invalid("a range of ids of 32 bits", at, "one that goes beyond");
        maps.push_back({.first = first,
                        .last = first + more,
                        .out = U32(table_, at + 8),
                        .iommu = smmu->second});
      } else if (type->second != static_cast<uint8_t>(Type::kIts)) {
        iort_.unread.push_back(
            absl::StrFormat("a mapping to a node of type %d at byte %d", type->second, at));
      }
    }
    return maps;
  }

  absl::Status ReadRegions(const Node& node, const std::vector<IdMap>& maps) {
    const uint32_t count = U32(table_, node.at + 20);
    const uint32_t offset = U32(table_, node.at + 24);
    if (count == 0) return absl::OkStatus();
    if (offset < FixedBytes(node.type) || offset > node.length ||
        (node.length - offset) / kRegionBytes < count)
      return Invalid(absl::StrFormat("%d regions within the node", count), node.at + 24,
                     absl::StrFormat("an offset of %d in %d bytes", offset, node.length));
    for (uint32_t i = 0; i < count; ++i) {
      const size_t at = node.at + offset + i * kRegionBytes;
      iort_.reserved.push_back({.first = U64(table_, at),
                                .last = U64(table_, at) + U64(table_, at + 8) - 1,
                                .maps = maps});
    }
    return absl::OkStatus();
  }

  std::string_view table_;
  Iort iort_;
  std::vector<Node> nodes_;
  std::map<size_t, uint8_t> type_at_;
  std::map<size_t, size_t> smmu_at_;
};

}  // namespace

absl::StatusOr<Iort> ParseIort(std::string_view table) {
  if (absl::Status s = acpi::CheckHeader("IORT", kHeader, table); !s.ok()) return s;
  return Reader(table).Read();
}

}  // namespace iommucheck::import
