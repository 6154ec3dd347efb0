// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "model/attribute_rows.h"

namespace iommucheck {
namespace {

using Kind = AttributeInfo::Kind;
using On = AttributeInfo::On;
using attribute_rows::kRows;
using enum Owner;

static_assert(std::ranges::is_sorted(kRows, {}, &AttributeInfo::owner));
// The index of the first row of each owner; the last entry is the end of the table.
constexpr std::array<size_t, 5> kFirstOf = [] {
  std::array<size_t, 5> first{};
  for (const AttributeInfo& attribute : kRows)
    for (size_t owner = static_cast<size_t>(attribute.owner) + 1; owner < first.size(); ++owner)
      ++first[owner];
  return first;
}();

constexpr std::array<std::string_view, 4> kOwnerWords = {"settings", "driver", "instance",
                                                         "device"};

const Settings kPlainSettings;
const Driver kPlainDriver;
const Instance kPlainInstance;
const Device kPlainDevice;

const void* Entry(const Topology& t, Owner owner, int n) {
  switch (owner) {
    case kSettings:
      return &t.settings;
    case kDriver:
      return &t.drivers[static_cast<size_t>(n)];
    case kInstance:
      return &t.instances[static_cast<size_t>(n)];
    case kDevice:
      return &t.devices[static_cast<size_t>(n)];
  }
  return nullptr;
}

}  // namespace

std::span<const AttributeInfo> AllAttributes() { return kRows; }

std::span<const AttributeInfo> AttributesOf(Owner owner) {
  const size_t first = kFirstOf[static_cast<size_t>(owner)];
  return std::span(kRows).subspan(first, kFirstOf[static_cast<size_t>(owner) + 1] - first);
}

std::string_view OwnerWord(Owner owner) { return kOwnerWords[static_cast<size_t>(owner)]; }

int CountOf(const Topology& t, Owner owner) {
  const std::array<int, 4> counts = {1, t.drivers_count, t.instances_count, t.devices_count};
  return counts[static_cast<size_t>(owner)];
}

const uint8_t* EntryOf(const Topology& t, Owner owner, int n) {
  return static_cast<const uint8_t*>(Entry(t, owner, n));
}
uint8_t* EntryOf(Topology& t, Owner owner, int n) {
  return const_cast<uint8_t*>(EntryOf(std::as_const(t), owner, n));
}

const uint8_t* PlainEntry(Owner owner) {
  const std::array<const void*, 4> plain = {&kPlainSettings, &kPlainDriver, &kPlainInstance,
                                            &kPlainDevice};
  return static_cast<const uint8_t*>(plain[static_cast<size_t>(owner)]);
}

bool IsPlain(const AttributeInfo& attribute, const uint8_t* entry) {
  if (attribute.kind == Kind::kFlag) return entry[attribute.at] != attribute.value;
  const uint8_t* const plain = PlainEntry(attribute.owner);
  return std::memcmp(entry + attribute.at, plain + attribute.at, attribute.size) == 0;
}

void MakePlain(const AttributeInfo& attribute, uint8_t* entry) {
  const uint8_t* const plain = PlainEntry(attribute.owner);
  std::memcpy(entry + attribute.at, plain + attribute.at, attribute.size);
}

}  // namespace iommucheck
