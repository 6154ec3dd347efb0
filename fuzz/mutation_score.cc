// SPDX-License-Identifier: Apache-2.0
//
//   mutation_score [--executions=N] [--seed=S] [--kernel=VERSION] [--solver] CASE|FOLDER...
//
// The mutation score: drops each rule of each kernel in turn, and reports who notices. A rule is
// noticed if a run violates a property that it does not violate on the whole kernel.
//
//   properties  runs of the given cases, played on every kernel
//   fuzzer      inputs made from these cases and from scratch, by fixed seed, up to N for a kernel
//   solver      with --solver, for encoded rules: on a kernel without the rule, two devices violate
//               an encoded property within six steps. Most rules have another as a backup.
//
// Rules that no property is about are listed with the reason; any other rule that goes unnoticed is
// an error.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "fuzz/cases.h"
#include "fuzz/mutator.h"
#include "fuzz/options.h"
#include "fuzz/player.h"
#include "fuzz/silent_checks.h"
#include "model/properties.h"
#include "model/rules.h"
#include "src/case/bytes.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/case/repair.h"
#include "src/smt/query.h"

namespace iommucheck {
namespace {

using fuzzing::GivenCases;
using fuzzing::Mutator;
using fuzzing::Player;
using fuzzing::PropertySet;

// Rules that no property is about on these kernels, apart from silent checks. That is no fact of the
// rule alone: it is what the other rules and the properties leave to notice. A run without such a
// rule may still go on where the rule would have ended it and violate something later, which shows
// nothing about the rule; so nobody looks.
struct Unnoticeable {
  Rule rule;
  VersionRange versions;
  std::string_view why;
};
using enum KernelVersion;
constexpr auto kUnnoticeable = std::to_array<Unnoticeable>({
    {Rule::kCoreClaimBlocking, Until(kV5_19), "groups are not claimed"},
    {Rule::kVfioReleaseOnError, Until(kV5_19), "groups are not claimed"},
    {Rule::kCoreRollbackFailing, Since(kV6_12).Until(kV7_1),
     "driver.attach_keeps_old leaves the device where it was"},
    {Rule::kAllocByDevice, kEveryVersion,
     "core.owner_first refuses what another driver of the bus allocates"},
    {Rule::kCoreAttachBusy, kEveryVersion,
     "what type1 attaches is claimed, or on its default domain"},
    {Rule::kCoreDeferredAlone, kEveryVersion,
     "the domain is that which the device waits for, whether others come along or it is refused"},
    {Rule::kCoreDirectRuns, Since(kV6_6),
     "a page that cannot be mapped refuses the default domain"},
    {Rule::kCoreResetBusy, kEveryVersion, "a device in reset is left out of the change anyway"},
    {Rule::kDriverAttachKeepsOld, Since(kV6_12).Until(kV7_1),
     "core.rollback_failing puts the device back"},
    {Rule::kDriverSnoopChecked, kEveryVersion,
     "type1.same_coherency keeps such devices apart before"},
    {Rule::kFirmwareDtXorAcpi, kEveryVersion,
     "it keeps drivers apart that other rules keep apart, too"},
    {Rule::kFwspecOneDriver, kEveryVersion,
     "either driver is one that firmware names for the device"},
    {Rule::kFwspecFreeOnError, kEveryVersion, "the driver that is left is one that firmware names"},
    {Rule::kFwspecWithoutOps, kEveryVersion,
     "it leads to an oops alone, and no kernel that has it promises that there is none"},
    {Rule::kFwspecKeepsOps, kEveryVersion, "it decides which devices are served, not by whom"},
    {Rule::kCorePasidRevert, kEveryVersion,
     "which devices lose a PASID that no group has is no state"},
    {Rule::kType1Overflow, kEveryVersion, "it changes an errno, and no property is about errnos"},
    {Rule::kFirmwareViot, kEveryVersion, "it changes an errno, and no property is about errnos"},
    {Rule::kBindProbeErrno, kEveryVersion, "it changes an errno, and no property is about errnos"},
    {Rule::kType1FgspProbe, kEveryVersion, "how a domain splits large pages is not modelled"},
    {Rule::kType1MapAlign, kEveryVersion, "iommu_map() refuses the same"},
    {Rule::kType1MsiAnyDevice, kEveryVersion,
     "without it the first device is asked, which allows less"},
    {Rule::kType1VaddrBusy, kEveryVersion,
     "type1.vaddr_no_emulated: a mapping without a vaddr has a domain, and its pages stay pinned"},
    {Rule::kType1VaddrNoEmulated, kEveryVersion, "type1.pin_vaddr_busy stands behind it"},
    {Rule::kType1NestingType, kEveryVersion, "without it there are no containers with nesting"},
    {Rule::kType1PinBatches, kEveryVersion, "a mapping is the same in one piece and in several"},
    {Rule::kType1UnmapAll, kEveryVersion, "without it the flag is refused"},
    {Rule::kType1UpdateVaddr, kEveryVersion, "without it the flags are refused"},
    {Rule::kType1UnmapInOrder, kEveryVersion, "nothing ever unmaps what it lets an unmap come to"},
    {Rule::kType1SameBus, Until(kV6_0), "the driver of a bus is that of its devices"},
    {Rule::kType1SameCoherency, Until(kV5_19),
     "coherency is of the bus, and alike for domains of a driver"},
    {Rule::kType1SameOps, Since(kV6_1),
     "register.single_driver or core.owner_first holds without it"},
    {Rule::kVfioCacheCoherency, kEveryVersion,
     "no property is about devices that are not coherent"},
    {Rule::kVfioCoherencyOfBus, kEveryVersion,
     "no property is about devices that are not coherent"},
    {Rule::kType1EmulatedByBus, kEveryVersion,
     "it refuses a group without devices, which does nothing"},
    {Rule::kType1UnpinWarns, kEveryVersion, "no property is about WARNs"},
    {Rule::kCoreIdentityIsDefault, Since(kV6_6),
     "the PASIDs are the core's, and leave the group's domain alone"},
    {Rule::kVfioSetIommuUnwind, kEveryVersion, "vfio_iommu_type1_release() detaches what is left"},
});

std::string_view WhyUnnoticeable(KernelVersion version, Rule rule) {
  if (const std::string_view why = fuzzing::WhySilent(rule); !why.empty()) return why;
  const auto* it = std::ranges::find_if(kUnnoticeable, [&](const Unnoticeable& u) {
    return u.rule == rule && u.versions.has(version);
  });
  return it == kUnnoticeable.end() ? std::string_view() : it->why;
}

// Who noticed that a rule is dropped.
struct Noticed {
  std::string by_case;         // the first case, or none
  std::optional<Property> of;  // the first property
  uint64_t executions = 0;     // of the fuzzer until then; 0: not noticed
};

// The smallest run that the solver finds, or "".
std::string BySolver(KernelVersion version, Rule rule) {
  for (const Promise& promise : EncodedPromises()) {
    if (promise.version != version) continue;
    KernelSpec kernel{.version = version, .dropped = {}, .added = {}};
    for (Rule assumption : promise.assumptions)
      if (!ProfileOf(version).has(assumption)) kernel.added.add(assumption);
    kernel.dropped.add(rule);
    const auto result = smt::Query(promise.property, kernel, {.devices = 2, .steps = 6});
    if (!result.ok()) return std::string(result.status().message());
    if (result->verdict == Verdict::kViolated)
      return absl::StrFormat("%s in %d steps", PropertyName(promise.property),
                             result->found.ops.size());
  }
  return "";
}

class KernelRun {
 public:
  explicit KernelRun(KernelVersion version) : whole_(ProfileOf(version)) {
    for (const RuleInfo& info : AllRules())
      if (info.kind != RuleKind::kAssumption && whole_.has(info.rule)) noticed_[info.rule];
  }

