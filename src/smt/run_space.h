// SPDX-License-Identifier: Apache-2.0
//
// Runs as inputs of a circuit. SearchSpace has the runs on any machine and MachineSpace those on one
// machine; this class is what both have in common.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <vector>

#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/smt/encoder.h"
#include "src/smt/query.h"

namespace iommucheck::smt {

using OpKinds = std::bitset<kEncodedOpCount>;

// The runs of a space. Each has `steps` steps, and may violate the property at the last one. Every
// violation takes StepsNeeded() of the steps; the others are spare.
struct Runs {
  Property property = Property::kNoCrossDriverAttach;
  int steps = 0;          // StepsNeeded() at least
  OpKinds spare{};        // what the spare steps may be
  std::vector<Op> ops{};  // not empty: this run alone
  // A second kernel, on which the same run must not violate the property. Only the steps before the
  // first one count that the second kernel does not take, because it is not possible there or
  // outside of its assumptions. Machines are within the assumptions of both kernels.
  std::optional<KernelSpec> refusing{};
  bool taken = false;  // the second kernel must take every step

  // Whether there is a spare step, and it may be of this kind.
  [[nodiscard]] bool Spare(OpKind kind) const {
    return steps > StepsNeeded(property) && spare[EncodedIndex(kind)];
  }
  // Whether a step, from 0 on, can be of this kind.
  [[nodiscard]] bool MayBe(OpKind kind, int step) const;
};

class RunSpace {
 public:
  virtual ~RunSpace() = default;
  RunSpace(const RunSpace&) = delete;
  RunSpace& operator=(const RunSpace&) = delete;

  Circuit& circuit() { return circuit_; }
  [[nodiscard]] const Circuit& circuit() const { return circuit_; }
  // The name of an input.
  [[nodiscard]] const std::string& name(uint32_t node) const { return names_[node]; }
  [[nodiscard]] const Runs& runs() const { return runs_; }
  [[nodiscard]] const Sizes& sizes() const { return sizes_; }
  [[nodiscard]] const SymbolicTopology& topology() const { return topology_; }
  // Every machine of the space fulfils these.
  [[nodiscard]] const std::vector<Bit>& constraints() const { return constraints_; }

  // The op of the next step. Adds the conditions that it must fulfil to `constraints`.
  virtual SymbolicOp NextOp(std::vector<Bit>& constraints) = 0;

  // The run that a model of the solver chooses, with things numbered as in the circuit.
  [[nodiscard]] std::vector<Op> Ops(const Value& value) const;

  // The asserted bits and the assumptions as one satisfiability problem in SMT-LIB2, for other
  // solvers.
  [[nodiscard]] std::string ToSmt2(const std::vector<Bit>& asserted,
                                   const std::vector<Bit>& assumptions) const;

 protected:
  // The derived space counts the first `registers` bits of had_.
  RunSpace(const Runs& runs, int registers);

  Bit Input(std::string name);
  // A one-hot code that names one of the choices exactly where it is needed.
  Bits Selector(const std::vector<bool>& choices, Bit needed, const std::string& name,
                std::vector<Bit>& constraints);
  // The name of an input of the next step.
  [[nodiscard]] std::string StepName(const char* what) const;
  // The kinds that the next step can be of.
  [[nodiscard]] std::vector<bool> Kinds() const;
  // An op of that kind on one of these instances, or on any device or group.
  SymbolicOp ChooseOp(const Bits& kind, const std::vector<bool>& instances,
                      std::vector<Bit>& constraints);
  // The steps that a violation still needs after the last op must be no more than the steps that are
  // left. This follows from the rest of the circuit, but the solver finds it out slowly.
  void MustFit(std::vector<Bit>& constraints);

  const Runs runs_;
  Sizes sizes_;
  SymbolicTopology topology_;
  std::vector<Bit> constraints_;
  std::vector<SymbolicOp> ops_;
  // A bit for each step that a violation needs: whether the run has had it. First the registers;
  // then, if the violation is to reuse a domain, a set-iommu and two set-containers.
  Bits had_;

 private:
  Circuit circuit_;
  std::vector<std::string> names_;  // of the inputs, by node
};

}  // namespace iommucheck::smt
