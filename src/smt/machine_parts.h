// SPDX-License-Identifier: Apache-2.0
//
// Which parts of a machine the circuits of machine_query.h encode, a circuit a part.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "model/properties.h"
#include "model/rules.h"
#include "model/topology.h"

namespace iommucheck::smt {

using DeviceSet = std::set<DeviceId>;
// The machine with these devices only.
Topology Only(const Topology& machine, const DeviceSet& devices);

// Devices that can meet in a group, or keep each other from coming and going, in the order of the
// machine: aliases, slots, bridges, and instances that share out a group join them. All the devices,
// or some that stand for the rest.
using Cluster = std::vector<DeviceId>;

// Room in the circuit for one cluster, which the solver chooses of these. No two slots choose the
// same cluster; where two have the same choices, the first of them chooses the cluster that comes
// first in the machine, since the other way round would be the same circuit again.
struct ClusterSlot {
  std::vector<Cluster> choices;
  friend bool operator==(const ClusterSlot&, const ClusterSlot&) = default;
};

struct MachinePart {
  unsigned drivers;  // whose instances register, a bit each
  std::vector<ClusterSlot> slots;
};

// Whether an attach may fail.
bool CanRefuse(const KernelProfile& kernel, const Topology& machine);

// A proof about a part of the machine, for runs of any length: the property holds there; or a first
// violation can only be a reuse, which is asked only where no attach is refused.
enum class Known : uint8_t { kHolds, kHoldsButForReuse };
// Empty: nothing is known of any part.
using Proved = std::function<bool(const Topology& part, Known what)>;

// Where a violation comes from: the group on whose domain a device ends is of the device's own
// cluster, or it may be of another one.
enum class Origin : uint8_t { kOneCluster, kTwoClusters };

class MachineParts {
 public:
  // A machine with no more than `whole_devices` devices that a driver can take is one part.
  MachineParts(Property property, const KernelProfile& kernel, const Topology& machine,
               const Proved& proved, int whole_devices);

  // Every part that may violate the property. Most are about two drivers.
  [[nodiscard]] std::vector<MachinePart> Parts(Origin origin) const;

  // Whether the machine, but for devices that no driver can take, is one part.
  [[nodiscard]] bool whole() const { return whole_; }
  // Whether one cluster can affect another only by the domains of the container: no attach fails
  // and ends a walk, and no domain is allocated by the first device of a bus.
  [[nodiscard]] bool ClustersAreApart() const;

  // Drops one cluster after another from the machine, but none of the devices that a run uses, as
  // long as `refutes` says that the rest still refutes the run. Gives the rest: no cluster can go.
  DeviceSet FewestRefuting(const std::function<bool(const DeviceSet&)>& refutes,
                           const DeviceSet& used) const;
  // Takes these devices, besides those that a run uses, into every part from now on. False: all of
  // them are in every part already.
  bool Keep(const DeviceSet& devices, const DeviceSet& used);

 private:
  void Divide();
  void AddParts(Origin origin, DriverId a, DriverId b, std::vector<MachinePart>& parts) const;
  [[nodiscard]] std::vector<std::vector<ClusterSlot>> SlotsFor(Origin origin, DriverId a,
                                                               DriverId b) const;
  [[nodiscard]] bool MayServe(DriverId driver, const Cluster& cluster) const;
  [[nodiscard]] bool MayAllocate(DriverId driver, const Cluster& cluster) const;
  [[nodiscard]] bool MayStore(unsigned drivers, const Cluster& cluster) const;
  void AddStore(unsigned drivers, std::vector<ClusterSlot>& slots) const;
  [[nodiscard]] bool AllocatesByBus() const;
  [[nodiscard]] bool IsProved(const std::vector<Cluster>& clusters, Known what) const;

  const Property property_;
  const KernelProfile kernel_;
  const Topology& machine_;
  const Proved& proved_;
  const std::vector<Cluster> clusters_;  // all
  bool whole_;
  bool reduce_ = true;  // leave out devices of a cluster that are alike
  // Of those, reduced: one of each kind that is not proved to hold for itself.
  std::vector<Cluster> alone_;
  std::vector<Cluster> any_two_;   // two of each kind
  std::vector<Cluster> unproved_;  // of any_two_, those that may violate together with another
  std::vector<Cluster> kept_;      // in every part, besides the chosen ones
};

}  // namespace iommucheck::smt
