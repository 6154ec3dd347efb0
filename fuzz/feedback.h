// SPDX-License-Identifier: Apache-2.0
//
// Coverage in the model's own terms, for libFuzzer beside that of the code: which check refused
// which op with which errno, and which groups share a domain in the end. The code that judges an
// input is not instrumented, and a check that refuses for the third errno is no new edge.
#pragma once

#include <span>

#include "model/events.h"
#include "model/op.h"
#include "model/state.h"
#include "model/step.h"

namespace iommucheck::fuzzing {

void NoteStep(const Op& op, const StepResult& result, std::span<const Event> events);
void NoteEnd(const State& state);

}  // namespace iommucheck::fuzzing
