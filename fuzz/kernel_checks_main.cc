// SPDX-License-Identifier: Apache-2.0
//
//   kernel_checks    in the build of IOMMUCHECK_KERNEL_BUILD; exit status 0, 1 something is wrong, 77
//                    there is no such build
#include <cstdio>
#include <string>

#include "fuzz/kernel_checks.h"
#include "fuzz/model_and_kernel.h"

int main() {
  using namespace iommucheck::fuzzing;
  const auto both = ModelAndKernel::Open("kernel.so", /*catch_oops=*/true);
  if (!both.ok()) {
    std::printf("SKIPPED: %s\n", std::string(both.status().message()).c_str());
    return 77;
  }
  bool sound = true;
  for (size_t check = 0; check < CountOfChecks(); ++check) {
    const std::string wrong = RunCheck((*both)->loaded().real(), check);
    if (wrong.empty()) continue;
    std::printf("check %zu:\n%s", check, wrong.c_str());
    sound = false;
  }
  return sound ? 0 : 1;
}
