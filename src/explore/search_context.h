// SPDX-License-Identifier: Apache-2.0
//
// The data that the threads of one search share, the counts that each keeps, and the states that it
// comes to.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/properties.h"
#include "model/rules.h"
#include "src/explore/list_ops.h"
#include "src/explore/shape.h"
#include "src/explore/state_codec.h"
#include "src/explore/visited.h"

namespace iommucheck::explore {

struct SearchContext {
  const KernelProfile& kernel;
  const Property property;
  const Shape& shape;
  const int max_steps;
  const bool tables;  // false: the model takes every step (table_expander.h)
  const bool orbits;  // of the states that differ only in the names of alike devices one is kept
  Visited& visited;
  PartTables& parts;
  const std::vector<AlikeInstances> alike_instances;
};

struct ThreadCounts {
  uint64_t transitions = 0;
  uint64_t states = 0;  // that were new; with `orbits` all states of an orbit
  bool cut = false;     // some states within the bound were left out, as in list_ops.h
  // A state was found that cannot be one of an orbit (StateCodec::Canonical()): the search must be
  // done again without orbits.
  bool names_matter = false;
};

// The states that one thread's steps come to, on their way into the visited set. A state is looked
// up some states later, when the memory that Visited::Prefetch() asked for is there.
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
    if (!StateCodec::IsWhole(to.key)) return Add(to.key);
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

// One thread of a search.
struct SearchThread {
  explicit SearchThread(const SearchContext& search)
      : context(search),
        codec(search.kernel, search.shape, search.parts),
        next(search, codec, counts) {}

  const SearchContext& context;
  ThreadCounts counts;
  StateCodec codec;
  NextStates next;
};

}  // namespace iommucheck::explore
