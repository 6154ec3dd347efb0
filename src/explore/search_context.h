// SPDX-License-Identifier: Apache-2.0
//
// The data that the threads of one search share, and the counts that each keeps.
#pragma once

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
  bool cut = false;     // some states within the bound were left out, as in pruning.h
  // A state was found that cannot be one of an orbit (StateCodec::Canonical()): the search must be
  // done again without orbits.
  bool names_matter = false;
};

}  // namespace iommucheck::explore
