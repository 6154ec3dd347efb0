// SPDX-License-Identifier: Apache-2.0
#include "src/smt/unrolling.h"

namespace iommucheck::smt {

Refusing::Refusing(const KernelSpec& kernel, const SearchSpace& space)
    : encoder_(SymbolicProfile(ProfileOf(kernel)), space.topology(), space.sizes()) {}

Bit Refusing::Take(Property property, const SymbolicOp& op, std::vector<Constraint>& constraints) {
  const auto unless_ended = [&](Bit bit, std::string_view why, bool fact) {
    if (const Bit either = ended_ | bit; !either.is_true())
      constraints.push_back({either, why, fact});
  };
  constexpr std::string_view kFact = "fact of the refusing kernel";
  if (property == Property::kNoCrossDriverAttach)
    for (Bit fact : encoder_.InvariantsWhileAttachHolds()) unless_ended(fact, kFact, true);
  const StepBits step = encoder_.Step(op);
  const Bit ended_before = ended_;
  ended_ |= step.impossible | step.outside;
  unless_ended(~step.violated[static_cast<size_t>(property)], "not violated where refused", false);
  unless_ended(~step.out_of_groups, "groups suffice where refused", false);
  for (Bit fact : encoder_.Invariants()) unless_ended(fact, kFact, true);
  return ended_before | (~ended_ & step.no_effect);
}

std::vector<Bit> Refusing::StateBits() const {
  std::vector<Bit> bits = encoder_.state().AllBits();
  bits.push_back(ended_);
  return bits;
}

std::vector<Constraint> NextStep(Property property, RunSpace& space, Encoder& encoder,
                                 Bit& violated, Refusing* refusing) {
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
  add({~(step.no_effect & nor_there)}, "the step has an effect");
  add(encoder.Invariants(), "fact", true);
  violated = step.violated[static_cast<size_t>(property)];
  return constraints;
}

Unrolling::Unrolling(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs)
    : property_(runs.property),
      space_(kernel, open, devices, runs),
      encoder_(space_.kernel(), space_.topology(), space_.sizes()) {
  if (runs.refusing) refusing_.emplace(*runs.refusing, space_);
}

std::vector<Bit> Unrolling::StateBits() const {
  std::vector<Bit> bits = encoder_.state().AllBits();
  if (refusing_)
    for (Bit bit : refusing_->StateBits()) bits.push_back(bit);
  return bits;
}

}  // namespace iommucheck::smt
