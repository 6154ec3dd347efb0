// SPDX-License-Identifier: Apache-2.0
#include "src/smt/unrolling.h"

namespace iommucheck::smt {

Unrolling::Unrolling(RunSpace& space, const SymbolicProfile& kernel, const Layout& layout)
    : property_(space.runs().property),
      space_(space),
      encoder_(kernel, space.topology(), space.sizes(), layout) {
  if (const auto& refusing = space.runs().refusing)
    refusing_.emplace(SymbolicProfile(ProfileOf(*refusing)), space.topology(), space.sizes());
}

// The step on the refusing kernel. Whether it surely changes nothing there.
Bit Unrolling::TakeRefusing(const SymbolicOp& op, std::vector<Constraint>& constraints) {
  if (!refusing_) return true;
  const auto unless_ended = [&](Bit bit, std::string_view why, bool fact) {
    if (const Bit either = ended_ | bit; !either.is_true())
      constraints.push_back({either, why, fact});
  };
  constexpr std::string_view kFact = "fact of the refusing kernel";
  if (property_ == Property::kNoCrossDriverAttach)
    for (Bit fact : refusing_->InvariantsWhileAttachHolds()) unless_ended(fact, kFact, true);
  const StepBits step = refusing_->Step(op);
  const Bit ended_before = ended_;
  ended_ |= step.impossible | step.outside;
  unless_ended(~step.violated[static_cast<size_t>(property_)], "not violated where refused", false);
  unless_ended(~step.out_of_groups, "groups suffice where refused", false);
  for (Bit fact : refusing_->Invariants()) unless_ended(fact, kFact, true);
  return ended_before | (~ended_ & step.no_effect);
}

std::vector<Constraint> Unrolling::NextStep() {
  std::vector<Constraint> constraints;
  const auto add = [&](const std::vector<Bit>& bits, std::string_view why, bool fact = false) {
    for (Bit bit : bits)
      if (!bit.is_true()) constraints.push_back({bit, why, fact});
  };
  add({~violated_}, "no violation before it");
  if (property_ == Property::kNoCrossDriverAttach)
    add(encoder_.InvariantsWhileAttachHolds(), "fact while the property holds", true);
  std::vector<Bit> of_op;
  const SymbolicOp op = space_.NextOp(of_op);
  const StepBits step = encoder_.Step(op);
  add(of_op, "an op of the space");
  add({~step.impossible}, "the op is possible");
  add({~step.outside}, "within the assumptions about steps");
  add({~step.out_of_groups}, "groups suffice");
  add({~step.reorders}, "devices keep their order");
  // A smallest run has no step that changes nothing.
  const Bit nor_there = TakeRefusing(op, constraints);
  add({~(step.no_effect & nor_there)}, "the step has an effect");
  add(encoder_.Invariants(), "fact", true);
  violated_ = step.violated[static_cast<size_t>(property_)];
  return constraints;
}

}  // namespace iommucheck::smt
