// SPDX-License-Identifier: Apache-2.0
//
// Coverage in the model's own terms, which an engine gets in place of that of the code: which check
// refused which op with which errno, what drivers were called for and what they gave, how many
// drivers serve a container, and which groups share domains. A run has some dozens of these and would
// pass a thousand edges, of which each costs libFuzzer some ten nanoseconds.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "model/events.h"
#include "model/op.h"
#include "model/properties.h"
#include "model/state.h"
#include "model/step.h"
#include "src/case/bytes.h"

namespace iommucheck::fuzzing {

void NoteStep(const StepView& view);
void NoteEnd(const State& state);
// Notes all of a run, for targets that judge it otherwise.
void NoteRun(const DecodedCase& c, const KernelProfile& profile);
// Without the rule the run violates the property, and with it not.
void NoteMissed(Rule rule, Property property);

// A list with room for the events of a step of many: pages that are pinned and mapped one by one.
inline std::vector<Event> RoomForEvents() {
  std::vector<Event> events;
  events.reserve(1024);
  return events;
}

// The same, counted exactly and kept, for figures about a corpus.
struct Terms {
  std::set<uint64_t> results;   // op, errno and faults that struck
  std::set<uint64_t> refusals;  // op, check and errno
  std::set<uint64_t> sharings;  // how many groups share each domain in the end
};
void AddTerms(const Op& op, const StepResult& result, std::span<const Event> events, Terms& terms);
void AddEnd(const State& state, Terms& terms);

}  // namespace iommucheck::fuzzing
