// SPDX-License-Identifier: Apache-2.0
//
// Translates a case for the harness of real kernel code (kernel/harness.h), and the results of the
// harness for a trace.
#pragma once

#include <cstdint>

#include "kernel/harness.h"
#include "model/op.h"
#include "model/rules.h"
#include "model/topology.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// The machine and the ops for the harness. driver.same_instance is a rule about drivers, so here it
// belongs to the machine.
harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel);
harness_op OpOf(const Op& op);
// Why a harness with these features cannot play such an op, or nullptr.
const char* WhyNotPlayed(const Op& op, uint32_t features);
// Why no harness can build such a machine, whatever the kernel, or nullptr.
const char* WhyNotPlayed(const Topology& topology);
Call CallOf(const harness_call& call);
// Fills the end of the trace.
void SetEnd(const Topology& topology, const harness_end& end, Trace& trace);

}  // namespace iommucheck::conform
