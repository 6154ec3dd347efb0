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
#include "src/explore/shape.h"
#include "src/explore/state_codec.h"
#include "src/explore/visited.h"

namespace iommucheck::explore {

struct Coverage {
  Verdict verdict = Verdict::kUnknown;
  int depth = 0;             // no run of up to so many steps violates the property
  bool every_depth = false;  // nor does any longer one: all states that can be reached were seen
  uint64_t states = 0;       // different ones
  uint64_t transitions = 0;  // steps taken
};

struct ExploreResult : Coverage {
  Case found;          // kViolated: a run with the fewest steps
  std::string reason;  // kUnknown: why; kHolds: the assumption that the machine is outside of
};

inline constexpr uint64_t kMaxStates = (uint64_t{1} << 31U) - (1U << 20U);
inline constexpr int kUnbounded = std::numeric_limits<int>::max();

// Searches breadth first the runs on the machine of `machine` (kernel, topology and names; its ops
// are not used), on all cores. The ops are all those of the model without faults, on one
// container.
//
// One container is enough. This is argued, not proved: a group is in one container at most, and
// vfio_iommu_type1_attach_group() compares with the domains of its own container only. So the steps
// of a run in another container can be left out; the groups there stay on their default domain
// then. The argument has one gap: a walk of a bus can end early at a device of such a group. Tests
// search small machines and scopes with two containers (Shape::containers), and get the same
// answers.
//
// At most `max_states` states, itself at most kMaxStates, are kept; beyond that the answer is
// kUnknown, with the depth that was covered. So it is after tool::Stopped().
ExploreResult ExploreMachine(const Case& machine, Property property, int max_steps,
                             uint64_t max_states);

struct Limits {
  int max_steps = kUnbounded;
  uint64_t max_states = kMaxStates;
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
  // None of these changes an answer.
  int threads = 1;
  bool tables = true;  // false: the model takes every step (src/explore/table_expander.h)
  bool alike = true;   // false: states that differ only in the names of alike devices are all kept
  std::function<bool()> stop{};  // asked now and then
};

// Where the verdict is kUnknown, states and transitions are those within `depth` steps.
struct ShapeResult : Coverage {
  bool stopped = false;  // kUnknown: because Limits::stop said so
  uint64_t kept = 0;     // states in memory: one of each orbit, where devices are alike
  uint64_t bytes = 0;    // for these
  // kViolated: a machine of the shape, with the plain value of each attribute that the run does not
  // read, and the run.
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
  Visited visited_;
  PartTables parts_;
};

// Calls `work`, which does not throw, with each number below `count`: 0 on this thread, the others
// on threads of their own. Where no more can be started, those that run must do the work.
void OnThreads(size_t count, const std::function<void(size_t)>& work);

// The case of a run that violates the property at its last op, as the model plays it.
Case CaseOf(const KernelSpec& kernel, const Topology& topology, Names names,
            const std::vector<Op>& ops, Property property);

}  // namespace iommucheck::explore
