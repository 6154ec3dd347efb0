// SPDX-License-Identifier: Apache-2.0
//
// The machines and runs of a search space, step after step, as bits of a circuit: what must hold of
// them, and whether they violate the property.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "src/smt/encoder.h"
#include "src/smt/search_space.h"

namespace iommucheck::smt {

// A bit that is asserted, and why.
struct Constraint {
  Bit bit;
  std::string_view why;
  bool fact = false;  // it follows from the others (invariants.cc)
};

// The kernel that must not violate the property in the runs of a space (Runs::refusing).
class Refusing {
 public:
  Refusing(const KernelSpec& kernel, const SearchSpace& space);
  // One more step. Whether it surely changes nothing on this kernel.
  Bit Take(Property property, const SymbolicOp& op, std::vector<Constraint>& constraints);
  // Whether it has not taken every step so far.
  [[nodiscard]] Bit ended() const { return ended_; }
  [[nodiscard]] std::vector<Bit> StateBits() const;

 private:
  Encoder encoder_;
  Bit ended_;
};

// One more step of the runs of a space: that the last step so far did not violate the property (the
// bit `violated`), that the op is one of the space, and facts. A step without effect
// (StepBits::no_effect) is left out, unless it has one on the refusing kernel. `violated` becomes
// the bit of this step.
std::vector<Constraint> NextStep(Property property, RunSpace& space, Encoder& encoder,
                                 Bit& violated, Refusing* refusing = nullptr);

class Unrolling {
 public:
  // The kernel with any of the rules `open` dropped, machines of so many devices.
  Unrolling(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs);

  std::vector<Constraint> NextStep() {
    return smt::NextStep(property_, space_, encoder_, violated_, refusing_ ? &*refusing_ : nullptr);
  }
  // Whether the last step so far violates the property.
  [[nodiscard]] Bit violated() const { return violated_; }
  [[nodiscard]] Property property() const { return property_; }
  SearchSpace& space() { return space_; }
  [[nodiscard]] const Encoder& encoder() const { return encoder_; }
  // Of the state after the last step so far, on the refusing kernel, too.
  [[nodiscard]] std::vector<Bit> StateBits() const;
  [[nodiscard]] Bit refusing_ended() const { return refusing_ ? refusing_->ended() : Bit(false); }

 private:
  Property property_;
  SearchSpace space_;
  Encoder encoder_;
  Bit violated_;
  std::optional<Refusing> refusing_;
};

}  // namespace iommucheck::smt
