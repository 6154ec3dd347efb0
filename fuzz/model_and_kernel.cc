// SPDX-License-Identifier: Apache-2.0
#include "fuzz/model_and_kernel.h"

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "fuzz/deaths.h"
#include "fuzz/finding.h"
#include "model/properties.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/repair.h"
#include "src/case/run.h"
#include "src/conform/compare.h"
#include "src/conform/machine_rules.h"
#include "src/conform/real_run.h"
#include "src/conform/trace.h"

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

const char* SentenceOf(ModelAndKernel::Verdict verdict) {
  switch (verdict) {
    case ModelAndKernel::Verdict::kAgree:
      return "model and real code agree so far";
    case ModelAndKernel::Verdict::kCrossDriver:
      return "cross-driver attach: real code gave a driver another's device";
    case ModelAndKernel::Verdict::kDiffer:
      return "divergence: model and real code differ";
    case ModelAndKernel::Verdict::kLeak:
      return "leak: the teardown of real code left something behind";
    case ModelAndKernel::Verdict::kOops:
      return "oops: the teardown of real code follows a wild pointer";
  }
  return "";
}

// The words of a line of a trace that are the same for each case: the op or the call, and errnos.
std::string WordsOf(const std::string& line) {
  std::vector<std::string> words;
  for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    const bool is_errno = absl::StartsWith(word, "-E") || word == "0";
    if (is_errno || (words.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(word[0]))))
      words.emplace_back(word);
  }
  return words.empty() ? "nothing" : absl::StrJoin(words, " ");
}

