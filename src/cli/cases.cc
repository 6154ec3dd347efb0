// SPDX-License-Identifier: Apache-2.0
//
// kernels, replay, judge, convert: what needs no search.
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/bytes.h"
#include "src/case/kernel.h"
#include "src/case/run.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/import/import.h"
#include "src/report/claim.h"
#include "src/report/json.h"
#include "src/report/sweep.h"
#include "src/report/system.h"
#include "src/report/text.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

absl::StatusOr<std::vector<std::string>> JudgeFile(const std::string& path) {
  if (path.ends_with(".claim")) {
    absl::StatusOr<std::string> text = ReadFile(path, kMaxCaseBytes);
    if (!text.ok()) return text.status();
    absl::StatusOr<report::Claim> claim = report::ParseClaim(*text, path);
    if (!claim.ok()) return claim.status();
    absl::StatusOr<report::ClaimJudgement> judgement = report::JudgeClaim(*claim, ReadCase);
    if (!judgement.ok()) return judgement.status();
    return judgement->mismatches;
  }
  absl::StatusOr<Case> c = ReadCase(path);
  if (!c.ok()) return c.status();
  return Mismatches(*c, Play(*c), path);
}

void Judge(const std::vector<std::string>& paths, bool verbose, Session& session) {
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(paths, {".case", ".claim"});
  if (!files.ok()) return session.Fail(files.status());
  size_t judged = 0;
  size_t differing = 0;
  size_t unreadable = 0;
  for (const std::string& file : *files) {
    Progress("judging " + file);
    const absl::StatusOr<std::vector<std::string>> mismatches = JudgeFile(file);
    // What was interrupted is no difference.
    if (tool::Stopped()) {
      std::cout << absl::StrFormat("unknown: %s; %d of %d judged\n", tool::StopReason(), judged,
                                   files->size());
      session.exit = kUnknown;
      return;
    }
    ++judged;
    Progress("");
    if (!mismatches.ok()) {
      // What cannot be judged weighs more than what differs; the last of it decides.
      session.Fail(mismatches.status());
      ++unreadable;
      continue;
    }
    for (const std::string& mismatch : *mismatches) std::cout << Printable(mismatch) << "\n";
    if (verbose && mismatches->empty()) std::cout << Printable(file) << ": ok\n";
    if (!mismatches->empty()) ++differing;
  }
  std::cout << absl::StrFormat("%d judged, %d as written, %d not", files->size() - unreadable,
                               files->size() - unreadable - differing, differing);
  if (unreadable != 0) std::cout << absl::StrFormat("; %d could not be", unreadable);
  std::cout << "\n";
  if (unreadable == 0) session.exit = differing == 0 ? kOk : kViolated;
}

void Sweep(const Case& c, bool json, Session& session) {
  const std::vector<SweptFailure> sweep = SweepFailures(c);
  std::cout << (json ? report::SweepJson(c, sweep) : report::SweepText(c, sweep));
  for (const SweptFailure& failure : sweep)
    if (report::IsBad(failure)) session.exit = kViolated;
}

struct ConvertOptions {
  std::string path;
  std::string from = "case";
  std::string to = "text";
  std::string kernel;
  std::string out;
};

// A comment has no control characters, and what a file system says may have any.
std::string CommentLine(std::string line) {
  while (const auto bad = FindBadCommentByte(line)) line[*bad] = '?';
  return std::string(TrimCommentLine(line));
}

// The machine of a system, with what had to be assumed in comments.
absl::StatusOr<Case> CaseOfSystem(const ConvertOptions& o) {
  std::optional<KernelSpec> given;
  if (!o.kernel.empty()) {
    const absl::StatusOr<KernelSpec> kernel = ParseKernel(o.kernel, {}, {});
    if (!kernel.ok()) return absl::OutOfRangeError(kernel.status().message());
    given = *kernel;
  }
  const absl::StatusOr<import::Found> found = import::ReadTree(o.path);
  if (!found.ok()) return found.status();
  const absl::StatusOr<report::SystemKernels> kernels = report::KernelsFor(o.path, *found, given);
  if (!kernels.ok()) return kernels.status();
  const KernelSpec& kernel = kernels->kernels.front();
  const absl::StatusOr<import::System> system =
      import::ToSystem(*found, kernel.version, import::Keep::kAllThatFit);
  if (!system.ok())
    return absl::InvalidArgumentError(
        absl::StrCat(o.path, ": ", std::string(system.status().message())));
  Case c{.comment = CommentLine("The machine of " + o.path),
         .kernel = kernel,
         .topology = system->topology,
         .names = system->names,
         .ops = {},
         .expectations = {}};
  const auto comment = [&c](const std::string& what, const std::string& text) {
    if (!text.empty()) absl::StrAppend(&c.comment, "\n", CommentLine(what + text));
  };
  comment("Its kernel: ", found->kernel_release);
  comment("", kernels->place);
  for (const std::string& sentence : system->assumptions) comment("Assumed: ", sentence);
  for (const import::Gap& gap : system->gaps) comment("Missing: ", gap.missing);
  Normalize(c);
  return c;
}

