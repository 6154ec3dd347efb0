// SPDX-License-Identifier: Apache-2.0
//
// The rules that depend on a machine and its drivers, whatever kernel runs on it. The kernel's own
// rules come with the build of real code, and these come with the case.
#pragma once

#include "model/rules.h"
#include "model/topology.h"
#include "src/case/case.h"

namespace iommucheck::conform {

// `built`, with the machine's rules that the case drops and adds.
KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c);
// Drops the assumptions: real code goes on where an assumption ends a run of the model.
KernelSpec WithoutAssumptions(KernelSpec kernel);
// Whether the machine's firmware never reports the driver's instances.
bool IsOfOtherFirmware(const Topology& topology, const Driver& driver);

}  // namespace iommucheck::conform