  void Give(const std::string& name, const Case& c) {
    const std::vector<Op> ops = fuzzing::OpsOf(c);
    const RuleSet assumptions = AssumptionsOf(c);
    ForEachNotice(
        c.topology, ops, assumptions, [](const Noticed& n) { return !n.by_case.empty(); },
        [&](Noticed& n, Property p) {
          n.by_case = name;
          if (!n.of) n.of = p;
        });
  }

  // False once every rule has been noticed.
  bool Fuzz(const DecodedCase& c, uint64_t execution) {
    bool left = false;
    for (const auto& [rule, n] : noticed_)
      left |= n.executions == 0 && WhyUnnoticeable(whole_.version, rule).empty();
    if (!left) return false;
    ForEachNotice(
        c.topology, std::span(c.ops).first(static_cast<size_t>(c.ops_count)), whole_.rules,
        [](const Noticed& n) { return n.executions != 0; },
        [&](Noticed& n, Property p) {
          n.executions = execution;
          if (!n.of) n.of = p;
        });
    return true;
  }

  [[nodiscard]] const std::map<Rule, Noticed>& noticed() const { return noticed_; }
  [[nodiscard]] const KernelProfile& whole() const { return whole_; }

 private:
  // The assumptions of a case belong to its machine, so they are kept.
  [[nodiscard]] RuleSet AssumptionsOf(const Case& c) const {
    RuleSet rules = whole_.rules;
    for (const RuleInfo& info : AllRules()) {
      if (info.kind != RuleKind::kAssumption) continue;
      if (c.kernel.dropped.has(info.rule)) rules.drop(info.rule);
      if (c.kernel.added.has(info.rule)) rules.add(info.rule);
    }
    return rules;
  }

