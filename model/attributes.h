// SPDX-License-Identifier: Apache-2.0
//
// The attributes of a machine, a row each: its words in a case, which member of which struct of
// model/topology.h it is, and all that who reads, prints, stores, draws or shows machines wants to
// know of it. They walk the rows, and have one branch for each Kind.
//
// No rows: what a machine cannot do without. Those are firmware, a driver's or instance's name, an
// instance's driver, a device's bus and instances.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/topology.h"

namespace iommucheck {

// Whose attribute it is. The words are those of the statements in a case.
enum class Owner : uint8_t { kSettings, kDriver, kInstance, kDevice };

struct AttributeInfo {
  enum class Kind : uint8_t {
    kFlag,     // WORD: the member is `value`
    kName,     // WORD=NAME: one of `names`, but not the first, which is the plain one's
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
  // By whom machines with it are played beside the model: nobody; real kernel code in a process; that,
  // the engines (solver, proofs, explorer) and a kernel that was booted.
  enum class Played : uint8_t { kModelAlone, kProcess, kEverywhere };
  // Devices of which bus can have it.
  enum class On : uint8_t { kAnyBus, kPci, kOthers };

  Owner owner;
  std::string_view word;
  Kind kind;
  uint8_t at;    // offset of the member in the owner's struct
  uint8_t size;  // of the member, or of all that belong together
  Played played;
  // In the binary form: a byte of the owner's record, and a bit of it, the lowest where there are
  // several. kNoByte: src/case/bytes.cc has a place of its own for it.
  struct Place {
    uint8_t byte;
    uint8_t bit;
  } place;
  // Generators make it other than plain so often, in 24 cases; 0: they draw it by a rule of their
  // own.
  uint8_t weight;
  std::string_view phrase;  // what replay says of it; %s stands for the value

  uint8_t value = 0;                          // kFlag
  uint8_t least = 0;                          // kNumber
  uint8_t most = 0;                           // kNumber
  std::string_view noun = "";                 // kNumber
  std::span<const std::string_view> names{};  // kName
  On on = On::kAnyBus;

  [[nodiscard]] constexpr bool encoded() const { return played == Played::kEverywhere; }
};
inline constexpr uint8_t kNoByte = 0xff;

// Those of an owner stand together, in the order of a case.
std::span<const AttributeInfo> AllAttributes();
std::span<const AttributeInfo> AttributesOf(Owner owner);
std::string_view OwnerWord(Owner owner);

// The entries of a machine that have such attributes. Precondition: n < CountOf().
int CountOf(const Topology& topology, Owner owner);
uint8_t* EntryOf(Topology& topology, Owner owner, int n);
const uint8_t* EntryOf(const Topology& topology, Owner owner, int n);

// One that nobody said anything of.
const uint8_t* PlainEntry(Owner owner);

// Whether a device's bus is one where there can be this attribute.
bool IsOn(const AttributeInfo& attribute, Bus bus);
// Whether the attribute is as it is where nobody says anything. A table has no plain value.
bool IsPlain(const AttributeInfo& attribute, const uint8_t* entry);
void MakePlain(const AttributeInfo& attribute, uint8_t* entry);

}  // namespace iommucheck
