// SPDX-License-Identifier: Apache-2.0
//
// A shape stands for many machines: what no run can ask for yet is left open, and decided both
// ways when a step first asks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"

namespace iommucheck::explore {

enum class Attribute : uint8_t {
  kClaims,           // of a driver: 6 * claim of platform + claim of pci
  kClaimsOnce,       // of a driver
  kUnwinds,         // of a driver
  kClears,          // of a driver
  kNoDefaultDomain, // of a driver
  kInstanceGroups,  // of a driver
  kNotCoherent,     // of a driver
  kFwnode,          // of an instance that no device is behind
  kOwnTable,        // of an instance: another table than its driver's
  kNotEnforcing,    // of an instance
};

// An attribute that is left open, and how many values it has; 0 is the plain one.
struct Open {
  Attribute what{};
  uint8_t of = 0;  // driver or instance
  uint8_t values = 2;
};
inline constexpr int kMaxOpen = 40;

// What is decided of the open attributes, in their order: 0: nothing yet, else the value plus one.
using Values = std::array<uint8_t, kMaxOpen>;

struct Shape {
  Topology topology;  // with the open attributes plain
  std::vector<Open> open;
  bool any_absent = false;   // each device may be absent at boot: the runs start in many states
  int max_groups = kMaxGroups;  // a step that makes more is not taken
  uint8_t extra_table = kNoId;  // of the instances with kOwnTable
};

// Sets an open attribute of a topology.
void Decide(const Shape& shape, size_t open, uint8_t value, Topology& topology);

// Whether the assumptions about machines allow what is decided: some way to decide the rest is
// within them.
bool Allowed(const Shape& shape, const KernelProfile& kernel, const Topology& topology,
             const Values& values);

// Which open attribute the op reads first of those that are not decided; nullopt: it reads none,
// so that its result is the same whatever they are. `topology` has the decided ones, `values` says
// which these are. May name one that the op does not read: that costs states, not soundness.
class Reads {
 public:
  Reads(const KernelProfile& kernel, const Shape& shape);
  [[nodiscard]] std::optional<size_t> FirstUndecided(const Topology& topology, const Op& op,
                                                     const State& state,
                                                     const Values& values) const;

 private:
  struct Asker;
  const KernelProfile kernel_;
  bool has_open_;
  bool two_instances_;
  std::array<std::array<uint8_t, kMaxInstances>, 10> index_{};  // of open, by attribute and owner
};

}  // namespace iommucheck::explore
