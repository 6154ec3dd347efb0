// SPDX-License-Identifier: Apache-2.0
//
// The random runs of src/draw as rapidcheck's values, on random kernels. A run is valid by
// construction: each op is one that the kernel can take in the state it has come to.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <vector>

#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"
#include "src/case/case.h"
#include "src/draw/draw.h"

namespace iommucheck {

using draw::DrawOp;
using draw::Shape;
using draw::Words;

struct Scenario {
  KernelSpec kernel;
  Topology topology;
  std::vector<Op> ops;
};
Case ToCase(const Scenario& scenario);
void showValue(const Scenario& scenario, std::ostream& os);  // the name that rapidcheck looks for

// Plays the scenario, passes each step to `see`, and returns the state in the end. An op that is not
// taken changes nothing.
template <typename See>
State ForEachStep(const Scenario& s, See see) {
  const KernelProfile kernel = ProfileOf(s.kernel);
  std::vector<Event> events;
  State state = InitialState(s.topology);
  for (const Op& op : s.ops) {
    const State before = state;
    const StepResult result = Step(kernel, s.topology, op, state, events);
    see(StepView{s.topology, op, result, before, state, events});
  }
  return state;
}

inline constexpr Shape kWhole = {.scope = draw::Scope::kWhole};

using DrawKernel = std::function<KernelSpec(Words&)>;
KernelSpec DrawPromisedKernel(Words& words);  // any version, with its promise's assumptions
KernelSpec DrawPatchedKernel(Words& words);   // any version, some encoded rules dropped and added
KernelSpec DrawAnyKernel(Words& words);       // any version, some of all rules dropped and added

Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape);

// Shrinks to the cases of AnySmaller() (src/case/smaller.h).
rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape = {});

}  // namespace iommucheck
