// SPDX-License-Identifier: Apache-2.0
//
// Random machines and runs. A run is valid by construction: each op is one that the kernel can take
// in the state that it has reached.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <vector>

#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"
#include "src/case/case.h"

namespace iommucheck {

// Raw random words. A single word from rapidcheck seeds a whole run: its own generators are slow
// because they draw each value separately.
class Words {
 public:
  explicit Words(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  int Below(int limit) { return static_cast<int>(Next() % static_cast<uint64_t>(limit)); }
  bool OneIn(int n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

struct Scenario {
  KernelSpec kernel;
  Topology topology;
  std::vector<Op> ops;
};
Case ToCase(const Scenario& scenario);
void showValue(const Scenario& scenario, std::ostream& os);  // the name that rapidcheck looks for

// The upper limits of what is drawn.
struct Shape {
  int drivers = 3;
  int instances = 4;
  int devices = 5;
  int ops = 24;
  bool faults = true;
  // Also draws everything that only the model has (src/case/encoded.h). Most of those runs begin
  // with groups in a container that has an IOMMU, so that they map and pin.
  bool whole = false;
};
inline constexpr Shape kWhole = {.whole = true};

using DrawKernel = std::function<KernelSpec(Words&)>;
KernelSpec DrawPromisedKernel(Words& words);  // any version, with its promise's assumptions
KernelSpec DrawPatchedKernel(Words& words);   // any version, some encoded rules dropped and added
KernelSpec DrawAnyKernel(Words& words);       // any version, some of all rules dropped and added

// An op of the right kind with operands in range, which may not be possible.
Op DrawOp(Words& words, const Topology& topology, const Shape& shape);
Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape);

// Shrinks by removing ops, faults, flags, devices, instances, and attributes that only the model
// has.
rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape = {});

}  // namespace iommucheck
