// SPDX-License-Identifier: Apache-2.0
//
// The explorer on the machine of bench/spin/groups.pml:
// `explore_bench DEVICES[+SPARE] [THREADS] [--alike]`.
// SPARE: instances that no device is behind. --alike: keeps one state for all that differ only in
// the names of alike devices. Prints states, transitions, CPU seconds, wall seconds, bytes a state
// and the states kept.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "absl/strings/str_cat.h"
#include "src/case/case.h"
#include "src/explore/explore.h"

namespace iommucheck {
namespace {

struct Asked {
  int devices = 0;
  int spare = 0;
  int threads = 1;
  bool alike = false;
};

std::string Machine(const Asked& asked) {
  std::string text =
      "kernel v7.1 add assume.no_unregister_when_attached\n"
      "driver A\ndriver B\n"
      "instance a0 A fwnode\ninstance a1 A fwnode not-enforcing\ninstance b0 B fwnode\n";
  // Instances of two drivers, so that no two are alike.
  if (asked.spare > 0) absl::StrAppend(&text, "instance a2 A fwnode\n");
  if (asked.spare > 1) absl::StrAppend(&text, "instance b1 B fwnode\n");
  constexpr const char* kInstances[] = {"a0", "a1", "b0"};
  for (int d = 0; d < asked.devices; ++d)
    absl::StrAppend(&text, "device d", d, " pci ", kInstances[d % 3], "\n");
  return text;
}

int Run(const Asked& asked) {
  const absl::StatusOr<Case> machine = ParseCase(Machine(asked), "machine");
  if (!machine.ok()) {
    std::fprintf(stderr, "%s\n", std::string(machine.status().message()).c_str());
    return 4;
  }
  explore::Explorer explorer(ProfileOf(machine->kernel), Property::kNoCrossDriverReuse);
  const std::clock_t start = std::clock();
  const auto wall_start = std::chrono::steady_clock::now();
  const explore::ShapeResult r = explorer.Explore({.topology = machine->topology},
                                                  {.threads = asked.threads, .alike = asked.alike});
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - wall_start;
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (r.verdict != Verdict::kHolds || !r.every_depth) {
    std::fprintf(stderr, "explore_bench: the search did not end\n");
    return 4;
  }
  std::printf("%llu %llu %.3f %.3f %.1f %llu\n", static_cast<unsigned long long>(r.states),
              static_cast<unsigned long long>(r.transitions), seconds, wall.count(),
              static_cast<double>(r.bytes) / static_cast<double>(r.states),
              static_cast<unsigned long long>(r.kept));
  return 0;
}

}  // namespace
}  // namespace iommucheck

int main(int argc, char** argv) {
  iommucheck::Asked asked;
  int end = 0;
  bool ok = argc >= 2 &&
            std::sscanf(argv[1], "%d%n+%d%n", &asked.devices, &end, &asked.spare, &end) >= 1 &&
            argv[1][end] == '\0';
  for (int n = 2; n < argc; ++n)
    if (std::strcmp(argv[n], "--alike") == 0)
      asked.alike = true;
    else
      ok &= std::sscanf(argv[n], "%d", &asked.threads) == 1;
  if (!ok || asked.devices < 1 || asked.devices > 9 || asked.spare < 0 || asked.spare > 2 ||
      asked.threads < 1) {
    std::fprintf(stderr,
                 "explore_bench: expected DEVICES[+SPARE] [THREADS] [--alike], "
                 "devices from 1 to 9, spare from 0 to 2\n");
    return 2;
  }
  return iommucheck::Run(asked);
}