// ": on v6.1 without type1.same_ops, in set-iommu c0"; c0 is of the last op.
std::string Where(const Case& c) {
  std::string text = absl::StrCat(": on ", std::string(VersionName(c.kernel.version)));
  if (!c.kernel.dropped.empty())
    absl::StrAppend(&text, " without ", absl::StrJoin(RuleIds(c.kernel.dropped), ", "));
  if (!c.ops.empty()) absl::StrAppend(&text, ", in ", PrintOp(c.ops.back().op, c.names));
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelAndKernel>> ModelAndKernel::Open(const std::string& library,
                                                                     bool catch_oops) {
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
  return std::unique_ptr<ModelAndKernel>(
      new ModelAndKernel(*std::move(harness), build, *kernel, !catch_oops));
}

ModelAndKernel& ModelAndKernel::OpenOrExit(const std::string& library, bool catch_oops) {
  auto opened = Open(library, catch_oops);
  if (opened.ok()) return *opened->release();
  std::fprintf(stderr, "%s\n", std::string(opened.status().message()).c_str());
  std::exit(2);
}

ModelAndKernel::ModelAndKernel(conform::Harness harness, std::string build,
                               const KernelSpec& kernel, bool sanitized)
    : harness_(std::move(harness)),
      build_(std::move(build)),
      kernel_(kernel),
      promising_(PromisingRules(kernel.version)),
      lockstep_(sanitized) {}

// Assumptions are about the machine and its drivers, so they stay those of the case.
void ModelAndKernel::TakeKernel() {
  case_.kernel = conform::WithAssumptionsOf(kernel_, case_.kernel);
  profile_ = ProfileOf(case_.kernel);
  promises_ = profile_.rules.has_all(promising_);
  Topology& t = case_.topology;
  for (Device& device : std::span(t.devices).first(t.devices_count)) {
    if (((harness_.real().buses >> static_cast<unsigned>(device.bus)) & 1U) == 0)
      device.bus = Bus::kPlatform;  // the build does not have this bus
  }
  if (conform::WhyNotPlayed(t) != nullptr)
    for (Device& device : t.devices) device.regions = {};
  Repair(t, profile_.rules);
}

// A warm start: instances registered, devices probed, and from 2 on their groups in containers.
void ModelAndKernel::MakeWarmStart(unsigned how) {
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

ModelAndKernel::Verdict ModelAndKernel::Play(std::span<const uint8_t> bytes) {
  DecodeBytes(bytes, case_);
  // The bits of the first byte that do not choose the version.
  return PlayTaken(bytes.empty() ? 0U : (bytes[0] >> 3U) & 3U);
}

ModelAndKernel::Verdict ModelAndKernel::Play(const DecodedCase& c) {
  case_ = c;
  return PlayTaken(0);
}

ModelAndKernel::Verdict ModelAndKernel::PlayTaken(unsigned warm) {
  TakeKernel();
  MakeWarmStart(warm);
  lockstep_.Begin(harness_.real(), case_.topology, profile_);
  bool going = true;
  for (int i = 0; going && i < warm_count_; ++i) going = lockstep_.Take(warm_[i]);
  for (int i = 0; going && i < case_.ops_count; ++i) going = lockstep_.Take(case_.ops[i]);
  return lockstep_.End(promises_);
}

std::string ModelAndKernel::Kind(Verdict verdict) const {
  const std::span<const Op> ops = lockstep_.ops();
  const std::string_view last =
      ops.empty() ? std::string_view("the beginning") : InfoOf(ops.back().kind).word;
  const std::string_view sentence = SentenceOf(verdict);
  std::string kind(sentence.substr(0, sentence.find(':')));
  if (verdict == Verdict::kDiffer) {
    const conform::Comparison comparison =
        conform::Compare(TakenCase(), lockstep_.model(), "", lockstep_.real(), "");
    absl::StrAppend(&kind, " of model, ", WordsOf(comparison.a_line), ", and code, ",
                    WordsOf(comparison.b_line));
  }
  uint32_t count = 0;
  const harness_warn* warns = harness_.real().warns(&count);
  if (count != 0) absl::StrAppend(&kind, ", WARN in ", warns[0].function, "()");
  return absl::StrCat(kind, ", in ", std::string(last), " on ",
                      std::string(VersionName(kernel_.version)));
}

Case ModelAndKernel::TakenCase() const {
  DecodedCase taken = case_;
  taken.ops_count = 0;
  Case c = ToCase(taken);
  for (const Op& op : lockstep_.ops())
    c.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  Normalize(c);
  return c;
}

std::string ModelAndKernel::Report(Verdict verdict) const {
  const Case c = TakenCase();
  std::string text = absl::StrCat(SentenceOf(verdict), Where(c), "\n\n",
                                  PrintCase(Asserted(c, iommucheck::Play(c))), "\n");
  absl::StrAppend(&text, "replay: save the case above as x.case and run:\n  iommucheck conform",
                  " --kernel-build ", build_, " \\\n    --kernel ",
                  std::string(VersionName(kernel_.version)));
  for (const RuleInfo& info : AllRules())
    if (kernel_.dropped.has(info.rule)) absl::StrAppend(&text, " --drop ", std::string(info.id));
  text += " x.case\n";
  if (verdict == Verdict::kAgree) return text;
  uint32_t count = 0;
  const harness_warn* warns = harness_.real().warns(&count);
  for (const harness_warn& warn : std::span(warns, count))
    absl::StrAppend(&text, "WARN in ", warn.function, "(), ", warn.file, ":", warn.line, "\n");
  const harness_leaks& left = lockstep_.leaks();
  if (verdict == Verdict::kLeak)
    absl::StrAppend(&text, "left: ", left.domains, " domains, ", left.objects, " heap objects (",
                    left.written, " were freed and written to), ", left.locks, " locks, ",
                    absl::StrJoin(left.references, "+"),
                    " references (module, device, fwnode, task), ", left.pins, " pinned and ",
                    left.locked, " locked pages\n");
  const conform::Trace& model = lockstep_.model();
  const conform::Trace& real = lockstep_.real();
  if (!Agree(model, real))
    absl::StrAppend(&text, conform::Compare(c, model, "model", real, "real code").text, "\n");
  return text;
}

namespace {

const ModelAndKernel* under_way = nullptr;

void PrintReport() {
  const std::string text = under_way->Report(ModelAndKernel::Verdict::kAgree);
  std::fprintf(stderr, "the process dies in the last op of this case, or in its teardown\n%s%s",
               text.c_str(), ReproduceText().c_str());
  std::fflush(stderr);
}

}  // namespace

void ReportDeaths(ModelAndKernel& both) {
  under_way = &both;
  ReportDeathsBy(PrintReport);
}

void TrapOn(const ModelAndKernel& both, ModelAndKernel::Verdict verdict) {
  LeaveDeathsUnreported();
  Fail(both.Kind(verdict), absl::StrCat(both.Report(verdict), ReproduceText()));
}

}  // namespace iommucheck::fuzzing
