// SPDX-License-Identifier: Apache-2.0
#include "src/report/export.h"

#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "src/cli/commands.h"

namespace iommucheck::cli {
namespace {

struct ExportOptions {
  std::vector<std::string> paths;
  std::string to = "c";
  std::string out;
};

absl::StatusOr<NamedText> Program(const std::string& path, const std::string& to) {
  const absl::StatusOr<Case> c = ReadCase(path);
  if (!c.ok()) return c.status();
  const std::string name = ProgramName(path);
  const bool kselftest = to == "kselftest";
  absl::StatusOr<std::string> text =
      kselftest ? report::KselftestProgram(*c, name) : report::CProgram(*c, name);
  if (!text.ok())
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", std::string(text.status().message())));
  return NamedText{name + (kselftest ? "_test.c" : ".c"), *std::move(text)};
}

// One case to standard output; several into a folder, without those that are no programs, which are
// named.
void Export(const ExportOptions& o, Session& session) {
  if (const absl::Status s = CanWriteFolder(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(o.paths, {".case"});
  if (!files.ok()) return session.Fail(files.status());
  if (o.out.empty() && files->size() != 1)
    return session.Fail(absl::OutOfRangeError("expected --out FOLDER, for more than one case"));
  std::vector<NamedText> programs;
  for (const std::string& file : *files) {
    absl::StatusOr<NamedText> program = Program(file, o.to);
    if (program.ok())
      programs.push_back(*std::move(program));
    else if (files->size() == 1)
      return session.Fail(program.status());
    else
      std::cout << program.status().message() << "\n";
  }
  if (o.out.empty()) {
    std::cout << programs.front().text;
    return;
  }
  std::cout << programs.size() << " of " << files->size() << " cases are programs in " << o.out
            << "\n";
  if (const absl::Status s = WriteFolder(o.out, "// ", ".*\\.c", programs); !s.ok())
    session.Fail(s);
}

}  // namespace

void AddExport(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "export", "A case as a C program that does its system calls on a real machine");
  command->footer("Example: iommucheck export corpus/bugs/open-overlap-at-the-top.case >top.c");
  auto o = std::make_shared<ExportOptions>();
  command->add_option("CASE", o->paths, "case files, and folders of them; - for standard input")
      ->required();
  command
      ->add_option(
          "--to", o->to,
          "c: on /dev/vfio, with no library; kselftest: a test of the kernel's selftests/vfio")
      ->check(CLI::IsMember({"c", "kselftest"}));
  command->add_option("--out", o->out, "folder to write a program for each case into");
  command->callback([o, &session] { Export(*o, session); });
}

}  // namespace iommucheck::cli
