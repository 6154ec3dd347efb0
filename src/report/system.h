// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck check`: a real system as it was understood, and whether any run on it puts a device
// on a domain of another driver.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/run.h"
#include "src/explore/explore.h"
#include "src/import/import.h"
#include "src/report/machine.h"
#include "src/report/vfio_groups.h"

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
    MachineAnswer proof{};            // why it holds in runs of any length, if it does
    explore::ExploreResult result{};  // where `proof` is not the answer
    bool all_devices = false;         // were searched; false: some stood for the rest, as argued
    Run run{};                        // where it is violated: the model's run of the case
    Verdict verdict = Verdict::kUnknown;
    // The same without the rules that a patch takes away and adds, where there is one.
    struct Change {
      KernelSpec before;
      Verdict verdict = Verdict::kUnknown;
      bool any_run = false;  // kHolds: in runs of any length
      int steps = 0;         // of the run, else searched up to so many
      std::string text;      // the verdict in words
    };
    std::optional<Change> change{};
  };
  SystemQuestion question;
  std::string kernel_release;  // from proc/version, as it stands; empty: not there
  std::string place;           // how the profiles relate to that release; empty: nothing to say
  import::System system;       // as the first of the kernels has it
  std::vector<KernelSpec> kernels{};
  std::vector<VfioOnKernel> vfio{};  // on each of the kernels
  // Each property on each kernel, then each with the patch of 2022.
  std::vector<Search> searches{};

  // The worst on the kernels asked about.
  [[nodiscard]] Verdict verdict() const;
  // Whether that is so in runs of any length.
  [[nodiscard]] bool in_any_run() const;
};

// Whether its verdict is about runs of any length.
bool InAnyRun(const SystemReport::Search& search);

// The answer in a sentence: "affected: ..", "not affected because ..", "none up to N steps: ..",
// "unknown because ..", and what would change it.
std::string SystemAnswer(const SystemReport& report);

// The answer in a word or two: "affected", "not affected", "none up to N steps", "unknown". With the
// patch of 2022 where it is `hypothetical`; "" where that was not asked about.
std::string AnswerWord(const SystemReport& report, bool hypothetical);

// The same for a system that was read. Errors: as CheckSystem().
absl::StatusOr<SystemReport> CheckFound(const SystemQuestion& question, const import::Found& found);
// Errors: as ReadTree() and ToSystem(); InvalidArgument where no kernel is given and none is found.
absl::StatusOr<SystemReport> CheckSystem(const SystemQuestion& question);
// The same on each of these kernels, one after another; the question's own is not looked at.
absl::StatusOr<std::vector<SystemReport>> CheckFoundOn(const SystemQuestion& question,
                                                       const import::Found& found,
                                                       std::span<const KernelVersion> versions);
std::string SystemText(const SystemReport& report);
// One table of them: the answers, the IOMMUs that do not come up, the groups that VFIO takes.
std::string SystemsText(const std::vector<SystemReport>& reports);
std::string SystemsJson(const std::vector<SystemReport>& reports);
std::string SystemJson(const SystemReport& report);

// The kernels to ask about: the one given, or the profiles for the running one, and how these
// relate to it. Errors: InvalidArgument, where none is known.
struct SystemKernels {
  std::vector<KernelSpec> kernels;
  std::string place;
};
absl::StatusOr<SystemKernels> KernelsFor(const std::string& path, const import::Found& found,
                                         const std::optional<KernelSpec>& given);

// The system as a kernel has it. Errors: as ToSystem(), "PATH: why".
absl::StatusOr<import::System> SystemOn(const std::string& path, const import::Found& found,
                                        KernelVersion version,
                                        import::Keep keep = import::Keep::kAllThatFit);

// A case without ops: the system's machine on a kernel.
Case MachineCase(const import::System& system, const KernelSpec& kernel);

}  // namespace iommucheck::report
