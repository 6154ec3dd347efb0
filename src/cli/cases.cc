// SPDX-License-Identifier: Apache-2.0
//
// kernels, replay, judge, convert: what needs no search.
#include <algorithm>
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
#include "src/report/judge.h"
#include "src/report/sweep.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"

namespace iommucheck::cli {
namespace {

void JudgeClaimFile(report::Judged& judged) {
  absl::StatusOr<std::string> text = ReadFile(judged.path, kMaxCaseBytes);
  absl::StatusOr<report::Claim> claim =
      text.ok() ? report::ParseClaim(*text, judged.path) : text.status();
  absl::StatusOr<report::ClaimJudgement> judgement =
      claim.ok() ? report::JudgeClaim(*claim, ReadCase) : claim.status();
  judged.status = judgement.status();
  if (!judgement.ok()) return;
  judged.verdicts = judgement->verdicts;
  judged.mismatches = judgement->mismatches;
  judged.asserts_nothing = judgement->asserts_nothing;
}

report::Judged JudgeFile(const std::string& path) {
  report::Judged judged{.path = path};
  if (path.ends_with(".claim")) {
    JudgeClaimFile(judged);
    return judged;
  }
  absl::StatusOr<Case> c = ReadCase(path);
  judged.status = c.status();
  if (!c.ok()) return judged;
  judged.asserts_nothing = AssertsNothing(*c);
  if (judged.asserts_nothing) judged.mismatches.push_back(path + ": " + kAssertsNothing);
  for (const std::string& m : Mismatches(*c, Play(*c)))
    judged.mismatches.push_back(path + ": " + m);
  return judged;
}

struct JudgeOptions {
  std::vector<std::string> paths;
  bool verbose = false;
  bool json = false;
};

void Judge(const JudgeOptions& o, Session& session) {
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(o.paths, {".case", ".claim"});
  if (!files.ok()) return session.Fail(files.status());
  std::vector<report::Judged> all;
  for (const std::string& file : *files) {
    Progress("judging " + file);
    all.push_back(JudgeFile(file));
    Progress("");
    // What cannot be judged weighs more than what differs; the last of it decides.
    if (!all.back().status.ok()) session.Fail(all.back().status);
    if (!o.json) std::cout << report::JudgedText(all.back(), o.verbose);
  }
  const report::JudgeCounts counts = report::CountJudged(all);
  std::cout << (o.json ? report::JudgeJson(all) : report::JudgeCountsText(counts));
  if (counts.unreadable == 0) session.exit = counts.differing == 0 ? kOk : kViolated;
}

void Sweep(const Case& c, const std::string& path, bool json, Session& session) {
  const std::vector<SweptFailure> sweep = SweepFailures(c);
  std::cout << (json ? report::SweepJson(c, sweep, path) : report::SweepText(c, sweep, path));
  if (!report::ViolatedAsWritten(c, Play(c)).empty()) session.exit = kViolated;
  for (const SweptFailure& failure : sweep)
    if (report::IsBad(failure)) session.exit = kViolated;
}

absl::Status Convert(const std::string& path, const std::string& to, const std::string& out) {
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

struct NamedOptions {
  std::vector<std::string> names;
  bool json = false;
};

struct ShownKernels {
  std::vector<Rule> rules;
  std::vector<KernelVersion> versions;
};

absl::Status NotFound(const std::string& what, const std::string& name,
                      const std::vector<std::string>& candidates) {
  return absl::OutOfRangeError(
      absl::StrCat("expected ", what, ", found ", Quote(name), DidYouMean(name, candidates)));
}

// Rules and kernels by their names: no rules are those of the kernels named, no kernels are all.
absl::StatusOr<ShownKernels> FindKernels(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const RuleInfo& info : AllRules()) known.emplace_back(info.id);
  for (KernelVersion v : kKernelVersions) known.emplace_back(VersionName(v));
  ShownKernels shown;
  for (const std::string& name : names) {
    const auto rule = FindRule(name);
    const auto version = FindVersion(name);
    if (!rule && !version) return NotFound("a rule or a kernel", name, known);
    if (rule) shown.rules.push_back(*rule);
    if (version) shown.versions.push_back(*version);
  }
  if (shown.rules.empty())
    for (const RuleInfo& info : AllRules())
      if (names.empty() || std::ranges::any_of(shown.versions, [&](KernelVersion v) {
            return ProfileOf(v).has(info.rule);
          }))
        shown.rules.push_back(info.rule);
  if (shown.versions.empty()) shown.versions.assign(kKernelVersions.begin(), kKernelVersions.end());
  return shown;
}

absl::StatusOr<std::vector<Property>> FindProperties(const std::vector<std::string>& names) {
  if (names.empty()) return std::vector<Property>(kProperties.begin(), kProperties.end());
  std::vector<std::string> known;
  for (Property p : kProperties) known.emplace_back(PropertyName(p));
  std::vector<Property> shown;
  for (const std::string& name : names) {
    const auto property = FindProperty(name);
    if (!property) return NotFound("a property", name, known);
    shown.push_back(*property);
  }
  return shown;
}

}  // namespace

void AddKernels(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("kernels", "Which profiles and rules there are");
  command->footer("Example: iommucheck kernels type1.same_ops");
  auto o = std::make_shared<NamedOptions>();
  command->add_option("NAME", o->names, "of these rules alone, or of these kernels");
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &session] {
    const absl::StatusOr<ShownKernels> shown = FindKernels(o->names);
    if (!shown.ok()) return session.Fail(shown.status());
    std::cout << (o->json ? report::KernelsJson(shown->rules, shown->versions)
                          : report::KernelsText(shown->rules, shown->versions));
  });
}

