// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck check`: a real system, what was understood of it, and whether any run on it puts a
// device on a domain of another driver.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/run.h"
#include "src/explore/explore.h"
#include "src/import/import.h"
#include "src/report/machine.h"

namespace iommucheck::report {

struct SystemQuestion {
  std::string path;
  std::optional<KernelSpec> kernel;  // nothing: the profiles of the running kernel (ProfilesFor())
  int steps = 6;
  uint64_t max_states = 2'000'000;  // each search
};

struct SystemReport {
  struct Search {
    KernelSpec kernel;
    Property property;
    bool hypothetical = false;  // of the 2022 patch: no part of the verdict
    std::vector<import::Gap> gaps;
    MachineAnswer proof;            // what it holds by for runs of any length, if anything
    explore::ExploreResult result;  // where that did not answer it alone
    bool all_devices = false;       // that it searched; false: some stood for the rest, as argued
    Run run;                        // where it is violated: the model's run of the case
    Verdict verdict{};
  };
  SystemQuestion question;
  std::string kernel_release;  // from proc/version, as it stands; empty: not there
  std::string place;           // what the profiles are to that release; empty: nothing to say
  import::System system;       // as the first of the kernels has it
  std::vector<KernelSpec> kernels;
  // Each property on each kernel, then the same with the 2022 patch.
  std::vector<Search> searches;

  // The worst on the kernels asked about.
  [[nodiscard]] Verdict verdict() const;
  // Whether what is said of these is so in runs of any length.
  [[nodiscard]] bool in_any_run() const;
};

// Whether what it says of the machine is so in runs of any length.
bool InAnyRun(const SystemReport::Search& search);

// Errors: those of ReadTree() and ToSystem(); InvalidArgument where no kernel is given and none is
// found.
absl::StatusOr<SystemReport> CheckSystem(const SystemQuestion& question,
                                         const std::function<void(const std::string&)>& progress);

// The kernels to ask about: the one given, or those for the running one, and what they are to it.
// Errors: InvalidArgument, where none is known.
struct SystemKernels {
  std::vector<KernelSpec> kernels;
  std::string place;
};
absl::StatusOr<SystemKernels> KernelsFor(const std::string& path, const import::Found& found,
                                         const std::optional<KernelSpec>& given);

std::string SystemText(const SystemReport& report);
std::string SystemJson(const SystemReport& report);

}  // namespace iommucheck::report
