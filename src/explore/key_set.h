// SPDX-License-Identifier: Apache-2.0
//
// Strings of words of any length, each kept once: states that do not fit into a key of fixed
// length, and the values of parts of those that do (PartTables).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/types/span.h"

namespace iommucheck::explore {

// Where an entry is, in units of four bytes. Entries come in the order in which they were added.
using Place = uint32_t;

inline size_t HashOf(std::span<const uint32_t> words) {
  return absl::HashOf(absl::MakeConstSpan(words.data(), words.size()));
}

// An entry is its length and the key; the index beside them takes five bytes a slot: one of the
// hash, so that a look-up rarely follows a wrong slot to its entry, and the place.
class KeySet {
 public:
  KeySet() { Clear(); }

  // Forgets all keys and keeps the memory.
  void Clear() {
    end_ = 0;
    size_ = 0;
    // A large index takes long to wipe, and the next machine may be small.
    if (tags_.empty() || tags_.size() > kFirstSlots * 64) return MakeIndex(kFirstSlots);
    std::ranges::fill(tags_, uint8_t{0});
  }
  struct Added {
    Place place;
    bool is_new;
  };
  Added Add(std::span<const uint32_t> key) {
    const uint64_t hash = HashOf(key);
    const uint8_t tag = TagOf(hash);
    size_t slot = SlotOf(hash);
    for (; tags_[slot] != 0; slot = slot + 1 == tags_.size() ? 0 : slot + 1)
      if (tags_[slot] == tag && std::ranges::equal(KeyAt(places_[slot]), key))
        return {places_[slot], false};
    const Place place = Append(key);
    tags_[slot] = tag;
    places_[slot] = place;
    if (++size_ >= grow_at_) MakeIndex(tags_.size() / 2 * 3);
    return {place, true};
  }

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] std::span<const uint32_t> KeyAt(Place place) const {
    const uint32_t* entry = At(place);
    return {entry + kHeader, entry[0] - kHeader};
  }
  // Bytes in use.
  [[nodiscard]] uint64_t bytes() const {
    return uint64_t{end_} * sizeof(uint32_t) + tags_.size() * (sizeof(uint8_t) + sizeof(Place));
  }
  // Places are about to run out.
  [[nodiscard]] bool full() const { return end_ >= kFullAt; }

 private:
  static constexpr unsigned kBlockBits = 18;  // words of a block: a MiB
  static constexpr Place kBlockWords = 1U << kBlockBits;
  static constexpr Place kFullAt = 0xffU << 24U;
  static constexpr size_t kFirstSlots = 1024;
  static constexpr uint64_t kHeader = 1;  // words before the key

  // Of the low bits; the slot is by the high ones.
  static uint8_t TagOf(uint64_t hash) { return static_cast<uint8_t>((hash & 0xffU) | 1U); }
  [[nodiscard]] uint32_t* At(Place place) const {
    return blocks_[place >> kBlockBits].get() + (place & (kBlockWords - 1));
  }
  [[nodiscard]] size_t SlotOf(uint64_t hash) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(hash) * tags_.size()) >> 64U);
  }
  // The entry after this one, or end_.
  [[nodiscard]] Place Next(Place place) const {
    place += At(place)[0];
    if (place >= end_) return end_;
    const Place left = kBlockWords - (place & (kBlockWords - 1));
    if (left < kBlockWords && At(place)[0] == 0) place += left;
    return place;
  }
  Place Append(std::span<const uint32_t> key) {
    const auto words = static_cast<Place>(key.size() + kHeader);
    // No entry lies in two blocks; a zero says that the rest of a block is not used.
    const Place left = kBlockWords - (end_ & (kBlockWords - 1));
    if (left < words) {
      At(end_)[0] = 0;
      end_ += left;
    }
    if ((end_ >> kBlockBits) == blocks_.size())
      blocks_.push_back(std::make_unique_for_overwrite<uint32_t[]>(kBlockWords));
    const Place place = end_;
    uint32_t* entry = At(place);
    entry[0] = words;
    std::ranges::copy(key, entry + kHeader);
    end_ += words;
    return place;
  }
  void MakeIndex(size_t slots) {
    tags_ = {};
    places_ = {};
    tags_.resize(slots);
    places_.resize(slots);
    grow_at_ = slots / 8 * 7;
    for (Place place = 0; place < end_; place = Next(place)) Insert(HashOf(KeyAt(place)), place);
  }
  void Insert(uint64_t hash, Place place) {
    size_t slot = SlotOf(hash);
    while (tags_[slot] != 0) slot = slot + 1 == tags_.size() ? 0 : slot + 1;
    tags_[slot] = TagOf(hash);
    places_[slot] = place;
  }

  std::vector<std::unique_ptr<uint32_t[]>> blocks_;
  std::vector<uint8_t> tags_;  // 0: the slot is empty
  std::vector<Place> places_;
  Place end_ = 0;
  uint64_t size_ = 0;
  uint64_t grow_at_ = 0;
};

// Gives equal strings one number, from 0 on. For several threads at a time.
class Interner {
 public:
  using Words = std::vector<uint32_t>;
  void Clear() {
    if (all_.empty()) return;
    numbers_.clear();
    all_.clear();
  }
  // The number of the string; `end` where it is new and all numbers below `end` are given.
  uint32_t Add(std::span<const uint32_t> words, uint32_t end) {
    const std::lock_guard lock(mutex_);
    if (const auto it = numbers_.find(words); it != numbers_.end()) return it->second;
    const auto number = static_cast<uint32_t>(all_.size());
    if (number >= end) return end;
    all_.emplace_back(words.begin(), words.end());
    numbers_.emplace(all_.back(), number);
    return number;
  }
  [[nodiscard]] Words Get(uint32_t number) const {
    const std::lock_guard lock(mutex_);
    return all_[number];
  }
  [[nodiscard]] uint64_t bytes() const {
    const std::lock_guard lock(mutex_);
    uint64_t bytes = 0;
    for (const Words& words : all_) bytes += 2 * (words.size() * sizeof(uint32_t) + sizeof(Words));
    return bytes;
  }

 private:
  // So that a look-up makes no vector.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::span<const uint32_t> words) const { return HashOf(words); }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(std::span<const uint32_t> a, std::span<const uint32_t> b) const {
      return std::ranges::equal(a, b);
    }
  };

  mutable std::mutex mutex_;
  absl::flat_hash_map<Words, uint32_t, Hash, Same> numbers_;
  std::vector<Words> all_;
};

}  // namespace iommucheck::explore
