// SPDX-License-Identifier: Apache-2.0
//
// The tour: the question of June 2022, answered end to end.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/json_text.h"
#include "src/cli/commands.h"
#include "src/report/answer.h"
#include "src/report/claim.h"
#include "src/report/json.h"
#include "src/report/system.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

namespace fs = std::filesystem;
using report::Answer;
using report::Question;

// Where ops are found by fwnode, a device with a fwspec takes a step of its own, `configure`.
smt::Bounds TourBounds(KernelVersion version) {
  return {.devices = 3, .steps = InfoOf(version).era == Era::kFwnode ? 6 : 5, .budget = 0};
}

// The questions so far, and where the tour is printed.
struct Tour {
  std::ostream& out;
  std::vector<Answer> answers{};
  report::Json claims = report::Json::array();
  report::Json system{};

  // The tables and the claims ask much the same.
  absl::StatusOr<Answer> AskOnce(const Question& question) {
    const auto known = std::ranges::find(answers, question, &Answer::question);
    if (known != answers.end()) return *known;
    absl::StatusOr<Answer> answer = report::Ask(question);
    if (answer.ok()) answers.push_back(*answer);
    return answer;
  }
};

struct Column {
  const char* title;
  bool drop_same_ops;
  bool drop_owner;
};
constexpr std::array kColumns = {Column{"as it is", false, false}, Column{"-same_ops", true, false},
                                 Column{"-owner_first", false, true}, Column{"-both", true, true}};

// The kernel of one cell; nothing where the column drops a rule that the version has not.
std::optional<KernelSpec> CellKernel(KernelVersion version, const Column& column,
                                     std::span<const Rule> assumptions) {
  KernelSpec kernel{.version = version};
  if (column.drop_owner && !ProfileOf(version).has(Rule::kCoreOwnerFirst)) return std::nullopt;
  if (column.drop_same_ops) kernel.dropped.add(Rule::kType1SameOps);
  if (column.drop_owner) kernel.dropped.add(Rule::kCoreOwnerFirst);
  for (Rule rule : assumptions) kernel.added.add(rule);
  return kernel;
}

std::span<const Rule> PromisedWith(KernelVersion version, Property property) {
  for (const Promise& p : EncodedPromises())
    if (p.version == version && p.property == property) return p.assumptions;
  return {};
}

absl::StatusOr<std::string> Cell(Tour& tour, const Question& question) {
  const absl::StatusOr<Answer> answer = tour.AskOnce(question);
  if (!answer.ok()) return answer.status();
  const smt::QueryResult& result = answer->result;
  if (result.verdict != Verdict::kViolated)
    return report::VerdictName(result.verdict, report::HoldsForEverySize(*answer));
  return absl::StrFormat("%d dev, %d steps", result.found.topology.devices_count,
                         result.found.ops.size());
}

absl::Status PrintTable(Tour& tour, Property property, bool with_assumptions) {
  tour.out << "kernel  as it is        -same_ops       -owner_first    -both\n";
  for (KernelVersion version : kKernelVersions) {
    std::string row = absl::StrFormat("%-8s", VersionName(version));
    for (const Column& column : kColumns) {
      Progress(absl::StrFormat("asking %s, %s", VersionName(version), column.title));
      const auto kernel =
          CellKernel(version, column,
                     with_assumptions ? PromisedWith(version, property) : std::span<const Rule>{});
      absl::StatusOr<std::string> cell = std::string("-");
      if (kernel)
        cell = Cell(tour, {.property = property, .kernel = *kernel, .bounds = TourBounds(version)});
      if (!cell.ok()) return cell.status();
      absl::StrAppendFormat(&row, "%-16s", *cell);
    }
    Progress("");
    tour.out << row.substr(0, row.find_last_not_of(' ') + 1) << "\n" << std::flush;
  }
  return absl::OkStatus();
}

void Heading(Tour& tour, const std::string& text) { tour.out << "\n" << text << "\n\n"; }

absl::Status Verdicts(Tour& tour) {
  const Property property = Property::kNoCrossDriverReuse;
  Heading(tour, "1. Was it safe to remove the domain->ops comparison?");
  tour.out << "Property: " << PropertyName(property) << ",\n"
           << report::Field("", std::string(PropertySentence(property)))
           << "The smallest machine and run that violate it, up to 3 devices and 5\n"
              "steps, 6 from 6.8 on; \"none\": there is none of that size; \"holds\": none of\n"
              "any size, proved. -same_ops: the 2022 patch (rule type1.same_ops).\n"
              "-owner_first: the core's owner test.\n\n"
              "On any machine, whatever drivers and admin do:\n\n";
  if (absl::Status s = PrintTable(tour, property, false); !s.ok()) return s;
  tour.out << "\nUp to 6.0 with assume.bus_ops_not_replaced: no driver clears or overwrites\n"
              "a bus slot while devices of that bus are probed. From 6.8 with\n"
              "assume.homogeneous_groups: no group holds devices of two drivers.\n\n";
  return PrintTable(tour, property, true);
}

