// SPDX-License-Identifier: Apache-2.0
//
// CPU seconds of the proofs for every size: of each promise, with the invariant found and with it
// given. Process start is not included; the first line shows it.
#include <cstdio>
#include <ctime>
#include <string>

#include "model/properties.h"
#include "src/case/encoded.h"
#include "src/prove/prove.h"

namespace iommucheck {
namespace {

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

int Run() {
  std::printf("%7.3f  process start\n", CpuSeconds());
  std::printf("%7s  %7s  %6s  %s\n", "found", "given", "lemmas", "promise");
  int failed = 0;
  for (const Promise& promise : EncodedPromises()) {
    KernelSpec spec{.version = promise.version, .dropped = {}, .added = {}};
    for (const Rule rule : promise.assumptions) spec.added.add(rule);
    const KernelProfile kernel = ProfileOf(spec);
    const double start = CpuSeconds();
    const absl::StatusOr<prove::Proof> found = prove::Prove(promise.property, kernel, 0);
    const double middle = CpuSeconds();
    if (!found.ok() || !found->proved) {
      std::printf("%7s  %7s  %6s  ", "-", "-", "-");
      ++failed;
    } else {
      const auto given = prove::CheckInvariant(promise.property, kernel, found->invariant, 0);
      const double end = CpuSeconds();
      if (!given.ok() || !given->proved) ++failed;
      std::printf("%7.3f  %7.3f  %6zu  ", middle - start, end - middle, found->invariant.size());
    }
    std::printf("%s %s", std::string(VersionName(promise.version)).c_str(),
                std::string(PropertyName(promise.property)).c_str());
    for (const Rule rule : promise.assumptions)
      std::printf(" +%s", std::string(InfoOf(rule).id).c_str());
    std::printf("\n");
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace iommucheck

int main() { return iommucheck::Run(); }
