// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "src/case/run.h"
#include "src/cli/commands.h"
#include "src/report/mail.h"

namespace iommucheck::cli {
namespace {

void Report(const ViolationOptions& o, Session& session) {
  if (const absl::Status s = CanWriteFile(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<Case> c = ReadCase(o.path);
  if (!c.ok()) return session.Fail(c.status());
  const Run run = Play(*c);
  std::optional<Property> property;
  if (!o.property.empty()) {
    const absl::StatusOr<Property> asked = ViolatedIn(*c, run, o.property, o.path);
    if (!asked.ok()) return session.Fail(asked.status());
    property = *asked;
  }
  const absl::StatusOr<std::string> text = report::Mail(*c, run, property, ProgramName(o.path));
  if (!text.ok())
    return session.Fail(absl::InvalidArgumentError(
        absl::StrCat(o.path, ": ", std::string(text.status().message()))));
  if (o.out.empty())
    std::cout << *text;
  else if (const absl::Status s = WriteFile(o.out, *text); !s.ok())
    session.Fail(s);
}

}  // namespace

void AddReport(CLI::App& app, Session& session) {
  auto* command =
      app.add_subcommand("report", "A case that goes wrong, as a mail to a kernel list");
  command->footer("Example: iommucheck report corpus/bugs/open-overlap-at-the-top.case");
  auto o = std::make_shared<ViolationOptions>();
  AddViolation(*command, *o, "the property that it violates");
  command->callback([o, &session] { Report(*o, session); });
}

}  // namespace iommucheck::cli
