// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzzing.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "fuzz/feedback.h"
#include "fuzz/finding.h"
#include "model/invariants.h"
#include "model/properties.h"
#include "model/step.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/repair.h"
#include "src/case/run.h"
#include "src/case/spelling.h"

namespace iommucheck::fuzzing {
namespace {

// The one of `all` that the word names. A misspelt variable must look neither like a kernel without
// bugs nor like a bug. An engine takes handlers that run at exit() for a crash of the target, hence
// _Exit().
template <typename All, typename NameOf>
const auto& OneNamed(const char* variable, std::string_view expected, const std::string& word,
                     const All& all, NameOf name_of) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const auto& one : all) {
    if (name_of(one) == word) return one;
    names.emplace_back(name_of(one));
  }
  const std::string line = absl::StrCat(variable, ": expected ", std::string(expected), ", found ",
                                        Quote(word), DidYouMean(word, names), "\n");
  std::fputs(line.c_str(), stderr);
  std::fflush(nullptr);
  std::_Exit(2);
}

RuleSet DroppedRules() {
  RuleSet dropped;
  const char* const value = std::getenv("IOMMUCHECK_DROP");
  const std::vector<std::string> ids =
      absl::StrSplit(value == nullptr ? "" : value, ',', absl::SkipEmpty());
  for (const std::string& id : ids)
    dropped.add(OneNamed("IOMMUCHECK_DROP", "the id of a rule", id, AllRules(), [](const auto& r) {
                  return r.id;
                }).rule);
  return dropped;
}

std::optional<KernelVersion> FixedVersion() {
  const char* const value = std::getenv("IOMMUCHECK_KERNEL");
  if (value == nullptr) return std::nullopt;
  return OneNamed("IOMMUCHECK_KERNEL", "a kernel", value, kKernelVersions, VersionName);
}

std::optional<Property> FixedProperty() {
  const char* const value = std::getenv("IOMMUCHECK_PROPERTY");
  if (value == nullptr) return std::nullopt;
  return OneNamed("IOMMUCHECK_PROPERTY", "a property", value, kProperties, PropertyName);
}

// The assumptions under which the version promises the properties that are not encoded.
RuleSet OtherAssumptions(KernelVersion version) {
  RuleSet assumptions;
  for (const Promise& promise : Promises())
    if (promise.version == version && !IsEncoded(promise.property))
      for (Rule rule : promise.assumptions) assumptions.add(rule);
  return assumptions;
}

struct Promised {
  KernelSpec spec;
  KernelProfile profile;
  RuleSet others;  // assumptions that an input may add
};

const Promised& KernelUnderTest(KernelVersion version) {
  static const auto kKernels = [] {
    std::array<Promised, kKernelVersionCount> kernels;
    for (KernelVersion v : kKernelVersions) {
      const KernelSpec spec = PromisedKernel(FixedVersion().value_or(v), DroppedRules());
      const KernelProfile profile = ProfileOf(spec);
      kernels[static_cast<size_t>(v)] = {
          spec, profile, OtherAssumptions(spec.version) - DroppedRules() - profile.rules};
    }
    return kernels;
  }();
  return kKernels[static_cast<size_t>(version)];
}

// The promises of a kernel in a run; `faults` are the kinds of faults so far.
class Judge {
 public:
  Judge(const KernelProfile& kernel, std::optional<Property> only) {
    // A kernel without a rule must keep the promises of the kernel with it, and every kernel must
    // keep the encoded properties: if one of their assumptions is missing, the environment dropped
    // it.
    const RuleSet rules = kernel.rules | ProfileOf(kernel.version).rules;
    const auto has = [&](Rule rule) { return rules.has(rule); };
    for (const Promise& promise : Promises())
      if (promise.version == kernel.version && (!only || promise.property == *only) &&
          (IsEncoded(promise.property) || std::ranges::all_of(promise.assumptions, has)))
        promises_[count_++] = &promise;
  }

  [[nodiscard]] bool Holds(const StepView& view, FaultSet faults) const {
    return std::ranges::none_of(
        promises(), [&](const Promise* promise) { return Breaks(*promise, view, faults); });
  }

  [[nodiscard]] std::vector<Property> Broken(const StepView& view, FaultSet faults) const {
    std::vector<Property> broken;
    for (const Promise* promise : promises())
      if (Breaks(*promise, view, faults)) broken.push_back(promise->property);
    return broken;
  }

 private:
  static bool Breaks(const Promise& promise, const StepView& view, FaultSet faults) {
    return (promise.without & faults) == 0 && FindViolation(promise.property, view);
  }

  [[nodiscard]] std::span<const Promise* const> promises() const {
    return std::span(promises_).first(count_);
  }

  std::array<const Promise*, kPropertyCount> promises_{};
  size_t count_ = 0;
};

FaultSet KindsOf(const Op& op) {
  FaultSet kinds = 0;
  for (const Fault& fault : op.faults)
    if (fault.kind != Fault::Kind::kNone) kinds |= FaultBit(fault.kind);
  return kinds;
}

