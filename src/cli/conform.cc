// SPDX-License-Identifier: Apache-2.0
//
// conform: the same cases in the model and in real kernel code, or in what that once answered.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/conform/compare.h"
#include "src/conform/golden.h"
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

struct ConformOptions {
  std::string build;
  std::string record;
  std::string answers;
  std::string known;
  std::vector<std::string> paths;
  bool as_built = false;
  bool json = false;
  bool verbose = false;
  FormatOptions format;
  KernelOptions kernel;
};

// The outcome of one case.
struct Outcome {
  enum class Kind : uint8_t { kAgrees, kDiffers, kSkipped };
  static constexpr std::array kKindNames = {"agrees", "differs", "skipped"};
  // Whether it agrees, or differs as it is known to.
  [[nodiscard]] bool as_expected() const {
    return kind == Kind::kSkipped || (kind == Kind::kDiffers) == !listed.empty();
  }
  [[nodiscard]] const char* name() const { return kKindNames[static_cast<size_t>(kind)]; }
  std::string path;  // with --answers: the case's name
  std::string file;  // of the case
  Kind kind = Kind::kAgrees;
  std::string why;      // skipped
  std::string listed;   // why it is known to differ
  std::string same_as;  // the path of the case that is the same run, and was played
  Comparison comparison{};
  std::vector<std::string> model;  // both traces, if they differ
  std::vector<std::string> real_code;
  Harness::Result real{};
  Trace answer{};                          // of the real code
  bool at_end = false;                     // they differ in what is left after the last op
  int line = 0;                            // in the case, of the op at which they differ
  std::vector<report::KernelPlace> where;  // the rules that the model met in that op
};

// Gives an outcome that differs its places in the case and in the kernel.
void Locate(const Case& c, const Run& run, Outcome& outcome) {
  const size_t step = outcome.comparison.step;
  outcome.at_end = step >= c.ops.size();
  if (outcome.at_end) return;
  outcome.line = c.ops[step].line.number;
  if (step >= run.steps.size()) return;
  std::vector<Rule> rules;
  for (const Event& e : run.steps[step].events)
    if (e.kind == Event::Kind::kRefused) rules.push_back(e.rule);
  outcome.where = report::PlacesOf(rules);
}

// Outcomes by what was played, as text: cases that differ in their kernel alone are the same run
// under --as-built.
using Played = std::map<std::string, Outcome>;

// 64 times what the answers of twelve kernels take.
constexpr size_t kMaxAnswers = size_t{64} << 20U;

// The cases in which a kernel and its model are known to part, and why.
using Known = std::map<std::pair<KernelVersion, std::string>, std::string>;

// Lines "KERNEL CASE WHY"; those that begin with # are comments.
absl::StatusOr<Known> ReadKnown(const std::string& path, const conform::Cases& cases) {
  Known known;
  if (path.empty()) return known;
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxAnswers);
  if (!text.ok()) return text.status();
  int number = 0;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(*text, '\n'))) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    const auto bad = [&](const std::string& expected) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s:%d:1: expected %s, found %s", path, number, expected, Quote(line)));
    };
    const std::optional<KernelVersion> version = FindVersion(words[0]);
    if (words.size() != 3 || !version || !cases.contains(words[1]))
      return bad("a kernel, a case and why they differ");
    if (!known.emplace(std::pair(*version, words[1]), words[2]).second)
      return bad("each case once for each kernel");
  }
  return known;
}

absl::StatusOr<conform::Cases> CasesOf(const ConformOptions& o) {
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(o.paths, {".case"});
  if (!files.ok()) return files.status();
  return conform::ReadCases(*files);
}

std::string NameOf(const std::string& path) { return std::filesystem::path(path).stem().string(); }

