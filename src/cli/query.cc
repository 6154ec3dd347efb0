// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/cli/commands.h"
#include "src/import/import.h"
#include "src/report/all.h"
#include "src/report/certificate.h"
#include "src/report/change.h"
#include "src/report/machine.h"

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

// One file a verification condition.
absl::Status WriteConditions(const std::string& folder, const report::Answer& answer) {
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  for (const prove::Condition& condition : prove::ConditionsOf(
           answer.question.property, ProfileOf(answer.question.kernel), answer.proof->invariant))
    if (absl::Status s = WriteFile(absl::StrCat(folder, "/", condition.name), condition.smt2);
        !s.ok())
      return s;
  return absl::OkStatus();
}

// The manifest last: a folder without one is no certificate.
absl::Status WriteCertificate(const std::string& folder,
                              const certificate::Certificate& certificate) {
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  std::error_code none;
  std::filesystem::remove(std::filesystem::path(folder) / certificate.files.back().name, none);
  for (const certificate::File& file : certificate.files)
    if (absl::Status s = WriteFile(absl::StrCat(folder, "/", file.name), file.text); !s.ok())
      return s;
  return absl::OkStatus();
}

absl::Status WriteFiles(const Options& o, const report::Answer& answer) {
  if (!o.out.empty() && answer.result.verdict == Verdict::kViolated)
    if (absl::Status s = WriteFile(o.out, PrintCase(answer.result.found)); !s.ok()) return s;
  if (!o.vcs.empty() && report::HoldsForEverySize(answer))
    if (absl::Status s = WriteConditions(o.vcs, answer); !s.ok()) return s;
  if (answer.certificate)
    if (absl::Status s = WriteCertificate(o.certificate, *answer.certificate); !s.ok()) return s;
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
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  for (size_t i = 0; i < all.cases.size(); ++i)
    if (absl::Status s =
            WriteFile(absl::StrFormat("%s/%03d.case", folder, i + 1), PrintCase(all.cases[i]));
        !s.ok())
      return s;
  return absl::OkStatus();
}

void QueryAll(const Options& o, Session& session) {
  const absl::StatusOr<report::Question> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  absl::StatusOr<report::AllCases> all = report::AskAll(*question, o.max);
  if (!all.ok()) return session.Fail(all.status());
  if (const absl::Status s = report::AskChange(all->answer); !s.ok()) return session.Fail(s);
  if (!o.out.empty())
    if (const absl::Status s = WriteCases(o.out, *all); !s.ok()) return session.Fail(s);
  std::cout << (o.json ? report::AllJson(*all) : report::AllText(*all));
  const report::Answer& answer = all->answer;
  session.exit = o.require.ExitOf(answer.result.verdict, report::HoldsForEverySize(answer));
}

std::string Text(const Options& o, const report::Answer& answer, const std::string& next) {
  if (o.json) return report::AnswerJson(answer);
  return o.show_invariant && report::HoldsForEverySize(answer) ? report::InvariantText(answer)
                                                               : report::AnswerText(answer, next);
}

