// SPDX-License-Identifier: Apache-2.0
#include "src/explore/expander.h"

#include "src/explore/explore.h"
#include "src/explore/pruning.h"

namespace iommucheck::explore {

Expander::Expander(const SearchContext& context)
    : context_(context),
      codec_(context.kernel, context.shape, context.parts),
      next_(context, codec_, counts_),
      model_(context, codec_, next_, counts_),
      tables_(context, codec_, next_, counts_, model_) {}

void Expander::AddRoot(const Topology& at_boot) {
  next_.SetParent(context_.visited.end());  // a root is its own parent
  next_.Add(codec_.Encode(InitialState(at_boot), model_.values()));
  next_.Flush();
}

uint64_t Expander::most() const {
  const Topology& t = context_.shape.topology;
  return NextStates::kPending + t.instances_count + 2U * t.devices_count + kMaxGroups +
         kMaxContainers;
}

bool Expander::Expand(uint32_t n, int depth) {
  const StateKey key = context_.visited.KeyAt(n);
  const int left = context_.max_steps == kUnbounded ? kUnbounded : context_.max_steps - depth;
  next_.SetParent(n);
  model_.Start(key, left);
  const uint64_t before = counts_.transitions;
  const bool from_tables =
      context_.tables && left >= kNothingPruned && codec_.splits() && !StateCodec::IsWhole(key);
  const bool violated = from_tables ? tables_.TakeAll(key) : model_.TakeAll();
  if (context_.orbits)
    counts_.transitions = before + (counts_.transitions - before) * codec_.OrbitOf(key);
  return violated;
}

}  // namespace iommucheck::explore
