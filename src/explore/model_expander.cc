// SPDX-License-Identifier: Apache-2.0
#include "src/explore/model_expander.h"

#include <algorithm>

#include "src/explore/explore.h"
#include "src/explore/pruning.h"

namespace iommucheck::explore {
namespace {

int LiveGroups(const State& state) {
  int live = 0;
  for (GroupId g = 0; g < state.groups_end; ++g) live += state.groups[g].live ? 1 : 0;
  return live;
}

}  // namespace

ModelExpander::ModelExpander(const SearchContext& context, StateCodec& codec, NextStates& next,
                             ThreadCounts& counts)
    : context_(context),
      codec_(codec),
      next_(next),
      counts_(counts),
      reads_(context.kernel, context.shape),
      topology_(context.shape.topology),
      values_(AllValues(context.shape)) {}

void ModelExpander::Start(const StateKey& key, int left) {
  key_ = key;
  left_ = left;
  decoded_ = false;
}

void ModelExpander::Decode() {
  decoded_ = true;
  codec_.Decode(key_, from_, values_);
  for (size_t i = 0; i < context_.shape.open.size(); ++i)
    Decide(context_.shape, i, values_[i], topology_);
}

bool ModelExpander::TakeAll() {
  from();
  ListOps(topology_, from_, context_.shape.containers, ops_);
  const bool last = left_ == 1;
  const bool two_drivers = last && DriversAbout(topology_, from_) >= 2;
  for (const Op& op : ops_) {
    if (WaitsForAlike(op)) continue;
    if (last && !CanViolate(context_.property, op.kind, two_drivers))
      counts_.cut = true;
    else if (Take(op))
      return true;
  }
  return false;
}

bool ModelExpander::WaitsForAlike(const Op& op) {
  if (op.kind != OpKind::kRegister) return false;
  const State& s = from();
  const auto* const end = s.registered.begin() + s.registered_count;
  return std::ranges::any_of(context_.alike_instances, [&](const AlikeInstances& alike) {
    return alike.second == op.a && std::find(s.registered.begin(), end, alike.first) == end &&
           std::ranges::all_of(alike.open, [&](const auto& pair) {
             return values_[pair.first] == values_[pair.second];
           });
  });
}

bool ModelExpander::Take(const Op& op) {
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

ModelExpander::Taken ModelExpander::TakeDecided(const Op& op) {
  CopyState(from(), topology_.devices_count, state_);
  if (Step(context_.kernel, topology_, op, state_, events_).outcome != Outcome::kDone)
    return Taken::kNotPossible;
  if (LiveGroups(state_) > context_.shape.max_groups) return Taken::kNotPossible;
  ++counts_.transitions;
  if (FindViolation(context_.property, events_) != nullptr) return Taken::kViolated;
  // Where there is no bound, and for the counts of states, every state is kept.
  if (left_ != kUnbounded && StepsToGo(context_.property, topology_, state_) > left_ - 1) {
    counts_.cut = true;
    return Taken::kPruned;
  }
  result_ = codec_.Encode(state_, values_);
  next_.Add(result_);
  return Taken::kKept;
}

}  // namespace iommucheck::explore
