// SPDX-License-Identifier: Apache-2.0
//
// States of real code that are known and that the model does not have, each named by its heading in
// docs/findings.md. Code that plays random cases in both ends a case at such a state, so that every
// report is new.
#pragma once

#include <span>

#include "model/op.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// The finding that an op is about to reach, judged by the events of the model from `before` on;
// nullptr: none. `sanitized`: a use of freed memory ends the process.
const char* FindingBefore(const Topology& topology, const State& before,
                          std::span<const Event> events, bool sanitized);

// The finding that an attach is about to reach, in which VFIO leaves its trial mapped; nullptr:
// none. It ends a case in a kernel without type1.fgsp_in_list, whose trial is at address 0: the first
// page of a case is another one in real code. It also ends a case that two kernels play.
const char* FindingOfTrial(const Topology& topology, const State& before,
                           std::span<const Event> events);

// The finding that an unmap is about to reach in a kernel without type1.unmap_in_order; nullptr:
// none.
const char* FindingOfUnmap(const State& before, const Op& op);

// The finding that a driver that binds is about to reach in a kernel with vfio.viable; nullptr: none.
const char* FindingOfBind(const Topology& topology, const State& before, const Op& op);

// The finding that an op has reached, with result `error` and with `calls` in the model; nullptr:
// none.
const char* FindingAfter(const Op& op, int error, const State& after, std::span<const Call> calls);

// Whether type1 never unpins the mapping that this op made. It may then lose the pins of emulated
// devices in other mappings, too, and each of these leaves its vfio_pfn.
bool IsNeverUnmapped(const Op& op, int error);

}  // namespace iommucheck::conform
