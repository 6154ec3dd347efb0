// SPDX-License-Identifier: Apache-2.0
//
// The attributes of a machine, one row each: the words of a case, the member of a struct of
// model/topology.h, and all that the code needs that reads, prints, stores, draws or shows
// machines. That code walks the rows, and has one branch for each Kind.
//
// A machine cannot do without some things, and these have no rows: firmware, the name of a driver
// or an instance, an instance's driver, a device's bus and instances.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/topology.h"

namespace iommucheck {

// The struct that has the attribute. The words are those of the statements in a case.
enum class Owner : uint8_t { kSettings, kDriver, kInstance, kDevice };

// The member of an owner's struct, or several that lie side by side.
struct AttributeMember {
  Owner owner;
  uint8_t at;    // offset of the first
  uint8_t size;  // of all
};

// The sort of value, and what only this sort has.
struct AttributeValues {
  enum class Kind : uint8_t {
    kFlag,     // WORD: the member is `value`
    kName,     // WORD=NAME: one of `names` but the first, which names the plain value
    kNumber,   // WORD=N, from `least` to `most`
    kErrno,    // WORD=NAME of an errno
    kRange,    // WORD=FIRST-LAST: this member and the next
    kSizes,    // WORD=1,16: a bit each
    kRegions,  // WORD=FIRST-LAST:TYPE, once for each region
    kClaims,   // WORD=BUS:CLAIM,BUS:CLAIM
    kTable,    // WORD=NAME of a table of domain ops
    kDriver,   // WORD=NAME of a driver
    kDevice,   // WORD=NAME of a device
  };
  Kind kind;
  uint8_t value = 0;
  uint8_t least = 0;
  uint8_t most = 0;
  std::string_view noun{};  // of the number
  std::span<const std::string_view> names{};
};

struct AttributeInfo : AttributeMember, AttributeValues {
  // Who plays machines with the attribute beside the model: nobody; real kernel code in a process;
  // that code and the engines (solver, proofs, explorer); these and booted kernels.
  enum class Played : uint8_t { kModelAlone, kProcess, kEncoded, kEverywhere };
  // The buses whose devices can have the attribute.
  enum class On : uint8_t { kAnyBus, kPci, kOthers };

  std::string_view word;
  Played played;
  // The binary form keeps the attribute in this byte of the owner's record, from this bit on.
  // kNoByte: src/case/bytes.cc stores it elsewhere.
  struct Place {
    uint8_t byte;
    uint8_t bit;
  } place;
  // Generators give it a value that is not plain in so many of 24 cases; 0: they have a special
  // rule for it.
  uint8_t weight;
  std::string_view phrase;  // how replay describes it; replay puts the value for %s
  On on = On::kAnyBus;

  [[nodiscard]] constexpr bool encoded() const { return played >= Played::kEncoded; }
  [[nodiscard]] constexpr bool booted() const { return played == Played::kEverywhere; }
};
inline constexpr uint8_t kNoByte = 0xff;

// The rows of one owner are adjacent, in the order of a case.
std::span<const AttributeInfo> AllAttributes();
std::span<const AttributeInfo> AttributesOf(Owner owner);
std::string_view OwnerWord(Owner owner);

// How many entries of that owner a machine has, and the n-th of them. Precondition: n < CountOf().
int CountOf(const Topology& topology, Owner owner);
uint8_t* EntryOf(Topology& topology, Owner owner, int n);
const uint8_t* EntryOf(const Topology& topology, Owner owner, int n);

// An entry all of whose attributes have their plain values.
const uint8_t* PlainEntry(Owner owner);

// Whether devices on this bus can have the attribute.
constexpr bool IsOn(const AttributeInfo& attribute, Bus bus) {
  using enum AttributeInfo::On;
  return attribute.on == kAnyBus || (attribute.on == kPci) == (bus == Bus::kPci);
}
// Whether the attribute has its plain value, the one it has when a case does not mention it. A
// table has no plain value.
bool IsPlain(const AttributeInfo& attribute, const uint8_t* entry);
void MakePlain(const AttributeInfo& attribute, uint8_t* entry);

}  // namespace iommucheck
