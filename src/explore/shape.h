// SPDX-License-Identifier: Apache-2.0
//
// A shape is a set of machines that a search explores at once: devices with buses, instances and
// relations, and some attributes left open. An open attribute has all its values until a step reads
// it; then the search goes on once for each class of values that the step can tell apart.
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

// An attribute that is left open, and how many values it has; value 0 is the plain one.
struct OpenAttribute {
  Attribute attribute{};
  uint8_t owner = 0;  // driver or instance
  uint8_t values = 2;
};
inline constexpr int kMaxOpen = 40;

// By open attribute: the values that are left, a bit each. More than one is left where no step so
// far has told them apart.
using Values = std::array<uint8_t, kMaxOpen>;

struct Shape {
  Topology topology;  // with the open attributes plain
  std::vector<OpenAttribute> open{};
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

// A read of an open attribute by an op that can tell values of different classes apart.
struct Read {
  size_t open = 0;
  std::array<uint8_t, 6> classes{};  // of values, a bit each; 0: no more
};

class Reads {
 public:
  Reads(const KernelProfile& kernel, const Shape& shape);
  // The first open attribute that an op reads and that has values of more than one class left;
  // nullopt: its result is the same whichever of the values left a machine has. May name one that
  // the op does not read: that costs states, not soundness. `topology` has one of the values left
  // of each open attribute.
  [[nodiscard]] std::optional<Read> First(const Topology& topology, const Op& op,
                                          const State& state, const Values& values) const;

 private:
  struct Finder;
  static constexpr int kAttributes = static_cast<int>(Attribute::kNotEnforcing) + 1;
  const KernelProfile kernel_;
  bool has_open_;
  bool two_instances_;
  // Index of the open attribute, by attribute and owner.
  std::array<std::array<uint8_t, kMaxInstances>, kAttributes> index_{};
};

}  // namespace iommucheck::explore
