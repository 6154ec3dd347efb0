// SPDX-License-Identifier: Apache-2.0
//
// A case as the harness of real kernel code takes it (kernel/harness.h), and what the harness gives
// back as a trace has it.
#pragma once

#include <cstdint>

#include "kernel/harness.h"
#include "model/op.h"
#include "model/rules.h"
#include "model/topology.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// The machine and the ops as the harness takes them. driver.same_instance is what drivers do, so it
// is the machine's here.
harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel);
harness_op OpOf(const Op& op);
// Why no op like this can be played in a harness with these features, or nullptr.
const char* WhyNotPlayed(const Op& op, uint32_t features);
// Why no such machine can be built in a harness, whatever the kernel says to it, or nullptr.
const char* WhyNotPlayed(const Topology& topology);
Call CallOf(const harness_call& call);
// Fills what the trace says of the end.
void SetEnd(const Topology& topology, const harness_end& end, Trace& trace);

}  // namespace iommucheck::conform