std::string WhyListed(const Known& known, KernelVersion version, const std::string& name) {
  const auto it = known.find(std::pair(version, name));
  return it == known.end() ? "" : it->second;
}

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
  Outcome outcome{.path = path, .file = path};
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
    same.file = path;
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
  outcome.answer = real;
  if (!Agree(model, real) || !outcome.real.leaks.empty() || !outcome.real.crash.empty()) {
    outcome.kind = Outcome::Kind::kDiffers;
    outcome.comparison = Compare(c, model, "model", real, "real code");
    Locate(c, run, outcome);
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
  if (outcome.kind == Outcome::Kind::kAgrees && outcome.listed.empty() && !verbose) return;
  std::cout << report::Field(outcome.name(), outcome.path);
  if (!outcome.listed.empty())
    std::cout << report::Field("", absl::StrCat("listed: ", outcome.listed));
  if (!outcome.same_as.empty()) {
    std::cout << report::Field("", absl::StrCat("the same run as ", outcome.same_as));
    return;
  }
  if (!outcome.real.crash.empty()) std::cout << report::Field("crashed", outcome.real.crash);
  for (const std::string& line : PrintableLines(outcome.real.said))
    std::cout << report::Field("said", line);
  for (const Harness::Warn& warn : outcome.real.warns)
    std::cout << report::Field("WARN", "in " + warn.text());
  for (const std::string& leak : outcome.real.leaks)
    std::cout << report::Field("left", leak + " after the teardown");
  if (outcome.kind == Outcome::Kind::kDiffers) std::cout << outcome.comparison.text << "\n";
}

// One record of the outcome: passed where it is as expected.
report::CheckResult ResultOf(const Outcome& outcome, const std::string& build) {
  report::CheckResult result{.name = absl::StrCat(outcome.path, " on ", build),
                             .file = outcome.file};
  if (outcome.kind == Outcome::Kind::kSkipped) {
    result.outcome = report::CheckResult::Outcome::kSkip;
    result.message = outcome.why;
    return result;
  }
  if (outcome.as_expected()) return result;
  result.outcome = report::CheckResult::Outcome::kFail;
  result.kind = outcome.kind == Outcome::Kind::kAgrees ? "listed" : "differs";
  result.line = outcome.line;
  result.kernel = outcome.where;
  const Comparison& at = outcome.comparison;
  const auto side = [](const std::string& line) {
    return line.empty() ? "nothing more"
                        : absl::StrCat("'", absl::StripLeadingAsciiWhitespace(line), "'");
  };
  const std::string place = outcome.at_end ? "at the end" : absl::StrFormat("op %d", at.step + 1);
  if (outcome.kind == Outcome::Kind::kAgrees)
    result.message = "model and real code agree, and are listed to differ: " + outcome.listed;
  else if (!outcome.real.crash.empty())
    result.message = absl::StrCat("the real code ", outcome.real.crash);
  else if (at.agree)
    result.message = "the real code leaves something after the teardown";
  else
    result.message = absl::StrCat(place, ": the model has ", side(at.a_line), ", the real code ",
                                  side(at.b_line));
  for (const std::string& line : PrintableLines(outcome.real.said))
    absl::StrAppend(&result.detail, line, "\n");
  for (const Harness::Warn& warn : outcome.real.warns)
    absl::StrAppend(&result.detail, "WARN in ", warn.text(), "\n");
  for (const std::string& leak : outcome.real.leaks)
    absl::StrAppend(&result.detail, "left after the teardown: ", leak, "\n");
  absl::StrAppend(&result.detail, at.text);
  return result;
}

using Counts = std::array<int, Outcome::kKindNames.size()>;

std::string CountsText(const Counts& counts, int listed) {
  std::string text =
      absl::StrFormat("%d agree, %d differ, %d skipped\n", counts[0], counts[1], counts[2]);
  if (listed != 0) absl::StrAppendFormat(&text, "%d are listed, and must differ\n", listed);
  return text;
}

