// SPDX-License-Identifier: Apache-2.0
//
// Mutations that know what a case is: an op comes, goes, moves or changes, a part of the machine
// becomes another one, a run goes on with that of another case. An engine that changes bytes needs
// luck to do the least of these. The result always decodes to a valid case; ops that come are drawn
// for the state that the run has come to, so that they mostly name something that is there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/draw/draw.h"

namespace iommucheck::fuzzing {

// What the mutator draws; the ops that real code plays, or all of the model.
using draw::Scope;

// LLVMFuzzerCustomMutator() of a target: changes the bytes in place, and returns their new count.
// One time in eight it changes bytes as the engine does; always, if IOMMUCHECK_BYTES is set, for
// comparisons.
size_t MutateCase(uint8_t* data, size_t size, size_t max_size, unsigned seed, Scope scope);

// LLVMFuzzerCustomCrossOver(): the machine of the first with ops of both.
size_t CrossOverCases(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                      uint8_t* out, size_t max_out, unsigned seed);

}  // namespace iommucheck::fuzzing
