// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets share: the kernel under test, the run of a decoded case, and the report
// of what went wrong.
//
// Environment, for tests of the targets themselves:
//   IOMMUCHECK_KERNEL=v6.0              that version alone, whatever the input says
//   IOMMUCHECK_PROPERTY=name            that property alone is judged
//   IOMMUCHECK_DROP=rule.id[,rule.id]   a kernel without these rules; a run must then go wrong
#pragma once

#include <string_view>

#include "model/rules.h"
#include "src/case/bytes.h"

namespace iommucheck::fuzzing {

// A version with the assumptions under which it promises the properties, less the unwanted rules.
KernelSpec PromisedKernel(KernelVersion version, RuleSet unwanted);

// Puts the kernel that the input names in place of the input's, with the assumptions under which
// it promises the properties, and makes the machine one that they allow. `profile` is that kernel.
void TakePromisedKernel(DecodedCase& c, KernelProfile& profile);

// Runs the ops that are possible. Does not return if one violates a property, or leaves a state
// that is none.
void RunOrTrap(const DecodedCase& c, const KernelProfile& profile);

// Prints the sentence that does not hold and traps.
[[noreturn]] void Fail(std::string_view sentence, std::string_view detail);

}  // namespace iommucheck::fuzzing
