// SPDX-License-Identifier: Apache-2.0
//
// A shape stands for many machines: what no step has asked for is left open, and each answer is
// followed when one does.
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
  kClaimPlatform,    // of a driver: a Claim
  kClaimPci,         // of a driver: a Claim
  kClaimsOnce,       // of a driver
  kUnwinds,          // of a driver
  kClears,           // of a driver
  kNoDefaultDomain,  // of a driver
  kInstanceGroups,   // of a driver
  kNotCoherent,      // of a driver
  kFwnode,           // of an instance that no device is behind
  kOwnTable,         // of an instance: another table than its driver's
  kNotEnforcing,     // of an instance
};

// An attribute that is left open, and how many values it has; 0 is the plain one.
struct Open {
  Attribute what{};
  uint8_t of = 0;  // driver or instance
  uint8_t values = 2;
};
inline constexpr int kMaxOpen = 40;

// The values that are left for the open attributes, in their order: a bit each. More than one is
// left where all steps so far are the same with any of them.
using Values = std::array<uint8_t, kMaxOpen>;

struct Shape {
  Topology topology;  // with the open attributes plain
  std::vector<Open> open{};
  bool any_absent = false;      // each device may be absent at boot: the runs start in many states
  int max_groups = kMaxGroups;  // a step that makes more is not taken
  int containers = 1;
  uint8_t extra_table = kNoId;  // of the instances with kOwnTable
};

// All values of every open attribute.
Values AllValues(const Shape& shape);

// Sets an open attribute of a topology to the plainest of these values.
void Decide(const Shape& shape, size_t open, uint8_t values, Topology& topology);

// Whether some machine with these values is within the assumptions.
bool Allowed(const Shape& shape, const KernelProfile& kernel, const Values& values);

// What an op reads of an open attribute: it can tell values of different classes apart.
struct Asked {
  size_t open = 0;
  std::array<uint8_t, 6> classes{};  // of values, a bit each; 0: no more
};

// The first open attribute that an op reads and that has values of more than one class left;
// nullopt: its result is the same whichever of the values left a machine has. May name one that the
// op does not read: that costs states, not soundness.
class Reads {
 public:
  Reads(const KernelProfile& kernel, const Shape& shape);
  // `topology` has one of the values left of each.
  [[nodiscard]] std::optional<Asked> First(const Topology& topology, const Op& op,
                                           const State& state, const Values& values) const;

 private:
  struct Asker;
  static constexpr int kAttributes = static_cast<int>(Attribute::kNotEnforcing) + 1;
  const KernelProfile kernel_;
  bool has_open_;
  bool two_instances_;
  // Index of the open one, by attribute and owner.
  std::array<std::array<uint8_t, kMaxInstances>, kAttributes> index_{};
};

}  // namespace iommucheck::explore
