// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/cli/commands.h"
#include "src/report/diff_text.h"
#include "src/report/text.h"

namespace iommucheck::cli {
namespace {

struct Options {
  std::string property;
  std::vector<std::string> kernels;
  std::vector<std::string> drop;
  std::vector<std::string> add;
  smt::Bounds bounds;
  std::string out;
  bool bounded = false;
  bool json = false;
  RequireOption require;
};

absl::StatusOr<report::DiffQuestion> Read(const Options& o) {
  report::DiffQuestion question{.property = *FindProperty(o.property),
                                .kernels = {},
                                .bounds = o.bounds,
                                .bounded = o.bounded};
  for (size_t i = 0; i < 2; ++i) {
    const absl::StatusOr<KernelSpec> kernel = ParseKernel(o.kernels[i], o.drop, o.add);
    if (!kernel.ok()) return absl::OutOfRangeError(kernel.status().message());
    if (const absl::Status s = CheckEncoded(*kernel); !s.ok())
      return absl::OutOfRangeError(s.message());
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
    c.comment = absl::StrCat("not violated on ", report::KernelName(RefusedCase(diff, d).kernel));
    files.push_back({kNames[static_cast<size_t>(d.allows)], FoundCase(std::move(c))});
  }
  const auto is_name = [&](const std::string& name) {
    return std::ranges::find(kNames, name) != kNames.end();
  };
  return WriteFolder(folder, kCaseComment, is_name, files);
}

void Diff(const Options& o, Session& session) {
  const absl::StatusOr<report::DiffQuestion> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  if (const absl::Status s = CanWriteFolder(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<report::Diff> diff = report::AskDiff(*question);
  if (!diff.ok()) return session.Fail(diff.status());
  Progress("");
  std::cout << (o.json ? report::DiffJson(*diff) : report::DiffText(*diff));
  session.exit = o.require.ExitOf(diff->verdict(), diff->every_size());
  if (!o.out.empty())
    if (const absl::Status s = WriteCases(o.out, *diff); !s.ok()) return session.Fail(s);
}

}  // namespace

void AddDiff(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "diff", "The smallest cases that one kernel allows and another refuses, both ways");
  auto o = std::make_shared<Options>();
  AddProperty(*command, o->property);
  command->footer(
      "Example: iommucheck diff no-cross-driver-reuse --kernel v6.0 --kernel v6.0,-type1.same_ops");
  command
      ->add_option("--kernel", o->kernels,
                   "A, then B; with patches as in v6.0,-type1.same_ops,+assume.homogeneous_groups")
      ->required()
      ->expected(2);
  command->add_option("--drop", o->drop, "a rule that a patch takes away from both")
      ->type_name("RULE")
      ->allow_extra_args(false);
  command->add_option("--add", o->add, "a rule or assumption that is added to both")
      ->type_name("RULE")
      ->allow_extra_args(false);
  AddBounds(*command, o->bounds);
  AddTimeout(*command);
  command->add_option("--out", o->out, "write the cases into this folder");
  command->add_flag("--bounded", o->bounded, "do not try to prove anything for every size");
  command->add_flag("--json", o->json, "one JSON object");
  o->require.AddTo(*command);
  command->callback([o, &session] { Diff(*o, session); });
}

}  // namespace iommucheck::cli
