// SPDX-License-Identifier: Apache-2.0
//
// Random machines, ops and runs, for whoever plays cases that nobody wrote. They are drawn from the
// rows of model/attribute_rows.h and model/ops.cc: an attribute or an op that has a row there, and a
// weight in it, is in what is drawn here. The same words give the same everywhere.
#pragma once

#include <cstdint>
#include <functional>

#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"
#include "src/case/bytes.h"

namespace iommucheck::draw {

// Raw random words. A seed stands for all that is drawn from them.
class Words {
 public:
  explicit Words(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // Precondition: limit > 0.
  uint8_t Below(int limit) { return static_cast<uint8_t>(Next() % static_cast<uint64_t>(limit)); }
  bool OneIn(int n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

// Which part of the model is drawn.
enum class Scope : uint8_t {
  kEncoded,    // what solver, proofs and explorer know, too
  kInProcess,  // the ops that real code in a process plays
  kWhole,
};

// The largest that are drawn.
struct Shape {
  int drivers = 3;
  int instances = 4;
  int devices = 5;
  int ops = 24;  // besides those of a warm start
  Scope scope = Scope::kEncoded;
  FaultSet without = 0;  // no op has such a fault
};
inline constexpr FaultSet kAllFaults = 0xffff;

// Valid, but it may be outside of any assumption.
Topology DrawTopology(Words& words, const Shape& shape);

// Gives one attribute of one entry of the machine its plain value, or another one. It may be outside
// of any assumption afterwards, and not valid.
void ChangeAttribute(Words& words, const Shape& shape, Topology& topology);

// Of the right kind and in range, possible or not. With a state it names what is there more often
// than not.
Op DrawOp(Words& words, const Topology& topology, const Shape& shape, const State* state = nullptr);

// A machine and ops; the kernel is left to the caller. Most begin with groups in a container that
// has an IOMMU, and outside of Scope::kEncoded with a mapping. Does not allocate.
DecodedCase DrawCase(Words& words, const Shape& shape);

// A case on a machine that the kernel's assumptions allow, with ops that are possible one after the
// other. Shows each step.
using Show = std::function<void(const StepView&)>;
DecodedCase DrawRun(Words& words, const KernelProfile& kernel, const Shape& shape,
                    const Show& show = {});

}  // namespace iommucheck::draw
