// SPDX-License-Identifier: Apache-2.0
#include "src/conform/harness.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/conform/compare.h"
#include "src/conform/findings.h"
#include "src/conform/model_trace.h"
#include "src/conform/real_run.h"

namespace iommucheck::conform {

std::span<const ProbedRule> ProbedRules() {
  static constexpr ProbedRule kProbed[] = {
      {Rule::kAllocByDevice, HARNESS_ALLOC_BY_DEV},
      {Rule::kProbeDmaConfigure, HARNESS_DMA_CONFIGURE},
      {Rule::kCoreDeferUnset, HARNESS_DEFER_UNSET},
      {Rule::kCoreRollbackReattach, HARNESS_REATTACH},
      {Rule::kCoreRollbackFailing, HARNESS_ROLLBACK_FAILING},
      {Rule::kAllocOpsPerDriver, HARNESS_OPS_PER_DRIVER},
      {Rule::kCoreDmaOwner, HARNESS_DMA_OWNER},
      {Rule::kType1SameBus, HARNESS_SAME_BUS},
      {Rule::kType1UpdateVaddr, HARNESS_UPDATE_VADDR},
  };
  return kProbed;
}

std::span<const ProbedRelease> ProbedReleases() {
  static constexpr ProbedRelease kProbed[] = {
      {KernelVersion::kV7_3, HARNESS_MAP_IOMMU_ID},
  };
  return kProbed;
}

KernelVersion ProfileOfTree(uint32_t features) {
  const auto has = [features](uint32_t feature) { return (features & feature) != 0; };
  const Era era = has(HARNESS_BUS_SET_IOMMU) ? Era::kBusSlots
                  : has(HARNESS_BUS_OPS)
                      ? (has(HARNESS_SET_PLATFORM_DMA) ? Era::kGroupSetup : Era::kSingleDriver)
                      : Era::kFwnode;
  std::vector<KernelVersion> versions;
  for (const ProfileInfo& info : AllProfiles())
    if (info.era == era) versions.push_back(info.version);
  for (const auto& [rule, feature] : ProbedRules()) {
    std::vector<KernelVersion> alike;
    for (const KernelVersion v : versions)
      if (ProfileOf(v).has(rule) == has(feature)) alike.push_back(v);
    if (!alike.empty()) versions = alike;
  }
  for (const auto& [release, feature] : ProbedReleases())
    if (!has(feature) && versions.size() > 1) std::erase(versions, release);
  return versions.back();
}

std::string ReleaseNote(const std::string& build, KernelVersion profile) {
  std::string release;
  std::ifstream(std::filesystem::path(build) / "release") >> release;
  const std::optional<ReleasePlace> place = PlaceOf(release);
  if (!place) return "";
  if (place->exact && place->below && InfoOf(*place->below).mainline == InfoOf(profile).mainline)
    return "";
  return absl::StrFormat(
      "the tree is Linux %s, which has no profile of its own or not the rules of it; "
      "it is compared as %s, whose rules its text shows",
      Printable(release), VersionName(profile));
}

std::string SandboxNote(const std::string& build) {
  // kernel/sandbox.sh sets this variable.
  const bool inside = std::getenv("IOMMUCHECK_SANDBOX") != nullptr;
  std::error_code ignored;
  if (inside || !std::filesystem::exists(std::filesystem::path(build) / "sandboxed", ignored))
    return "";
  return absl::StrCat("note: ", build,
                      " is of a tree that was built in a sandbox.\n"
                      "Its code runs in this process, which is in none: see --sandbox of ./dev.");
}

absl::StatusOr<Harness> Harness::Load(const std::string& library, bool catch_oops) {
  Harness harness;
  harness.path_ = std::filesystem::absolute(library);
  harness.catch_oops_ = catch_oops;
  if (absl::Status s = harness.Open(); !s.ok()) return s;
  harness.name_ = harness.real_->name;
  harness.version_ = ProfileOfTree(harness.real_->features);
  return harness;
}

absl::Status Harness::Open() {
  // Load the library anew, since the last case may have left it in any state.
  if (handle_ != nullptr) dlclose(handle_);
  handle_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": expected a build of ./dev kernel: ", dlerror()));
  const auto open = reinterpret_cast<harness_open_fn>(dlsym(handle_, "harness_open"));
  if (open != nullptr) real_ = open(HARNESS_VERSION, catch_oops_ ? HARNESS_CATCH_OOPS : 0);
  if (real_ == nullptr)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: expected a harness of version %d, found another; run ./dev kernel",
                        path_, HARNESS_VERSION));
  return absl::OkStatus();
}

