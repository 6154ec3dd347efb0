// SPDX-License-Identifier: Apache-2.0
//
// The runs on one machine that is given, as inputs of a circuit. All its drivers and instances are
// in; of its devices all, or some that stand for the rest: which ones, the solver chooses.
#pragma once

#include <functional>
#include <vector>

#include "model/topology.h"
#include "src/smt/encoder.h"
#include "src/smt/inputs.h"
#include "src/smt/search_space.h"

namespace iommucheck::smt {

// Devices that can meet in a group, all or those that stand for them, by their numbers: aliases,
// slots, and instances that share out a group join them.
using Cluster = std::vector<DeviceId>;

// A place in the circuit for one cluster of several. Those of two places of a space that are chosen
// from the same clusters come in the order of the machine.
struct Stand {
  std::vector<Cluster> choices;
  friend bool operator==(const Stand&, const Stand&) = default;
};

// Whether an attach may fail.
bool CanRefuse(const KernelProfile& kernel, const Topology& machine);

class FixedSpace : public Inputs {
 public:
  // Runs in which instances of these drivers register, a bit each. Preconditions: every choice has
  // devices, no two stands must choose the same one.
  FixedSpace(const KernelProfile& kernel, const Topology& machine, std::vector<Stand> stands,
             unsigned drivers, const Runs& runs);

  [[nodiscard]] const Sizes& sizes() const { return sizes_; }
  [[nodiscard]] const SymbolicTopology& topology() const { return topology_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] const std::vector<Bit>& constraints() const { return constraints_; }

  // The op of the next step; what it must fulfil is added to `constraints`.
  SymbolicOp NextOp(std::vector<Bit>& constraints);

  // What a model of the solver stands for: the machine's device for each of the circuit, kNoId for
  // none, and the run with devices and groups as the circuit numbers them.
  using Value = std::function<bool(Bit)>;
  [[nodiscard]] std::vector<DeviceId> Devices(const Value& value) const;
  [[nodiscard]] std::vector<Op> Ops(const Value& value) const;
  // Whether the model chose what it chose; for a check that is to find another.
  [[nodiscard]] Bit SameAs(const Value& value) const;

 private:
  // A device of the circuit: its stand, and which of a choice's devices it is.
  struct Place {
    int stand;
    size_t position;
  };
  void ChooseClusters();
  void MakePlaces();
  void MakeDevices();
  void MakeLayout(int steps);
  [[nodiscard]] int SharingInstances(const Stand& stand) const;
  void FindUnused();
  [[nodiscard]] DeviceId At(const Place& place, size_t choice) const;
  [[nodiscard]] bool MayBe(OpKind kind, int step) const;
  [[nodiscard]] bool Spare(OpKind kind) const {
    return runs_.steps > StepsNeeded(runs_.property) && runs_.spare[static_cast<size_t>(kind)];
  }
  void CountNeeded(std::vector<Bit>& constraints);

  KernelProfile kernel_;
  const Topology& machine_;
  std::vector<Stand> stands_;
  unsigned drivers_;
  Runs runs_;
  int contained_ = 0;  // groups that can be in the container in one run
  Sizes sizes_;
  SymbolicTopology topology_;
  Layout layout_;
  std::vector<Bit> constraints_;
  std::vector<Bits> chosen_;  // a stand: its choice
  std::vector<Place> places_;
  std::vector<Bit> there_;   // a device: the choice has so many
  std::vector<Bit> unused_;  // an instance: another one that no device is behind does for it
  std::vector<SymbolicOp> ops_;
  Bits ever_registered_;  // by driver
  Bits had_needed_;       // of what a violation needs, whether there was one yet
};

}  // namespace iommucheck::smt
