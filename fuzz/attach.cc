// SPDX-License-Identifier: Apache-2.0
//
// For any machine and any ops, no kernel breaks a promise.
#include <cstddef>
#include <cstdint>

#include "fuzz/case_mutator.h"
#include "fuzz/finding.h"
#include "fuzz/fuzzing.h"
#include "src/case/bytes.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  iommucheck::fuzzing::SetTarget(*argc, *argv);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  return iommucheck::fuzzing::MutateCase(data, size, max_size, seed,
                                         iommucheck::fuzzing::Scope::kWhole);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b,
                                            size_t b_size, uint8_t* out, size_t max_out,
                                            unsigned seed) {
  return iommucheck::fuzzing::CrossOverCases(a, a_size, b, b_size, out, max_out, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iommucheck;
  static DecodedCase c;
  static KernelProfile profile;
  DecodeBytes({data, size}, c);
  fuzzing::TakePromisedKernel(c, profile);
  fuzzing::RunOrTrap(c, profile);
  return 0;
}
