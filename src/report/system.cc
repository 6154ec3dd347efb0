// SPDX-License-Identifier: Apache-2.0
#include "src/report/system.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/import/catalogue.h"
#include "src/prove/facts.h"
#include "src/report/gaps.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// The machine as a kernel has it: all of it, and the devices that a search keeps of it.
struct OnKernel {
  KernelSpec kernel;
  import::System whole;
  import::System kept;
};

absl::StatusOr<OnKernel> MachineOn(const import::Found& found, const KernelSpec& kernel) {
  absl::StatusOr<import::System> whole =
      import::ToSystem(found, kernel.version, import::Keep::kAllThatFit);
  if (!whole.ok()) return whole.status();
  absl::StatusOr<import::System> kept = import::ToSystem(found, kernel.version);
  if (!kept.ok()) return kept.status();
  return OnKernel{.kernel = import::AssumingInTree(kernel, kept->names.drivers),
                  .whole = *std::move(whole),
                  .kept = *std::move(kept)};
}

// One question: answered at once where the machine allows it, else by the search, and by a proof
// where the search finds nothing.
absl::StatusOr<SystemReport::Search> Answer(const SystemQuestion& question, const OnKernel& machine,
                                            Property property, bool hypothetical) {
  KernelSpec kernel = machine.kernel;
  if (hypothetical) kernel.dropped.add(Rule::kType1SameOps);
  SystemReport::Search search{.kernel = kernel,
                              .property = property,
                              .hypothetical = hypothetical,
                              .gaps = machine.whole.gaps,
                              .proof = {},
                              .result = {},
                              .run = {},
                              .verdict = Verdict::kUnknown};
  const MachineQuestion on{.property = property,
                           .path = question.path,
                           .machine = MachineCase(machine.whole, kernel),
                           .assumptions = {},
                           .gaps = {},
                           .bounds = {},
                           .want_smt2 = false,
                           .bounded = false};
  const auto prove = [&](bool with_proof) -> absl::Status {
    absl::StatusOr<MachineAnswer> proof = ProveOnMachine(on, with_proof);
    if (!proof.ok()) return proof.status();
    search.proof = *std::move(proof);
    if (HoldsForEveryRun(search.proof))
      search.verdict = OnWhatIsThere(Verdict::kHolds, search.gaps);
    return absl::OkStatus();
  };
  if (absl::Status s = prove(false); !s.ok()) return s;
  if (HoldsForEveryRun(search.proof)) return search;

  search.result = explore::ExploreMachine(MachineCase(machine.kept, kernel), property,
                                          question.steps, question.max_states);
  search.all_devices = machine.kept.topology.devices_count == machine.kept.devices_found;
  search.verdict = OnWhatIsThere(search.result.verdict, search.gaps);
  if (search.result.verdict != Verdict::kViolated) {
    if (absl::Status s = prove(true); !s.ok()) return s;
    return search;
  }
  search.run = Play(search.result.found);
  if (search.run.of(property).at == 0)
    return absl::InternalError(
        absl::StrCat("the search and the model disagree on\n", PrintCase(search.result.found)));
  search.result.found = Asserted(std::move(search.result.found), search.run, {property});
  return search;
}

}  // namespace

Case MachineCase(const import::System& system, const KernelSpec& kernel) {
  return {.comment = {},
          .kernel = kernel,
          .topology = system.topology,
          .names = system.names,
          .ops = {},
          .expectations = {}};
}

bool InAnyRun(const SystemReport::Search& search) {
  const explore::ExploreResult& r = search.result;
  return HoldsForEveryRun(search.proof) || (r.every_depth && search.all_devices) ||
         (r.verdict == Verdict::kHolds && !r.reason.empty());
}

Verdict SystemReport::verdict() const {
  Verdict worst = Verdict::kHolds;
  for (const Search& s : searches) {
    if (s.hypothetical) continue;
    if (s.verdict == Verdict::kViolated) return s.verdict;
    if (s.verdict == Verdict::kUnknown) worst = s.verdict;
  }
  return worst;
}

bool SystemReport::in_any_run() const {
  return std::ranges::all_of(searches,
                             [](const Search& s) { return s.hypothetical || InAnyRun(s); });
}

absl::StatusOr<SystemKernels> KernelsFor(const std::string& path, const import::Found& found,
                                         const std::optional<KernelSpec>& given) {
  SystemKernels result;
  if (given) {
    result.kernels = {*given};
    return result;
  }
  const std::optional<ReleasePlace> place = PlaceOf(found.kernel_release);
  if (!place || !place->below)
    return absl::InvalidArgumentError(absl::StrCat(
        Printable(path), ": expected proc/version of a kernel from 5.15 on, found ",
        found.kernel_release.empty() ? found.release_trouble : Printable(found.kernel_release),
        "; say --kernel"));
  for (const KernelVersion version : ProfilesFor(*place))
    result.kernels.push_back({.version = version, .dropped = {}, .added = {}});
  result.place = PlaceText(found.kernel_release, *place);
  return result;
}

absl::StatusOr<SystemReport> CheckSystem(const SystemQuestion& question,
                                         const std::function<void(const std::string&)>& progress) {
  const absl::StatusOr<import::Found> found = import::ReadTree(question.path);
  if (!found.ok()) return found.status();
  const absl::StatusOr<SystemKernels> kernels = KernelsFor(question.path, *found, question.kernel);
  if (!kernels.ok()) return kernels.status();
  std::vector<OnKernel> machines;
  for (const KernelSpec& kernel : kernels->kernels) {
    absl::StatusOr<OnKernel> machine = MachineOn(*found, kernel);
    if (!machine.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(question.path), ": ", machine.status().message()));
    machines.push_back(*std::move(machine));
  }
  SystemReport report{.question = question,
                      .kernel_release = found->kernel_release,
                      .place = kernels->place,
                      .system = machines.front().kept,
                      .kernels = {},
                      .searches = {}};
  for (const OnKernel& machine : machines) report.kernels.push_back(machine.kernel);
  const bool two_drivers = prove::DriversOf(report.system.topology) > 1;
  for (const bool hypothetical : {false, true})
    for (Property property : kEncodedProperties)
      for (const OnKernel& machine : machines) {
        if (hypothetical && (!two_drivers || machine.kernel.dropped.has(Rule::kType1SameOps)))
          continue;
        progress(absl::StrFormat("searching %s%s, %s", KernelName(machine.kernel),
                                 hypothetical ? " and the patch of 2022" : "",
                                 PropertyName(property)));
        absl::StatusOr<SystemReport::Search> search =
            Answer(question, machine, property, hypothetical);
        if (!search.ok()) return search.status();
        report.searches.push_back(*std::move(search));
      }
  return report;
}

}  // namespace iommucheck::report
