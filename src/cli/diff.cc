// SPDX-License-Identifier: Apache-2.0
#include "src/report/diff.h"

#include <array>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "src/cli/commands.h"
#include "src/report/text.h"

namespace iommucheck::cli {
namespace {

struct DiffOptions {
  std::string property;
  std::vector<std::string> kernels;
  KernelOptions patch;  // of both
  smt::Bounds bounds;
  std::string out;
  bool bounded = false;
  AnswerOptions answer;
};

absl::StatusOr<report::DiffQuestion> Read(const DiffOptions& o) {
  report::DiffQuestion question{
      .property = PropertyOf(o.property), .kernels = {}, .bounds = o.bounds, .bounded = o.bounded};
  for (size_t i = 0; i < 2; ++i) {
    KernelOptions patched = o.patch;
    patched.version = o.kernels[i];
    const absl::StatusOr<KernelSpec> kernel = patched.Parse();
    if (!kernel.ok()) return kernel.status();
    question.kernels[i] = *kernel;
  }
  return question;
}

// The cases, as the kernel that allows them plays them.
absl::Status WriteCases(const std::string& folder, const report::Diff& diff) {
  constexpr std::array kNames = {"only-A.case", "only-B.case"};
  std::vector<NamedText> files;
  for (const report::Direction& d : diff.directions) {
    if (d.verdict != Verdict::kViolated) continue;
    Case c = d.result.found;
    c.comment =
        absl::StrCat("not violated on ", report::KernelName(diff.question.kernels[1 - d.allows]));
    files.push_back({kNames[static_cast<size_t>(d.allows)], FoundCase(std::move(c))});
  }
  return WriteFolder(folder, kCaseComment, "only-[AB]\\.case", files);
}

void Diff(const DiffOptions& o, Session& session) {
  const absl::StatusOr<report::DiffQuestion> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  if (const absl::Status s = CanWriteFolder(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<report::Diff> diff = report::AskDiff(*question);
  if (!diff.ok()) return session.Fail(diff.status());
  Progress("");
  std::cout << (o.answer.json ? report::DiffJson(*diff) : report::DiffText(*diff));
  session.exit = o.answer.ExitOf(diff->verdict(), diff->every_size());
  if (const absl::Status s = WriteCases(o.out, *diff); !s.ok()) return session.Fail(s);
}

}  // namespace

void AddDiff(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "diff", "The smallest cases that one kernel allows and another refuses, both ways");
  auto o = std::make_shared<DiffOptions>();
  AddProperty(*command, o->property);
  command->footer(
      "Example: iommucheck diff no-cross-driver-reuse --kernel v6.0 --kernel v6.0,-type1.same_ops");
  command
      ->add_option("--kernel", o->kernels,
                   "A, then B; with patches as in v6.0,-type1.same_ops,+assume.homogeneous_groups")
      ->required()
      ->expected(2);
  o->patch.AddPatchTo(*command, "a rule that a patch takes away from both",
                      "a rule or assumption that is added to both");
  AddBounds(*command, o->bounds);
  AddTimeout(*command);
  command->add_option("--out", o->out, "write the cases into this folder");
  command->add_flag("--bounded", o->bounded, "do not try to prove anything for every size");
  o->answer.AddTo(*command);
  command->callback([o, &session] { Diff(*o, session); });
}

}  // namespace iommucheck::cli
