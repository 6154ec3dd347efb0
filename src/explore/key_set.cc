// SPDX-License-Identifier: Apache-2.0
#include "src/explore/key_set.h"

#include <algorithm>

namespace iommucheck::explore {
namespace {

constexpr size_t kFirstSlots = 1024;
constexpr uint64_t kHeader = 1;  // words before the key

uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64U);
}

uint64_t HashOf(std::span<const uint32_t> key) {
  uint64_t hash = 0x9e3779b97f4a7c15U ^ key.size();
  size_t i = 0;
  for (; i + 1 < key.size(); i += 2)
    hash = Mix(hash ^ (uint64_t{key[i]} | uint64_t{key[i + 1]} << 32U), 0xd6e8feb86659fd93U);
  if (i < key.size()) hash = Mix(hash ^ key[i], 0xa0761d6478bd642fU);
  return Mix(hash, 0xe7037ed1a0b428dbU);
}

// Of the low bits; the slot is by the high ones.
uint8_t TagOf(uint64_t hash) { return static_cast<uint8_t>((hash & 0xffU) | 1U); }

}  // namespace

void KeySet::Clear() {
  end_ = 0;
  size_ = 0;
  // A large index takes long to wipe, and the next machine may be small.
  if (tags_.size() > kFirstSlots * 64) {
    tags_ = {};
    places_ = {};
  }
  if (tags_.empty()) {
    tags_.resize(kFirstSlots);
    places_.resize(kFirstSlots);
  }
  std::ranges::fill(tags_, uint8_t{0});
  grow_at_ = tags_.size() / 8 * 7;
}

KeySet::Added KeySet::Add(std::span<const uint32_t> key) {
  const uint64_t hash = HashOf(key);
  const uint8_t tag = TagOf(hash);
  size_t slot = SlotOf(hash);
  for (; tags_[slot] != 0; slot = slot + 1 == tags_.size() ? 0 : slot + 1)
    if (tags_[slot] == tag && std::ranges::equal(KeyAt(places_[slot]), key))
      return {places_[slot], false};
  const Place place = Append(key);
  tags_[slot] = tag;
  places_[slot] = place;
  if (++size_ >= grow_at_) Grow();
  return {place, true};
}

Place KeySet::Append(std::span<const uint32_t> key) {
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

std::span<const uint32_t> KeySet::KeyAt(Place place) const {
  const uint32_t* entry = At(place);
  return {entry + kHeader, entry[0] - kHeader};
}

Place KeySet::Next(Place place) const {
  place += At(place)[0];
  if (place >= end_) return end_;
  const Place left = kBlockWords - (place & (kBlockWords - 1));
  if (left < kBlockWords && At(place)[0] == 0) place += left;
  return place;
}

void KeySet::Insert(uint64_t hash, Place place) {
  size_t slot = SlotOf(hash);
  while (tags_[slot] != 0) slot = slot + 1 == tags_.size() ? 0 : slot + 1;
  tags_[slot] = TagOf(hash);
  places_[slot] = place;
}

void KeySet::Grow() {
  const size_t slots = tags_.size() / 2 * 3;
  tags_ = {};
  places_ = {};
  tags_.resize(slots);
  places_.resize(slots);
  grow_at_ = slots / 8 * 7;
  for (Place place = 0; place < end_; place = Next(place)) Insert(HashOf(KeyAt(place)), place);
}

uint64_t KeySet::bytes() const {
  return uint64_t{end_} * sizeof(uint32_t) + tags_.size() * (sizeof(uint8_t) + sizeof(Place));
}

}  // namespace iommucheck::explore
