// SPDX-License-Identifier: Apache-2.0
//
// A state as the search keeps it: bits of a fixed length, which StateCodec makes.
#pragma once

#include <array>
#include <cstdint>

namespace iommucheck::explore {

struct StateKey {
  std::array<uint64_t, 2> words{};
  // By hand: memcmp() is a call.
  friend bool operator==(const StateKey& a, const StateKey& b) {
    return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1])) == 0;
  }
  StateKey& operator^=(const StateKey& other) {
    words[0] ^= other.words[0];
    words[1] ^= other.words[1];
    return *this;
  }
};

inline uint64_t HashOf(const StateKey& key) {
  const auto mix = [](uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64U);
  };
  return mix(mix(key.words[0] ^ 0x9e3779b97f4a7c15U, 0xd6e8feb86659fd93U) ^ key.words[1],
             0xe7037ed1a0b428dbU);
}

}  // namespace iommucheck::explore
