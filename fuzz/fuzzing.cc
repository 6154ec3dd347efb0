// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzzing.h"

#include <algorithm>
#include <array>
#include <cassert>
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

struct TestedKernel {
  KernelSpec spec;
  KernelProfile profile;
  RuleSet others;  // assumptions that an input may add
};

const TestedKernel& KernelUnderTest(KernelVersion version) {
  static const auto kKernels = [] {
    std::array<TestedKernel, kKernelVersionCount> kernels;
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

// A promise of a kernel, and the assumptions without which it is none.
struct Promised {
  Property property;
  Check check;
  RuleSet assumptions;
  FaultSet without;
};

// A kernel without a rule must keep the promises of the kernel with it, and every kernel must keep
// the encoded properties: if one of their assumptions is missing, the environment dropped it.
std::vector<Promised> PromisesOf(KernelVersion version) {
  static const std::optional<Property> kOnly = FixedProperty();
  const RuleSet rules = ProfileOf(version).rules;
  std::vector<Promised> promises;
  for (const Promise& promise : Promises()) {
    if (promise.version != version || (kOnly && promise.property != *kOnly)) continue;
    RuleSet assumptions;
    if (!IsEncoded(promise.property))
      for (Rule rule : promise.assumptions) assumptions.add(rule);
    promises.push_back({.property = promise.property,
                        .check = InfoOf(promise.property).check,
                        .assumptions = assumptions - rules,
                        .without = promise.without});
  }
  return promises;
}

// The promises of a kernel in a run; `faults` are the kinds of faults so far.
class Judge {
 public:
  explicit Judge(const KernelProfile& kernel) {
    static const auto kPromises = [] {
      std::array<std::vector<Promised>, kKernelVersionCount> promises;
      for (KernelVersion v : kKernelVersions) promises[static_cast<size_t>(v)] = PromisesOf(v);
      return promises;
    }();
    for (const Promised& promise : kPromises[static_cast<size_t>(kernel.version)])
      if ((promise.assumptions - kernel.rules).empty()) promises_[count_++] = &promise;
  }

  // Those that a step which changed this can have broken; the others held before it.
  [[nodiscard]] bool Holds(const StepView& view, FaultSet faults, Reads changed) const {
    for (const Promised* promise : promises())
      if ((promise->check.reads & changed) != 0 && Breaks(*promise, view, faults)) return false;
    assert(Broken(view, faults).empty());
    return true;
  }

  [[nodiscard]] std::vector<Property> Broken(const StepView& view, FaultSet faults) const {
    std::vector<Property> broken;
    for (const Promised* promise : promises())
      if (Breaks(*promise, view, faults)) broken.push_back(promise->property);
    return broken;
  }

 private:
  static bool Breaks(const Promised& promise, const StepView& view, FaultSet faults) {
    return (promise.without & faults) == 0 && promise.check.find(view);
  }

  [[nodiscard]] std::span<const Promised* const> promises() const {
    return std::span(promises_).first(count_);
  }

  std::array<const Promised*, kPropertyCount> promises_;
  size_t count_ = 0;
};

// Makes `to` what `from` is, where both are states of one run: no entry has a meaning from the ends
// on, and those of both are blank.
void Follow(const Topology& t, const State& from, State& to) {
  const int groups = std::max(from.groups_end, to.groups_end);
  const int domains = std::max(from.domains_end, to.domains_end);
  std::copy_n(from.mapped.begin(), domains, to.mapped.begin());
  std::copy_n(from.domains.begin(), domains, to.domains.begin());
  std::copy_n(from.groups.begin(), groups, to.groups.begin());
  std::copy_n(from.devices.begin(), t.devices_count, to.devices.begin());
  to.containers = from.containers;
  to.locked_vm = from.locked_vm;
  to.pins = from.pins;
  to.zero_pins = from.zero_pins;
  to.bus_notifiers = from.bus_notifiers;
  to.bus_ops = from.bus_ops;
  to.listed_count = from.listed_count;
  to.listed = from.listed;
  to.registered_count = from.registered_count;
  to.registered = from.registered;
  to.instance_group = from.instance_group;
  to.groups_end = from.groups_end;
  to.domains_end = from.domains_end;
  assert(to == from);
}

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
  const TestedKernel& kernel = KernelUnderTest(c.kernel.version);
  const RuleSet added = c.kernel.added & kernel.others;
  c.kernel = kernel.spec;
  c.kernel.added = c.kernel.added | added;
  profile = kernel.profile;
  profile.rules = profile.rules | added;
  Repair(c.topology, profile.rules);
}

void RunOrTrap(const DecodedCase& c, const KernelProfile& profile) {
  static const std::optional<Property> kOnly = FixedProperty();
  static std::vector<Event> events = RoomForEvents();  // kept, so that no step allocates
  const Judge judge(profile);
  State state = InitialState(c.topology);
  State before = state;
  FaultSet faults = 0;
  bool judged = false;  // the state before
  for (int i = 0; i < c.ops_count; ++i) {
    const Op& op = c.ops[i];
    const StepResult result = Step(profile, c.topology, op, state, events);
    if (result.outcome != Outcome::kDone) continue;
    // Checking after each step would take longer than the steps, so only one run in eight does.
    if (c.ops_count % 8 == 7)
      if (const char* broken = BrokenInvariant(c.topology, state))
        FailAt(c, profile, i, {}, absl::StrCat("the model's state is none: ", broken));
    faults |= KindsOf(op);
    const StepView view{c.topology, op, result, before, state, events};
    NoteStep(view);
    const Reads changed = judged ? ChangedBy(view) : ~Reads{0};
    judged = true;
    if (!judge.Holds(view, faults, changed)) FailAt(c, profile, i, judge.Broken(view, faults), "");
    Follow(c.topology, state, before);
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