report::Json ToJson(const Outcome& outcome) {
  report::Json json{{"case", outcome.path}, {"outcome", outcome.name()}};
  if (outcome.kind == Outcome::Kind::kSkipped) json["why"] = outcome.why;
  if (!outcome.listed.empty()) json["listed"] = outcome.listed;
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
  for (const Harness::Warn& warn : outcome.real.warns) json["warns"].push_back(warn.text());
  if (!outcome.real.leaks.empty()) json["leaks"] = outcome.real.leaks;
  return json;
}

// --- answers that were recorded ---

// The case as real code of this kernel was asked it.
Case AsAsked(Case c, KernelVersion version) {
  c.kernel = conform::WithoutAssumptions(
      conform::WithAssumptionsOf({.version = version, .dropped = {}, .added = {}}, c.kernel));
  return c;
}

absl::StatusOr<conform::Answers> ReadAnswers(const std::string& path, const conform::Cases& cases) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxAnswers);
  if (!text.ok()) return text.status();
  return conform::ParseAnswers(*text, path, cases);
}

// Puts what the build answered into the file, in place of what a build of its profile answered
// before. Of cases that are the same run it has the first.
absl::Status Record(const ConformOptions& o, const Harness& harness,
                    const std::vector<Outcome>& outcomes) {
  const absl::StatusOr<conform::Cases> cases = CasesOf(o);
  if (!cases.ok()) return cases.status();
  conform::Answers answers;
  if (std::filesystem::exists(o.record)) {
    absl::StatusOr<conform::Answers> before = ReadAnswers(o.record, *cases);
    if (!before.ok()) return before.status();
    answers = *std::move(before);
  }
  const KernelVersion version = harness.version();
  answers.kernels[version] = harness.name();
  for (auto& [name, of] : answers.cases) of.erase(version);
  for (const Outcome& outcome : outcomes)
    if (outcome.kind != Outcome::Kind::kSkipped && outcome.same_as.empty())
      answers.cases[NameOf(outcome.path)][version] = outcome.answer;
  std::ofstream out(o.record, std::ios::binary | std::ios::trunc);
  out << conform::PrintAnswers(answers, *cases);
  if (!out.flush()) return absl::OutOfRangeError(absl::StrCat(o.record, ": cannot be written"));
  return absl::OkStatus();
}

// The model beside what a kernel answered.
report::Json CompareAnswers(const ConformOptions& o, KernelVersion version,
                            const conform::Cases& cases, const conform::Answers& answers,
                            const Known& known, std::vector<report::CheckResult>& results,
                            Session& session) {
  std::map<std::string, std::string> files;
  if (const auto found = FindFiles(o.paths, {".case"}); found.ok())
    for (const std::string& file : *found) files[NameOf(file)] = file;
  std::set<std::string> answered;
  Counts counts{};
  int listed = 0;
  report::Json list = report::Json::array();
  for (const auto& [name, of] : answers.cases) {
    const auto it = of.find(version);
    if (it == of.end()) continue;
    const Case c = AsAsked(cases.find(name)->second, version);
    answered.insert(RunOf(c));
    const Run run = Play(c);
    const Trace model = conform::TraceOf(c, run);
    Outcome outcome{.path = name, .file = files[name], .listed = WhyListed(known, version, name)};
    if (!Agree(model, it->second)) {
      outcome.kind = Outcome::Kind::kDiffers;
      outcome.comparison = Compare(c, model, "model", it->second, "real code");
      Locate(c, run, outcome);
      outcome.model = TraceLines(c, model);
      outcome.real_code = TraceLines(c, it->second);
    }
    ++counts[static_cast<size_t>(outcome.kind)];
    listed += outcome.listed.empty() ? 0 : 1;
    if (!outcome.as_expected()) session.exit = kViolated;
    if (o.json)
      list.push_back(ToJson(outcome));
    else if (o.format.given())
      results.push_back(ResultOf(outcome, answers.kernels.find(version)->second));
    else if (!outcome.as_expected() || o.verbose)
      Print(outcome, /*verbose=*/true);
  }
  int unasked = 0;
  for (const auto& [name, c] : cases)
    unasked += answered.contains(RunOf(AsAsked(c, version))) ? 0 : 1;
  if (o.json)
    return {{"kernel", VersionName(version)},
            {"build", answers.kernels.find(version)->second},
            {"not_recorded", unasked},
            {"cases", list}};
  if (o.format.given()) return {};
  std::cout << report::Field("kernel", std::string(VersionName(version)))
            << report::Field("answers", "of " + answers.kernels.find(version)->second)
            << CountsText(counts, listed);
  if (unasked != 0) std::cout << absl::StrFormat("%d cases are not recorded\n", unasked);
  return {};
}

