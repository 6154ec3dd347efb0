// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>

#include "absl/strings/str_format.h"
#include "src/cli/commands.h"
#include "src/report/answer.h"

namespace iommucheck::cli {
namespace {

struct Options {
  std::string property;
  KernelOptions kernel;
  smt::Bounds bounds;
  std::string out;
  std::string smt2;
  bool json = false;
};

int ExitOf(smt::Verdict verdict) {
  switch (verdict) {
    case smt::Verdict::kHolds:
      return kOk;
    case smt::Verdict::kViolated:
      return kViolated;
    case smt::Verdict::kUnknown:
      return kUnknown;
  }
  return kWrong;
}

absl::Status WriteFiles(const Options& o, const report::Answer& answer) {
  if (!o.out.empty() && answer.result.verdict == smt::Verdict::kViolated)
    if (absl::Status s = WriteFile(o.out, PrintCase(answer.result.found)); !s.ok()) return s;
  return o.smt2.empty() ? absl::OkStatus() : WriteFile(o.smt2, answer.result.smt2);
}

void Query(const Options& o, Session& session) {
  const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse();
  if (!kernel.ok()) return session.Fail(kernel.status());
  const absl::StatusOr<report::Answer> answer = report::Ask({.property = *FindProperty(o.property),
                                                             .kernel = *kernel,
                                                             .bounds = o.bounds,
                                                             .want_smt2 = !o.smt2.empty()});
  if (!answer.ok()) return session.Fail(answer.status());
  if (const absl::Status s = WriteFiles(o, *answer); !s.ok()) return session.Fail(s);
  std::cout << (o.json ? report::AnswerJson(*answer) : report::AnswerText(*answer));
  if (!o.json && !o.out.empty() && answer->result.verdict == smt::Verdict::kViolated)
    std::cout << "next      iommucheck replay -v " << o.out << "\n";
  session.exit = ExitOf(answer->result.verdict);
}

}  // namespace

void AddQuery(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "query", "The smallest machine and run that violate a property, or none up to a bound");
  auto o = std::make_shared<Options>();
  std::vector<std::string> names;
  for (Property p : kProperties) names.emplace_back(PropertyName(p));
  command->add_option("PROPERTY", o->property, "no-cross-driver-attach or no-cross-driver-reuse")
      ->required()
      ->check(CLI::IsMember(names));
  o->kernel.AddTo(*command, true);
  command->add_option("--devices", o->bounds.devices, "devices to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundDevices));
  command->add_option("--steps", o->bounds.steps, "steps to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundSteps));
  command->add_option("--budget", o->bounds.budget, "solver resources to spend; 0: no limit");
  command->add_option("--out", o->out, "write the case to this file");
  command->add_option("--smt2", o->smt2, "write the last solver query to this file");
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &session] { Query(*o, session); });
}

}  // namespace iommucheck::cli