void AddProperties(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("properties",
                                     "Which properties there are, and which kernel promises what");
  command->footer("Example: iommucheck properties no-oops");
  auto o = std::make_shared<NamedOptions>();
  command->add_option("NAME", o->names, "these properties alone");
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &session] {
    const absl::StatusOr<std::vector<Property>> shown = FindProperties(o->names);
    if (!shown.ok()) return session.Fail(shown.status());
    std::cout << (o->json ? report::PropertiesJson(*shown) : report::PropertiesText(*shown));
  });
}

void AddReplay(CLI::App& app, Session& session) {
  struct Options {
    std::string path;
    bool json = false;
    bool sweep = false;
    report::TraceOptions trace;
  };
  auto* command = app.add_subcommand("replay", "What happens in a case, step by step");
  command->footer("Example: iommucheck replay -v corpus/litmus/v6.0+two-buses+same_ops.case");
  auto o = std::make_shared<Options>();
  command->add_option("CASE", o->path, "case file; - for standard input")->required();
  command->add_flag("--json", o->json, "one JSON object");
  command->add_flag("-v,--verbose", o->trace.all_events, "every event");
  command->add_flag("--sweep", o->sweep, "again with each call that can fail failing");
  command->callback([o, &session] {
    absl::StatusOr<Case> c = ReadCase(o->path);
    if (!c.ok()) return session.Fail(c.status());
    if (o->sweep) return Sweep(*c, o->path, o->json, session);
    const Run run = Play(*c);
    std::cout << (o->json ? report::ReplayJson(*c, run, o->path)
                          : report::ReplayText(*c, run, o->trace) +
                                report::ReplayVerdictLines(*c, run, o->path));
    for (Property p : kProperties)
      if (run.of(p).at != 0 && IsPromised(c->kernel.version, p)) session.exit = kViolated;
  });
}

void AddJudge(CLI::App& app, Session& session) {
  auto* command =
      app.add_subcommand("judge", "Do these cases and claims give the outcome written in them");
  auto o = std::make_shared<JudgeOptions>();
  command->footer("Example: iommucheck judge corpus/litmus corpus/claims");
  command->add_option("PATH", o->paths, ".case and .claim files, and folders of them")->required();
  command->add_flag("-v,--verbose", o->verbose, "name those that are as written, too");
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &session] { Judge(*o, session); });
}

void AddConvert(CLI::App& app, Session& session) {
  struct Options {
    std::string path;
    std::string to = "text";
    std::string out;
  };
  auto* command = app.add_subcommand("convert", "A case as text, JSON, fuzzer bytes or DOT");
  command->footer("Example: iommucheck convert my.case --to dot | dot -Tsvg >my.svg");
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
