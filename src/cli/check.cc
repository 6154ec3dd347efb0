// SPDX-License-Identifier: Apache-2.0
//
// check, pairs and check-certificate: real systems, the catalogue of drivers, and certificates.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/import/catalogue.h"
#include "src/import/grouping.h"
#include "src/import/pairs.h"
#include "src/report/certificate.h"
#include "src/report/pairs_text.h"
#include "src/report/system.h"
#include "src/report/why.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

constexpr int kMaxCheckSteps = 32;

struct CheckOptions {
  report::SystemQuestion question;
  import::Sources sources;
  KernelOptions kernel;
  AnswerOptions answer;
  std::string why;  // a group, a device, or "all"
};

int ExitOf(const report::SystemReport& report, const AnswerOptions& options) {
  int exit = kOk;
  for (const report::SystemReport::Search& search : report.searches) {
    // A search that was cut short is in the exit status, though it is no part of the verdict.
    if (search.hypothetical && tool::Stopped() && search.verdict == Verdict::kUnknown)
      exit = std::max<int>(exit, kUnknown);
    if (search.hypothetical) continue;
    if (search.verdict == Verdict::kViolated) return kViolated;
    exit = std::max(exit, options.ExitOf(search.verdict, report::InAnyRun(search)));
  }
  return exit;
}

void CheckOnAll(const CheckOptions& o, Session& session) {
  if (!o.kernel.drop.empty() || !o.kernel.add.empty())
    return session.Fail(absl::OutOfRangeError("--drop and --add go with one kernel"));
  const absl::StatusOr<import::Found> found = import::ReadTree(o.question.path, o.sources);
  if (!found.ok()) return session.Fail(found.status());
  const absl::StatusOr<std::vector<report::SystemReport>> reports =
      report::CheckFoundOn(o.question, *found, kKernelVersions);
  Progress("");
  if (!reports.ok()) return session.Fail(reports.status());
  std::cout << (o.answer.json ? report::SystemsJson(*reports) : report::SystemsText(*reports));
  for (const report::SystemReport& report : *reports) {
    const int exit = ExitOf(report, o.answer);
    if (session.exit != kViolated) session.exit = exit == kOk ? session.exit : exit;
  }
}

void Why(const CheckOptions& o, Session& session) {
  const absl::StatusOr<import::Found> found = import::ReadTree(o.question.path, o.sources);
  if (!found.ok()) return session.Fail(found.status());
  if (found->described_only)
    return session.Fail(absl::OutOfRangeError(
        "--why is about groups that a kernel has made, which firmware alone does not show"));
  const std::vector<import::GroupStory> stories = import::WhyGroups(*found, o.why);
  if (stories.empty() && o.why != "all")
    return session.Fail(
        absl::OutOfRangeError("--why: expected a group or device of the system, or all, found '" +
                              Printable(o.why) + "'"));
  std::cout << (o.answer.json ? report::WhyJson(o.question.path, stories)
                              : report::WhyText(o.question.path, stories));
  // What is not known of a group is part of its answer.
  for (const import::GroupStory& story : stories)
    if (!story.unknown.empty()) session.exit = kUnknown;
}

void Check(CheckOptions& o, Session& session) {
  if (!o.why.empty()) return Why(o, session);
  if (o.kernel.version == kAllKernels) return CheckOnAll(o, session);
  if (!o.kernel.version.empty()) {
    const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse(import::kAssumedInTree);
    if (!kernel.ok()) return session.Fail(kernel.status());
    o.question.kernel = *kernel;
  } else if (!o.kernel.drop.empty() || !o.kernel.add.empty()) {
    return session.Fail(absl::OutOfRangeError("--drop and --add go with --kernel"));
  }
  const absl::StatusOr<import::Found> found = import::ReadTree(o.question.path, o.sources);
  if (!found.ok()) return session.Fail(found.status());
  const absl::StatusOr<report::SystemReport> report = report::CheckFound(o.question, *found);
  Progress("");
  if (!report.ok()) return session.Fail(report.status());
  std::cout << (o.answer.json ? report::SystemJson(*report) : report::SystemText(*report));
  session.exit = ExitOf(*report, o.answer);
}

