// SPDX-License-Identifier: Apache-2.0
//
// The machines and runs of a space, step after step, as bits of a circuit: what must hold of them,
// and whether they violate the property.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "src/smt/encoder.h"
#include "src/smt/run_space.h"

namespace iommucheck::smt {

// A bit that is asserted, and why.
struct Constraint {
  Bit bit;
  std::string_view why;
  bool fact = false;  // it follows from the others (invariants.cc)
};

class Unrolling {
 public:
  // The runs of the space, which must outlive it, on this kernel.
  Unrolling(RunSpace& space, const SymbolicProfile& kernel, const Layout& layout = {});

  // One more step: that the last step so far did not violate the property, that the op is one of
  // the space, and facts. A step without effect (StepBits::no_effect) is left out, unless it has
  // one on the refusing kernel (Runs::refusing).
  std::vector<Constraint> NextStep();

  // Whether the last step so far violates the property.
  [[nodiscard]] Bit violated() const { return violated_; }
  // Whether the refusing kernel has not taken every step so far.
  [[nodiscard]] Bit refusing_ended() const { return ended_; }
  // After the last step so far.
  [[nodiscard]] const SymbolicState& state() const { return encoder_.state(); }

 private:
  Bit TakeRefusing(const SymbolicOp& op, std::vector<Constraint>& constraints);

  const Property property_;
  RunSpace& space_;
  Encoder encoder_;
  std::optional<Encoder> refusing_;
  Bit violated_;
  Bit ended_;
};

}  // namespace iommucheck::smt
