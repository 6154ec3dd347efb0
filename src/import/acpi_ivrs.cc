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

// Sizes and offsets as in include/acpi/actbl2.h and drivers/iommu/amd/init.c.
constexpr size_t kFirst = 48;
constexpr size_t kMemoryBytes = 32;
enum Block : uint8_t {
  kIvhd = 0x10,
  kIvhdLong = 0x11,
  kIvhdAcpi = 0x40,
  kIvmdAll = 0x20,
  kIvmdOne = 0x21,
  kIvmdRange = 0x22,
};
enum Entry : uint8_t {
  kPad = 0,
  kAll = 1,
  kSelect = 2,
  kRangeStart = 3,
  kRangeEnd = 4,
  kAlias = 0x42,
  kAliasRange = 0x43,
  kExtSelect = 0x46,
  kExtRange = 0x47,
  kSpecial = 0x48,
  kHid = 0xf0,
};
constexpr size_t kHidBytes = 22;  // up to the UID
constexpr size_t kNameBytes = 8;

// As ivhd_entry_length(): the two highest bits of the type say it, but for a HID, which has the
// length of its UID in it.
size_t EntryBytes(uint8_t type) { return type == kHid ? kHidBytes : size_t{4} << (type >> 6); }

// The entries of a block that describes an IOMMU.
class Entries {
 public:
  Entries(std::string_view table, IvrsIommu& iommu, Ivrs& ivrs)
      : table_(table), iommu_(iommu), ivrs_(ivrs) {}

  absl::Status Read(size_t at, size_t end) {
    while (at < end) {
      const uint8_t type = U8(table_, at);
      size_t length = EntryBytes(type);
      if (length > end - at) return Invalid("an entry", at, "the end of its block");
      if (type == kHid) length += U8(table_, at + kHidBytes - 1);
      if (length > end - at) return Invalid("an entry", at, "the end of its block");
      if (absl::Status s = ReadEntry(type, at); !s.ok()) return s;
      at += length;
    }
    if (in_range_) return Invalid("the end of a range of devices", end, "the end of its block");
    return absl::OkStatus();
  }

 private:
  absl::Status ReadEntry(uint8_t type, size_t at) {
    const uint16_t id = U16(table_, at + 1);
    if (in_range_ && type != kRangeEnd && type != kPad)
      return Invalid("the end of a range of devices", at, absl::StrFormat("an entry 0x%02x", type));
    switch (type) {
      case kPad:
        return absl::OkStatus();
      case kAll:
        iommu_.devices.push_back({.first = 0, .last = 0xffff, .alias = {}});
        return absl::OkStatus();
      case kSelect:
      case kExtSelect:
        iommu_.devices.push_back({.first = id, .last = id, .alias = {}});
        return absl::OkStatus();
      case kAlias:
        iommu_.devices.push_back({.first = id, .last = id, .alias = U16(table_, at + 5)});
        return absl::OkStatus();
      case kRangeStart:
      case kExtRange:
      case kAliasRange:
        range_ = {.first = id, .last = id, .alias = {}};
        if (type == kAliasRange) range_.alias = U16(table_, at + 5);
        in_range_ = true;
        return absl::OkStatus();
      case kRangeEnd:
        if (!in_range_ || id < range_.first)
          return Invalid("an end of the range that began before it", at,
                         absl::StrFormat("0x%04x", id));
        range_.last = id;
        iommu_.devices.push_back(range_);
        in_range_ = false;
        return absl::OkStatus();
      case kSpecial:
        ++iommu_.special;
        return absl::OkStatus();
      case kHid:
        return ReadNamed(id, at);
      default:
        ivrs_.unread.push_back(absl::StrFormat("an entry of type 0x%02x at byte %d", type, at));
        return absl::OkStatus();
    }
  }

