// SPDX-License-Identifier: Apache-2.0
//
// Takes the steps from a state by playing each op in the model.
#pragma once

#include <vector>

#include "model/step.h"
#include "src/explore/next_states.h"
#include "src/explore/search_context.h"
#include "src/explore/shape.h"
#include "src/explore/state_codec.h"

namespace iommucheck::explore {

class ModelExpander {
 public:
  enum class Taken : uint8_t {
    kNotPossible,
    kPruned,  // no violation is near enough: see pruning.h
    kKept,    // result() is the state it came to
    kViolated
  };

  ModelExpander(const SearchContext& context, StateCodec& codec, NextStates& next,
                ThreadCounts& counts);

  // The state to take steps from, with so many steps left.
  void Start(const StateKey& key, int left);

  // Takes every step. True: one violates the property.
  bool TakeAll();
  // Takes an op, once for each answer to the open attributes that it reads. True: it violates the
  // property, and topology() is a machine on which it does.
  bool Take(const Op& op);
  // Takes an op that reads no open attribute.
  Taken TakeDecided(const Op& op);
  [[nodiscard]] const StateCodec::Encoded& result() const { return result_; }

  // Whether the op registers an instance while one that is alike and comes before it waits, too.
  bool WaitsForAlike(const Op& op);

  // The state that steps are taken from, and the values left in it.
  const State& from() {
    if (!decoded_) Decode();
    return from_;
  }
  [[nodiscard]] const Values& values() const { return values_; }
  // The machine, with the values that the steps so far have decided.
  [[nodiscard]] const Topology& topology() const { return topology_; }

 private:
  void Decode();

  const SearchContext& context_;
  StateCodec& codec_;
  NextStates& next_;
  ThreadCounts& counts_;
  const Reads reads_;
  StateKey key_;
  int left_ = 0;  // steps
  bool decoded_ = false;
  Topology topology_;
  Values values_;
  State from_;
  State state_;  // after the step
  std::vector<Op> ops_;
  std::vector<Event> events_;
  StateCodec::Encoded result_;
};

}  // namespace iommucheck::explore
