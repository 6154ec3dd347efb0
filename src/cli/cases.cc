// SPDX-License-Identifier: Apache-2.0
//
// kernels, replay, judge, convert: what needs no search.
#include <algorithm>
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
#include "src/report/across.h"
#include "src/report/claim.h"
#include "src/report/export.h"
#include "src/report/json.h"
#include "src/report/picture.h"
#include "src/report/sweep.h"
#include "src/report/system.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

report::Judged JudgeFile(const std::string& path) {
  report::Judged judged{.path = path};
  if (path.ends_with(".claim")) {
    const absl::StatusOr<report::Claim> claim = ReadClaim(path);
    absl::StatusOr<report::Judgement> judgement =
        claim.ok() ? report::JudgeClaim(*claim, ReadCase) : claim.status();
    judged.status = judgement.status();
    if (judgement.ok()) judged.judgement = *std::move(judgement);
    return judged;
  }
  const absl::StatusOr<Case> c = ReadCase(path);
  judged.status = c.status();
  return c.ok() ? report::JudgeCase(path, *c) : judged;
}

struct JudgeOptions {
  std::vector<std::string> paths;
  bool verbose = false;
  bool json = false;
  FormatOptions format;
};

void Judge(const JudgeOptions& o, Session& session) {
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(o.paths, {".case", ".claim"});
  if (!files.ok()) return session.Fail(files.status());
  std::vector<report::Judged> all;
  for (const std::string& file : *files) {
    Progress("judging " + file);
    report::Judged judged = JudgeFile(file);
    // A judgement that was interrupted is no difference.
    if (tool::Stopped()) break;
    all.push_back(std::move(judged));
    Progress("");
    // The last file that cannot be judged decides the exit status, whether or not other files
    // differ.
    if (!all.back().status.ok()) session.Fail(all.back().status);
    if (!o.json && !o.format.given()) std::cout << report::JudgedText(all.back(), o.verbose);
  }
  const report::JudgeCounts counts = report::CountJudged(all);
  if (o.format.given())
    o.format.Print("judge", report::JudgeResults(all));
  else
    std::cout << (o.json ? report::JudgeJson(all) : report::JudgeCountsText(counts));
  if (counts.unreadable == 0) session.exit = counts.differing == 0 ? kOk : kViolated;
  if (tool::Stopped() && session.exit == kOk)
    session.Fail(absl::ResourceExhaustedError(absl::StrFormat(
        "unknown: %s; %d of %d judged", tool::StopReason(), all.size(), files->size())));
}

void Sweep(const Case& c, const std::string& path, bool json, Session& session) {
  const std::vector<SweptFailure> sweep = SweepFailures(c);
  std::cout << (json ? report::SweepJson(c, sweep, path) : report::SweepText(c, sweep, path));
  if (!report::BrokenPromises(c, Play(c)).empty() || std::ranges::any_of(sweep, report::IsBad))
    session.exit = kViolated;
}

void Across(const Case& c, const std::string& path, bool json, Session& session) {
  const std::vector<report::PlayedOn> played = report::PlayOn(c, kKernelVersions);
  std::cout << (json ? report::AcrossJson(c, played, path) : report::AcrossText(c, played, path));
  if (report::BreaksPromise(played)) session.exit = kViolated;
}

struct ConvertOptions {
  std::string path;
  std::string from = "case";
  std::string to = "text";
  std::string kernel;
  std::string out;
  import::Sources sources;
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
  const absl::StatusOr<import::Found> found = import::ReadTree(o.path, o.sources);
  if (!found.ok()) return found.status();
  const absl::StatusOr<report::SystemKernels> kernels = report::KernelsFor(o.path, *found, given);
  if (!kernels.ok()) return kernels.status();
  const KernelSpec& kernel = kernels->kernels.front();
  const absl::StatusOr<import::System> system = report::SystemOn(o.path, *found, kernel.version);
  if (!system.ok()) return system.status();
  Case c = report::MachineCase(*system, kernel);
  c.comment = CommentLine("The machine of " + o.path);
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
  if (o.sources.given()) return absl::OutOfRangeError("--acpi, --dtb and --lspci are for a system");
  return ReadCase(o.path);
}

