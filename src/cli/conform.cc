// SPDX-License-Identifier: Apache-2.0
//
// conform: the same cases in the model and in real kernel code.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/cli/commands.h"
#include "src/conform/compare.h"
#include "src/conform/harness.h"
#include "src/conform/machine_rules.h"
#include "src/conform/model_trace.h"
#include "src/conform/trace_text.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

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

// The outcome of one case.
struct Outcome {
  enum class Kind : uint8_t { kAgrees, kDiffers, kSkipped };
  static constexpr std::array kKindNames = {"agrees", "differs", "skipped"};
  [[nodiscard]] const char* name() const { return kKindNames[static_cast<size_t>(kind)]; }
  std::string path;
  Kind kind = Kind::kAgrees;
  std::string why;      // skipped
  std::string same_as;  // the path of the case that is the same run, and was played
  Comparison comparison{};
  std::vector<std::string> model;  // both traces, if they differ
  std::vector<std::string> real_code;
  Harness::Result real{};
};

// Outcomes by what was played, as text: cases that differ in their kernel alone are the same run
// under --as-built.
using Played = std::map<std::string, Outcome>;

// The parts of a case that the run depends on.
std::string RunOf(Case c) {
  c.comment.clear();
  c.expectations.clear();
  for (CaseOp& op : c.ops) {
    op.comment.clear();
    op.expected.reset();
  }
  return PrintCase(c);
}

Outcome Conform(const std::string& path, Case c, const KernelSpec& built, bool as_built,
                Harness& harness, Played& played, absl::Status& status) {
  Outcome outcome{.path = path};
  const auto skip = [&outcome](std::string why) {
    outcome.kind = Outcome::Kind::kSkipped;
    outcome.why = std::move(why);
    return outcome;
  };
  // The kernel that was built, with the assumptions of the case.
  const KernelSpec as_case = conform::WithAssumptionsOf(built, c.kernel);
  if (!as_built && as_case != c.kernel)
    return skip(absl::StrCat("its kernel is ", report::KernelName(c.kernel), ", the build is ",
                             report::KernelName(built)));
  c.kernel = as_built ? conform::WithoutAssumptions(as_case) : as_case;
  if (const std::string why = harness.WhyNot(c); !why.empty()) return skip(why);
  const std::string run_of = RunOf(c);
  if (const auto it = played.find(run_of); it != played.end()) {
    Outcome same = it->second;
    same.same_as = same.path;
    same.path = path;
    return same;
  }
  const Run run = Play(c);
  if (run.steps.empty() && run.outside)
    return skip(absl::StrCat("its machine is outside ", std::string(InfoOf(*run.outside).id)));

  const Trace model = conform::TraceOf(c, run);
  Trace real;
  absl::StatusOr<Harness::Result> result = harness.PlayApart(c, model.steps.size(), real);
  if (!result.ok()) {
    status = result.status();
    return outcome;
  }
  outcome.real = *std::move(result);
  if (!Agree(model, real) || !outcome.real.leaks.empty() || !outcome.real.crash.empty()) {
    outcome.kind = Outcome::Kind::kDiffers;
    outcome.comparison = Compare(c, model, "model", real, "real code");
    outcome.model = TraceLines(c, model);
    outcome.real_code = TraceLines(c, real);
  }
  played.emplace(run_of, outcome);
  return outcome;
}

// The lines that a process printed before it died; kernel code may print any bytes.
std::vector<std::string> PrintableLines(const std::string& said) {
  std::vector<std::string> lines = absl::StrSplit(said, '\n', absl::SkipEmpty());
  for (std::string& line : lines)
    std::ranges::replace_if(line, [](char c) { return c < ' ' || c > '~'; }, '?');
  return lines;
}

void Print(const Outcome& outcome, bool verbose) {
  if (outcome.kind == Outcome::Kind::kSkipped) {
    std::cout << report::Field("skipped", outcome.path) << report::Field("", outcome.why);
    return;
  }
  if (outcome.kind == Outcome::Kind::kAgrees && !verbose) return;
  std::cout << report::Field(outcome.name(), outcome.path);
  if (!outcome.same_as.empty()) {
    std::cout << report::Field("", absl::StrCat("the same run as ", outcome.same_as));
    return;
  }
  if (!outcome.real.crash.empty()) std::cout << report::Field("crashed", outcome.real.crash);
  for (const std::string& line : PrintableLines(outcome.real.said))
    std::cout << report::Field("said", line);
  for (const std::string& warn : outcome.real.warns)
    std::cout << report::Field("WARN", "in " + warn);
  for (const std::string& leak : outcome.real.leaks)
    std::cout << report::Field("left", leak + " after the teardown");
  if (outcome.kind == Outcome::Kind::kDiffers) std::cout << outcome.comparison.text << "\n";
}

