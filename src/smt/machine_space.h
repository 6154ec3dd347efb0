// SPDX-License-Identifier: Apache-2.0
//
// The runs on one machine that is given, as inputs of a circuit. All its drivers and instances are
// in; of its devices all, or some that stand for the rest: which ones, the solver chooses.
#pragma once

#include <vector>

#include "model/topology.h"
#include "src/smt/machine_parts.h"
#include "src/smt/run_space.h"

namespace iommucheck::smt {

class MachineSpace : public RunSpace {
 public:
  // Runs in which instances of these drivers register, a bit each. Preconditions: every choice has
  // devices, and the slots can choose different clusters.
  MachineSpace(const KernelProfile& kernel, const Topology& machine, std::vector<ClusterSlot> slots,
               unsigned drivers, const Runs& runs);

  [[nodiscard]] const Layout& layout() const { return layout_; }

  SymbolicOp NextOp(std::vector<Bit>& constraints) override;

  // The devices that a model of the solver chooses: the machine's device for each of the circuit,
  // kNoId for none.
  [[nodiscard]] std::vector<DeviceId> Devices(const Value& value) const;
  // Whether the devices and the run are those of this model; denied in a check that is to find
  // another.
  [[nodiscard]] Bit SameAs(const Value& value) const;

 private:
  // A device of the circuit: the n-th device of the cluster that a slot chooses.
  struct Place {
    int slot;
    size_t n;
  };
  void ChooseClusters();
  void MakePlaces();
  void MakeDevices();
  void MakeLayout();
  [[nodiscard]] Bit Related(size_t d, size_t e) const;
  [[nodiscard]] int SharingInstances(const ClusterSlot& slot) const;
  void FindUnused();
  [[nodiscard]] DeviceId At(const Place& place, size_t choice) const;
  void CountRegisters(std::vector<Bit>& constraints);

  const KernelProfile kernel_;
  const Topology& machine_;
  const std::vector<ClusterSlot> slots_;
  const unsigned drivers_;
  int contained_ = 0;  // groups that can be in the container in one run
  Layout layout_;
  std::vector<Bits> chosen_;  // a slot: its choice
  std::vector<Place> places_;
  std::vector<Bit> there_;   // a device: the chosen cluster has so many
  std::vector<Bit> unused_;  // an instance: another one that is like it registers in its stead
  Bits ever_registered_;     // by driver
};

}  // namespace iommucheck::smt
