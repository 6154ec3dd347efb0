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
#include "src/conform/compare.h"
#include "src/conform/findings.h"
#include "src/tool/provenance.h"

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
  const std::string note = conform::SandboxNote(build);
  if (!note.empty()) std::fprintf(stderr, "%s\n", note.c_str());
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
  if (!plays_oopses_ && std::ranges::any_of(events_, IsOops)) {
    state_ = before;
    before_oops_ = true;
    return false;
  }
  finding_ = conform::FindingBefore(case_.topology, before, events_, sanitized_);
  if (finding_ != nullptr) {
    state_ = before;
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
  finding_ =
      conform::FindingAfter(before, op, error, state_, model_.CallsOf(model_.steps.size() - 1));
  return finding_ == nullptr;
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
  before_oops_ = cross_driver_ = spent_ = false;
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
  // What the model has not may be who owns what.
  if (finding_ != nullptr) model_.has_groups = false;
  return Judge();
}

Beside::Verdict Beside::Judge() {
  const harness& real = harness_.real();
  if (real_.oops()) {
    spent_ = true;
    return Agree(model_, real_) ? Verdict::kAgree : Verdict::kDiffer;
  }
  harness_end end{};
  real.end(&end);
  conform::SetEnd(case_.topology, end, real_);
  Verdict verdict = Verdict::kAgree;
  if (!Agree(model_, real_)) verdict = Verdict::kDiffer;
  if (cross_driver_ && promises_) verdict = Verdict::kCrossDriver;
  spent_ = verdict != Verdict::kAgree;
  if (real.finish(&leaks_) == HARNESS_OOPS) {
    spent_ = true;
    return Verdict::kOops;
  }
  const bool pins = finding_ == nullptr && (leaks_.pins != 0 || leaks_.locked != 0);
  const bool leaks =
      leaks_.domains != 0 || leaks_.objects != 0 || leaks_.locks != 0 || leaks_.written != 0 ||
      std::ranges::any_of(leaks_.references, [](int left) { return left != 0; }) || pins;
  if (verdict != Verdict::kAgree || !leaks) return verdict;
  spent_ = true;
  return Verdict::kLeak;
}

std::string Beside::Summary(Verdict verdict) const {
  const std::string_view last =
      ops().empty() ? std::string_view("begin") : OpName(ops().back().kind);
  return absl::StrCat("SUMMARY: iommucheck: ", SentenceOf(verdict), ", on ",
                      std::string(VersionName(kernel_.version)), " in ", std::string(last));
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
  absl::StrAppend(&text, " x.case\ntool: ", tool::Build(), "\n");
  if (verdict == Verdict::kAgree) return text;
  uint32_t count = 0;
  const harness_warn* warns = harness_.real().warns(&count);
  for (const harness_warn& warn : std::span(warns, count))
    absl::StrAppend(&text, "WARN in ", warn.function, "(), ", warn.file, ":", warn.line, "\n");
  if (verdict == Verdict::kLeak)
    absl::StrAppend(&text, "left: ", leaks_.domains, " domains, ", leaks_.objects,
                    " heap objects (", leaks_.written, " were freed and written to), ",
                    leaks_.locks, " locks, ", absl::StrJoin(leaks_.references, "+"),
                    " references (module, device, fwnode, task), ", leaks_.pins, " pinned and ",
                    leaks_.locked, " locked pages\n");
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
  std::fprintf(stderr, "%s\n%s\n", beside.Report(verdict).c_str(), beside.Summary(verdict).c_str());
  __builtin_trap();
}

}  // namespace iommucheck::fuzzing

// ASan calls it when a report begins.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __asan_on_error() { iommucheck::fuzzing::PrintReport(); }
