// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "src/case/run.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/cli/usage.h"
#include "src/report/mail.h"

namespace iommucheck::cli {
namespace {

struct Options {
  std::string path;
  std::string property;
  std::string out;
};

void Report(const Options& o, Session& session) {
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
  auto o = std::make_shared<Options>();
  command->add_option("CASE", o->path, "case file; - for standard input")->required();
  command
      ->add_option("--property", o->property,
                   "the property that it violates; default: the one that the case is about")
      ->check(OneOf("a property", NamesOf(kProperties, PropertyName)));
  command->add_option("--out", o->out, "file to write instead of standard output");
  command->callback([o, &session] { Report(*o, session); });
}

}  // namespace iommucheck::cli
