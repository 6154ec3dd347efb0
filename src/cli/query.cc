// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/import/catalogue.h"
#include "src/import/import.h"
#include "src/report/all.h"
#include "src/report/answer.h"
#include "src/report/blame.h"
#include "src/report/certificate.h"
#include "src/report/machine.h"
#include "src/report/system.h"
#include "src/report/text.h"
#include "src/tool/provenance.h"

namespace iommucheck::cli {
namespace {

struct QueryOptions {
  std::string property;
  KernelOptions kernel;
  std::string on;  // the machine; empty: all
  smt::Bounds bounds;
  std::string out;
  std::string smt2;
  std::string invariant;
  std::string vcs;
  std::string certificate;
  bool all = false;
  int max = 0;
  bool bounded = false;
  bool show_invariant = false;
  AnswerOptions answer;
  FormatOptions format;
};

// One file for each verification condition; no file where there is no proof.
absl::Status WriteConditions(const std::string& folder, const report::Answer& answer) {
  const std::string head = absl::StrCat(std::string(kSmt2Comment), report::ToolName(), "\n",
                                        std::string(kSmt2Comment), tool::CommandLine(), "\n");
  std::vector<NamedText> files;
  if (!folder.empty() && answer.proof && report::HoldsForEverySize(answer))
    for (const prove::Condition& condition : prove::ConditionsOf(
             answer.question.property, ProfileOf(answer.question.kernel), answer.proof->invariant))
      files.push_back({condition.name, head + condition.smt2});
  return WriteFolder(folder, kSmt2Comment, ".*\\.smt2", files);
}

// The manifest comes last: a folder without one is no certificate. WriteFolder() removes an earlier
// manifest first, even where this answer has no certificate.
absl::Status WriteCertificate(const std::string& folder,
                              const std::optional<certificate::Certificate>& certificate) {
  std::vector<NamedText> files;
  if (certificate)
    for (const certificate::File& file : certificate->files)
      files.push_back({file.name, file.text});
  return WriteFolder(folder, certificate::kManifestStart, certificate::kManifest, files);
}

// Whether the files that are asked for can be written, as far as that is known before the work.
absl::Status CanWriteFiles(const QueryOptions& o) {
  if (absl::Status s = o.all ? CanWriteFolder(o.out) : CanWriteFile(o.out); !s.ok()) return s;
  if (absl::Status s = CanWriteFile(o.smt2); !s.ok()) return s;
  if (absl::Status s = CanWriteFolder(o.vcs); !s.ok()) return s;
  return CanWriteFolder(o.certificate);
}

absl::Status WriteFiles(const QueryOptions& o, const report::Answer& answer) {
  const smt::QueryResult& result = answer.result;
  if (absl::Status s = WriteFound(o.out, result.verdict, result.found); !s.ok()) return s;
  if (absl::Status s = WriteConditions(o.vcs, answer); !s.ok()) return s;
  if (absl::Status s = WriteCertificate(o.certificate, answer.certificate); !s.ok()) return s;
  return o.smt2.empty() ? absl::OkStatus() : WriteFile(o.smt2, result.smt2);
}

absl::StatusOr<report::Question> Read(const QueryOptions& o) {
  const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse();
  if (!kernel.ok()) return kernel.status();
  report::Question question{.property = PropertyOf(o.property),
                            .kernel = *kernel,
                            .bounds = o.bounds,
                            .want_smt2 = !o.smt2.empty(),
                            .bounded = o.bounded || !o.certificate.empty()};
  if (o.invariant.empty()) return question;
  const absl::StatusOr<std::string> text = ReadFile(o.invariant, kMaxCaseBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<prove::Lemma>> lemmas = prove::ParseLemmas(*text, o.invariant);
  if (!lemmas.ok()) return lemmas.status();
  question.invariant = *std::move(lemmas);
  return question;
}

// One file for each case, in the order of the list.
absl::Status WriteCases(const std::string& folder, const report::AllCases& all) {
  std::vector<NamedText> files;
  files.reserve(all.cases.size());
  for (const Case& c : all.cases)
    files.push_back({absl::StrFormat("%03d.case", files.size() + 1), FoundCase(c)});
  return WriteFolder(folder, kCaseComment, "[0-9]{3,}\\.case", files);
}

report::CheckResult ResultOf(const report::Answer& answer, const std::string& text) {
  return report::VerdictResult(answer.question.property, answer.result.verdict,
                               report::VerdictLineOf(answer), text, answer.question.kernel,
                               answer.result.found);
}

void QueryAll(const QueryOptions& o, Session& session) {
  const absl::StatusOr<report::Question> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  absl::StatusOr<report::AllCases> all = report::AskAll(*question, o.max);
  if (!all.ok()) return session.Fail(all.status());
  if (const absl::Status s = report::AskChange(all->answer); !s.ok()) return session.Fail(s);
  Progress("");
  const report::Answer& answer = all->answer;
  if (o.format.given())
    o.format.Print("query", {ResultOf(answer, report::AllText(*all))});
  else
    std::cout << (o.answer.json ? report::AllJson(*all) : report::AllText(*all));
  session.exit = o.answer.ExitOf(answer.result.verdict, report::HoldsForEverySize(answer));
  if (const absl::Status s = WriteCases(o.out, *all); !s.ok()) return session.Fail(s);
}

report::MachineQuestion QuestionOn(const QueryOptions& o) {
  return {.property = PropertyOf(o.property),
          .path = o.on,
          .bounds = o.bounds,
          .want_smt2 = !o.smt2.empty(),
          .bounded = o.bounded};
}

absl::StatusOr<report::MachineQuestion> ReadMachineOfCase(const QueryOptions& o,
                                                          const std::optional<KernelSpec>& kernel) {
  report::MachineQuestion question = QuestionOn(o);
  absl::StatusOr<Case> c = ReadCase(o.on);
  if (!c.ok()) return c.status();
  question.machine = *std::move(c);
  absl::Status encoded = CheckEncoded(question.machine.topology, question.machine.names);
  if (!kernel && encoded.ok()) encoded = CheckEncoded(question.machine.kernel);
  if (!encoded.ok())
    return absl::InvalidArgumentError(absl::StrCat(o.on, ": ", std::string(encoded.message())));
  if (kernel) {
    question.machine.kernel = *kernel;
  } else {
    const absl::StatusOr<KernelSpec> patched = o.kernel.Patched(question.machine.kernel);
    if (!patched.ok()) return patched.status();
    question.machine.kernel = *patched;
  }
  return question;
}

// A question for each profile: a running kernel can lie between two.
absl::StatusOr<std::vector<report::MachineQuestion>> ReadSystem(
    const QueryOptions& o, const std::optional<KernelSpec>& kernel) {
  const absl::StatusOr<import::Found> found = import::ReadTree(o.on);
  if (!found.ok()) return found.status();
  const absl::StatusOr<report::SystemKernels> kernels = report::KernelsFor(o.on, *found, kernel);
  if (!kernels.ok()) return kernels.status();
  std::vector<report::MachineQuestion> questions;
  for (KernelSpec spec : kernels->kernels) {
    if (!kernel) {
      const absl::StatusOr<KernelSpec> patched = o.kernel.Patched(spec, import::kAssumedInTree);
      if (!patched.ok()) return patched.status();
      spec = *patched;
    }
    const absl::StatusOr<import::System> system = report::SystemOn(o.on, *found, spec.version);
    if (!system.ok()) return system.status();
    report::MachineQuestion question = QuestionOn(o);
    question.machine =
        report::MachineCase(*system, import::AssumingInTree(spec, system->names.drivers));
    question.assumptions = system->assumptions;
    if (!kernels->place.empty())
      question.assumptions.insert(question.assumptions.begin(), kernels->place);
    question.gaps = system->gaps;
    questions.push_back(std::move(question));
  }
  return questions;
}

// The machine, from a case or a system. Its kernel is the one given, else its own.
absl::StatusOr<std::vector<report::MachineQuestion>> ReadMachine(const QueryOptions& o) {
  const bool is_system = o.on != "-" && import::IsSystem(o.on);
  std::optional<KernelSpec> kernel;
  if (!o.kernel.version.empty()) {
    const absl::StatusOr<KernelSpec> given =
        o.kernel.Parse(is_system ? import::kAssumedInTree : RuleSet());
    if (!given.ok()) return given.status();
    kernel = *given;
  }
  if (is_system) return ReadSystem(o, kernel);
  absl::StatusOr<report::MachineQuestion> question = ReadMachineOfCase(o, kernel);
  if (!question.ok()) return question.status();
  return std::vector<report::MachineQuestion>{*std::move(question)};
}

std::vector<report::CheckResult> ResultsOf(const std::vector<report::MachineAnswer>& answers) {
  std::vector<report::CheckResult> results;
  results.reserve(answers.size());
  for (const report::MachineAnswer& answer : answers)
    results.push_back(report::VerdictResult(
        answer.question.property, report::VerdictOf(answer), report::VerdictLineOf(answer),
        report::MachineAnswersText({answer}, ""), answer.question.machine.kernel,
        answer.result.query.found));
  return results;
}

void QueryOn(const QueryOptions& o, Session& session) {
  const absl::StatusOr<std::vector<report::MachineQuestion>> questions = ReadMachine(o);
  if (!questions.ok()) return session.Fail(questions.status());
  std::vector<report::MachineAnswer> answers;
  for (const report::MachineQuestion& question : *questions) {
    absl::StatusOr<report::MachineAnswer> answer = report::AskOnMachine(question);
    if (!answer.ok()) return session.Fail(answer.status());
    if (const absl::Status s = report::AskChange(*answer); !s.ok()) return session.Fail(s);
    answers.push_back(*std::move(answer));
  }
  const report::MachineAnswer& worst = report::WorstOf(answers);
  const smt::QueryResult& result = worst.result.query;
  Progress("");
  const std::string next = ReplayOf(o.out, result.verdict);
  if (o.format.given())
    o.format.Print("query", ResultsOf(answers));
  else
    std::cout << (o.answer.json ? report::MachineAnswersJson(answers)
                                : report::MachineAnswersText(answers, next));
  session.exit = o.answer.ExitOf(report::VerdictOf(worst), report::IsProved(worst));
  absl::Status written = WriteFound(o.out, result.verdict, result.found);
  if (written.ok() && !o.smt2.empty()) written = WriteFile(o.smt2, result.smt2);
  if (!written.ok()) session.Fail(written);
}

void Query(const QueryOptions& o, Session& session) {
  if (const absl::Status s = CanWriteFiles(o); !s.ok()) return session.Fail(s);
  if (!o.on.empty()) return QueryOn(o, session);
  if (o.kernel.version.empty())
    return session.Fail(
        absl::OutOfRangeError("expected --kernel, or --on with a machine that has one"));
  if (o.all) return QueryAll(o, session);
  const absl::StatusOr<report::Question> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  if (!o.certificate.empty())
    if (const absl::Status s = certificate::CheckLength(question->property, question->bounds.steps);
        !s.ok())
      return session.Fail(s);
  absl::StatusOr<report::Answer> answer = report::Ask(*question);
  if (!answer.ok()) return session.Fail(answer.status());
  absl::Status certified = absl::OkStatus();
  if (!question->invariant && !o.show_invariant)
    if (const absl::Status s = report::AskChange(*answer); !s.ok()) return session.Fail(s);
  if (!o.certificate.empty()) certified = report::Certify(*answer);
  // Two judges that disagree leave no answer to print.
  if (absl::IsInternal(certified)) return session.Fail(certified);
  Progress("");
  const bool shows_invariant = o.show_invariant && report::HoldsForEverySize(*answer);
  std::string next = ReplayOf(o.out, answer->result.verdict);
  if (answer->certificate) next = "check-certificate " + o.certificate;
  if (o.format.given())
    o.format.Print("query", {ResultOf(*answer, report::AnswerText(*answer, next))});
  else
    std::cout << (o.answer.json     ? report::AnswerJson(*answer)
                  : shows_invariant ? report::InvariantText(*answer)
                                    : report::AnswerText(*answer, next));
  session.exit = o.answer.ExitOf(answer->result.verdict, report::HoldsForEverySize(*answer));
  // The lemmas that were given are no invariant.
  const auto& proof = answer->proof;
  const bool refuted = question->invariant && proof && proof->known && !proof->proved;
  if (answer->result.verdict == Verdict::kHolds && refuted) session.exit = kViolated;
  if (const absl::Status s = WriteFiles(o, *answer); !s.ok()) return session.Fail(s);
  if (!certified.ok()) session.Fail(certified);
}

}  // namespace

void AddQuery(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "query",
      "The smallest machine and run that violate a property, or none of any size or up to a bound");
  auto o = std::make_shared<QueryOptions>();
  AddProperty(*command, o->property);
  command->footer(
      "Example: iommucheck query no-cross-driver-reuse --kernel v6.0 --drop type1.same_ops");
  o->kernel.AddTo(*command, false);
  auto* on = command->add_option(
      "--on", o->on, "ask about this machine alone: a case, a /sys tree, or a snapshot tar of one");
  AddBounds(*command, o->bounds);
  AddTimeout(*command);
  command->get_option("--devices")->excludes(on);
  command->add_option("--out", o->out,
                      "write the case to this file, or with --all the cases into this folder");
  auto* smt2 = command->add_option("--smt2", o->smt2, "write the last solver query to this file");
  auto* all = command->add_flag(
      "--all", o->all, "every smallest case, up to names and the order of steps that commute");
  command->add_option("--max", o->max, "cases to list at most; 0: no limit")
      ->needs(all)
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  auto* bounded =
      command->add_flag("--bounded", o->bounded, "do not try to prove it for every size");
  auto* show =
      command->add_flag("--show-invariant", o->show_invariant, "print the proof, for --invariant");
  auto* invariant = command->add_option("--invariant", o->invariant,
                                        "check this proof instead of looking for one");
  auto* vcs = command->add_option("--vcs", o->vcs,
                                  "write the proof's verification conditions into this folder");
  auto* certificate = command->add_option(
      "--certificate", o->certificate,
      "write a certificate of a bounded answer into this folder; implies --bounded");
  all->excludes(smt2)->excludes(on);
  for (CLI::Option* about_a_proof : {show, invariant, vcs})
    about_a_proof->excludes(bounded)->excludes(on)->excludes(all)->excludes(certificate);
  certificate->excludes(on)->excludes(all);
  o->answer.AddTo(*command);
  o->format.AddTo(*command, *command->get_option("--json"));
  command->callback([o, &session] { Query(*o, session); });
}

}  // namespace iommucheck::cli
