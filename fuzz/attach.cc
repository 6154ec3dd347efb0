// SPDX-License-Identifier: Apache-2.0
//
// For any machine and any ops, no kernel breaks a promise.
#include <cstddef>
#include <cstdint>

#include "fuzz/finding.h"
#include "fuzz/fuzzing.h"
#include "src/case/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iommucheck;
  fuzzing::NoteInput(data, size);
  static DecodedCase c;
  static KernelProfile profile;
  DecodeBytes({data, size}, c);
  fuzzing::TakePromisedKernel(c, profile);
  fuzzing::RunOrTrap(c, profile);
  return 0;
}