absl::Status SmallestCase(Tour& tour) {
  Heading(tour, "2. The smallest case on v6.0 with the patch");
  KernelSpec kernel{.version = KernelVersion::kV6_0};
  kernel.dropped.add(Rule::kType1SameOps);
  kernel.added.add(Rule::kAssumeBusOpsNotReplaced);
  const absl::StatusOr<Answer> answer = tour.AskOnce({.property = Property::kNoCrossDriverReuse,
                                                      .kernel = kernel,
                                                      .bounds = TourBounds(kernel.version)});
  if (!answer.ok()) return answer.status();
  tour.out << report::AnswerText(*answer);
  return absl::OkStatus();
}

absl::Status PrintClaim(Tour& tour, const report::Claim& claim) {
  Progress("deciding " + claim.name);
  const absl::StatusOr<report::Judgement> judgement =
      report::JudgeClaim(claim, ReadCase, [&tour](const Question& q) { return tour.AskOnce(q); });
  Progress("");
  if (!judgement.ok()) return judgement.status();
  tour.out << report::Field("claim", claim.name) << report::Field("says", claim.says);
  if (!claim.quote.empty()) tour.out << report::Field("", "\"" + claim.quote + "\"");
  for (const std::string& line : judgement->lines) tour.out << report::Field("asked", line);
  const std::vector<std::string> problems = ProblemsOf(judgement->assertions, claim.file);
  for (const std::string& line : problems) tour.out << report::Field("DIFFERS", line);
  tour.out << report::Field("finding", claim.finding) << "\n";
  tour.claims.push_back({{"claim", claim.name},
                         {"says", claim.says},
                         {"finding", claim.finding},
                         {"asked", judgement->lines},
                         {"mismatches", problems},
                         {"verdict_lines", judgement->verdicts}});
  return absl::OkStatus();
}

absl::Status RealMachine(Tour& tour, const fs::path& corpus) {
  Heading(tour, "4. The debated machine: VT-d beside virtio-iommu, as a snapshot of /sys");
  const std::string path = (corpus / "systems/qemu-vtd-virtio-6.12.tar.gz").string();
  const absl::StatusOr<report::SystemReport> report = report::CheckSystem({.path = path});
  Progress("");
  if (!report.ok()) return report.status();
  tour.out << report::SystemText(*report);
  tour.system = report::Json::parse(report::SystemJson(*report));
  return absl::OkStatus();
}

absl::Status Go(Tour& tour, const fs::path& corpus) {
  const absl::StatusOr<std::vector<std::string>> files =
      FindFiles({(corpus / "claims").string()}, {".claim"});
  if (!files.ok()) return files.status();
  // A claim that cannot be read is reported before the queries.
  std::vector<report::Claim> claims;
  for (const std::string& file : *files) {
    absl::StatusOr<report::Claim> claim = ReadClaim(file);
    if (!claim.ok()) return claim.status();
    claims.push_back(*std::move(claim));
  }
  tour.out << "\"vfio/iommu_type1: Remove the domain->ops comparison\"\n" << report::ToolText();
  absl::Status status = Verdicts(tour);
  if (status.ok()) status = SmallestCase(tour);
  if (!status.ok()) return status;
  Heading(tour, "3. What was said on the list, and what the queries say");
  for (const report::Claim& claim : claims)
    if (status = PrintClaim(tour, claim); !status.ok()) return status;
  if (status = RealMachine(tour, corpus); !status.ok()) return status;
  // Every question of the tables and claims that was asked of the solver, once.
  Heading(tour, "5. The answers of the solver, a line each");
  for (const Answer& answer : tour.answers) tour.out << report::VerdictLineOf(answer) << "\n";
  return status;
}

std::string TourJson(const Tour& tour) {
  report::Json answers = report::Json::array();
  for (const Answer& answer : tour.answers)
    answers.push_back(report::Json::parse(report::AnswerJson(answer)));
  report::Json out = report::ToolJson("tour");
  out["answers"] = std::move(answers);
  out["claims"] = tour.claims;
  out["system"] = tour.system;
  return JsonText(out);
}

}  // namespace

void AddTour(CLI::App& app, Session& session) {
  auto* command =
      app.add_subcommand("tour", "The 2022 question: verdicts, a case, the claims, a machine");
  const std::string installed = tool::InstalledData();
  auto corpus = std::make_shared<std::string>(installed.empty() ? "corpus" : installed + "/corpus");
  command->footer("Example: iommucheck tour --json");
  command->add_option("--corpus", *corpus, "where the claims and systems are")
      ->capture_default_str();
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "one JSON object");
  AddTimeout(*command);
  command->callback([corpus, json, &session] {
    std::ostringstream unseen;
    Tour tour{.out = *json ? unseen : std::cout};
    const absl::Status status = Go(tour, *corpus);
    if (!status.ok()) return session.Fail(status);
    if (*json) std::cout << TourJson(tour);
    if (tool::Stopped()) session.exit = kUnknown;
  });
}

}  // namespace iommucheck::cli