std::string Harness::WhyNot(const Case& c) const {
  if (const char* why = WhyNotPlayed(c.topology); why != nullptr) return why;
  for (const CaseOp& op : c.ops)
    if (const char* why = WhyNotPlayed(op.op, real_->features); why != nullptr) return why;
  const harness_machine machine = MachineOf(c.topology, ProfileOf(c.kernel));
  const char* why = real_->fits(&machine);
  return why == nullptr ? "" : why;
}

std::string Harness::Warn::text() const {
  return absl::StrFormat("%s(), %s:%d", function, file, line);
}

namespace {

// After the first `steps` ops of the case and the teardown.
HeldMemory HeldInModel(const Case& c, size_t steps) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  State state = InitialState(c.topology);
  std::vector<Event> events;
  for (const CaseOp& op : std::span(c.ops).first(steps))
    if (Step(kernel, c.topology, op.op, state, events).outcome != Outcome::kDone) break;
  return HeldAfterTeardown(kernel, c.topology, state);
}

}  // namespace

Harness::Result Harness::PlayHere(const Case& c, size_t ops, const Trace* like,
                                  Trace& trace) const {
  RealRun run;
  run.Begin(*real_, c.topology, ProfileOf(c.kernel), trace);
  RealRun::Outcome outcome = RealRun::Outcome::kDone;
  for (size_t i = 0; i < ops && outcome == RealRun::Outcome::kDone; ++i) {
    outcome = run.Take(c.ops[i].op);
    if (like != nullptr && !SameStep(*like, trace, i)) break;
  }
  if (outcome != RealRun::Outcome::kOops) run.End();
  return Finish(c, trace);
}

Harness::Result Harness::Finish(const Case& c, const Trace& trace) const {
  Result result;
  uint32_t count = 0;
  const harness_warn* warns = real_->warns(&count);
  for (const harness_warn& warn : std::span(warns, count))
    result.warns.push_back({.function = warn.function, .file = warn.file, .line = warn.line});
  if (trace.oops()) return result;
  harness_leaks leaks{};
  if (real_->finish(&leaks) == HARNESS_OOPS) {
    result.leaks.emplace_back("the teardown dereferences a wild pointer");
    return result;
  }
  const auto leak = [&result](int left, const char* what) {
    if (left != 0) result.leaks.push_back(absl::StrFormat("%d %s", left, what));
  };
  bool lost = false;
  for (size_t i = 0; i < trace.steps.size(); ++i)
    lost |= IsNeverUnmapped(c.ops[i].op, trace.steps[i].error);
  HeldMemory held;
  if (leaks.pins != 0 || leaks.locked != 0) held = HeldInModel(c, trace.steps.size());
  leak(leaks.domains, "domains");
  leak(std::max(0, leaks.objects - (lost ? leaks.pins : 0)), "heap objects");
  leak(leaks.written, "freed objects that were written to");
  leak(leaks.locks, "locks");
  leak(leaks.references[HARNESS_REF_MODULE], "references to modules");
  leak(leaks.references[HARNESS_REF_DEVICE], "references to devices");
  leak(leaks.references[HARNESS_REF_FWNODE], "references to fwnodes");
  leak(leaks.references[HARNESS_REF_TASK], "references to the task and its mm");
  leak(leaks.references[HARNESS_REF_SYSFS], "files in sysfs");
  if (lost) return result;
  leak(leaks.pins - static_cast<int>(held.pins), "pinned pages");
  leak(leaks.locked - static_cast<int>(held.locked), "locked pages");
  return result;
}

}  // namespace iommucheck::conform
