// SPDX-License-Identifier: Apache-2.0
//
// For any machine and any ops, real kernel code does the same as the model, and breaks no promise.
#include <cstddef>
#include <cstdint>

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

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Only now has the engine set its own handlers, and ours must come last.
  static const bool armed = (ReportDeaths(Both()), true);
  (void)armed;
  const ModelAndKernel::Verdict verdict = Both().Play({data, size});
  if (verdict != ModelAndKernel::Verdict::kAgree) TrapOn(Both(), verdict);
  return 0;
}
