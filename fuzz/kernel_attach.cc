// SPDX-License-Identifier: Apache-2.0
//
// For any machine and any ops, real kernel code does the same as the model, and breaks no promise.
#include <cstddef>
#include <cstdint>

#include "fuzz/case_mutator.h"
#include "fuzz/finding.h"
#include "fuzz/model_and_kernel.h"

namespace {

using iommucheck::fuzzing::ModelAndKernel;

ModelAndKernel& Both() {
  static ModelAndKernel& both = ModelAndKernel::OpenOrExit("kernel-fuzz.so", /*catch_oops=*/false);
  return both;
}

}  // namespace

// Load the library before the engine looks which modules have counters.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  iommucheck::fuzzing::SetTarget(*argc, *argv);
  Both();
  return 0;
}

// The first byte says how warm the start is, and not which kernel: it stays as it is.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  const uint8_t first = size == 0 ? 0 : data[0];
  size = iommucheck::fuzzing::MutateCase(data, size, max_size, seed,
                                         iommucheck::fuzzing::Scope::kInProcess);
  if (size != 0 && seed % 8 != 0) data[0] = first;
  return size;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b,
                                            size_t b_size, uint8_t* out, size_t max_out,
                                            unsigned seed) {
  return iommucheck::fuzzing::CrossOverCases(a, a_size, b, b_size, out, max_out, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  iommucheck::fuzzing::NoteInput(data, size);
  // Only now has the engine set its own handlers, and ours must come last.
  static const bool armed = (ReportDeaths(Both()), true);
  (void)armed;
  const ModelAndKernel::Verdict verdict = Both().Play({data, size});
  if (verdict != ModelAndKernel::Verdict::kAgree) TrapOn(Both(), verdict);
  return 0;
}