absl::Status Convert(const ConvertOptions& o) {
  if (absl::Status s = CanWriteFile(o.out); !s.ok()) return s;
  const absl::StatusOr<Case> c = ReadForConvert(o);
  if (!c.ok()) return c.status();
  std::string text;
  if (o.to == "text") text = PrintCase(*c);
  if (o.to == "json") text = CaseToJson(*c);
  if (o.to == "dot") text = report::Dot(*c);
  if (o.to == "svg" || o.to == "html") {
    absl::StatusOr<std::string> picture = o.to == "svg" ? report::Svg(*c) : report::PictureHtml(*c);
    if (!picture.ok()) return picture.status();
    text = *std::move(picture);
  }
  if (o.to == "syz") {
    absl::StatusOr<std::string> program = report::SyzProgram(*c);
    if (!program.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(o.path, ": ", std::string(program.status().message())));
    text = *std::move(program);
  }
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

// Rules and kernels by their names. No rules: those of the kernels named. No kernels: all.
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
  known.reserve(kProperties.size());
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
    std::string kernel;
    report::TraceOptions trace;
  };
  auto* command = app.add_subcommand("replay", "What happens in a case, step by step");
  command->footer("Example: iommucheck replay -v corpus/litmus/v6.0+two-buses+same_ops.case");
  auto o = std::make_shared<Options>();
  command->add_option("CASE", o->path, "case file; - for standard input")->required();
  command->add_flag("--json", o->json, "one JSON object");
  command->add_flag("-v,--verbose", o->trace.all_events, "every event");
  auto* sweep =
      command->add_flag("--sweep", o->sweep, "again with each call that can fail failing");
  command->add_option("--kernel", o->kernel, "all: on every kernel, in one table")
      ->check(CLI::IsMember({std::string(kAllKernels)}))
      ->excludes(sweep);
  command->callback([o, &session] {
    absl::StatusOr<Case> c = ReadCase(o->path);
    if (!c.ok()) return session.Fail(c.status());
    if (o->sweep) return Sweep(*c, o->path, o->json, session);
    if (!o->kernel.empty()) return Across(*c, o->path, o->json, session);
    const Run run = Play(*c);
    const std::vector<std::string> mismatches = Mismatches(*c, run, o->path);
    std::cout << (o->json ? report::ReplayJson(*c, run, o->path)
                          : report::ReplayText(*c, run, o->trace));
    if (!o->json)
      std::cout << report::Fields("differs", mismatches)
                << report::ReplayVerdictLines(*c, run, o->path);
    if (!mismatches.empty() || !report::BrokenPromises(*c, run).empty()) session.exit = kViolated;
  });
}

void AddJudge(CLI::App& app, Session& session) {
  auto* command =
      app.add_subcommand("judge", "Do these cases and claims give the outcome written in them");
  auto o = std::make_shared<JudgeOptions>();
  command->footer("Example: iommucheck judge corpus/litmus corpus/claims");
  command->add_option("PATH", o->paths, ".case and .claim files, and folders of them")->required();
  command->add_flag("-v,--verbose", o->verbose, "name those that are as written, too");
  auto* json = command->add_flag("--json", o->json, "one JSON object");
  o->format.AddTo(*command, *json);
  AddTimeout(*command);
  command->callback([o, &session] { Judge(*o, session); });
}

void AddConvert(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "convert",
      "A case or a system as a case in text, in JSON, in fuzzer bytes, or as a picture or syz");
  command->footer("Example: iommucheck convert my.case --to html --out my.html");
  auto o = std::make_shared<ConvertOptions>();
  command
      ->add_option("CASE", o->path,
                   "case file, - for standard input; or a system: a /sys tree, a snapshot tar")
      ->required();
  command->add_option("--from", o->from, "what CASE is: case, or bytes, an input of a fuzzer")
      ->check(CLI::IsMember({"case", "bytes"}));
  command
      ->add_option(
          "--to", o->to,
          "text, json, bytes, a picture as svg, html (step by step) or dot, or syz: a program\n"
          "of syzkaller")
      ->check(CLI::IsMember({"text", "json", "bytes", "svg", "html", "dot", "syz"}));
  command->add_option("--kernel", o->kernel, "the kernel of a system, instead of its own");
  AddSources(*command, o->sources);
  command->add_option("--out", o->out, "file to write instead of standard output");
  command->callback([o, &session] {
    if (const absl::Status s = Convert(*o); !s.ok()) session.Fail(s);
  });
}

}  // namespace iommucheck::cli
