// SPDX-License-Identifier: Apache-2.0
//
//   kernel_checks [NAME]...    the checks of these names, or all, in the build of
//                              IOMMUCHECK_KERNEL_BUILD; exit status 0, 1 something is wrong,
//                              2 there is no such check, 77 there is no such build
#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/kernel_checks.h"
#include "fuzz/model_and_kernel.h"

int main(int argc, char** argv) {
  using namespace iommucheck::fuzzing;
  const auto both = ModelAndKernel::Open("kernel.so", /*catch_oops=*/true);
  if (!both.ok()) {
    std::printf("SKIPPED: %s\n", std::string(both.status().message()).c_str());
    return 77;
  }
  std::vector<std::string_view> wanted(argv + 1, argv + argc);
  int status = 0;
  size_t played = 0;
  size_t lacking = 0;
  for (size_t check = 0; check < CountOfChecks((*both)->loaded().real()); ++check) {
    const harness& real = (*both)->loaded().real();
    const char* const name = NameOfCheck(real, check);
    if (argc > 1 && std::erase(wanted, name) == 0) continue;
    if (const char* const lacks = LackedByCheck(real, check)) {
      std::printf("not played: %s: this kernel lacks %s\n", name, lacks);
      ++lacking;
      continue;
    }
    ++played;
    const std::string wrong = RunCheck(real, check);
    if (wrong.empty()) continue;
    std::printf("%s:\n%s", name, wrong.c_str());
    status = 1;
    // It may have ended at a wild pointer.
    if (!(*both)->loaded().Open().ok()) return 1;
  }
  for (const std::string_view name : wanted) {
    std::printf("there is no check '%.*s'\n", static_cast<int>(name.size()), name.data());
    status = 2;
  }
  std::printf("%zu checks played, %zu not\n", played, lacking);
  return status;
}
