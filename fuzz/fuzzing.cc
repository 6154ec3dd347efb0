// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzzing.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fuzz/invariants.h"
#include "model/properties.h"
#include "model/step.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/case/repair.h"

namespace iommucheck::fuzzing {
namespace {

// A misspelt variable must not pass for a kernel without bugs.
[[noreturn]] void BadEnvironment(const char* variable, const char* value) {
  std::fprintf(stderr, "%s: there is no '%s'\n", variable, value);
  std::exit(2);
}

RuleSet DroppedRules() {
  RuleSet dropped;
  const char* value = std::getenv("IOMMUCHECK_DROP");
  if (value == nullptr) return dropped;
  for (const std::string& id :
       std::vector<std::string>(absl::StrSplit(value, ',', absl::SkipEmpty()))) {
    const std::optional<Rule> rule = FindRule(id);
    if (!rule) BadEnvironment("IOMMUCHECK_DROP", value);
    dropped.add(*rule);
  }
  return dropped;
}

std::optional<KernelVersion> FixedVersion() {
  const char* value = std::getenv("IOMMUCHECK_KERNEL");
  if (value == nullptr) return std::nullopt;
  const std::optional<KernelVersion> version = FindVersion(value);
  if (!version) BadEnvironment("IOMMUCHECK_KERNEL", value);
  return version;
}

std::vector<Property> JudgedProperties() {
  const char* value = std::getenv("IOMMUCHECK_PROPERTY");
  if (value == nullptr) return {kEncodedProperties.begin(), kEncodedProperties.end()};
  const std::optional<Property> property = FindProperty(value);
  if (!property || !IsEncoded(*property)) BadEnvironment("IOMMUCHECK_PROPERTY", value);
  return {*property};
}

struct Promised {
  KernelSpec spec;
  KernelProfile profile;
};

const Promised& KernelUnderTest(KernelVersion version) {
  static const auto kKernels = [] {
    std::array<Promised, kKernelVersionCount> kernels;
    for (KernelVersion v : kKernelVersions) {
      const KernelSpec spec = PromisedKernel(FixedVersion().value_or(v), DroppedRules());
      kernels[static_cast<size_t>(v)] = {spec, ProfileOf(spec)};
    }
    return kernels;
  }();
  return kKernels[static_cast<size_t>(version)];
}

std::string Sentences(std::span<const Event> events) {
  std::string sentences;
  for (Property p : kEncodedProperties)
    if (FindViolation(p, events) != nullptr)
      absl::StrAppend(&sentences, "violated: ", std::string(PropertyName(p)), ": ",
                      std::string(PropertySentence(p)), "\n");
  return sentences;
}

// The ops that were taken as a case to replay.
std::string Report(const DecodedCase& c, std::span<const Op> taken) {
  Case text = ToCase(c);
  text.ops.clear();
  for (const Op& op : taken)
    text.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  return PrintCase(text) +
         "\nreplay: save the case above as x.case and run: iommucheck replay x.case\n";
}

// The taken ops are not kept while all goes well: the run is repeated to find them.
[[noreturn]] void FailAt(const DecodedCase& c, const KernelProfile& profile, int last,
                         std::string_view sentence) {
  std::vector<Op> taken;
  std::vector<Event> events;
  State state = InitialState(c.topology);
  for (int i = 0; i <= last; ++i)
    if (Step(profile, c.topology, c.ops[i], state, events).outcome == Outcome::kDone)
      taken.push_back(c.ops[i]);
  Fail(sentence, Report(c, taken));
}

}  // namespace

void Fail(std::string_view sentence, std::string_view detail) {
  std::fprintf(stderr, "%.*s\n%.*s\n", static_cast<int>(sentence.size()), sentence.data(),
               static_cast<int>(detail.size()), detail.data());
  __builtin_trap();
}

KernelSpec PromisedKernel(KernelVersion version, RuleSet unwanted) {
  const RuleSet rules = ProfileOf(version).rules;
  KernelSpec spec{.version = version, .dropped = {}, .added = {}};
  for (const Promise& promise : EncodedPromises())
    if (promise.version == version)
      for (Rule rule : promise.assumptions)
        if (!rules.has(rule) && !unwanted.has(rule)) spec.added.add(rule);
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule) && unwanted.has(info.rule)) spec.dropped.add(info.rule);
  return spec;
}

void TakePromisedKernel(DecodedCase& c, KernelProfile& profile) {
  const Promised& kernel = KernelUnderTest(c.kernel.version);
  c.kernel = kernel.spec;
  profile = kernel.profile;
  Repair(c.topology, profile.rules);
}

void RunOrTrap(const DecodedCase& c, const KernelProfile& profile) {
  static const std::vector<Property> kJudged = JudgedProperties();
  static std::vector<Event> events;  // kept, so that no step allocates
  State state = InitialState(c.topology);
  for (int i = 0; i < c.ops_count; ++i) {
    if (Step(profile, c.topology, c.ops[i], state, events).outcome != Outcome::kDone) continue;
    for (Property p : kJudged)
      if (FindViolation(p, events) != nullptr) FailAt(c, profile, i, Sentences(events));
  }
  // Only if attaching across drivers is judged: a run that did it and was let go on may end so.
  if (kJudged.front() == Property::kNoCrossDriverAttach && HasForeignDomain(c.topology, state))
    FailAt(c, profile, c.ops_count - 1, "a device is on a foreign domain and no event told");
  if (const char* broken = BrokenInvariant(c.topology, state))
    FailAt(c, profile, c.ops_count - 1, absl::StrCat("the model's state is none: ", broken));
}

}  // namespace iommucheck::fuzzing
