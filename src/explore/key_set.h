// SPDX-License-Identifier: Apache-2.0
//
// A set of strings of words, each of any length: the states that do not fit into a key of fixed
// length (PartTables::whole).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace iommucheck::explore {

// Where an entry is, in units of four bytes. Entries come in the order in which they were added.
using Place = uint32_t;

// An entry is its length and the key; the index beside them takes five bytes a slot: one of the
// hash, so that a look-up rarely follows a wrong slot to its entry, and the place.
class KeySet {
 public:
  KeySet() { Clear(); }

  // Forgets all keys and keeps the memory.
  void Clear();
  struct Added {
    Place place;
    bool is_new;
  };
  Added Add(std::span<const uint32_t> key);

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] std::span<const uint32_t> KeyAt(Place place) const;
  // Bytes in use.
  [[nodiscard]] uint64_t bytes() const;
  // Places are about to run out.
  [[nodiscard]] bool full() const { return end_ >= kFullAt; }

 private:
  static constexpr unsigned kBlockBits = 18;  // words of a block: a MiB
  static constexpr Place kBlockWords = 1U << kBlockBits;

  static constexpr Place kFullAt = 0xffU << 24U;

  [[nodiscard]] const uint32_t* At(Place place) const {
    return blocks_[place >> kBlockBits].get() + (place & (kBlockWords - 1));
  }
  [[nodiscard]] uint32_t* At(Place place) {
    return blocks_[place >> kBlockBits].get() + (place & (kBlockWords - 1));
  }
  [[nodiscard]] size_t SlotOf(uint64_t hash) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(hash) * tags_.size()) >> 64U);
  }
  // The entry after this one, or end_.
  [[nodiscard]] Place Next(Place place) const;
  Place Append(std::span<const uint32_t> key);
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
