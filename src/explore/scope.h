// SPDX-License-Identifier: Apache-2.0
//
// A scope: all machines up to a size, as a list of shapes. docs/explore.md says in words which
// machines are in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/explore/explore.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

struct Scope {
  int drivers = 2;
  int buses = 2;      // 1: pci; 2: platform, too
  int devices = 2;    // up to so many
  int instances = 2;  // of each driver
  int groups = 0;     // at once; 0: one more than devices
  int containers = 1;
  int steps = 6;  // or kUnbounded
  [[nodiscard]] int max_groups() const { return groups == 0 ? devices + 1 : groups; }
  // Groups that are not named are as many as they come to.
  friend bool operator==(const Scope& a, const Scope& b);
};

// "drivers=2,devices=3,steps=unbounded": what is not named is as above. Errors: InvalidArgument,
// with the column and what was expected.
absl::StatusOr<Scope> ParseScope(std::string_view text);
// All of it, such that ParseScope() gives it back.
std::string ScopeText(const Scope& scope);

// The data that a shape is made from, small enough to keep a list of all.
struct ShapeId {
  uint8_t devices = 0;
  uint8_t on_platform = 0;  // the first ones; the rest is on pci
  uint16_t relation = 0;    // of the devices on pci, see ScopeShapes
  std::array<std::array<InstanceId, kMaxMasters>, 4> masters{};
  uint8_t fwnodes = 0;         // bit per instance
  uint8_t accept_foreign = 0;  // bit per driver
  bool same_address = false;   // the second driver lies where the first one lay
  bool same_table = false;     // the two drivers share their default table
};

// Every machine of a scope up to the names of drivers and instances: the instances that devices are
// behind are numbered in the order in which devices name them. Fewer devices come first.
class ScopeShapes {
 public:
  ScopeShapes(const KernelProfile& kernel, const Scope& scope);
  [[nodiscard]] size_t size() const { return ids_.size(); }
  [[nodiscard]] Shape At(size_t index) const { return Make(ids_[index]); }
  // How many machines the shape has.
  [[nodiscard]] uint64_t MachinesAt(size_t index) const;

 private:
  // Of the devices on pci: which are aliases, and which share a slot.
  struct Relation {
    std::array<DeviceId, 4> alias;
    std::array<uint8_t, 4> slot;
  };
  void ListRelations(int devices, int on_platform);
  void NameMasters(ShapeId& id, int device, int master, std::array<uint8_t, 4>& named);
  void AddFlags(ShapeId id, const std::array<uint8_t, 4>& named);
  [[nodiscard]] Shape Make(const ShapeId& id) const;

  const KernelProfile kernel_;
  const Scope scope_;
  std::vector<Relation> relations_;
  std::vector<ShapeId> ids_;
};

// The case without instances that no device is behind and no op names, and without their drivers.
Case WithoutUnused(Case c);

}  // namespace iommucheck::explore
