// SPDX-License-Identifier: Apache-2.0
//
// A hash map from 64-bit keys to 32-bit values without erasure: a look-up in it is the inner loop
// of TableExpander.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace iommucheck::explore {

class NumberMap {
 public:
  static constexpr uint32_t kNone = 0xffffffffU;

  // The value of a key, or kNone.
  [[nodiscard]] uint32_t Find(uint64_t key) const {
    if (slots_.empty()) return kNone;
    for (size_t at = SlotOf(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].value == kNone || slots_[at].key == key) return slots_[at].value;
    }
  }
  // `key` is not there yet.
  void Insert(uint64_t key, uint32_t value) {
    if (slots_.size() / 4 * 3 <= size_) {
      std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
      old.swap(slots_);
      for (const Slot& slot : old)
        if (slot.value != kNone) Put(slot);
    }
    Put({key, value});
    ++size_;
  }
  [[nodiscard]] uint64_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t value = kNone;
  };
  [[nodiscard]] size_t SlotOf(uint64_t key) const {
    return static_cast<size_t>((key * 0x9e3779b97f4a7c15U) >> 20U) & (slots_.size() - 1);
  }
  void Put(const Slot& slot) {
    size_t at = SlotOf(slot.key);
    while (slots_[at].value != kNone) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace iommucheck::explore
