// SPDX-License-Identifier: Apache-2.0
//
// Exhaustive search on one machine, or on the machines of one shape: every run of up to so many
// steps, breadth first.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/verdict.h"
#include "src/explore/packer.h"
#include "src/explore/seen.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

struct ExploreResult {
  Verdict verdict = Verdict::kUnknown;
  Case found;                // kViolated: a run with the fewest steps
  int depth = 0;             // no run of up to so many steps violates the property
  bool every_depth = false;  // nor does any longer one: all states that can be reached were seen
  uint64_t states = 0;       // that differ
  uint64_t transitions = 0;  // steps taken
  std::string reason;        // kUnknown: why; kHolds: the assumption that the machine is outside of
};

inline constexpr uint64_t kMaxStates = uint64_t{1} << 31;
inline constexpr int kUnbounded = std::numeric_limits<int>::max();

// Searches breadth first the runs on the machine of `machine` (kernel, topology and names; its ops
// are not looked at). The ops are all those of the model without faults, on one container.
//
// One container stands for all. This is argued, not proved: a group is in one container at most,
// and vfio_iommu_type1_attach_group() compares with the domains of its own container only, so what
// a run does in another container can be left out; the groups there rest on their default domain
// then. The argument has one gap: a walk of a bus can end early at a device of such a group.
//
// At most `max_states` states, itself at most kMaxStates, are kept; beyond that the answer is
// kUnknown, with the depth that was covered.
ExploreResult ExploreMachine(const Case& machine, Property property, int max_steps,
                             uint64_t max_states);

struct Limits {
  int max_steps = kUnbounded;
  uint64_t max_states = kMaxStates;
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
  std::function<bool()> stop{};  // asked now and then
};

struct ShapeResult {
  Verdict verdict = Verdict::kUnknown;
  int depth = 0;
  bool every_depth = false;
  bool stopped = false;  // kUnknown: because Limits::stop said so
  uint64_t states = 0;
  uint64_t transitions = 0;
  uint64_t bytes = 0;  // that the states took
  // kViolated: a machine of the shape, plain in what the run does not ask for, and the run.
  Topology topology;
  std::vector<Op> ops;
};

// One at a time; keeps its memory from shape to shape.
class Explorer {
 public:
  Explorer(const KernelProfile& kernel, Property property) : kernel_(kernel), property_(property) {}
  ShapeResult Explore(const Shape& shape, const Limits& limits);

 private:
  struct Search;
  const KernelProfile kernel_;
  const Property property_;
  Seen seen_;
  // Kept from step to step, so that no step allocates.
  std::vector<Op> ops_;
  std::vector<Event> events_;
};

// The case of a run that violates the property at its last op, as the model plays it.
Case CaseOf(const KernelSpec& kernel, Topology topology, Names names, const std::vector<Op>& ops,
            Property property);

// The ops that can do something in a state. Those that are left out are not possible, or only give
// -EINVAL.
void ListOps(const Topology& topology, const State& state, std::vector<Op>& ops);

}  // namespace iommucheck::explore
