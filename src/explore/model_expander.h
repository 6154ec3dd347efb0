// SPDX-License-Identifier: Apache-2.0
//
// Takes the steps from a state by playing each op in the model.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "model/step.h"
#include "src/explore/explore.h"
#include "src/explore/search_context.h"

namespace iommucheck::explore {

class ModelExpander {
 public:
  enum class Taken : uint8_t {
    kNotPossible,
    kPruned,  // no violation is near enough: see list_ops.h
    kKept,    // result() is the key of the state that it came to
    kViolated
  };

  explicit ModelExpander(SearchThread& thread)
      : thread_(thread),
        context_(thread.context),
        reads_(context_.kernel, context_.shape),
        topology_(context_.shape.topology),
        values_(AllValues(context_.shape)) {}

  // The state to take steps from, with so many steps left.
  void Start(const StateKey& key, int left) {
    key_ = key;
    left_ = left;
    decoded_ = false;
  }

  // Takes every step. True: one violates the property.
  bool TakeAll() {
    from();
    ListOps(topology_, from_, context_.shape.containers, ops_);
    const bool last = left_ == 1;
    const bool two_drivers = last && DriversAbout(topology_, from_) >= 2;
    for (const Op& op : ops_) {
      if (WaitsForAlike(op)) continue;
      if (last && !CanViolate(context_.property, op.kind, two_drivers))
        thread_.counts.cut = true;
      else if (Take(op))
        return true;
    }
    return false;
  }
  // Takes an op, once for each answer to the open attributes that it reads. True: it violates the
  // property, and topology() is a machine on which it does.
  bool Take(const Op& op) {
    from();
    const auto read = reads_.First(topology_, op, from_, values_);
    if (!read) return TakeDecided(op) == Taken::kViolated;
    const uint8_t left = values_[read->open];
    for (const uint8_t one_class : read->classes) {
      values_[read->open] = left & one_class;
      if (values_[read->open] == 0) continue;
      Decide(context_.shape, read->open, values_[read->open], topology_);
      if (!Allowed(context_.shape, context_.kernel, values_)) continue;
      // The machine stays as it is decided.
      if (Take(op)) return true;
    }
    values_[read->open] = left;
    Decide(context_.shape, read->open, left, topology_);
    return false;
  }
  // Takes an op that reads no open attribute.
  Taken TakeDecided(const Op& op) {
    CopyState(from(), topology_.devices_count, state_);
    if (Step(context_.kernel, topology_, op, state_, events_).outcome != Outcome::kDone)
      return Taken::kNotPossible;
    const auto groups = std::span(state_.groups).first(state_.groups_end);
    if (std::ranges::count(groups, true, &GroupState::live) > context_.shape.max_groups)
      return Taken::kNotPossible;
    ++thread_.counts.transitions;
    if (FindViolation(context_.property, events_) != nullptr) return Taken::kViolated;
    // Where there is no bound, and for the counts of states, every state is kept.
    if (left_ != kUnbounded && StepsToGo(context_.property, topology_, state_) > left_ - 1) {
      thread_.counts.cut = true;
      return Taken::kPruned;
    }
    result_ = thread_.codec.Encode(state_, values_);
    thread_.next.Add(result_);
    return Taken::kKept;
  }

  [[nodiscard]] const StateKey& result() const { return result_.key; }

  // Whether the op registers an instance while one that is alike and comes before it waits, too.
  bool WaitsForAlike(const Op& op) {
    if (op.kind != OpKind::kRegister) return false;
    const State& s = from();
    return std::ranges::any_of(context_.alike_instances, [&](const AlikeInstances& alike) {
      return alike.second == op.a && !IsRegistered(s, alike.first) &&
             std::ranges::all_of(alike.open, [&](const auto& pair) {
               return values_[pair.first] == values_[pair.second];
             });
    });
  }

  // The state that steps are taken from, and the values left in it.
  const State& from() {
    if (decoded_) return from_;
    decoded_ = true;
    thread_.codec.Decode(key_, from_, values_);
    for (size_t i = 0; i < context_.shape.open.size(); ++i)
      Decide(context_.shape, i, values_[i], topology_);
    return from_;
  }
  [[nodiscard]] const Values& values() const { return values_; }
  // The machine, with the values that the steps so far have decided.
  [[nodiscard]] const Topology& topology() const { return topology_; }

 private:
  SearchThread& thread_;
  const SearchContext& context_;
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
