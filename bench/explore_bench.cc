// SPDX-License-Identifier: Apache-2.0
//
// The explorer on the machine of bench/spin/groups.pml: states, transitions, CPU seconds, bytes a
// state. `explore_bench DEVICES`.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "absl/strings/str_cat.h"
#include "src/case/case.h"
#include "src/explore/explore.h"

namespace iommucheck {
namespace {

std::string Machine(int devices) {
  std::string text =
      "kernel v7.1 add assume.no_unregister_when_attached\n"
      "driver A\ndriver B\n"
      "instance a0 A fwnode\ninstance a1 A fwnode not-enforcing\ninstance b0 B fwnode\n";
  constexpr const char* kInstances[] = {"a0", "a1", "b0"};
  for (int d = 0; d < devices; ++d)
    absl::StrAppend(&text, "device d", d, " pci ", kInstances[d % 3], "\n");
  return text;
}

int Run(int devices) {
  const absl::StatusOr<Case> machine = ParseCase(Machine(devices), "machine");
  if (!machine.ok()) {
    std::fprintf(stderr, "%s\n", std::string(machine.status().message()).c_str());
    return 4;
  }
  explore::Explorer explorer(ProfileOf(machine->kernel), Property::kNoCrossDriverReuse);
  const std::clock_t start = std::clock();
  const explore::ShapeResult r = explorer.Explore({.topology = machine->topology}, {});
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (r.verdict != Verdict::kHolds || !r.every_depth) {
    std::fprintf(stderr, "explore_bench: the search did not end\n");
    return 4;
  }
  std::printf("%llu %llu %.3f %.1f\n", static_cast<unsigned long long>(r.states),
              static_cast<unsigned long long>(r.transitions), seconds,
              static_cast<double>(r.bytes) / static_cast<double>(r.states));
  return 0;
}

}  // namespace
}  // namespace iommucheck

int main(int argc, char** argv) {
  int devices = 0;
  if (argc != 2 ||
      std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), devices).ec != std::errc() ||
      devices < 1 || devices > 9) {
    std::fprintf(stderr, "explore_bench: expected a number of devices from 1 to 9\n");
    return 2;
  }
  return iommucheck::Run(devices);
}
