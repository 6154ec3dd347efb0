// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/certificate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/certificate/drat.h"
#include "src/certificate/manifest.h"
#include "src/certificate/sat.h"
#include "src/smt/cnf.h"
#include "src/smt/needed.h"
#include "src/smt/query.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::certificate {
namespace {

smt::Cnf CnfOf(const Claim& claim, int steps) {
  return smt::CnfOf(claim.property, claim.kernel, claim.devices, steps);
}

// The rules whose assertion is in the core.
RuleSet RulesOf(const smt::Cnf& cnf, const std::vector<size_t>& core) {
  RuleSet rules;
  for (const size_t clause : core) {
    if (clause >= cnf.assertions.size() || cnf.assertions[clause].literal <= 0) continue;
    const std::string& name =
        cnf.variables[static_cast<size_t>(cnf.assertions[clause].literal) - 1];
    constexpr std::string_view kPrefix = "rule.";
    if (!name.starts_with(kPrefix)) continue;
    if (const auto rule = FindRule(name.substr(kPrefix.size()))) rules.add(*rule);
  }
  return rules;
}

ProvedRuns Summary(const smt::Cnf& cnf, int steps, const DratVerdict& verdict) {
  return {.steps = steps,
          .variables = cnf.variables.size(),
          .clauses = cnf.assertions.size() + cnf.definitions.size(),
          .core = verdict.core.size(),
          .lemmas = verdict.lemmas,
          .rules = RulesOf(cnf, verdict.core)};
}

absl::StatusOr<Formula> Parse(const File& file) { return ParseDimacs(file.text, file.name); }

absl::StatusOr<DratVerdict> CheckProof(const Formula& formula, const File& file) {
  const absl::StatusOr<DratProof> proof = ParseDrat(file.text, file.name, formula.variables);
  if (!proof.ok()) return proof.status();
  return CheckDrat(formula, *proof);
}

std::string Failure(const File& drat, const DratVerdict& verdict) {
  const std::string line = verdict.line == 0 ? "" : absl::StrCat(":", verdict.line);
  return absl::StrCat(drat.name, line, ": ", verdict.reason);
}

// The error names the inputs that are true in the model: they make up its machine and run. Names of
// gates have blanks, those of inputs do not.
absl::Status Disagreement(const smt::Cnf& cnf, const std::vector<bool>& model, int steps) {
  std::string inputs;
  for (size_t v = 1; v < model.size(); ++v)
    if (model[v] && cnf.variables[v - 1].find(' ') == std::string::npos)
      absl::StrAppend(&inputs, "\n", cnf.variables[v - 1]);
  return absl::InternalError(absl::StrFormat(
      "Z3 and CaDiCaL disagree on runs of %d steps\nZ3 finds that none violates the property"
      "\nCaDiCaL finds this one that does:%s",
      steps, inputs));
}

absl::Status NoCertificate() {
  return absl::ResourceExhaustedError(
      absl::StrCat(tool::Stopped() ? tool::StopReason() : "the budget is used up",
                   " before there is a certificate"));
}

absl::Status CertifyRuns(int steps, uint64_t conflicts, Certificate& certificate) {
  tool::Progress(absl::StrFormat("certifying runs of %d steps", steps));
  smt::Cnf cnf;
  try {
    cnf = CnfOf(certificate.claim, steps);
  } catch (const tool::Interrupted&) {
    return NoCertificate();
  }
  SatAnswer answer = SolveCnf(cnf, conflicts);
  if (answer.kind == SatAnswer::Kind::kUnknown) return NoCertificate();
  if (answer.kind == SatAnswer::Kind::kSat) return Disagreement(cnf, answer.model, steps);
  File formula{FileOf(steps, "cnf"), ToDimacs(cnf)};
  File proof{FileOf(steps, "drat"), std::move(answer.drat)};
  const absl::StatusOr<Formula> parsed = Parse(formula);
  if (!parsed.ok()) return absl::InternalError(parsed.status().message());
  const absl::StatusOr<DratVerdict> verdict = CheckProof(*parsed, proof);
  if (!verdict.ok()) return absl::InternalError(verdict.status().message());
  if (!verdict->verified)
    return absl::InternalError(
        absl::StrCat("a proof of CaDiCaL does not check: ", Failure(proof, *verdict)));
  certificate.runs.push_back(Summary(cnf, steps, *verdict));
  certificate.files.push_back(std::move(formula));
  certificate.files.push_back({FileOf(steps, "map"), ToMap(cnf)});
  certificate.files.push_back(std::move(proof));
  return absl::OkStatus();
}

// Where a file differs from the expected one: "FILE:LINE: why", or "".
std::string Difference(const File& file, const std::string& expected) {
  if (file.text == expected) return "";
  const auto at = std::ranges::mismatch(file.text, expected).in1;
  return absl::StrFormat("%s:%d: not what this iommucheck writes for the claim", file.name,
                         std::count(file.text.begin(), at, '\n') + 1);
}

class Checker {
 public:
  Checker(std::string folder, const Reader& read) : folder_(std::move(folder)), read_(read) {}
  absl::StatusOr<Checked> Run();

