// SPDX-License-Identifier: Apache-2.0
#include "src/guards/guards.h"

#include <iostream>
#include <memory>

#include "src/cli/commands.h"
#include "src/report/guards_text.h"

namespace iommucheck::cli {
namespace {

struct GuardsOptions {
  std::string property;
  KernelOptions kernel;
  guards::Question question;
  std::string out;
  bool cases = false;
  AnswerOptions answer;
};

absl::Status WriteCases(const std::string& folder, const guards::Map& map) {
  std::vector<NamedText> files;
  files.reserve(map.removals.size());
  for (const guards::Removal& removal : map.removals)
    files.push_back({report::RemovalName(files.size()) + ".case", FoundCase(removal.found)});
  return WriteFolder(folder, kCaseComment, "[A-Z]+\\.case", files);
}

void Guards(GuardsOptions& o, Session& session) {
  const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse();
  if (!kernel.ok()) return session.Fail(kernel.status());
  o.question.kernel = *kernel;
  o.question.property = PropertyOf(o.property);
  if (const absl::Status s = CanWriteFolder(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<guards::Map> map = guards::FindGuards(o.question);
  if (!map.ok()) return session.Fail(map.status());
  Progress("");
  std::cout << (o.answer.json ? report::GuardsJson(*map) : report::GuardsText(*map, o.cases));
  session.exit = o.answer.ExitOf(map->kernel.verdict, map->kernel.proved);
  if (session.exit == kOk && !map->complete) session.exit = kUnknown;
  if (const absl::Status s = WriteCases(o.out, *map); !s.ok()) return session.Fail(s);
}

}  // namespace

void AddGuards(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "guards", "Which rules and assumptions a property rests on, and which removals break it");
  auto o = std::make_shared<GuardsOptions>();
  AddProperty(*command, o->property);
  command->footer("Example: iommucheck guards no-cross-driver-reuse --kernel v6.1 --bounded");
  o->kernel.AddTo(*command, true);
  smt::Bounds& bounds = o->question.bounds;
  command->add_option("--devices", bounds.devices, "devices to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundDevices));
  command
      ->add_option("--steps", bounds.steps,
                   "steps to go up to; default: one more than the shortest violation takes when "
                   "all rules are missing, as many if --bounded")
      ->check(CLI::Range(1, smt::kMaxBoundSteps));
  AddTimeout(*command);
  AddBudget(*command, bounds.budget);
  command->add_flag("--bounded", o->question.bounded, "do not try to prove anything");
  command->add_option("--out", o->out, "write the case of each removal into this folder");
  command->add_flag("-v,--verbose", o->cases, "print the case of each removal");
  o->answer.AddTo(*command);
  command->callback([o, &session] { Guards(*o, session); });
}

}  // namespace iommucheck::cli
