// SPDX-License-Identifier: Apache-2.0
//
// conform: the same cases in the model and in real kernel code.
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/kernel.h"
#include "src/cli/commands.h"
#include "src/conform/harness.h"
#include "src/report/text.h"

namespace iommucheck::cli {
namespace {

using conform::Comparison;
using conform::Harness;
using conform::Trace;

struct Options {
  std::string build;
  std::vector<std::string> paths;
  bool as_built = false;
  bool json = false;
  bool verbose = false;
  KernelOptions kernel;
};

// What came of one case.
struct Outcome {
  enum class Kind : uint8_t { kAgrees, kDiffers, kSkipped };
  std::string path;
  Kind kind = Kind::kAgrees;
  std::string why;  // skipped
  Comparison comparison{};
  Harness::Result real{};
};

std::string_view KindName(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kAgrees:
      return "agrees";
    case Outcome::Kind::kDiffers:
      return "differs";
    case Outcome::Kind::kSkipped:
      return "skipped";
  }
  return "";
}

// Whether the case's kernel is the one that was built, whatever it assumes.
bool IsAsBuilt(const KernelSpec& built, const KernelSpec& c) {
  return conform::WithAssumptionsOf(built, c) == c;
}

Outcome Conform(const std::string& path, Case c, const KernelSpec& built, bool as_built,
                Harness& harness, absl::Status& status) {
  Outcome outcome{.path = path};
  const auto skip = [&outcome](std::string why) {
    outcome.kind = Outcome::Kind::kSkipped;
    outcome.why = std::move(why);
    return outcome;
  };
  if (!as_built && !IsAsBuilt(built, c.kernel))
    return skip(absl::StrCat("its kernel is ", report::KernelName(c.kernel), ", the build is ",
                             report::KernelName(built)));
  c.kernel = conform::WithAssumptionsOf(built, c.kernel);
  if (as_built) c.kernel = conform::WithoutAssumptions(c.kernel);
  if (const std::string why = harness.WhyNot(c); !why.empty()) return skip(why);
  const Run run = Play(c);
  if (run.steps.empty() && run.outside)
    return skip(absl::StrCat("its machine is outside ", std::string(InfoOf(*run.outside).id)));

  const Trace model = conform::TraceOf(c, run);
  Trace real;
  absl::StatusOr<Harness::Result> played = harness.Play(c, model.steps.size(), real);
  if (!played.ok()) {
    status = played.status();
    return outcome;
  }
  outcome.real = *std::move(played);
  if (Agree(model, real) && outcome.real.leaks.empty()) return outcome;
  outcome.kind = Outcome::Kind::kDiffers;
  outcome.comparison = Compare(c, model, "model", real, "real code");
  return outcome;
}

void Print(const Outcome& outcome, bool verbose) {
  if (outcome.kind == Outcome::Kind::kSkipped) {
    std::cout << report::Field("skipped", outcome.path) << report::Field("", outcome.why);
    return;
  }
  if (outcome.kind == Outcome::Kind::kAgrees && !verbose) return;
  std::cout << report::Field(std::string(KindName(outcome.kind)), outcome.path);
  for (const std::string& warn : outcome.real.warns)
    std::cout << report::Field("WARN", "in " + warn);
  for (const std::string& leak : outcome.real.leaks)
    std::cout << report::Field("left", leak + " after the teardown");
  if (outcome.kind == Outcome::Kind::kDiffers) std::cout << outcome.comparison.text << "\n";
}

nlohmann::ordered_json ToJson(const Outcome& outcome) {
  nlohmann::ordered_json json{{"case", outcome.path}, {"outcome", KindName(outcome.kind)}};
  if (outcome.kind == Outcome::Kind::kSkipped) json["why"] = outcome.why;
  if (outcome.kind == Outcome::Kind::kDiffers) {
    json["op"] = outcome.comparison.step + 1;
    json["matching_lines"] = outcome.comparison.prefix;
    json["columns"] = outcome.comparison.text;
  }
  if (!outcome.real.warns.empty()) json["warns"] = outcome.real.warns;
  if (!outcome.real.leaks.empty()) json["leaks"] = outcome.real.leaks;
  return json;
}

void RunConform(const Options& o, Session& session) {
  const std::filesystem::path build(o.build);
  absl::StatusOr<Harness> harness = Harness::Load(build / "kernel.so", /*catch_oops=*/true);
  if (!harness.ok()) return session.Fail(harness.status());
  KernelOptions kernel = o.kernel;
  if (kernel.version.empty()) kernel.version = VersionName(harness->version());
  const absl::StatusOr<KernelSpec> built = kernel.ParseWhole();
  if (!built.ok()) return session.Fail(built.status());
  if (ProfileOf(*built).era != ProfileOf(harness->version()).era)
    return session.Fail(absl::OutOfRangeError(
        absl::StrFormat("--kernel: expected a kernel of the build's era such as %s, found %s",
                        VersionName(harness->version()), kernel.version)));
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(o.paths, {".case"});
  if (!files.ok()) return session.Fail(files.status());

  std::array<int, 3> counts{};
  nlohmann::ordered_json cases = nlohmann::ordered_json::array();
  for (const std::string& file : *files) {
    Progress("conform " + file);
    absl::StatusOr<Case> c = ReadCase(file);
    if (!c.ok()) return session.Fail(c.status());
    absl::Status status;
    const Outcome outcome = Conform(file, *std::move(c), *built, o.as_built, *harness, status);
    Progress("");
    if (!status.ok()) return session.Fail(status);
    ++counts[static_cast<size_t>(outcome.kind)];
    if (o.json)
      cases.push_back(ToJson(outcome));
    else
      Print(outcome, o.verbose);
  }
  if (counts[1] != 0) session.exit = kViolated;
  if (o.json) {
    std::cout << nlohmann::ordered_json{{"verdict", counts[1] == 0 ? "holds" : "violated"},
                                        {"build", harness->name()},
                                        {"kernel", report::KernelName(*built)},
                                        {"cases", cases}}
                     .dump(2)
              << "\n";
    return;
  }
  std::cout << report::Field("build", harness->name())
            << report::Field("kernel", report::KernelName(*built))
            << absl::StrFormat("%d agree, %d differ, %d skipped\n", counts[0], counts[1],
                               counts[2]);
}

}  // namespace

void AddConform(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("conform", "Do model and real kernel code do the same");
  command->footer(
      "Example: iommucheck conform --kernel-build build/kernel/linux-source-6.12 "
      "corpus/litmus");
  auto o = std::make_shared<Options>();
  command->add_option("--kernel-build", o->build, "folder of a build of ./dev kernel")
      ->type_name("DIR")
      ->required();
  command->add_option("CASE", o->paths, "case files, and folders of them")->required();
  command->add_flag("--as-built", o->as_built, "play cases of other kernels as of the one built");
  command->add_flag("--json", o->json, "one JSON object");
  command->add_flag("-v,--verbose", o->verbose, "name the cases that agree, too");
  o->kernel.AddTo(*command, /*required=*/false);
  command->callback([o, &session] { RunConform(*o, session); });
}

}  // namespace iommucheck::cli
