// SPDX-License-Identifier: Apache-2.0
//
// Strings of bits in words of four bytes, with zeros after the last bit: how Packer writes states.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "model/topology.h"

namespace iommucheck::explore {

// Long enough for a state of a machine of every capacity of the model.
inline constexpr int kMaxKeyWords = 288;

struct Key {
  std::array<uint32_t, kMaxKeyWords> words;
  int size = 0;
  [[nodiscard]] std::span<const uint32_t> span() const {
    return {words.data(), static_cast<size_t>(size)};
  }
};

// How many bits the numbers 0 to `largest` take.
inline int Width(int largest) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(largest)));
}

class BitWriter {
 public:
  explicit BitWriter(Key& key) : key_(key) { key_.size = 0; }
  void Put(unsigned value, int bits) {
    pending_ |= uint64_t{value} << filled_;
    filled_ += bits;
    if (filled_ < 32) return;
    key_.words[static_cast<size_t>(key_.size++)] = static_cast<uint32_t>(pending_);
    pending_ >>= 32U;
    filled_ -= 32;
  }
  void Flag(bool value) { Put(value ? 1 : 0, 1); }
  void Finish() {
    if (filled_ > 0) key_.words[static_cast<size_t>(key_.size++)] = static_cast<uint32_t>(pending_);
  }

 private:
  Key& key_;
  uint64_t pending_ = 0;
  int filled_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::span<const uint32_t> words) : words_(words) {}
  uint8_t Get(int bits) {
    if (filled_ < bits) {
      pending_ |= uint64_t{words_[at_++]} << filled_;
      filled_ += 32;
    }
    const auto value = static_cast<uint8_t>(pending_ & ((1U << bits) - 1U));
    pending_ >>= bits;
    filled_ -= bits;
    return value;
  }
  bool Flag() { return Get(1) != 0; }

 private:
  std::span<const uint32_t> words_;
  size_t at_ = 0;
  uint64_t pending_ = 0;
  int filled_ = 0;
};

// Numbers with kNoId: one more than the number, and 0.
inline unsigned OrNone(uint8_t id) { return id == kNoId ? 0U : id + 1U; }
inline uint8_t FromOrNone(uint8_t code) {
  return code == 0 ? kNoId : static_cast<uint8_t>(code - 1);
}

}  // namespace iommucheck::explore
