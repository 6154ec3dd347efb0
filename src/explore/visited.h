// SPDX-License-Identifier: Apache-2.0
//
// The visited set: the states that a search has found, in the order in which it found them, each
// with its parent, the state from which it was found first.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace iommucheck::explore {

// A state as the search keeps it: bits of a fixed length, which StateCodec makes.
struct StateKey {
  std::array<uint64_t, 2> words{};
  // By hand: memcmp() is a call.
  friend bool operator==(const StateKey& a, const StateKey& b) {
    return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1])) == 0;
  }
  friend StateKey operator^(const StateKey& a, const StateKey& b) {
    return {{a.words[0] ^ b.words[0], a.words[1] ^ b.words[1]}};
  }
  friend StateKey operator&(const StateKey& a, const StateKey& b) {
    return {{a.words[0] & b.words[0], a.words[1] & b.words[1]}};
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

// Several threads may call Add() at a time after a Reserve(); everything else is for one.
//
// An entry is the key's words and the number of the parent. The index beside the entries is a hash
// table whose lines of eight slots are as long as a cache line; a slot is half of the hash and the
// entry's number.
class Visited {
 public:
  Visited() { Clear(1); }

  // Forgets all states and keeps the memory; keys have so many words from now on.
  void Clear(unsigned words);
  // Makes room for so many more states.
  void Reserve(uint64_t states);
  // How many can be added before Reserve() is needed.
  [[nodiscard]] uint64_t room() const {
    const uint64_t indexed = end() - appended_.load(std::memory_order_relaxed);
    return grow_at_ > indexed ? grow_at_ - indexed : 0;
  }

  // Fetches what Add() will look at first, then what it will compare with.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[LineOf(hash)]); }
  void PrefetchEntry(uint64_t hash) const;

  // Returns whether the state is new. `spare` is the thread's own: 0, or the number of an entry
  // that it took and did not need, since another thread added the state first.
  bool Add(const StateKey& key, uint64_t hash, uint32_t parent, uint32_t& spare);
  // Adds a state that is known to be new and that nobody will look up.
  void Append(const StateKey& key, uint32_t parent);
  // Gives back a spare number, so that the entry is in no count: it becomes a hole.
  void ReturnSpare(uint32_t& spare);

  // The number of entries, with holes.
  [[nodiscard]] uint32_t end() const { return end_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t size() const { return end() - holes_; }
  [[nodiscard]] bool IsHole(uint32_t n) const { return LinkOf(n) == kHole; }
  [[nodiscard]] StateKey KeyAt(uint32_t n) const;
  [[nodiscard]] uint32_t ParentOf(uint32_t n) const { return LinkOf(n) & ~kNotIndexed; }
  // Bytes in use.
  [[nodiscard]] uint64_t bytes() const;

 private:
  static constexpr unsigned kBlockBits = 17;  // entries of a block
  static constexpr uint32_t kBlockMask = (1U << kBlockBits) - 1;
  static constexpr size_t kMaxBlocks = size_t{1} << (31U - kBlockBits);
  static constexpr size_t kLine = 8;
  // In place of a parent: the entry is a hole. Beside a parent: the entry is not in the index.
  static constexpr uint32_t kHole = 0xffffffffU;
  static constexpr uint32_t kNotIndexed = 0x80000000U;

  struct Free {
    void operator()(uint64_t* words) const;
  };
  using Memory = std::unique_ptr<uint64_t[], Free>;
  struct Block {
    std::array<uint32_t, kBlockMask + 1> parents;
    Memory words;
  };
  // On large pages where the kernel has them and the memory is large: most look-ups are far from
  // the one before.
  static Memory Allocate(size_t words);

  [[nodiscard]] uint32_t LinkOf(uint32_t n) const { return BlockOf(n)->parents[n & kBlockMask]; }
  [[nodiscard]] Block* BlockOf(uint32_t n) const {
    return blocks_[n >> kBlockBits].load(std::memory_order_acquire);
  }
  [[nodiscard]] uint64_t* WordsOf(uint32_t n) const {
    return &BlockOf(n)->words[size_t{n & kBlockMask} * words_];
  }
  // The first slot of a hash's line.
  [[nodiscard]] size_t LineOf(uint64_t hash) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(hash) * lines_) >> 64U) * kLine;
  }
  void Write(uint32_t n, const StateKey& key, uint32_t parent);
  void Store(uint64_t hash, uint32_t n);

  unsigned words_ = 1;
  std::unique_ptr<std::atomic<Block*>[]> blocks_;
  std::vector<std::unique_ptr<Block>> owned_;
  std::mutex making_;  // a block
  Memory slots_;       // 0: empty
  size_t lines_ = 0;
  std::atomic<uint32_t> end_ = 0;
  std::atomic<uint64_t> appended_ = 0;
  uint64_t holes_ = 0;
  uint64_t grow_at_ = 0;
};

}  // namespace iommucheck::explore
