// SPDX-License-Identifier: Apache-2.0
//
// Shared by the targets of the model: the kernel under test, and the run of a decoded case.
//
// Environment, for tests of the targets themselves:
//   IOMMUCHECK_KERNEL=v6.0              always this version, whatever the input says
//   IOMMUCHECK_PROPERTY=name            judges only this property
//   IOMMUCHECK_DROP=rule.id[,rule.id]   drops these rules from the kernel; a run must then fail
#pragma once

#include <cstdint>
#include <span>

#include "fuzz/feedback.h"
#include "model/rules.h"
#include "src/case/bytes.h"

namespace iommucheck::fuzzing {

// A version with the assumptions under which it promises the properties, without the unwanted
// rules.
KernelSpec PromisedKernel(KernelVersion version, RuleSet unwanted);

// Replaces the input's kernel by the kernel under test: the same version, or that of the
// environment, with the assumptions under which it promises the properties. Changes the machine so
// that these assumptions allow it. `profile` is the new kernel.
void TakePromisedKernel(DecodedCase& c, KernelProfile& profile);

// Runs the ops that are possible. Does not return if an op violates a property, or breaks an
// invariant of the state.
void RunOrTrap(const DecodedCase& c, const KernelProfile& profile);

// Adds what the run of an input of the attach target comes to, and judges nothing.
void AddTermsOf(std::span<const uint8_t> bytes, Terms& terms);

}  // namespace iommucheck::fuzzing
