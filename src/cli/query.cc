// SPDX-License-Identifier: Apache-2.0
#include <cstring>
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
#include "src/report/all_text.h"
#include "src/report/answer_text.h"
#include "src/report/blame.h"
#include "src/report/certificate.h"
#include "src/report/machine.h"
#include "src/report/machine_text.h"
#include "src/report/system.h"
#include "src/report/text.h"
#include "src/tool/provenance.h"

namespace iommucheck::cli {
namespace {

struct Options {
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
  bool json = false;
  RequireOption require;
};

// One file a verification condition; none where there is no proof.
absl::Status WriteConditions(const std::string& folder, const report::Answer& answer) {
  const std::string head = absl::StrCat(std::string(kSmt2Comment), report::ToolName(), "\n",
                                        std::string(kSmt2Comment), tool::CommandLine(), "\n");
  std::vector<NamedText> files;
  if (report::HoldsForEverySize(answer))
    for (const prove::Condition& condition : prove::ConditionsOf(
             answer.question.property, ProfileOf(answer.question.kernel), answer.proof->invariant))
      files.push_back({condition.name, head + condition.smt2});
  const auto is_condition = [](const std::string& name) { return name.ends_with(".smt2"); };
  return WriteFolder(folder, kSmt2Comment, is_condition, files);
}

// The manifest last: a folder without one is no certificate. An earlier manifest, which says whose
// it is, goes first; it goes, too, where there is no certificate of this answer.
absl::Status WriteCertificate(const std::string& folder,
                              const std::optional<certificate::Certificate>& certificate) {
  if (absl::Status s = RemoveOurs(absl::StrCat(folder, "/", certificate::kManifest),
                                  certificate::kManifestStart);
      !s.ok() || !certificate)
    return s;
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  for (const certificate::File& file : certificate->files)
    if (absl::Status s = WriteFile(absl::StrCat(folder, "/", file.name), file.text); !s.ok())
      return s;
  return absl::OkStatus();
}

// Whether the files that are asked for can be written, as far as that is known before the work.
absl::Status CanWriteFiles(const Options& o) {
  if (absl::Status s = o.all ? CanWriteFolder(o.out) : CanWriteFile(o.out); !s.ok()) return s;
  if (absl::Status s = CanWriteFile(o.smt2); !s.ok()) return s;
  if (absl::Status s = CanWriteFolder(o.vcs); !s.ok()) return s;
  return CanWriteFolder(o.certificate);
}

absl::Status WriteFiles(const Options& o, const report::Answer& answer) {
  if (absl::Status s = RemoveOurs(o.out, kCaseComment); !s.ok()) return s;
  if (!o.out.empty() && answer.result.verdict == Verdict::kViolated)
    if (absl::Status s = WriteFile(o.out, FoundCase(answer.result.found)); !s.ok()) return s;
  if (!o.vcs.empty())
    if (absl::Status s = WriteConditions(o.vcs, answer); !s.ok()) return s;
  if (!o.certificate.empty())
    if (absl::Status s = WriteCertificate(o.certificate, answer.certificate); !s.ok()) return s;
  return o.smt2.empty() ? absl::OkStatus() : WriteFile(o.smt2, answer.result.smt2);
}

absl::StatusOr<report::Question> Read(const Options& o) {
  const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse();
  if (!kernel.ok()) return kernel.status();
  report::Question question{.property = *FindProperty(o.property),
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

// One file a case, in the order of the list.
absl::Status WriteCases(const std::string& folder, const report::AllCases& all) {
  std::vector<NamedText> files;
  for (const Case& c : all.cases)
    files.push_back({absl::StrFormat("%03d.case", files.size() + 1), FoundCase(c)});
  const auto is_number = [](const std::string& name) {
    return name.size() >= strlen("001.case") && name.ends_with(".case") &&
           name.find_first_not_of("0123456789") == name.size() - strlen(".case");
  };
  return WriteFolder(folder, kCaseComment, is_number, files);
}

void QueryAll(const Options& o, Session& session) {
  const absl::StatusOr<report::Question> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  absl::StatusOr<report::AllCases> all = report::AskAll(*question, o.max);
  if (!all.ok()) return session.Fail(all.status());
  if (const absl::Status s = report::AskChange(all->answer); !s.ok()) return session.Fail(s);
  Progress("");
  std::cout << (o.json ? report::AllJson(*all) : report::AllText(*all));
  const report::Answer& answer = all->answer;
  session.exit = o.require.ExitOf(answer.result.verdict, report::HoldsForEverySize(answer));
  if (!o.out.empty())
    if (const absl::Status s = WriteCases(o.out, *all); !s.ok()) return session.Fail(s);
}

std::string Text(const Options& o, const report::Answer& answer, const std::string& next) {
  if (o.json) return report::AnswerJson(answer);
  return o.show_invariant && report::HoldsForEverySize(answer) ? report::InvariantText(answer)
                                                               : report::AnswerText(answer, next);
}

report::MachineQuestion QuestionOn(const Options& o) {
  return {.property = *FindProperty(o.property),
          .path = o.on,
          .machine = {},
          .assumptions = {},
          .gaps = {},
          .bounds = o.bounds,
          .want_smt2 = !o.smt2.empty(),
          .bounded = o.bounded};
}

absl::StatusOr<report::MachineQuestion> ReadMachineOfCase(const Options& o,
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

// A question a profile: a running kernel can lie between two.
absl::StatusOr<std::vector<report::MachineQuestion>> ReadSystem(
    const Options& o, const std::optional<KernelSpec>& kernel) {
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
    absl::StatusOr<import::System> system =
        import::ToSystem(*found, spec.version, import::Keep::kAllThatFit);
    if (!system.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(o.on), ": ", system.status().message()));
    report::MachineQuestion question = QuestionOn(o);
    question.machine.kernel = import::AssumingInTree(spec, system->names.drivers);
    question.machine.topology = system->topology;
    question.machine.names = system->names;
    question.assumptions = system->assumptions;
    if (!kernels->place.empty())
      question.assumptions.insert(question.assumptions.begin(), kernels->place);
    question.gaps = system->gaps;
    questions.push_back(std::move(question));
  }
  return questions;
}

// The machine, from a case or a system. Its kernel is the one given, else its own.
absl::StatusOr<std::vector<report::MachineQuestion>> ReadMachine(const Options& o) {
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

void QueryOn(const Options& o, Session& session) {
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
  const bool write_case = !o.out.empty() && result.verdict == Verdict::kViolated;
  Progress("");
  const std::string next = write_case ? "replay -v " + o.out : "";
  std::cout << (o.json ? report::MachineAnswersJson(answers)
                       : report::MachineAnswersText(answers, next));
  session.exit = o.require.ExitOf(report::VerdictOf(worst), report::IsProved(worst));
  absl::Status written = RemoveOurs(o.out, kCaseComment);
  if (written.ok() && write_case) written = WriteFile(o.out, FoundCase(result.found));
  if (written.ok() && !o.smt2.empty()) written = WriteFile(o.smt2, result.smt2);
  if (!written.ok()) return session.Fail(written);
}

void Query(const Options& o, Session& session) {
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
  std::string next;
  if (!o.out.empty() && answer->result.verdict == Verdict::kViolated) next = "replay -v " + o.out;
  if (answer->certificate) next = "check-certificate " + o.certificate;
  std::cout << Text(o, *answer, next);
  session.exit = o.require.ExitOf(answer->result.verdict, report::HoldsForEverySize(*answer));
  // The invariant that was given is none.
  const bool refuted =
      question->invariant && answer->proof && answer->proof->known && !answer->proof->proved;
  if (answer->result.verdict == Verdict::kHolds && refuted) session.exit = kViolated;
  if (const absl::Status s = WriteFiles(o, *answer); !s.ok()) return session.Fail(s);
  if (!certified.ok()) session.Fail(certified);
}

}  // namespace

void AddQuery(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "query",
      "The smallest machine and run that violate a property, or none of any size or up to a bound");
  auto o = std::make_shared<Options>();
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
  auto* all = command
                  ->add_flag("--all", o->all,
                             "every smallest case, up to names and the order of steps that commute")
                  ->excludes(smt2)
                  ->excludes(on);
  command->add_option("--max", o->max, "cases to list at most; 0: no limit")
      ->needs(all)
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  auto* bounded =
      command->add_flag("--bounded", o->bounded, "do not try to prove it for every size");
  command->add_flag("--show-invariant", o->show_invariant, "print the proof, for --invariant")
      ->excludes(bounded)
      ->excludes(on)
      ->excludes(all);
  command->add_option("--invariant", o->invariant, "check this proof instead of looking for one")
      ->excludes(bounded)
      ->excludes(on)
      ->excludes(all);
  command->add_option("--vcs", o->vcs, "write the proof's verification conditions into this folder")
      ->excludes(bounded)
      ->excludes(on)
      ->excludes(all);
  command
      ->add_option("--certificate", o->certificate,
                   "write a certificate of a bounded answer into this folder; implies --bounded")
      ->excludes(on)
      ->excludes("--show-invariant")
      ->excludes("--invariant")
      ->excludes("--vcs")
      ->excludes(all);
  command->add_flag("--json", o->json, "one JSON object");
  o->require.AddTo(*command);
  command->callback([o, &session] { Query(*o, session); });
}

}  // namespace iommucheck::cli
