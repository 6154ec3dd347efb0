// SPDX-License-Identifier: Apache-2.0
//
// Gives equal strings of words one number, from 0 on. The values of a part of states are kept here,
// so that a key has only their numbers (StateCodec).
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/types/span.h"

namespace iommucheck::explore {

// For several threads at a time.
class Interner {
 public:
  void Clear();
  // The number of the string; `end` where it is new and all numbers below `end` are given.
  uint32_t Add(std::span<const uint32_t> words, uint32_t end);
  [[nodiscard]] std::vector<uint32_t> Get(uint32_t number) const;
  [[nodiscard]] uint64_t bytes() const;

 private:
  // So that a look-up makes no vector.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::span<const uint32_t> words) const {
      return absl::HashOf(absl::MakeConstSpan(words.data(), words.size()));
    }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(std::span<const uint32_t> a, std::span<const uint32_t> b) const {
      return std::ranges::equal(a, b);
    }
  };

  mutable std::mutex mutex_;
  absl::flat_hash_map<std::vector<uint32_t>, uint32_t, Hash, Same> numbers_;
  std::vector<std::vector<uint32_t>> all_;
};

}  // namespace iommucheck::explore