void RunAnswers(const ConformOptions& o, Session& session) {
  const absl::StatusOr<conform::Cases> cases = CasesOf(o);
  if (!cases.ok()) return session.Fail(cases.status());
  const absl::StatusOr<conform::Answers> answers = ReadAnswers(o.answers, *cases);
  if (!answers.ok()) return session.Fail(answers.status());
  const absl::StatusOr<Known> known = ReadKnown(o.known, *cases);
  if (!known.ok()) return session.Fail(known.status());
  for (const auto& [key, why] : *known)
    if (const auto of = answers->cases.find(key.second);
        answers->kernels.contains(key.first) &&
        (of == answers->cases.end() || !of->second.contains(key.first)))
      return session.Fail(absl::InvalidArgumentError(
          absl::StrFormat("%s: %s is listed for %s, which has no answer to it", o.known, key.second,
                          VersionName(key.first))));
  std::vector<KernelVersion> versions;
  for (const auto& [version, build] : answers->kernels) versions.push_back(version);
  if (!o.kernel.version.empty()) {
    const absl::StatusOr<KernelSpec> wanted = o.kernel.ParseWhole();
    if (!wanted.ok()) return session.Fail(wanted.status());
    if (!answers->kernels.contains(wanted->version))
      return session.Fail(absl::ResourceExhaustedError(absl::StrFormat(
          "unknown: %s: no answers of %s", o.answers, VersionName(wanted->version))));
    versions = {wanted->version};
  }
  report::Json kernels = report::Json::array();
  std::vector<report::CheckResult> results;
  for (const KernelVersion version : versions)
    kernels.push_back(CompareAnswers(o, version, *cases, *answers, *known, results, session));
  if (o.format.given()) return o.format.Print("conform", std::move(results));
  if (!o.json) {
    std::cout << report::ToolText();
    return;
  }
  report::Json out = report::ToolJson("conform");
  out["verdict"] = session.exit == kViolated ? "violated" : "none";
  out["kernels"] = kernels;
  std::cout << JsonText(out);
}