void PairsOnAll(const KernelOptions& kernel, bool json, Session& session) {
  if (!kernel.drop.empty() || !kernel.add.empty())
    return session.Fail(absl::OutOfRangeError("--drop and --add go with one kernel"));
  std::vector<report::PairsOn> kernels;
  for (const KernelVersion version : kKernelVersions) {
    const KernelSpec spec{.version = version, .dropped = {}, .added = {}};
    kernels.push_back({spec, import::AnalysePairs(spec)});
  }
  std::cout << (json ? report::PairsAcrossJson(kernels) : report::PairsAcrossText(kernels));
}

constexpr size_t kMaxFileBytes = size_t{1} << 32U;

void CheckCertificate(const std::string& folder, bool json, Session& session) {
  // Reading a device, such as /dev/zero, would go on up to the limit.
  const auto read = [](const std::string& path) -> absl::StatusOr<std::string> {
    std::error_code error;
    if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
      return absl::InvalidArgumentError(path + ": expected a file, found none");
    return ReadFile(path, kMaxFileBytes);
  };
  const absl::StatusOr<certificate::Checked> checked = certificate::CheckCertificate(folder, read);
  if (!checked.ok()) return session.Fail(checked.status());
  std::cout << (json ? report::CheckedJson(*checked) : report::CheckedText(*checked));
  session.exit = checked->failure.empty() ? kOk : kViolated;
}

}  // namespace

void AddCheck(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "check", "A real system: what is in it, and whether any run on it goes wrong");
  auto o = std::make_shared<CheckOptions>();
  command->footer("Example: iommucheck check / --require proof");
  command
      ->add_option("PATH", o->question.path,
                   "a /sys tree, a snapshot tar of one, a device tree, or ACPI tables: "
                   "docs/check.md, docs/systems.md")
      ->required();
  AddSources(*command, o->sources);
  o->kernel.AddTo(*command, false);
  command->get_option("--kernel")
      ->description("kernel profile or release, instead of its own; all: every one, in one table");
  command->add_option("--steps", o->question.steps, "steps to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, kMaxCheckSteps));
  command->add_option("--states", o->question.max_states, "states to keep in each search at most")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{1}, explore::kMaxStates));
  AddTimeout(*command);
  o->answer.AddTo(*command);
  command
      ->add_option("--why", o->why,
                   "instead: why a group (its number) or the group of a device is as large as it "
                   "is, or why it has none; all: each with several devices")
      ->excludes("--kernel");
  command->callback([o, &session] { Check(*o, session); });
}

void AddPairs(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "pairs", "Which two in-tree IOMMU drivers could serve one machine, and why the rest cannot");
  auto kernel = std::make_shared<KernelOptions>();
  command->footer("Example: iommucheck pairs --kernel v6.0 --drop type1.same_ops");
  auto all = std::make_shared<bool>(false);
  kernel->AddTo(*command, true);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--all", *all, "each pair that falls, too, with the reason");
  command->add_flag("--json", *json, "one JSON object");
  command->get_option("--kernel")
      ->description(
          "kernel profile, with a patch as v6.0,-RULE,+RULE; all: every one, in one table");
  command->callback([kernel, all, json, &session] {
    if (kernel->version == kAllKernels) return PairsOnAll(*kernel, *json, session);
    const absl::StatusOr<KernelSpec> spec = kernel->Parse();
    if (!spec.ok()) return session.Fail(spec.status());
    const std::vector<import::PairResult> pairs = import::AnalysePairs(*spec);
    std::cout << (*json ? report::PairsJson(*spec, pairs) : report::PairsText(*spec, pairs, *all));
  });
}

void AddCheckCertificate(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "check-certificate", "Whether a certificate of query shows what it claims, without a solver");
  auto folder = std::make_shared<std::string>();
  command->footer("Example: iommucheck check-certificate DIR, after query .. --certificate DIR");
  command->add_option("DIR", *folder, "what query --certificate has written")->required();
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "one JSON object");
  command->callback([folder, json, &session] { CheckCertificate(*folder, *json, session); });
}

}  // namespace iommucheck::cli
