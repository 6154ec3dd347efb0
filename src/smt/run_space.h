// SPDX-License-Identifier: Apache-2.0
//
// Runs as inputs of a circuit: what the runs on any machine (SearchSpace) and those on one machine
// (MachineSpace) have in common.
#pragma once

#include <bitset>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/smt/encoder.h"
#include "src/smt/inputs.h"
#include "src/smt/needed.h"

namespace iommucheck::smt {

using OpKinds = std::bitset<kEncodedOpCount>;

// The runs of a space: those of so many steps that may violate the property at the last one. Of
// these steps StepsNeeded() are what every violation takes; the others are spare.
struct Runs {
  Property property = Property::kNoCrossDriverAttach;
  int steps = 0;          // StepsNeeded() at least
  OpKinds spare{};        // what the spare steps may be
  std::vector<Op> ops{};  // not empty: this run alone
  // Set: no step of the run violates the property on this kernel, too, up to one that it does not
  // take: that is not possible there, or outside of its assumptions. Machines are within the
  // assumptions of both kernels.
  std::optional<KernelSpec> refusing{};
  bool taken = false;  // the refusing kernel takes every step

  // Whether there is a spare step, and it may be of this kind.
  [[nodiscard]] bool Spare(OpKind kind) const {
    return steps > StepsNeeded(property) && spare[EncodedIndex(kind)];
  }
  // Whether a step, from 0 on, can be of this kind.
  [[nodiscard]] bool MayBe(OpKind kind, int step) const;
};

// The op that a model of the solver chooses; its container is the only one.
Op OpOf(const SymbolicOp& op, const std::function<bool(Bit)>& value);

class RunSpace : public Inputs {
 public:
  virtual ~RunSpace() = default;
  RunSpace(const RunSpace&) = delete;
  RunSpace& operator=(const RunSpace&) = delete;

  [[nodiscard]] const Sizes& sizes() const { return sizes_; }
  [[nodiscard]] const SymbolicTopology& topology() const { return topology_; }
  // What every machine of the space fulfils.
  [[nodiscard]] const std::vector<Bit>& constraints() const { return constraints_; }

  // The op of the next step; what it must fulfil is added to `constraints`.
  virtual SymbolicOp NextOp(std::vector<Bit>& constraints) = 0;

  // The run that a model of the solver chooses, with things numbered as in the circuit.
  using Value = std::function<bool(Bit)>;
  [[nodiscard]] std::vector<Op> Ops(const Value& value) const;

 protected:
  // The first `registers` of had_ are the derived space's to count.
  RunSpace(const Runs& runs, int registers);

  // The name of an input of the next step.
  [[nodiscard]] std::string StepName(const char* what) const;
  // The kinds that the next step can be of.
  [[nodiscard]] std::vector<bool> Kinds() const;
  // An op of that kind on one of these instances, or on any device or group.
  SymbolicOp ChooseOp(const Bits& kind, const std::vector<bool>& instances,
                      std::vector<Bit>& constraints);
  // What a violation needs and has not had yet, after the last op, must fit into the steps that are
  // left. This follows from the rest of the circuit; the solver is told, for it counts slowly.
  void MustFit(std::vector<Bit>& constraints);

  const Runs runs_;
  Sizes sizes_;
  SymbolicTopology topology_;
  std::vector<Bit> constraints_;
  std::vector<SymbolicOp> ops_;
  // Of what a violation needs, a bit each: the run has had it. Registers, then to reuse a domain a
  // set-iommu, a set-container, and a second set-container.
  Bits had_;
};

}  // namespace iommucheck::smt