  template <typename Known, typename Notice>
  void ForEachNotice(const Topology& topology, std::span<const Op> ops, const RuleSet& rules,
                     Known known, Notice notice) {
    KernelProfile kernel = whole_;
    kernel.rules = rules;
    std::optional<PropertySet> whole;
    for (auto& [rule, n] : noticed_) {
      if (known(n) || !WhyUnnoticeable(whole_.version, rule).empty()) continue;
      if (!whole) whole = player_.Violated(kernel, topology, ops);
      KernelProfile mutant = kernel;
      mutant.rules.drop(rule);
      const PropertySet fresh = player_.Violated(mutant, topology, ops) & ~*whole;
      if (fresh != 0) notice(n, kProperties[static_cast<size_t>(std::countr_zero(fresh))]);
    }
  }

  KernelProfile whole_;
  std::map<Rule, Noticed> noticed_;
  Player player_;
};

struct Score {
  int rules = 0;
  int unnoticeable = 0;
  int by_properties = 0;
  int by_fuzzer = 0;
  int encoded = 0;
  int by_solver = 0;
};

void Print(const KernelRun& kernel, bool solver, Score& score) {
  std::printf("%s\n", std::string(VersionName(kernel.whole().version)).c_str());
  for (const auto& [rule, n] : kernel.noticed()) {
    const std::string id(InfoOf(rule).id);
    ++score.rules;
    if (const std::string why(WhyUnnoticeable(kernel.whole().version, rule)); !why.empty()) {
      ++score.unnoticeable;
      std::printf("  %-26s nobody can: %s\n", id.c_str(), why.c_str());
      continue;
    }
    if (n.of) ++score.by_properties;
    if (n.executions != 0) ++score.by_fuzzer;
    const std::string property = n.of ? std::string(PropertyName(*n.of)) : "UNNOTICED";
    const std::string fuzzer = n.executions == 0 ? "-" : std::to_string(n.executions);
    std::printf("  %-26s %-34s fuzzer %s%s%s\n", id.c_str(), property.c_str(), fuzzer.c_str(),
                n.by_case.empty() ? "" : ", ", n.by_case.c_str());
    if (!solver || !IsEncoded(rule)) continue;
    ++score.encoded;
    const std::string found = BySolver(kernel.whole().version, rule);
    if (found.empty()) continue;
    ++score.by_solver;
    std::printf("  %-26s solver: %s\n", "", found.c_str());
  }
}

}  // namespace

int Main(int argc, char** argv) {
  uint64_t executions = 100'000;
  uint64_t seed = 1;
  bool solver = false;
  std::string kernel_name;
  GivenCases given;
  if (const auto status = fuzzing::ReadOptions(argc, argv,
                                               {{"executions", &executions},
                                                {"seed", &seed},
                                                {"kernel", &kernel_name},
                                                {"solver", &solver}},
                                               "cases", [&](const std::string& argument) {
                                                 return fuzzing::ReadCases(argument, given);
                                               }))
    return *status;
  const std::optional<KernelVersion> only = FindVersion(kernel_name);
  if (!kernel_name.empty() && !only) {
    std::fprintf(stderr, "no such kernel: %s\n", kernel_name.c_str());
    return 2;
  }

  Score score;
  DecodedCase decoded;
  for (KernelVersion version : kKernelVersions) {
    if (only && *only != version) continue;
    KernelRun kernel(version);
    for (const auto& [name, c] : given.cases) kernel.Give(name, c);
    Mutator derived(given.inputs, seed);
    bool left = !given.inputs.empty();
    for (uint64_t n = 1; left && n <= executions; ++n) {
      DecodeBytes(derived.Next(), decoded);
      Repair(decoded.topology, kernel.whole().rules);
      left = kernel.Fuzz(decoded, n);
    }
    Print(kernel, solver, score);
  }
  const int can = score.rules - score.unnoticeable;
  std::printf("%d rules of kernels, %d that nobody can notice\n", score.rules, score.unnoticeable);
  std::printf(
      "properties notice %d of %d, the fuzzer %d within %llu executions a kernel, seed %llu\n",
      score.by_properties, can, score.by_fuzzer, static_cast<unsigned long long>(executions),
      static_cast<unsigned long long>(seed));
  if (solver)
    std::printf("the solver notices %d of %d that are encoded, by themselves\n", score.by_solver,
                score.encoded);
  return score.by_properties == can ? 0 : 1;
}

}  // namespace iommucheck

int main(int argc, char** argv) { return iommucheck::Main(argc, argv); }
