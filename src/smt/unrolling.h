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

class Unrolling {
 public:
  // The kernel with any of the rules `open` dropped, machines of so many devices.
  Unrolling(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs);

  // One more step of the runs: that no step before it violates the property, what the op must
  // fulfil, and facts.
  std::vector<Constraint> NextStep();
  // Whether the last step so far violates the property.
  [[nodiscard]] Bit violated() const { return violated_; }
  [[nodiscard]] Property property() const { return property_; }
  SearchSpace& space() { return space_; }
  [[nodiscard]] const Encoder& encoder() const { return encoder_; }
  // Of the state after the last step so far, on the refusing kernel, too.
  [[nodiscard]] std::vector<Bit> StateBits() const;
  // Whether the refusing kernel has not taken every step so far.
  [[nodiscard]] Bit refusing_ended() const { return refusing_ended_; }

 private:
  Bit TakeOnRefusing(const SymbolicOp& op, std::vector<Bit>& unviolated, std::vector<Bit>& facts);

  Property property_;
  SearchSpace space_;
  Encoder encoder_;
  Bit violated_;
  std::optional<Encoder> refusing_;  // of the kernel that must not violate it
  Bit refusing_ended_;               // by a step that it did not take
};

}  // namespace iommucheck::smt
