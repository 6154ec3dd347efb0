// SPDX-License-Identifier: Apache-2.0
#include "src/explore/visited.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace iommucheck::explore {
namespace {

constexpr size_t kFirstLines = 128;
// A larger index is not kept for the next machine: it takes long to wipe.
constexpr size_t kKeptLines = kFirstLines * 64;
constexpr size_t kLargePage = size_t{1} << 21U;

// A slot keeps the low bits of the hash, since the high bits choose the line.
uint64_t TagOf(uint64_t hash) { return hash << 32U; }

}  // namespace

void Visited::Free::operator()(uint64_t* words) const { std::free(words); }

Visited::Memory Visited::Allocate(size_t words) {
  const size_t bytes = words * sizeof(uint64_t);
  const size_t unit = bytes >= kLargePage ? kLargePage : 64;
  void* memory = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
  if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
  if (unit == kLargePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return Memory(static_cast<uint64_t*>(memory));
}

void Visited::Clear(unsigned words) {
  if (!blocks_) blocks_ = std::make_unique<std::atomic<Block*>[]>(kMaxBlocks);
  if (words != words_) {
    for (size_t b = 0; b < kMaxBlocks; ++b) blocks_[b] = nullptr;
    owned_.clear();
    words_ = words;
  }
  end_ = 0;
  appended_ = 0;
  holes_ = 0;
  if (lines_ == 0 || lines_ > kKeptLines) {
    lines_ = kFirstLines;
    slots_ = Allocate(lines_ * kLine);
  }
  std::fill_n(slots_.get(), lines_ * kLine, uint64_t{0});
  grow_at_ = lines_ * kLine / 8 * 7;
}

void Visited::Reserve(uint64_t states) {
  const uint64_t indexed = end() - appended_.load(std::memory_order_relaxed);
  if (room() >= states) return;
  while (room() < states) {
    lines_ += lines_ < (size_t{1} << 17U) ? lines_ : lines_ / 4;
    grow_at_ = lines_ * kLine / 8 * 7;
  }
  slots_ = nullptr;
  slots_ = Allocate(lines_ * kLine);
  std::fill_n(slots_.get(), lines_ * kLine, uint64_t{0});
  if (indexed == 0) return;
  // Two passes over a few at a time, so that the lines come in together.
  constexpr uint32_t kTogether = 32;
  std::array<uint64_t, kTogether> hashes;
  for (uint32_t first = 0; first < end(); first += kTogether) {
    const uint32_t count = std::min(kTogether, end() - first);
    for (uint32_t i = 0; i < count; ++i) {
      hashes[i] = HashOf(KeyAt(first + i));
      __builtin_prefetch(&slots_[LineOf(hashes[i])], 1);
    }
    for (uint32_t i = 0; i < count; ++i)
      if ((LinkOf(first + i) & kNotIndexed) == 0) Store(hashes[i], first + i);
  }
}

void Visited::Store(uint64_t hash, uint32_t n) {
  size_t at = LineOf(hash);
  while (slots_[at] != 0) at = at + 1 == lines_ * kLine ? 0 : at + 1;
  slots_[at] = TagOf(hash) | (n + 1U);
}

void Visited::PrefetchEntry(uint64_t hash) const {
  const uint64_t* const line = &slots_[LineOf(hash)];
  for (size_t i = 0; i < kLine; ++i) {
    const uint64_t slot = std::atomic_ref(const_cast<uint64_t&>(line[i])).load();
    if (slot == 0) return;
    if ((slot ^ TagOf(hash)) >> 32U != 0) continue;
    return __builtin_prefetch(WordsOf(static_cast<uint32_t>(slot) - 1U));
  }
}

bool Visited::Add(const StateKey& key, uint64_t hash, uint32_t parent, uint32_t& spare) {
  for (size_t at = LineOf(hash);;) {
    std::atomic_ref slot(slots_[at]);
    uint64_t held = slot.load(std::memory_order_acquire);
    if (held == 0) {
      if (spare == 0) spare = end_.fetch_add(1, std::memory_order_relaxed) + 1;
      Write(spare - 1, key, parent);
      if (slot.compare_exchange_strong(held, TagOf(hash) | spare, std::memory_order_acq_rel)) {
        spare = 0;
        return true;
      }
    }
    if ((held ^ TagOf(hash)) >> 32U == 0 && KeyAt(static_cast<uint32_t>(held) - 1U) == key)
      return false;
    if (++at == lines_ * kLine) at = 0;
  }
}

void Visited::Append(const StateKey& key, uint32_t parent) {
  appended_.fetch_add(1, std::memory_order_relaxed);
  Write(end_.fetch_add(1, std::memory_order_relaxed), key, parent | kNotIndexed);
}

void Visited::ReturnSpare(uint32_t& spare) {
  if (spare == 0) return;
  Write(spare - 1, {}, kHole);
  ++holes_;
  spare = 0;
}

void Visited::Write(uint32_t n, const StateKey& key, uint32_t parent) {
  Block* block = BlockOf(n);
  if (block == nullptr) {
    const std::lock_guard lock(making_);
    block = BlockOf(n);
    if (block == nullptr) {
      owned_.push_back(std::make_unique_for_overwrite<Block>());
      block = owned_.back().get();
      block->words = Allocate(size_t{kBlockMask + 1} * words_);
      blocks_[n >> kBlockBits].store(block, std::memory_order_release);
    }
  }
  block->parents[n & kBlockMask] = parent;
  uint64_t* const words = &block->words[size_t{n & kBlockMask} * words_];
  words[0] = key.words[0];
  if (words_ == 2) words[1] = key.words[1];
}

StateKey Visited::KeyAt(uint32_t n) const {
  const uint64_t* const words = WordsOf(n);
  return {{words[0], words_ == 2 ? words[1] : 0}};
}

uint64_t Visited::bytes() const {
  return uint64_t{end()} * (sizeof(uint32_t) + sizeof(uint64_t) * words_) +
         lines_ * kLine * sizeof(uint64_t);
}

}  // namespace iommucheck::explore
