// SPDX-License-Identifier: Apache-2.0
//
// kernels, replay, judge, convert: what needs no search.
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/bytes.h"
#include "src/case/run.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/report/claim.h"
#include "src/report/json.h"
#include "src/report/sweep.h"
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
  std::vector<std::string> mismatches;
  for (const std::string& m : Mismatches(*c, Play(*c))) mismatches.push_back(path + ": " + m);
  return mismatches;
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

absl::Status Convert(const std::string& path, const std::string& to, const std::string& out) {
  if (absl::Status s = PrepareFile(out); !s.ok()) return s;
  absl::StatusOr<Case> c = ReadCase(path);
  if (!c.ok()) return c.status();
  std::string text;
  if (to == "text") text = PrintCase(*c);
  if (to == "json") text = CaseToJson(*c);
  if (to == "dot") text = report::Dot(*c);
  if (to == "bytes") {
    const absl::StatusOr<std::vector<uint8_t>> bytes = EncodeBytes(*c);
    if (!bytes.ok()) return bytes.status();
    text.assign(bytes->begin(), bytes->end());
  }
  if (out.empty()) {
    std::cout << text;
    return absl::OkStatus();
  }
  return WriteFile(out, text);
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
    std::cout << (o->json ? report::ReplayJson(*c, run) : report::ReplayText(*c, run, o->trace));
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
  struct Options {
    std::string path;
    std::string to = "text";
    std::string out;
  };
  auto* command = app.add_subcommand("convert", "A case as text, JSON, fuzzer bytes or DOT");
  auto o = std::make_shared<Options>();
  command->add_option("CASE", o->path, "case file; - for standard input")->required();
  command->add_option("--to", o->to, "text, json, bytes or dot")
      ->check(CLI::IsMember({"text", "json", "bytes", "dot"}));
  command->add_option("--out", o->out, "file to write instead of standard output");
  command->callback([o, &session] {
    if (const absl::Status s = Convert(o->path, o->to, o->out); !s.ok()) session.Fail(s);
  });
}

}  // namespace iommucheck::cli
