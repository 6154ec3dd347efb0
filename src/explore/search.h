// SPDX-License-Identifier: Apache-2.0
//
// Exhaustive search of a scope: every machine in it, every state that can be reached. A search can
// be stopped and go on later, and be split into shards.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/explore/explore.h"
#include "src/explore/scope.h"

namespace iommucheck::explore {

struct Question {
  Property property = Property::kNoCrossDriverReuse;
  KernelSpec kernel;
  Scope scope;
  int shard = 1;  // of `shards`: each shapes-th shape from this one on
  int shards = 1;
  friend bool operator==(const Question&, const Question&) = default;
};
inline constexpr int kMaxShards = 4096;
// Passes go one step further each up to this one; the next pass goes to the scope's steps.
inline constexpr int kDeepestPass = 8;

// Shapes first to last were searched up to the pass's steps, and none violates the property.
// Shapes count within the shard.
struct DoneShapes {
  size_t first = 0;
  size_t last = 0;
  bool every_depth = false;  // and beyond
  uint64_t states = 0;
  uint64_t transitions = 0;
  int depth = 0;  // the deepest state found, if every_depth
};

// How far a search has come. Passes go up to so many steps each: the first violation is one with
// the fewest steps. The last pass is up to the scope's steps.
struct Progress {
  Question question;
  int pass = 1;
  std::vector<DoneShapes> done;  // of this pass, in order
};

struct ScopeAnswer : Coverage {
  Question question;
  Case found;  // kViolated
  // kViolated: no case has fewer steps, and none with as many steps has fewer devices. False where
  // the search ended before it knew; `reason` says why.
  bool smallest = true;
  size_t found_in = 0;  // the shape, by its number among the shapes of all shards
  uint64_t shapes = 0;
  uint64_t shapes_done = 0;  // of the last pass
  uint64_t machines = 0;     // of the shapes; the largest number: that many or more
  std::string reason;  // kUnknown, and kViolated where it is not known to be the smallest: why
};

struct SearchOptions {
  int threads = 1;  // at most: fewer where no more can be started
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();  // of states, all threads together
  std::function<bool()> stop{};                               // asked now and then
  // Told after each shape, by one thread at a time.
  struct Tick {
    int pass = 0;
    size_t shapes_done = 0;
    size_t shapes = 0;
    uint64_t transitions = 0;  // since the start of the pass
  };
  std::function<void(const Tick&, const std::function<Progress()>&)> tick{};
};

// How many shapes the question's shard has.
size_t ShapesOf(const Question& question);

// Goes on from `progress`, and leaves there what was done.
ScopeAnswer SearchScope(Progress& progress, const SearchOptions& options);

}  // namespace iommucheck::explore
