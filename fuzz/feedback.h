// SPDX-License-Identifier: Apache-2.0
//
// Coverage in the model's own terms, for libFuzzer beside that of the code: which check refused
// which op with which errno, and which groups share a domain in the end. The code that judges an
// input is not instrumented, and a check that refuses for the third errno is no new edge.
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "model/events.h"
#include "model/op.h"
#include "model/state.h"
#include "model/step.h"

namespace iommucheck::fuzzing {

void NoteStep(const Op& op, const StepResult& result, std::span<const Event> events);
void NoteEnd(const State& state);

// The same, counted exactly and kept, for figures about a corpus.
struct Terms {
  std::set<uint64_t> results;   // op, errno and faults that struck
  std::set<uint64_t> refusals;  // op, check and errno
  std::set<uint64_t> sharings;  // how many groups share each domain in the end
};
void AddTerms(const Op& op, const StepResult& result, std::span<const Event> events, Terms& terms);
void AddEnd(const State& state, Terms& terms);

}  // namespace iommucheck::fuzzing
