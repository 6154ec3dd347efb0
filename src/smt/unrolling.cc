// SPDX-License-Identifier: Apache-2.0
#include "src/smt/unrolling.h"

namespace iommucheck::smt {

Unrolling::Unrolling(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs)
    : property_(runs.property),
      space_(kernel, open, devices, runs),
      encoder_(space_.kernel(), space_.topology(), space_.sizes()) {}

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
  add({~step.futile}, "the step is not futile");
  add(encoder_.Invariants(), "fact", true);
  violated_ = step.violated[static_cast<size_t>(property_)];
  return constraints;
}

}  // namespace iommucheck::smt