// "v6.0 without type1.same_ops", or without an assumption; the case lists those that are made.
std::string KernelText(const KernelSpec& kernel) {
  std::string text(VersionName(kernel.version));
  const RuleSet without = kernel.dropped | DroppedRules();
  if (!without.empty()) absl::StrAppend(&text, " without ", absl::StrJoin(RuleIds(without), ", "));
  return text;
}

// The ops that were taken, as a case to replay and judge: what each op gave, and that the promises
// that it breaks hold, so that judging it fails until it is mended.
std::string Report(const Case& c, const std::vector<Property>& broken) {
  const Run run = Play(c);
  Case found = Asserted(c, run, broken);
  for (Expectation& e : found.expectations)
    if (e.kind == Expectation::Kind::kViolated)
      e = {.kind = Expectation::Kind::kHolds, .property = e.property};
  return absl::StrCat(PrintCase(found),
                      "\nreplay:  save the case above as x.case; `iommucheck replay x.case` shows "
                      "its run,\n         and `iommucheck judge x.case` fails until it is mended\n",
                      ReproduceText());
}

// RunOrTrap() does not record the taken ops, so the run is repeated here to find them. `sentence`
// describes the state if no property is broken.
[[noreturn]] void FailAt(const DecodedCase& c, const KernelProfile& profile, int last,
                         const std::vector<Property>& broken, std::string_view sentence) {
  Case taken = ToCase(c);
  taken.ops.clear();
  std::vector<Event> events;
  State state = InitialState(c.topology);
  for (int i = 0; i <= last; ++i)
    if (Step(profile, c.topology, c.ops[i], state, events).outcome == Outcome::kDone)
      taken.ops.push_back({.op = c.ops[i], .expected = std::nullopt, .comment = ""});
  Normalize(taken);
  const std::string where =
      absl::StrCat("on ", KernelText(c.kernel),
                   taken.ops.empty() ? "" : ", in " + PrintOp(taken.ops.back().op, taken.names));
  std::string head;
  for (Property p : broken)
    absl::StrAppend(&head, "violated: ", std::string(PropertyName(p)), ": ", where, "\n");
  for (Property p : broken) absl::StrAppend(&head, std::string(PropertySentence(p)), "\n");
  if (broken.empty()) head = absl::StrCat(std::string(sentence), ": ", where, "\n");
  const std::string_view about = broken.empty() ? sentence : PropertyName(broken.front());
  Fail(absl::StrCat(std::string(about), " on ", std::string(VersionName(c.kernel.version))),
       absl::StrCat(head, "\n", Report(taken, broken)));
}

}  // namespace

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
  const RuleSet added = c.kernel.added & kernel.others;
  c.kernel = kernel.spec;
  c.kernel.added = c.kernel.added | added;
  profile = kernel.profile;
  profile.rules = profile.rules | added;
  Repair(c.topology, profile.rules);
}

void RunOrTrap(const DecodedCase& c, const KernelProfile& profile) {
  static const std::optional<Property> kOnly = FixedProperty();
  static std::vector<Event> events;  // kept, so that no step allocates
  const Judge judge(profile, kOnly);
  State state = InitialState(c.topology);
  State before = state;
  FaultSet faults = 0;
  for (int i = 0; i < c.ops_count; ++i) {
    const Op& op = c.ops[i];
    const StepResult result = Step(profile, c.topology, op, state, events);
    if (result.outcome != Outcome::kDone) continue;
    NoteStep(op, result, events);
    // Checking after each step would take longer than the steps, so only one run in eight does.
    if (c.ops_count % 8 == 7)
      if (const char* broken = BrokenInvariant(c.topology, state))
        FailAt(c, profile, i, {}, absl::StrCat("the model's state is none: ", broken));
    faults |= KindsOf(op);
    const StepView view{c.topology, op, result, before, state, events};
    if (!judge.Holds(view, faults)) FailAt(c, profile, i, judge.Broken(view, faults), "");
    before = state;
  }
  NoteEnd(state);
  // Judged only with attaching across drivers: otherwise such a run may have gone on, and end so.
  if (kOnly.value_or(Property::kNoCrossDriverAttach) == Property::kNoCrossDriverAttach &&
      HasForeignDomain(c.topology, state))
    FailAt(c, profile, c.ops_count - 1, {}, "a device is on a foreign domain and no event told");
  if (const char* broken = BrokenInvariant(c.topology, state))
    FailAt(c, profile, c.ops_count - 1, {}, absl::StrCat("the model's state is none: ", broken));
}

void AddTermsOf(std::span<const uint8_t> bytes, Terms& terms) {
  DecodedCase c;
  KernelProfile profile;
  DecodeBytes(bytes, c);
  TakePromisedKernel(c, profile);
  std::vector<Event> events;
  State state = InitialState(c.topology);
  for (const Op& op : std::span(c.ops).first(static_cast<size_t>(c.ops_count))) {
    const StepResult result = Step(profile, c.topology, op, state, events);
    if (result.outcome == Outcome::kDone) AddTerms(op, result, events, terms);
  }
  AddEnd(state, terms);
}

}  // namespace iommucheck::fuzzing
