// SPDX-License-Identifier: Apache-2.0
//
// Every step from a state, as one thread of a search takes them: from tables where it can, else in
// the model.
#pragma once

#include <atomic>
#include <cstdint>

#include "src/explore/model_expander.h"
#include "src/explore/next_states.h"
#include "src/explore/search_context.h"
#include "src/explore/state_codec.h"
#include "src/explore/table_expander.h"

namespace iommucheck::explore {

class Expander {
 public:
  explicit Expander(const SearchContext& context);

  // A state in which runs start, on this machine.
  void AddRoot(const Topology& at_boot);
  // Takes every step from a state that is `depth` steps from boot. True: one violates the property.
  bool Expand(uint32_t n, int depth);
  // New states are added a few at a time, at the latest here.
  void Flush() { next_.Flush(); }
  // To be called when all threads are done.
  void ReturnSpare() { next_.ReturnSpare(); }
  // The most states that Expand() can add to the visited set, with those that wait.
  [[nodiscard]] uint64_t most() const;

  [[nodiscard]] StateCodec& codec() { return codec_; }
  [[nodiscard]] const Topology& topology() const { return model_.topology(); }
  [[nodiscard]] const ThreadCounts& counts() const { return counts_; }
  // Bytes of its tables when UpdateBytes() was last called; any thread may ask.
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  void UpdateBytes() { bytes_ = tables_.bytes(); }

 private:
  const SearchContext& context_;
  ThreadCounts counts_;
  StateCodec codec_;
  NextStates next_;
  ModelExpander model_;
  TableExpander tables_;
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace iommucheck::explore
