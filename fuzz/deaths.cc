// SPDX-License-Identifier: Apache-2.0
#include "fuzz/deaths.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction()

#include <array>
#include <cstddef>
#include <utility>

namespace iommucheck::fuzzing {
namespace {

void (*reported_by)() = nullptr;
constexpr std::array kDeaths = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
std::array<struct sigaction, kDeaths.size()> before;

// Not safe in a signal handler, but this process is lost anyway, and we want the case. Runs only
// once: the report may crash, too.
void Report() {
  if (void (*report)() = std::exchange(reported_by, nullptr)) report();
}

void OnDeath(int signal) {
  Report();
  for (size_t i = 0; i < kDeaths.size(); ++i)
    if (kDeaths[i] == signal) sigaction(signal, &before[i], nullptr);
  raise(signal);
}

}  // namespace

void ReportDeathsBy(void (*report)()) {
  reported_by = report;
  struct sigaction action{};
  action.sa_handler = OnDeath;
  action.sa_flags = SA_NODEFER;
  for (size_t i = 0; i < kDeaths.size(); ++i) sigaction(kDeaths[i], &action, &before[i]);
}

void LeaveDeathsUnreported() { reported_by = nullptr; }

}  // namespace iommucheck::fuzzing

// ASan calls this when a report begins.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __asan_on_error() { iommucheck::fuzzing::Report(); }
