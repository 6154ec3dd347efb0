// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck check`: a real system, what was understood of it, and whether any short run on it
// puts a device on a domain of another driver.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/run.h"
#include "src/explore/explore.h"
#include "src/import/import.h"

namespace iommucheck::report {

struct SystemQuestion {
  std::string path;
  std::optional<KernelSpec> kernel;  // nothing: the profile nearest to the running kernel
  int steps = 6;
  uint64_t max_states = 2'000'000;  // each search
};

struct SystemReport {
  struct Search {
    KernelSpec kernel;
    Property property;
    explore::ExploreResult result;
    Run run;  // where it is violated: the model's run of the case
  };
  SystemQuestion question;
  import::System system;
  KernelSpec kernel;
  std::vector<Search> searches;  // each property, as the kernel is and with the 2022 patch
};

// Whether what it says of the machine is so in runs of any length.
bool InAnyRun(const SystemReport::Search& search);

// Errors: those of ReadSystem(); InvalidArgument where no kernel is given and none is found.
absl::StatusOr<SystemReport> CheckSystem(const SystemQuestion& question,
                                         const std::function<void(const std::string&)>& progress);

std::string SystemText(const SystemReport& report);
std::string SystemJson(const SystemReport& report);

}  // namespace iommucheck::report
