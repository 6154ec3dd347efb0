// SPDX-License-Identifier: Apache-2.0
//
// The rules that a machine and its drivers keep, whatever kernel runs on it. A build of real kernel
// code has the kernel's rules, and a case brings these.
#pragma once

#include "model/rules.h"
#include "src/case/case.h"

namespace iommucheck::conform {

// Whether the machine and its drivers keep the rule, and not the kernel that was built.
bool IsTheMachines(const RuleInfo& info);
// `built` with what the case drops and adds of the machine's rules.
KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c);
// Real code goes on where an assumption ends a run of the model.
KernelSpec WithoutAssumptions(KernelSpec kernel);

}  // namespace iommucheck::conform
