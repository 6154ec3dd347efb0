// SPDX-License-Identifier: Apache-2.0
//
// The machines and runs that a query looks at, as inputs of a circuit; docs/solver.md says in words
// what is in and what is left out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/smt/encoder.h"

namespace iommucheck::smt {

class SearchSpace {
 public:
  // Machines of up to so many devices.
  SearchSpace(const KernelProfile& kernel, int devices);

  Circuit& circuit() { return circuit_; }
  [[nodiscard]] const Sizes& sizes() const { return sizes_; }
  [[nodiscard]] const SymbolicTopology& topology() const { return topology_; }
  // What every machine of the space fulfils.
  [[nodiscard]] const std::vector<Bit>& constraints() const { return constraints_; }
  [[nodiscard]] const std::string& name(uint32_t node) const { return names_[node]; }

  // The op of the next step; what it must fulfil is added to `constraints`.
  SymbolicOp NextOp(std::vector<Bit>& constraints);
  // A free bit: whether a run has the step of that op.
  Bit Taken();

  // Bits that a plain case has set, the most telling first.
  [[nodiscard]] std::vector<Bit> Preferences(int steps) const;

  // The case that a model of the solver stands for, up to a step.
  [[nodiscard]] Case Decode(const KernelSpec& kernel, int steps,
                            const std::function<bool(Bit)>& value) const;

 private:
  Bit Input(std::string name);
  Bits AtMostOne(int size, const std::string& name);
  void MakeDrivers();
  void MakeInstances();
  void MakeDevices();
  void RelateDevices();
  void AssumeOfTopology();
  Bits Selector(int size, Bit needed, const std::string& name, std::vector<Bit>& constraints);

  KernelProfile kernel_;
  Sizes sizes_;
  Circuit circuit_;
  SymbolicTopology topology_;
  std::vector<std::string> names_;  // of the inputs, by node
  std::vector<Bit> constraints_;
  std::vector<Bit> exists_;
  std::vector<Bits> alias_;     // a device: the device it aliases
  std::vector<Bits> slot_;      // a device: its slot
  std::vector<Bit> own_table_;  // an instance: it has another table than its driver
  Bit same_address_;            // the ops of the two drivers lie at one address
  Bit default_table_shared_;
  std::vector<SymbolicOp> ops_;
  std::vector<Bits> ever_registered_;
};

}  // namespace iommucheck::smt