  // The UID is a number (of 8 bytes, and 2 in some tables) or a text, or there is none.
  absl::Status ReadNamed(uint16_t id, size_t at) {
    enum Format : uint8_t { kNone, kNumber, kText };
    std::string hid(table_.substr(at + 4, kNameBytes));
    hid = hid.substr(0, hid.find('\0'));
    for (const char c : hid)
      if (c < '!' || c > '~') return Invalid("a HID of printable characters", at + 4, "others");
    if (hid.empty()) return Invalid("a HID", at + 4, "none");
    const uint8_t format = U8(table_, at + 20);
    const size_t length = U8(table_, at + 21);
    IvrsNamed named{.id = id, .hid = std::move(hid), .uid = {}};
    if (format == kNumber && length >= 1 && length <= 8) {
      uint64_t number = 0;
      for (size_t i = length; i-- > 0;) number = number << 8U | U8(table_, at + kHidBytes + i);
      named.uid = absl::StrFormat("%d", number);
    } else if (format == kText) {
      named.uid = std::string(table_.substr(at + kHidBytes, length));
      named.uid = named.uid.substr(0, named.uid.find('\0'));
      for (const char c : named.uid)
        if (c < ' ' || c > '~') return Invalid("a UID of printable characters", at + 22, "others");
    } else if (format != kNone || length != 0) {
      return Invalid("a UID that is a number of up to 8 bytes, a text, or none", at + 20,
                     absl::StrFormat("format %d, %d bytes", format, length));
    }
    const bool known = std::ranges::any_of(iommu_.named, [&](const IvrsNamed& n) {
      return n.id == named.id && n.hid == named.hid && n.uid == named.uid;
    });
    if (!known) iommu_.named.push_back(std::move(named));
    return absl::OkStatus();
  }

  std::string_view table_;
  IvrsIommu& iommu_;
  Ivrs& ivrs_;
  bool in_range_ = false;
  IvrsRange range_{};
};

IvrsIommu& IommuAt(Ivrs& ivrs, PciAddress at) {
  for (IvrsIommu& iommu : ivrs.iommus)
    if (iommu.at == at) return iommu;
  ivrs.iommus.push_back({.at = at});
  return ivrs.iommus.back();
}

absl::Status ReadBlock(std::string_view table, size_t at, size_t length, Ivrs& ivrs) {
  const uint8_t type = U8(table, at);
  if (type == kIvhd || type == kIvhdLong || type == kIvhdAcpi) {
    const size_t fixed = type == kIvhd ? 24 : 40;
    if (length < fixed)
      return Invalid("the length of a block", at + 2, absl::StrFormat("%d", length));
    IvrsIommu& iommu = IommuAt(ivrs, {U16(table, at + 16), U16(table, at + 4)});
    iommu.address = U64(table, at + 8);
    return Entries(table, iommu, ivrs).Read(at + fixed, at + length);
  }
  if (type != kIvmdAll && type != kIvmdOne && type != kIvmdRange) {
    ivrs.unread.push_back(absl::StrFormat("a block of type 0x%02x at byte %d", type, at));
    return absl::OkStatus();
  }
  if (length < kMemoryBytes)
    return Invalid("the length of a block", at + 2, absl::StrFormat("%d", length));
  IvrsMemory memory;
  if (type != kIvmdAll) memory.first_id = memory.last_id = U16(table, at + 4);
  if (type == kIvmdRange) memory.last_id = U16(table, at + 6);
  memory.first = U64(table, at + 16);
  memory.last = memory.first + U64(table, at + 24) - 1;
  ivrs.memory.push_back(memory);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Ivrs> ParseIvrs(std::string_view table) {
  if (absl::Status s = acpi::CheckHeader("IVRS", kFirst, table); !s.ok()) return s;
  Ivrs ivrs;
  for (size_t at = kFirst; at < table.size();) {
    const absl::StatusOr<size_t> length = acpi::LengthOf("a block", table, at, 2);
    if (!length.ok()) return length.status();
    if (absl::Status s = ReadBlock(table, at, *length, ivrs); !s.ok()) return s;
    at += *length;
  }
  return ivrs;
}

}  // namespace iommucheck::import