 private:
  absl::StatusOr<File> Read(const std::string& name) const {
    const std::string path = absl::StrCat(folder_, "/", name);
    absl::StatusOr<std::string> text = read_(path);
    if (!text.ok()) return text.status();
    return File{path, *std::move(text)};
  }
  absl::Status CheckRuns(int steps, Checked& checked) const;

  std::string folder_;
  const Reader& read_;
};

absl::Status Checker::CheckRuns(int steps, Checked& checked) const {
  const absl::StatusOr<File> formula = Read(FileOf(steps, "cnf"));
  if (!formula.ok()) return formula.status();
  const absl::StatusOr<Formula> parsed = Parse(*formula);
  if (!parsed.ok()) return parsed.status();
  const smt::Cnf cnf = CnfOf(checked.claim, steps);
  checked.failure = Difference(*formula, ToDimacs(cnf));
  if (!checked.failure.empty()) return absl::OkStatus();

  const absl::StatusOr<File> map = Read(FileOf(steps, "map"));
  if (!map.ok()) return map.status();
  checked.failure = Difference(*map, ToMap(cnf));
  if (!checked.failure.empty()) return absl::OkStatus();

  const absl::StatusOr<File> proof = Read(FileOf(steps, "drat"));
  if (!proof.ok()) return proof.status();
  const absl::StatusOr<DratVerdict> verdict = CheckProof(*parsed, *proof);
  if (!verdict.ok()) return verdict.status();
  if (!verdict->verified) checked.failure = Failure(*proof, *verdict);
  checked.runs.push_back(Summary(cnf, steps, *verdict));
  return absl::OkStatus();
}

absl::StatusOr<Checked> Checker::Run() {
  const absl::StatusOr<File> manifest = Read(kManifest);
  if (!manifest.ok()) return manifest.status();
  const absl::StatusOr<Manifest> said = ParseManifest(manifest->text, manifest->name);
  if (!said.ok()) return said.status();
  const Claim& claim = said->claim;
  Checked checked{.claim = claim, .runs = {}, .failure = ""};
  for (int steps = smt::StepsNeeded(claim.property); steps <= claim.steps; ++steps) {
    if (absl::Status s = CheckRuns(steps, checked); !s.ok()) return s;
    if (!checked.failure.empty()) return checked;
  }
  checked.failure = Difference(*manifest, PrintManifest(claim, checked.runs, said->tool));
  return checked;
}

}  // namespace

absl::Status CheckLength(Property property, int steps) {
  const int needed = smt::StepsNeeded(property);
  if (steps >= needed) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrFormat(
      "a certificate takes %d steps at least: no shorter run can violate %s, and of these there is "
      "no formula",
      needed, PropertyName(property)));
}

absl::StatusOr<Certificate> Certify(const Claim& claim, uint64_t conflicts) {
  if (absl::Status s = CheckLength(claim.property, claim.steps); !s.ok()) return s;
  Certificate certificate{.claim = claim, .runs = {}, .files = {}};
  for (int steps = smt::StepsNeeded(claim.property); steps <= claim.steps; ++steps)
    if (absl::Status s = CertifyRuns(steps, conflicts, certificate); !s.ok()) return s;
  certificate.files.push_back({kManifest, PrintManifest(claim, certificate.runs)});
  return certificate;
}

absl::StatusOr<Checked> CheckCertificate(const std::string& folder, const Reader& read) {
  return Checker(folder, read).Run();
}

}  // namespace iommucheck::certificate
