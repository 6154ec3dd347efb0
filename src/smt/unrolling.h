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

// One more step of the runs of a space, given that the last one so far was `violated`: that it was
// not, what the op must fulfil, and facts. `violated` is of this step then. A step that is futile
// may be one that is not where it is refused.
template <typename Space>
std::vector<Constraint> NextStep(Property property, Space& space, Encoder& encoder, Bit& violated,
                                 Refusing* refusing = nullptr) {
  std::vector<Constraint> constraints;
  const auto add = [&](const std::vector<Bit>& bits, std::string_view why, bool fact = false) {
    for (Bit bit : bits)
      if (!bit.is_true()) constraints.push_back({bit, why, fact});
  };
  add({~violated}, "no violation before it");
  if (property == Property::kNoCrossDriverAttach)
    add(encoder.InvariantsWhileAttachHolds(), "fact while the property holds", true);
  std::vector<Bit> of_op;
  const SymbolicOp op = space.NextOp(of_op);
  const StepBits step = encoder.Step(op);
  add(of_op, "an op of the space");
  add({~step.impossible}, "the op is possible");
  add({~step.outside}, "within the assumptions about steps");
  add({~step.out_of_groups}, "groups suffice");
  add({~step.reorders}, "devices keep their order");
  // A smallest run has no step that changes nothing.
  const Bit nor_there = refusing != nullptr ? refusing->Take(property, op, constraints) : Bit(true);
  add({~(step.futile & nor_there)}, "the step is not futile");
  add(encoder.Invariants(), "fact", true);
  violated = step.violated[static_cast<size_t>(property)];
  return constraints;
}

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
