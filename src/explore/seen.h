// SPDX-License-Identifier: Apache-2.0
//
// All states that were seen, in the order they were found, each with the step that found it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/op.h"

namespace iommucheck::explore {

// Where an entry is, in units of four bytes. Entries come in the order in which they were added.
using Place = uint32_t;

// An entry is its parent's place, a word of op and length, and the key; the index beside them
// takes five bytes a slot: one of the hash, so that a look-up rarely follows a wrong slot to its
// entry, and the place.
class Seen {
 public:
  Seen() { Clear(); }

  // Forgets all states and keeps the memory.
  void Clear();
  // Returns whether the state is new. `op` is the one that led to it from `parent`.
  bool Add(std::span<const uint32_t> key, Place parent, const Op& op);

  [[nodiscard]] uint64_t size() const { return size_; }
  // Where the next entry will be.
  [[nodiscard]] Place end() const { return end_; }
  [[nodiscard]] std::span<const uint32_t> KeyAt(Place place) const;
  [[nodiscard]] Place ParentOf(Place place) const { return *At(place); }
  // Without container, which is c0, and faults.
  [[nodiscard]] Op OpOf(Place place) const;
  // The entry after this one, or end().
  [[nodiscard]] Place Next(Place place) const;
  // Bytes in use.
  [[nodiscard]] uint64_t bytes() const;

 private:
  static constexpr unsigned kBlockBits = 18;  // words of a block: a MiB
  static constexpr Place kBlockWords = 1U << kBlockBits;

  [[nodiscard]] const uint32_t* At(Place place) const {
    return blocks_[place >> kBlockBits].get() + (place & (kBlockWords - 1));
  }
  [[nodiscard]] uint32_t* At(Place place) {
    return blocks_[place >> kBlockBits].get() + (place & (kBlockWords - 1));
  }
  [[nodiscard]] size_t SlotOf(uint64_t hash) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(hash) * tags_.size()) >> 64U);
  }
  Place Append(std::span<const uint32_t> key, Place parent, const Op& op);
  void Grow();
  void Insert(uint64_t hash, Place place);

  std::vector<std::unique_ptr<uint32_t[]>> blocks_;
  std::vector<uint8_t> tags_;  // 0: the slot is empty
  std::vector<Place> places_;
  Place end_ = 0;
  uint64_t size_ = 0;
  uint64_t grow_at_ = 0;
};

}  // namespace iommucheck::explore
