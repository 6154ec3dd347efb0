// SPDX-License-Identifier: Apache-2.0
//
// The states that one thread's steps come to, on their way into the visited set. A state is looked
// up some states later, when the memory that Visited::Prefetch() asked for is there.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/explore/search_context.h"
#include "src/explore/state_codec.h"
#include "src/explore/visited.h"

namespace iommucheck::explore {

class NextStates {
 public:
  // States that wait at most.
  static constexpr size_t kPending = 64;

  NextStates(const SearchContext& context, const StateCodec& codec, ThreadCounts& counts)
      : visited_(context.visited),
        orbits_(context.orbits),
        codec_(codec),
        counts_(counts),
        recent_(context.tables ? kRecent : 1, StateKey{{~uint64_t{0}, ~uint64_t{0}}}) {}

  // The state from which steps are taken from now on: its entry in the visited set.
  void SetParent(uint32_t parent) { parent_ = parent; }

  void Add(const StateCodec::Encoded& to) {
    if (!to.whole) return Add(to.key);
    counts_.names_matter |= orbits_;
    if (!to.is_new) return;
    visited_.Append(to.key, parent_);
    ++counts_.states;
  }
  void Add(StateKey key) {
    if (orbits_) key = codec_.Canonical(key);
    const uint64_t hash = HashOf(key);
    // Steps of which the order does not matter come to one state within a few states.
    StateKey& recent = recent_[hash & (recent_.size() - 1)];
    if (recent == key) return;
    recent = key;
    visited_.Prefetch(hash);
    pending_[put_ % kPending] = {key, hash, parent_};
    if (put_ >= added_ + kPending / 2)
      visited_.PrefetchEntry(pending_[(put_ - kPending / 2) % kPending].hash);
    if (++put_ == added_ + kPending) AddOldest();
  }
  // Adds all that wait.
  void Flush() {
    while (added_ < put_) AddOldest();
  }
  // To be called when all threads are done.
  void ReturnSpare() { visited_.ReturnSpare(spare_); }

 private:
  static constexpr size_t kRecent = 1U << 10;
  struct Pending {
    StateKey key;
    uint64_t hash;
    uint32_t parent;
  };
  void AddOldest() {
    const Pending& oldest = pending_[added_++ % kPending];
    if (visited_.Add(oldest.key, oldest.hash, oldest.parent, spare_))
      counts_.states += orbits_ ? codec_.OrbitOf(oldest.key) : 1;
  }

  Visited& visited_;
  const bool orbits_;
  const StateCodec& codec_;
  ThreadCounts& counts_;
  uint32_t parent_ = 0;
  std::array<Pending, kPending> pending_;
  uint64_t put_ = 0;    // so many were put into pending_,
  uint64_t added_ = 0;  // and so many of these were added to the visited set
  std::vector<StateKey> recent_;
  uint32_t spare_ = 0;  // see Visited::Add()
};

}  // namespace iommucheck::explore
