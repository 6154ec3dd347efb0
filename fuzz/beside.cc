// SPDX-License-Identifier: Apache-2.0
#include "fuzz/beside.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction()

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/properties.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/repair.h"
#include "src/case/run.h"

namespace iommucheck::fuzzing {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<KernelSpec> KernelOfEnvironment(KernelVersion built) {
  std::string version = Variable("IOMMUCHECK_KERNEL");
  if (version.empty()) version = VersionName(built);
  const std::vector<std::string> drop =
      absl::StrSplit(Variable("IOMMUCHECK_DROP"), ',', absl::SkipEmpty());
  return MakeKernel(version, drop, {});
}

// The rules under which a version promises that no driver gets another's device.
RuleSet PromisingRules(KernelVersion version) {
  RuleSet rules = ProfileOf(version).rules;
  for (const Promise& promise : EncodedPromises())
    if (promise.version == version && promise.property == Property::kNoCrossDriverAttach)
      for (Rule rule : promise.assumptions) rules.add(rule);
  return rules;
}

bool IsOops(const Event& event) { return event.kind == Event::Kind::kOops; }

// The core calls a domain that it has freed.
bool UsesFreedDomain(const State& before, std::span<const Event> events) {
  std::array<bool, kMaxDomains> freed{};
  for (const Event& e : events) {
    if (e.domain == kNoId) continue;
    if (e.kind == Event::Kind::kFree) freed[e.domain] = true;
    if (e.kind == Event::Kind::kAlloc) freed[e.domain] = false;
    const bool call = e.kind == Event::Kind::kAttachDev || e.kind == Event::Kind::kDetachDev;
    if (call && (freed[e.domain] || before.domains[e.domain].type == DomainType::kFreed))
      return true;
  }
  return false;
}

// Type1 maps a trial that it cannot unmap by halves, and takes that for superpages.
bool KeepsTrial(const Topology& topology, const State& before, std::span<const Event> events) {
  std::array<InstanceId, kMaxDomains> bound{};
  for (DomainId d = 0; d < kMaxDomains; ++d) bound[d] = before.domains[d].instance;
  for (const Event& e : events) {
    if (e.kind == Event::Kind::kAlloc && e.domain != kNoId) bound[e.domain] = kNoId;
    if (e.kind == Event::Kind::kAttachDev && e.error == 0 && bound[e.domain] == kNoId)
      bound[e.domain] = before.devices[e.device].instance;
    if (e.kind == Event::Kind::kMap && e.error == 0 && e.group != kNoId &&
        bound[e.domain] != kNoId && (topology.instances[bound[e.domain]].page_sizes & 3U) == 2)
      return true;
  }
  return false;
}

const char* SentenceOf(Beside::Verdict verdict) {
  switch (verdict) {
    case Beside::Verdict::kAgree:
      return "model and real code agree so far";
    case Beside::Verdict::kCrossDriver:
      return "cross-driver attach: real code gave a driver another's device";
    case Beside::Verdict::kDiffer:
      return "divergence: model and real code differ";
    case Beside::Verdict::kLeak:
      return "leak: the teardown of real code left something behind";
    case Beside::Verdict::kOops:
      return "oops: the teardown of real code follows a wild pointer";
  }
  return "";
}

// ": on v6.1 without type1.same_ops, in set-iommu c0", the last op.
std::string Where(const Case& c) {
  std::string text = absl::StrCat(": on ", std::string(VersionName(c.kernel.version)));
  if (!c.kernel.dropped.empty())
    absl::StrAppend(&text, " without ", absl::StrJoin(RuleIds(c.kernel.dropped), ", "));
  if (!c.ops.empty()) absl::StrAppend(&text, ", in ", PrintOp(c.ops.back().op, c.names));
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Beside>> Beside::Open(const std::string& library, bool catch_oops) {
  const std::string build = Variable("IOMMUCHECK_KERNEL_BUILD");
  if (build.empty())
    return absl::InvalidArgumentError(
        "IOMMUCHECK_KERNEL_BUILD: expected the folder of a build of ./dev kernel");
  const std::string path = absl::StrCat(build, "/", library);
  absl::StatusOr<conform::Harness> harness = conform::Harness::Load(path, catch_oops);
  if (!harness.ok()) return harness.status();
  const absl::StatusOr<KernelSpec> kernel = KernelOfEnvironment(harness->version());
  if (!kernel.ok())
    return absl::InvalidArgumentError(absl::StrCat("IOMMUCHECK_KERNEL, IOMMUCHECK_DROP: ",
                                                   std::string(kernel.status().message())));
  return std::unique_ptr<Beside>(new Beside(*std::move(harness), build, *kernel, !catch_oops));
}

Beside::Beside(conform::Harness harness, std::string build, const KernelSpec& kernel,
               bool sanitized)
    : harness_(std::move(harness)),
      build_(std::move(build)),
      kernel_(kernel),
      sanitized_(sanitized) {}

// Assumptions are the machine's and its drivers', so they stay the case's.
void Beside::TakeKernel() {
  case_.kernel = conform::WithAssumptionsOf(kernel_, case_.kernel);
  profile_ = ProfileOf(case_.kernel);
  const RuleSet promising = PromisingRules(kernel_.version);
  promises_ = profile_.rules.has_all(promising);
  Topology& t = case_.topology;
  for (Device& device : std::span(t.devices).first(t.devices_count)) {
    if (device.kind == DeviceKind::kNoIommu) device.kind = DeviceKind::kEmulated;
    if (((harness_.real().buses >> static_cast<unsigned>(device.bus)) & 1U) == 0)
      device.bus = Bus::kPlatform;  // a bus that the build has not
  }
  if (conform::WhyNotPlayed(t) != nullptr)
    for (Device& device : t.devices) device.regions = {};
  Repair(t, profile_.rules);
}

// A machine that runs: instances registered, devices probed, and from 2 on their groups in
// containers.
void Beside::MakeWarmStart(unsigned how) {
  warm_count_ = 0;
  const auto add = [this](OpKind kind, int a, int b = 0) {
    Op& op = warm_[warm_count_++];
    op = {.kind = kind, .a = static_cast<uint8_t>(a), .b = static_cast<uint8_t>(b)};
  };
  if (how == 0) return;
  const Topology& t = case_.topology;
  for (int i = 0; i < t.instances_count; ++i) add(OpKind::kRegister, i);
  for (int dev = 0; dev < t.devices_count; ++dev) add(OpKind::kConfigure, dev);
  if (how == 1) return;
  const int containers = how == 2 ? 1 : 2;
  for (int group = 0; group < t.devices_count; ++group) {
    add(OpKind::kSetContainer, group, group % containers);
    if (group < containers) add(OpKind::kSetIommu, group);
  }
}

// False ends the case: at the first difference, since nothing compares behind it, and before what
// the model says no kernel survives.
bool Beside::TakeOp(const Op& op, conform::TraceBuilder& model) {
  const State before = state_;
  const StepResult expected = Step(profile_, case_.topology, op, state_, events_);
  if (expected.outcome != Outcome::kDone) return true;
  if (conform::WhyNotPlayed(op, harness_.real().features) != nullptr) {
    state_ = before;
    return true;
  }
  if (std::ranges::any_of(events_, IsOops)) {
    state_ = before;
    before_oops_ = true;
    return false;
  }
  if (sanitized_ && UsesFreedDomain(before, events_)) {
    state_ = before;
    finding_ = "6.1.y: group->domain may point at a freed domain";
    return false;
  }
  if (KeepsTrial(case_.topology, before, events_)) {
    state_ = before;
    finding_ = "An IOMMU whose smallest page is larger than the CPU's: a WARN each map and unmap";
    return false;
  }
  taken_[taken_count_++] = op;
  model.Step(expected, events_, state_);

  const harness& real = harness_.real();
  const harness_op real_op = conform::OpOf(op);
  const int error = real.op(&real_op);
  const size_t known = real_.calls.size();
  uint32_t count = 0;
  const harness_call* calls = real.calls(&count);
  for (const harness_call& call : std::span(calls, count).subspan(known)) {
    real_.calls.push_back(conform::CallOf(call));
    cross_driver_ |=
        call.kind == HARNESS_ATTACH && call.error == 0 && call.driver != call.device_driver;
  }
  if (error == HARNESS_OOPS) real_.calls.push_back({.kind = conform::Call::Kind::kOops});
  real_.steps.push_back(
      {error == HARNESS_OOPS ? -EFAULT : error, static_cast<uint32_t>(real_.calls.size())});
  if (error == HARNESS_OOPS || real_.steps.back() != model_.steps.back()) return false;
  finding_ = FindingAfter(before, op, error);
  return finding_ == nullptr;
}

// What is known of the real code and not in the model, each by its heading in docs/findings.md. A
// case ends where it comes to be so, and is compared up to there; who plays cases counts them.
const char* Beside::FindingAfter(const State& before, const Op& op, int error) const {
  // Where it lies in the tree decides what else is found.
  if (op.kind == OpKind::kMap && error == 0 && op.at.first + op.at.count == kPages)
    return "A mapping that ends at the top of the address space is never unmapped";
  if (op.kind == OpKind::kUnbind || op.kind == OpKind::kRemove) {
    const DeviceState& d = before.devices[op.a];
    const bool uncounted = d.bound == BoundTo::kKernelDriver && d.group != kNoId &&
                           before.groups[d.group].owner && before.groups[d.group].kernel_users == 0;
    return uncounted ? "A driver bound before the IOMMU came gives back the owner's count"
                     : nullptr;
  }
  if (op.kind != OpKind::kRegister || error == 0) return nullptr;
  const auto waits_for_domain = [this](const conform::Call& call) {
    if (call.kind != conform::Call::Kind::kProbe) return false;
    const GroupId group = state_.devices[call.device].group;
    return group != kNoId && state_.groups[group].default_domain == kNoId;
  };
  return std::ranges::any_of(model_.CallsOf(model_.steps.size() - 1), waits_for_domain)
             ? "6.1.y and 6.12.y: a bus walk that fails leaves groups on a list head of its stack"
             : nullptr;
}

Beside::Verdict Beside::Play(std::span<const uint8_t> bytes) {
  DecodeBytes(bytes, case_);
  // The bits of the version's byte that say no version.
  return PlayTaken(bytes.empty() ? 0U : (bytes[0] >> 3U) & 3U);
}

Beside::Verdict Beside::Play(const DecodedCase& c) {
  case_ = c;
  return PlayTaken(0);
}

Beside::Verdict Beside::PlayTaken(unsigned warm) {
  TakeKernel();
  MakeWarmStart(warm);
  taken_count_ = 0;
  before_oops_ = cross_driver_ = false;
  finding_ = nullptr;
  leaks_ = {};
  real_.Clear();
  real_.has_mapped = true;
  conform::TraceBuilder model(model_, profile_.era);
  state_ = InitialState(case_.topology);
  const harness& real = harness_.real();
  const harness_machine machine = conform::MachineOf(case_.topology, profile_);
  real.begin(&machine);

  bool going = true;
  for (int i = 0; going && i < warm_count_; ++i) going = TakeOp(warm_[i], model);
  for (int i = 0; going && i < case_.ops_count; ++i) going = TakeOp(case_.ops[i], model);
  model.End(case_.topology, state_);
  return Judge();
}

Beside::Verdict Beside::Judge() {
  const harness& real = harness_.real();
  if (real_.oops()) return Verdict::kDiffer;
  harness_end end{};
  real.end(&end);
  conform::SetEnd(case_.topology, end, real_);
  Verdict verdict = Verdict::kAgree;
  if (!Agree(model_, real_)) verdict = Verdict::kDiffer;
  if (cross_driver_ && promises_) verdict = Verdict::kCrossDriver;
  if (real.finish(&leaks_) == HARNESS_OOPS) return Verdict::kOops;
  if (verdict != Verdict::kAgree) return verdict;
  return leaks_.domains == 0 && leaks_.objects == 0 && leaks_.locks == 0 ? verdict : Verdict::kLeak;
}

std::string Beside::Report(Verdict verdict) const {
  DecodedCase taken = case_;
  taken.ops_count = 0;
  Case c = ToCase(taken);
  for (const Op& op : ops()) c.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  Normalize(c);
  std::string text = absl::StrCat(SentenceOf(verdict), Where(c), "\n\n",
                                  PrintCase(Asserted(c, iommucheck::Play(c))), "\n");
  absl::StrAppend(&text, "replay: save the case above as x.case and run:\n  iommucheck conform",
                  " --kernel-build ", build_, " \\\n    --kernel ",
                  std::string(VersionName(kernel_.version)));
  for (const RuleInfo& info : AllRules())
    if (kernel_.dropped.has(info.rule)) absl::StrAppend(&text, " --drop ", std::string(info.id));
  absl::StrAppend(&text, " x.case\n");
  if (verdict == Verdict::kAgree) return text;
  uint32_t count = 0;
  const harness_warn* warns = harness_.real().warns(&count);
  for (const harness_warn& warn : std::span(warns, count))
    absl::StrAppend(&text, "WARN in ", warn.function, "(), ", warn.file, ":", warn.line, "\n");
  if (verdict == Verdict::kLeak)
    absl::StrAppend(&text, absl::StrFormat("left: %d domains, %d heap objects, %d locks\n",
                                           leaks_.domains, leaks_.objects, leaks_.locks));
  if (!Agree(model_, real_))
    absl::StrAppend(&text, conform::Compare(c, model_, "model", real_, "real code").text, "\n");
  return text;
}

namespace {

Beside* reported = nullptr;
constexpr std::array kDeaths = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
std::array<struct sigaction, kDeaths.size()> before;

// Not safe in a signal handler, but this process is lost anyway, and the case is what is wanted.
void PrintReport() {
  const Beside* beside = std::exchange(reported, nullptr);
  if (beside == nullptr) return;
  const std::string text = beside->Report(Beside::Verdict::kAgree);
  std::fprintf(stderr, "the process dies in the last op of this case, or in its teardown\n%s",
               text.c_str());
  std::fflush(stderr);
}

void OnDeath(int signal) {
  PrintReport();
  for (size_t i = 0; i < kDeaths.size(); ++i)
    if (kDeaths[i] == signal) sigaction(signal, &before[i], nullptr);
  raise(signal);
}

}  // namespace

void ReportDeaths(Beside& beside) {
  reported = &beside;
  struct sigaction action{};
  action.sa_handler = OnDeath;
  action.sa_flags = SA_NODEFER;
  for (size_t i = 0; i < kDeaths.size(); ++i) sigaction(kDeaths[i], &action, &before[i]);
}

void TrapOn(const Beside& beside, Beside::Verdict verdict) {
  reported = nullptr;
  std::fprintf(stderr, "%s\n", beside.Report(verdict).c_str());
  __builtin_trap();
}

}  // namespace iommucheck::fuzzing

// ASan calls it when a report begins.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __asan_on_error() { iommucheck::fuzzing::PrintReport(); }
