// SPDX-License-Identifier: Apache-2.0
//
// Runs, a step at a time, of a space of machines and ops that NextOp() draws from.
#pragma once

#include <vector>

#include "src/smt/encoder.h"
#include "src/smt/solver.h"

namespace iommucheck::smt {

// Encodes one more step, given that none before it violated the property, and tells the solver
// what it must fulfil. Returns whether it violates the property; `violated` is that of the step
// before.
template <typename Space>
Bit NextStep(Property property, Bit violated, Space& space, Encoder& encoder, Solver& solver) {
  std::vector<Bit> constraints = {~violated};
  if (property == Property::kNoCrossDriverAttach) {
    const std::vector<Bit> facts = encoder.InvariantsWhileAttachHolds();
    constraints.insert(constraints.end(), facts.begin(), facts.end());
  }
  const SymbolicOp op = space.NextOp(constraints);
  const StepBits step = encoder.Step(op);
  // A smallest run has no step that changes nothing.
  for (Bit excluded :
       {step.impossible, step.outside, step.out_of_groups, step.reorders, step.futile})
    constraints.push_back(~excluded);
  for (Bit fact : encoder.Invariants()) constraints.push_back(fact);
  for (Bit bit : encoder.state().AllBits()) solver.NameWhenUsed(bit);
  for (Bit constraint : constraints)
    if (!constraint.is_true()) solver.Assert(constraint);
  return step.violated[static_cast<size_t>(property)];
}

}  // namespace iommucheck::smt
