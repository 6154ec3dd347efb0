// SPDX-License-Identifier: Apache-2.0
//
// What an engine calls besides the test itself, for the targets whose inputs are cases. The build
// says which part of the model a target draws from (IOMMUCHECK_SCOPE, a Scope of src/draw/draw.h).
#include <cstddef>
#include <cstdint>

#include "fuzz/case_mutator.h"
#include "fuzz/finding.h"

using namespace iommucheck;

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  fuzzing::SetTarget(*argc, *argv);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return fuzzing::MutateCase(data, size, max_size, seed, fuzzing::Scope::IOMMUCHECK_SCOPE);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b,
                                            size_t b_size, uint8_t* out, size_t max_out,
                                            unsigned seed) {
  return fuzzing::CrossOverCases(a, a_size, b, b_size, out, max_out, seed);
}
