// SPDX-License-Identifier: Apache-2.0
//
// States of real code that are known and that the model does not have, each by its heading in
// docs/findings.md. Who plays random cases in both ends a case there, so that a report is news.
#pragma once

#include <span>

#include "model/op.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// The finding that an op would come to, by what the model does in it (`events`, from `before` on),
// or nullptr. `sanitized`: a use of freed memory ends the process.
const char* FindingBefore(const Topology& topology, const State& before,
                          std::span<const Event> events, bool sanitized);

// The one that an op has come to, which gave `error` and in which the model has `calls`, or
// nullptr.
const char* FindingAfter(const State& before, const Op& op, int error, const State& after,
                         std::span<const Call> calls);

// The pins of a mapping that this op made are never given back. Those of emulated devices in others
// may not be found any more: each leaves its vfio_pfn, too.
bool IsNeverUnmapped(const Op& op, int error);

}  // namespace iommucheck::conform