report::Json ToJson(const Outcome& outcome) {
  report::Json json{{"case", outcome.path}, {"outcome", outcome.name()}};
  if (outcome.kind == Outcome::Kind::kSkipped) json["why"] = outcome.why;
  if (outcome.kind == Outcome::Kind::kDiffers) {
    json["op"] = outcome.comparison.step + 1;
    json["matching_lines"] = outcome.comparison.prefix;
    json["difference"] = {{"model", outcome.comparison.a_line},
                          {"real_code", outcome.comparison.b_line}};
    json["columns"] = outcome.comparison.text;
    json["model"] = outcome.model;
    json["real_code"] = outcome.real_code;
  }
  if (!outcome.same_as.empty()) json["same_run_as"] = outcome.same_as;
  if (!outcome.real.crash.empty()) {
    json["crashed"] = outcome.real.crash;
    json["said"] = PrintableLines(outcome.real.said);
  }
  if (!outcome.real.warns.empty()) json["warns"] = outcome.real.warns;
  if (!outcome.real.leaks.empty()) json["leaks"] = outcome.real.leaks;
  return json;
}

void RunConform(const Options& o, Session& session) {
  const std::filesystem::path build(o.build);
  if (const std::string note = conform::SandboxNote(o.build); !note.empty())
    std::cerr << "iommucheck: " << note << "\n";
  absl::StatusOr<Harness> harness = Harness::Load(build / "kernel.so", /*catch_oops=*/true);
  if (!harness.ok()) return session.Fail(harness.status());
  if (std::string note = conform::ReleaseNote(o.build, harness->version()); !note.empty())
    tool::AddNote(std::move(note));
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

  Played played;
  std::array<int, Outcome::kKindNames.size()> counts{};
  int same = 0;
  report::Json cases = report::Json::array();
  for (const std::string& file : *files) {
    if (tool::Stopped()) break;
    Progress("conform " + file);
    absl::StatusOr<Case> c = ReadCase(file);
    if (!c.ok()) return session.Fail(c.status());
    absl::Status status;
    const Outcome outcome =
        Conform(file, *std::move(c), *built, o.as_built, *harness, played, status);
    Progress("");
    if (!status.ok()) return session.Fail(status);
    ++counts[static_cast<size_t>(outcome.kind)];
    same += outcome.same_as.empty() ? 0 : 1;
    if (o.json)
      cases.push_back(ToJson(outcome));
    else
      Print(outcome, o.verbose);
  }
  if (counts[1] != 0) session.exit = kViolated;
  if (tool::Stopped() && counts[1] == 0)
    session.Fail(absl::ResourceExhaustedError(
        absl::StrFormat("unknown: %s; %d of %d cases played", tool::StopReason(),
                        counts[0] + counts[2], files->size())));
  if (o.json) {
    report::Json out = report::ToolJson("conform");
    // That no case differs is no proof that none does.
    out["verdict"] = counts[1] != 0 ? "violated" : tool::Stopped() ? "unknown" : "none";
    out["build"] = harness->name();
    out["kernel"] = report::KernelName(*built);
    out["cases"] = cases;
    std::cout << JsonText(out);
    return;
  }
  std::cout << report::Field("build", harness->name())
            << report::Field("kernel", report::KernelName(*built)) << report::ToolText()
            << absl::StrFormat("%d agree, %d differ, %d skipped\n", counts[0], counts[1],
                               counts[2]);
  if (same != 0)
    std::cout << absl::StrFormat("%d of them are runs of other cases, and not played again\n",
                                 same);
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
  AddTimeout(*command);
  command->add_flag("-v,--verbose", o->verbose, "name the cases that agree, too");
  o->kernel.AddTo(*command, /*required=*/false);
  command->callback([o, &session] { RunConform(*o, session); });
}

}  // namespace iommucheck::cli