// The machine, from a case or a system. Its kernel is the one given, else its own.
absl::StatusOr<report::MachineQuestion> ReadMachine(const Options& o) {
  report::MachineQuestion question{.property = *FindProperty(o.property),
                                   .path = o.on,
                                   .machine = {},
                                   .assumptions = {},
                                   .bounds = o.bounds,
                                   .want_smt2 = !o.smt2.empty(),
                                   .bounded = o.bounded};
  if (o.on == "-" || !import::IsSystem(o.on)) {
    absl::StatusOr<Case> c = ReadCase(o.on);
    if (!c.ok()) return c.status();
    question.machine = *std::move(c);
    absl::Status encoded = CheckEncoded(question.machine.topology, question.machine.names);
    if (encoded.ok() && o.kernel.version.empty()) encoded = CheckEncoded(question.machine.kernel);
    if (!encoded.ok())
      return absl::InvalidArgumentError(absl::StrCat(o.on, ": ", std::string(encoded.message())));
  } else {
    absl::StatusOr<import::System> system = import::ReadSystem(o.on, import::Keep::kAllThatFit);
    if (!system.ok()) return system.status();
    if (o.kernel.version.empty() && !system->nearest)
      return absl::InvalidArgumentError(
          absl::StrCat(o.on, ": expected proc/version of a kernel from 5.15 on; say --kernel"));
    if (system->nearest) question.machine.kernel.version = *system->nearest;
    question.machine.topology = system->topology;
    question.machine.names = system->names;
    question.assumptions = system->assumptions;
  }
  if (!o.kernel.version.empty()) {
    const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse();
    if (!kernel.ok()) return kernel.status();
    question.machine.kernel = *kernel;
  } else if (!o.kernel.drop.empty() || !o.kernel.add.empty()) {
    const absl::StatusOr<KernelSpec> kernel = o.kernel.Patched(question.machine.kernel);
    if (!kernel.ok()) return kernel.status();
    question.machine.kernel = *kernel;
  }
  return question;
}

void QueryOn(const Options& o, Session& session) {
  const absl::StatusOr<report::MachineQuestion> question = ReadMachine(o);
  if (!question.ok()) return session.Fail(question.status());
  absl::StatusOr<report::MachineAnswer> answer = report::AskOnMachine(*question);
  if (!answer.ok()) return session.Fail(answer.status());
  if (const absl::Status s = report::AskChange(*answer); !s.ok()) return session.Fail(s);
  const smt::QueryResult& result = answer->result.query;
  const bool write_case = !o.out.empty() && result.verdict == Verdict::kViolated;
  absl::Status written = write_case ? WriteFile(o.out, PrintCase(result.found)) : absl::OkStatus();
  if (written.ok() && !o.smt2.empty()) written = WriteFile(o.smt2, result.smt2);
  if (!written.ok()) return session.Fail(written);
  const std::string next = write_case ? "replay -v " + o.out : "";
  std::cout << (o.json ? report::MachineAnswerJson(*answer)
                       : report::MachineAnswerText(*answer, next));
  session.exit = o.require.ExitOf(result.verdict, report::HoldsForEveryRun(*answer));
}

void Query(const Options& o, Session& session) {
  if (!o.on.empty()) return QueryOn(o, session);
  if (o.kernel.version.empty())
    return session.Fail(
        absl::OutOfRangeError("expected --kernel, or --on with a machine that has one"));
  if (o.all) return QueryAll(o, session);
  const absl::StatusOr<report::Question> question = Read(o);
  if (!question.ok()) return session.Fail(question.status());
  absl::StatusOr<report::Answer> answer = report::Ask(*question);
  if (!answer.ok()) return session.Fail(answer.status());
  if (!question->invariant && !o.show_invariant)
    if (const absl::Status s = report::AskChange(*answer); !s.ok()) return session.Fail(s);
  if (!o.certificate.empty())
    if (const absl::Status s = report::Certify(*answer); !s.ok()) return session.Fail(s);
  if (const absl::Status s = WriteFiles(o, *answer); !s.ok()) return session.Fail(s);
  std::string next;
  if (!o.out.empty() && answer->result.verdict == Verdict::kViolated) next = "replay -v " + o.out;
  if (answer->certificate) next = "check-certificate " + o.certificate;
  std::cout << Text(o, *answer, next);
  session.exit = o.require.ExitOf(answer->result.verdict, report::HoldsForEverySize(*answer));
  // The invariant that was given is none.
  const bool refuted =
      question->invariant && answer->proof && answer->proof->known && !answer->proof->proved;
  if (answer->result.verdict == Verdict::kHolds && refuted) session.exit = kViolated;
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
      ->check(CLI::NonNegativeNumber);
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