void RunBuild(const ConformOptions& o, Session& session) {
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
  const absl::StatusOr<conform::Cases> named =
      o.known.empty() ? conform::Cases() : conform::ReadCases(*files);
  if (!named.ok()) return session.Fail(named.status());
  const absl::StatusOr<Known> known = ReadKnown(o.known, *named);
  if (!known.ok()) return session.Fail(known.status());

  Played played;
  std::vector<Outcome> outcomes;
  Counts counts{};
  int same = 0;
  int listed = 0;
  int wrong = 0;  // differs and is not listed, or agrees and is
  report::Json cases = report::Json::array();
  std::vector<report::CheckResult> results;
  for (const std::string& file : *files) {
    if (tool::Stopped()) break;
    Progress("conform " + file);
    absl::StatusOr<Case> c = ReadCase(file);
    if (!c.ok()) return session.Fail(c.status());
    absl::Status status;
    Outcome outcome = Conform(file, *std::move(c), *built, o.as_built, *harness, played, status);
    Progress("");
    if (!status.ok()) return session.Fail(status);
    const std::string& first = outcome.same_as.empty() ? file : outcome.same_as;
    outcome.listed = WhyListed(*known, built->version, NameOf(first));
    ++counts[static_cast<size_t>(outcome.kind)];
    listed += outcome.listed.empty() ? 0 : 1;
    wrong += outcome.as_expected() ? 0 : 1;
    same += outcome.same_as.empty() ? 0 : 1;
    if (o.json)
      cases.push_back(ToJson(outcome));
    else if (o.format.given())
      results.push_back(ResultOf(outcome, harness->name()));
    else if (!outcome.as_expected() || outcome.listed.empty() || o.verbose)
      Print(outcome, o.verbose);
    if (!o.record.empty()) outcomes.push_back(outcome);
  }
  if (!o.record.empty() && !tool::Stopped())
    if (absl::Status s = Record(o, *harness, outcomes); !s.ok()) return session.Fail(s);
  if (wrong != 0) session.exit = kViolated;
  if (tool::Stopped() && wrong == 0)
    session.Fail(absl::ResourceExhaustedError(
        absl::StrFormat("unknown: %s; %d of %d cases played", tool::StopReason(),
                        counts[0] + counts[1] + counts[2], files->size())));
  if (o.format.given()) return o.format.Print("conform", std::move(results));
  if (o.json) {
    report::Json out = report::ToolJson("conform");
    // That no case differs is no proof that none does.
    out["verdict"] = wrong != 0 ? "violated" : tool::Stopped() ? "unknown" : "none";
    out["build"] = harness->name();
    out["kernel"] = report::KernelName(*built);
    out["cases"] = cases;
    std::cout << JsonText(out);
    return;
  }
  std::cout << report::Field("build", harness->name())
            << report::Field("kernel", report::KernelName(*built)) << report::ToolText()
            << CountsText(counts, listed);
  if (same != 0)
    std::cout << absl::StrFormat("%d of them are runs of other cases, and not played again\n",
                                 same);
}

void RunConform(const ConformOptions& o, Session& session) {
  const bool patched = !o.kernel.drop.empty() || !o.kernel.add.empty();
  if (o.build.empty() == o.answers.empty())
    return session.Fail(
        absl::OutOfRangeError(absl::StrCat("expected either --kernel-build or --answers, found ",
                                           o.build.empty() ? "neither" : "both")));
  if (!o.record.empty() && (o.build.empty() || !o.as_built || patched || !o.kernel.version.empty()))
    return session.Fail(absl::OutOfRangeError(
        "--record goes with --kernel-build and --as-built, and without another kernel"));
  if (o.build.empty() && patched)
    return session.Fail(absl::OutOfRangeError("--answers are of kernels without a patch"));
  o.build.empty() ? RunAnswers(o, session) : RunBuild(o, session);
}

}  // namespace

void AddConform(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("conform", "Do model and real kernel code do the same");
  command->footer(
      "Example: iommucheck conform --kernel-build build/kernel/linux-source-6.12 "
      "corpus/litmus");
  auto o = std::make_shared<ConformOptions>();
  command->add_option("--kernel-build", o->build, "folder of a build of ./dev kernel")
      ->type_name("DIR");
  command
      ->add_option("--answers", o->answers,
                   "in place of a build: what builds answered to these cases and wrote down by "
                   "--record; the model of each kernel there, or of --kernel")
      ->type_name("FILE");
  command
      ->add_option("--known", o->known,
                   "lines KERNEL CASE WHY: answers that are known to differ, and must")
      ->type_name("FILE");
  command
      ->add_option("--record", o->record,
                   "with --as-built: write down what the build answers, beside the other kernels")
      ->type_name("FILE");
  command->add_option("CASE", o->paths, "case files, and folders of them")->required();
  command->add_flag("--as-built", o->as_built, "play cases of other kernels as of the one built");
  auto* json = command->add_flag("--json", o->json, "one JSON object");
  o->format.AddTo(*command, *json);
  AddTimeout(*command);
  command->add_flag("-v,--verbose", o->verbose, "name the cases that agree, too");
  o->kernel.AddTo(*command, /*required=*/false);
  command->callback([o, &session] { RunConform(*o, session); });
}

}  // namespace iommucheck::cli
