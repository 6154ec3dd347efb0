// SPDX-License-Identifier: Apache-2.0
//
// Random machines and runs. A run is valid by construction: each op is one that the kernel can
// take in the state it has come to.
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

// Raw random words. One word of rapidcheck's seeds a whole run: drawing each value by itself is
// what makes its own generators slow.
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
void showValue(const Scenario& scenario, std::ostream& os);  // as rapidcheck finds it

// The largest that are drawn.
struct Shape {
  int drivers = 3;
  int instances = 4;
  int devices = 5;
  int ops = 24;
  bool faults = true;
  // Also what is in the model alone (src/case/encoded.h). Most of those runs begin with groups in a
  // container that has an IOMMU, so that they map and pin.
  bool whole = false;
};
inline constexpr Shape kWhole = {.whole = true};

using DrawKernel = std::function<KernelSpec(Words&)>;
KernelSpec DrawPromisedKernel(Words& words);  // any version, with its promise's assumptions
KernelSpec DrawPatchedKernel(Words& words);   // any version, some encoded rules dropped and added
KernelSpec DrawAnyKernel(Words& words);       // the same of all rules

// Of the right kind and in range, possible or not.
Op DrawOp(Words& words, const Topology& topology, const Shape& shape);
Scenario DrawScenario(Words& words, const DrawKernel& draw_kernel, const Shape& shape);

// Shrinks by removing ops, faults, flags, devices and instances, and what is in the model alone.
rc::Gen<Scenario> Scenarios(DrawKernel draw_kernel, Shape shape = {});

}  // namespace iommucheck
