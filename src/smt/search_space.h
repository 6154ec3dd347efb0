// SPDX-License-Identifier: Apache-2.0
//
// The machines and runs that a query looks at, as inputs of a circuit; docs/solver.md says in words
// which are in and which are left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/smt/run_space.h"

namespace iommucheck::smt {

class SearchSpace : public RunSpace {
 public:
  // Machines of so many devices, and the kernel with any of the rules `open` dropped.
  SearchSpace(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs);

  [[nodiscard]] const SymbolicProfile& kernel() const { return kernel_; }

  SymbolicOp NextOp(std::vector<Bit>& constraints) override;

  // Bits that a machine with plain attributes has set, the one that matters most to a reader first.
  [[nodiscard]] std::vector<Bit> Preferences() const;

  // Bits whose values say which run it is, and on which bus each device is.
  [[nodiscard]] std::vector<Bit> RunAndBuses() const;
  // Bits that link devices and instances: a device is behind an instance, behind one before
  // another; two devices are aliases, or share a slot. A machine without one of these has less in
  // it.
  [[nodiscard]] std::vector<Bit> Links() const;

  // The kernel and the case that a model of the solver chooses.
  [[nodiscard]] KernelSpec DecodeKernel(const Value& value) const;
  [[nodiscard]] Case Decode(const Value& value) const;

 private:
  [[nodiscard]] Bit EitherHas(Rule rule) const;
  [[nodiscard]] bool HasEra(Era era) const;
  Bit InputWithout(Rule rule, std::string name);
  Bits AtMostOne(int size, const std::string& name);
  void MakeDrivers();
  void MakeInstances();
  void MakeDevices();
  void RelateDevices();
  void AssumeOfTopology();

  KernelSpec spec_;
  SymbolicProfile kernel_;
  std::optional<KernelProfile> refusing_;  // that of runs_
  std::vector<Bits> alias_;                // a device: the device it aliases
  std::vector<Bits> slot_;                 // a device: its slot
  std::vector<Bit> own_table_;             // an instance: it has another table than its driver
  Bit same_address_;                       // the ops of the two drivers lie at one address
  Bit default_table_shared_;
  Bits ever_registered_;  // by instance
};

}  // namespace iommucheck::smt
