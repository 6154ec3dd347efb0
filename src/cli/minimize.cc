// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>

#include "src/case/run.h"
#include "src/cli/commands.h"
#include "src/report/minimized.h"

namespace iommucheck::cli {
namespace {

struct MinimizeOptions : ViolationOptions {
  uint64_t budget = 0;
  bool json = false;
};

void Minimize(const MinimizeOptions& o, Session& session) {
  if (const absl::Status s = CanWriteFile(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<Case> c = ReadCase(o.path);
  if (!c.ok()) return session.Fail(c.status());
  const absl::StatusOr<Property> property = ViolatedIn(*c, Play(*c), o.property, o.path);
  if (!property.ok()) return session.Fail(property.status());
  const absl::StatusOr<report::MinimizedCase> minimized = report::Minimize(*c, *property, o.budget);
  if (!minimized.ok()) return session.Fail(minimized.status());
  const std::string text = report::MinimizedText(*minimized);
  if (o.json) std::cout << report::MinimizedJson(*minimized);
  if (!o.json && o.out.empty()) std::cout << text;
  if (!o.out.empty())
    if (const absl::Status s = WriteFile(o.out, text); !s.ok()) return session.Fail(s);
  if (!minimized->complete)
    session.Fail(absl::ResourceExhaustedError("unknown: " + minimized->why));
}

}  // namespace

void AddMinimize(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "minimize", "The part of a case that still violates a property, as a case");
  command->footer("Example: iommucheck minimize crash.case --out small.case");
  auto o = std::make_shared<MinimizeOptions>();
  AddViolation(*command, *o, "the property to go on violating");
  AddBudget(*command, o->budget);
  AddTimeout(*command);
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &session] { Minimize(*o, session); });
}

}  // namespace iommucheck::cli
