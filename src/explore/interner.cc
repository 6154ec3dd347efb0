// SPDX-License-Identifier: Apache-2.0
#include "src/explore/interner.h"

namespace iommucheck::explore {

void Interner::Clear() {
  if (all_.empty()) return;
  numbers_.clear();
  all_.clear();
}

uint32_t Interner::Add(std::span<const uint32_t> words, uint32_t end) {
  const std::lock_guard lock(mutex_);
  if (const auto it = numbers_.find(words); it != numbers_.end()) return it->second;
  const auto number = static_cast<uint32_t>(all_.size());
  if (number >= end) return end;
  all_.emplace_back(words.begin(), words.end());
  numbers_.emplace(all_.back(), number);
  return number;
}

std::vector<uint32_t> Interner::Get(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return all_[number];
}

uint64_t Interner::bytes() const {
  const std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const std::vector<uint32_t>& words : all_)
    bytes += 2 * (words.size() * sizeof(uint32_t) + sizeof(words));
  return bytes;
}

}  // namespace iommucheck::explore
