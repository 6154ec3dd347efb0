// SPDX-License-Identifier: Apache-2.0
#include "fuzz/player.h"

#include "model/invariants.h"
#include "model/step.h"

namespace iommucheck::fuzzing {

PropertySet Player::Violated(const KernelProfile& kernel, const Topology& topology,
                             std::span<const Op> ops) {
  broken_ = nullptr;
  if (BrokenAssumption(topology, kernel.rules)) return 0;
  PropertySet violated = 0;
  bool judged = false;
  State state = InitialState(topology);
  for (const Op& op : ops) {
    before_ = state;
    const StepResult result = Step(kernel, topology, op, state, events_);
    if (result.outcome != Outcome::kDone) continue;
    if (broken_ == nullptr) broken_ = BrokenInvariant(topology, state);
    const StepView view{topology, op, result, before_, state, events_};
    const Reads changed = judged ? ChangedBy(view) : static_cast<Reads>(~0U);
    judged = true;
    for (Property p : kProperties)
      if ((InfoOf(p).check.reads & changed) != 0 && FindViolation(p, view))
        violated |= PropertySet{1} << static_cast<unsigned>(p);
  }
  return violated;
}

}  // namespace iommucheck::fuzzing
