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
  return ended_before | (~ended_ & step.futile);
}

std::vector<Bit> Refusing::StateBits() const {
  std::vector<Bit> bits = encoder_.state().AllBits();
  bits.push_back(ended_);
  return bits;
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
