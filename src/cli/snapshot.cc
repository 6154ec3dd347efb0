// SPDX-License-Identifier: Apache-2.0
//
// snapshot: records what check reads of a system.
#include "src/import/snapshot.h"

#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"

namespace iommucheck::embedded {
// NOLINTNEXTLINE(readability-identifier-naming): named after its file
extern const std::string_view snapshot_sh;
}  // namespace iommucheck::embedded

namespace iommucheck::cli {
namespace {

struct SnapshotOptions {
  std::string out;
  std::string root = "/";
  bool script = false;
};

absl::Status Snapshot(const SnapshotOptions& o) {
  if (o.script) {
    std::cout << embedded::snapshot_sh;
    return absl::OkStatus();
  }
  if (o.out.empty()) return absl::OutOfRangeError("snapshot: expected OUT, found none");
  if (absl::Status s = CanWriteFile(o.out); !s.ok()) return s;
  const absl::StatusOr<std::string> bytes = import::TakeSnapshot(*import::OpenFolder(o.root));
  if (!bytes.ok())
    return absl::InvalidArgumentError(
        Printable(absl::StrCat(o.root, ": ", std::string(bytes.status().message()))));
  if (absl::Status s = WriteFile(o.out, *bytes); !s.ok()) return s;
  std::cout << "written    " << Printable(o.out) << ", " << bytes->size() << " bytes\n"
            << "to ask     iommucheck check " << Printable(o.out) << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddSnapshot(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "snapshot", "Record what check reads of a system, without serial numbers and addresses");
  auto o = std::make_shared<SnapshotOptions>();
  command->footer("Example: iommucheck snapshot machine.tar.gz, as root");
  command->add_option("OUT", o->out, "the tar to write, compressed by gzip");
  command->add_option("--root", o->root, "the folder that has sys and proc in it")
      ->capture_default_str();
  command->add_flag("--script", o->script,
                    "print a shell script that does the same where iommucheck is not installed");
  command->callback([o, &session] {
    if (const absl::Status s = Snapshot(*o); !s.ok()) session.Fail(s);
  });
}

}  // namespace iommucheck::cli
