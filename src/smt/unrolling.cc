// SPDX-License-Identifier: Apache-2.0
#include "src/smt/unrolling.h"

namespace iommucheck::smt {

Unrolling::Unrolling(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs)
    : property_(runs.property),
      space_(kernel, open, devices, runs),
      encoder_(space_.kernel(), space_.topology(), space_.sizes()) {
  if (runs.refusing)
    refusing_.emplace(SymbolicProfile(ProfileOf(*runs.refusing)), space_.topology(),
                      space_.sizes());
}

std::vector<Bit> Unrolling::StateBits() const {
  std::vector<Bit> bits = encoder_.state().AllBits();
  if (!refusing_) return bits;
  for (Bit bit : refusing_->state().AllBits()) bits.push_back(bit);
  bits.push_back(refusing_ended_);
  return bits;
}

// Takes the step on the refusing kernel, too. Whether it surely changes nothing there.
Bit Unrolling::TakeOnRefusing(const SymbolicOp& op, std::vector<Bit>& unviolated,
                              std::vector<Bit>& facts) {
  const auto add_facts = [&](const std::vector<Bit>& bits) {
    for (Bit fact : bits) facts.push_back(refusing_ended_ | fact);
  };
  if (property_ == Property::kNoCrossDriverAttach)
    add_facts(refusing_->InvariantsWhileAttachHolds());
  const StepBits step = refusing_->Step(op);
  const Bit ended_before = refusing_ended_;
  refusing_ended_ |= step.impossible | step.outside;
  unviolated.push_back(refusing_ended_ | ~step.violated[static_cast<size_t>(property_)]);
  unviolated.push_back(refusing_ended_ | ~step.out_of_groups);
  add_facts(refusing_->Invariants());
  return ended_before | (~refusing_ended_ & step.futile);
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
  Bit futile = step.futile;
  if (refusing_) {
    std::vector<Bit> unviolated;
    std::vector<Bit> facts;
    futile &= TakeOnRefusing(op, unviolated, facts);
    add(unviolated, "the refusing kernel does not violate it");
    add(facts, "fact of the refusing kernel", true);
  }
  add({~futile}, "the step is not futile");
  add(encoder_.Invariants(), "fact", true);
  violated_ = step.violated[static_cast<size_t>(property_)];
  return constraints;
}

}  // namespace iommucheck::smt