absl::StatusOr<Case> ReadForConvert(const ConvertOptions& o) {
  if (o.from == "bytes") {
    const absl::StatusOr<std::string> text = ReadFile(o.path, kMaxCaseBytes);
    if (!text.ok()) return text.status();
    DecodedCase decoded;
    DecodeBytes({reinterpret_cast<const uint8_t*>(text->data()), text->size()}, decoded);
    return ToCase(decoded);
  }
  if (o.path != "-" && import::IsSystem(o.path)) return CaseOfSystem(o);
  if (!o.kernel.empty())
    return absl::OutOfRangeError("--kernel is for a system; a case says its own");
  return ReadCase(o.path);
}

absl::Status Convert(const ConvertOptions& o) {
  if (absl::Status s = PrepareFile(o.out); !s.ok()) return s;
  const absl::StatusOr<Case> c = ReadForConvert(o);
  if (!c.ok()) return c.status();
  std::string text;
  if (o.to == "text") text = PrintCase(*c);
  if (o.to == "json") text = CaseToJson(*c);
  if (o.to == "dot") text = report::Dot(*c);
  if (o.to == "bytes") {
    const absl::StatusOr<std::vector<uint8_t>> bytes = EncodeBytes(*c);
    if (!bytes.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(o.path, ": ", std::string(bytes.status().message())));
    text.assign(bytes->begin(), bytes->end());
  }
  if (o.out.empty()) {
    std::cout << text;
    return absl::OkStatus();
  }
  return WriteFile(o.out, text);
}

}  // namespace

void AddKernels(CLI::App& app, Session& /*session*/) {
  auto* command = app.add_subcommand("kernels", "Which profiles and rules there are");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "one JSON object");
  command->callback(
      [json] { std::cout << (*json ? report::KernelsJson() : report::KernelsText()); });
}

void AddProperties(CLI::App& app, Session& /*session*/) {
  auto* command = app.add_subcommand("properties",
                                     "Which properties there are, and which kernel promises what");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "one JSON object");
  command->callback(
      [json] { std::cout << (*json ? report::PropertiesJson() : report::PropertiesText()); });
}

void AddReplay(CLI::App& app, Session& session) {
  struct Options {
    std::string path;
    bool json = false;
    bool sweep = false;
    report::TraceOptions trace;
  };
  auto* command = app.add_subcommand("replay", "What happens in a case, step by step");
  auto o = std::make_shared<Options>();
  command->add_option("CASE", o->path, "case file; - for standard input")->required();
  command->add_flag("--json", o->json, "one JSON object");
  command->add_flag("-v,--verbose", o->trace.all_events, "every event");
  command->add_flag("--sweep", o->sweep, "again with each call that can fail failing");
  command->callback([o, &session] {
    absl::StatusOr<Case> c = ReadCase(o->path);
    if (!c.ok()) return session.Fail(c.status());
    if (o->sweep) return Sweep(*c, o->json, session);
    const Run run = Play(*c);
    const std::vector<std::string> mismatches = Mismatches(*c, run, o->path);
    std::cout << (o->json ? report::ReplayJson(*c, run, o->path)
                          : report::ReplayText(*c, run, o->trace));
    if (!o->json)
      for (const std::string& m : mismatches)
        std::cout << report::Field(m == mismatches.front() ? "differs" : "", m);
    if (!mismatches.empty()) session.exit = kViolated;
    for (Property p : kProperties)
      if (run.of(p).at != 0 && IsPromised(c->kernel.version, p)) session.exit = kViolated;
  });
}

void AddJudge(CLI::App& app, Session& session) {
  struct Options {
    std::vector<std::string> paths;
    bool verbose = false;
  };
  auto* command =
      app.add_subcommand("judge", "Do these cases and claims give the outcome written in them");
  auto o = std::make_shared<Options>();
  command->add_option("PATH", o->paths, ".case and .claim files, and folders of them")->required();
  command->add_flag("-v,--verbose", o->verbose, "name those that are as written, too");
  AddTimeout(*command);
  command->callback([o, &session] { Judge(o->paths, o->verbose, session); });
}

void AddConvert(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "convert", "A case or a system as a case in text, in JSON, in fuzzer bytes, or as DOT");
  auto o = std::make_shared<ConvertOptions>();
  command
      ->add_option("CASE", o->path,
                   "case file, - for standard input; or a system: a /sys tree, a snapshot tar")
      ->required();
  command->add_option("--from", o->from, "what CASE is: case, or bytes, an input of a fuzzer")
      ->check(CLI::IsMember({"case", "bytes"}));
  command->add_option("--to", o->to, "text, json, bytes or dot")
      ->check(CLI::IsMember({"text", "json", "bytes", "dot"}));
  command->add_option("--kernel", o->kernel, "the kernel of a system, instead of its own");
  command->add_option("--out", o->out, "file to write instead of standard output");
  command->callback([o, &session] {
    if (const absl::Status s = Convert(*o); !s.ok()) session.Fail(s);
  });
}

}  // namespace iommucheck::cli
