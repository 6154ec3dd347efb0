// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/certificate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/certificate/drat.h"
#include "src/certificate/manifest.h"
#include "src/certificate/sat.h"
#include "src/smt/cnf.h"
#include "src/smt/query.h"

namespace iommucheck::certificate {
namespace {

smt::Cnf CnfOf(const Claim& claim, int steps) {
  return smt::CnfOf(claim.property, claim.kernel, claim.devices, steps);
}

// Rules whose assertion is in the core.
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

// Both texts as they are in files.
absl::StatusOr<DratVerdict> CheckTexts(const std::string& cnf, const std::string& drat, int steps) {
  const absl::StatusOr<Formula> formula = ParseDimacs(cnf, FileOf(steps, "cnf"));
  if (!formula.ok()) return formula.status();
  const absl::StatusOr<DratProof> proof =
      ParseDrat(drat, FileOf(steps, "drat"), formula->variables);
  if (!proof.ok()) return proof.status();
  return CheckDrat(*formula, *proof);
}

std::string Failure(const DratVerdict& verdict, int steps) {
  const std::string line = verdict.line == 0 ? "" : absl::StrCat(":", verdict.line);
  return absl::StrCat(FileOf(steps, "drat"), line, ": ", verdict.reason);
}

absl::Status CertifyRuns(int steps, uint64_t conflicts, Certificate& certificate) {
  const smt::Cnf cnf = CnfOf(certificate.claim, steps);
  SatAnswer answer = SolveCnf(cnf, conflicts);
  if (answer.kind == SatAnswer::Kind::kUnknown)
    return absl::ResourceExhaustedError("the budget is used up before there is a certificate");
  if (answer.kind == SatAnswer::Kind::kSat)
    return absl::InternalError(absl::StrFormat(
        "Z3 and CaDiCaL disagree on runs of %d steps: Z3 found no violation, CaDiCaL does", steps));
  const std::string dimacs = ToDimacs(cnf);
  const absl::StatusOr<DratVerdict> verdict = CheckTexts(dimacs, answer.drat, steps);
  if (!verdict.ok()) return absl::InternalError(verdict.status().message());
  if (!verdict->verified)
    return absl::InternalError(
        absl::StrCat("a proof of CaDiCaL does not check: ", Failure(*verdict, steps)));
  certificate.runs.push_back(Summary(cnf, steps, *verdict));
  certificate.files.push_back({FileOf(steps, "cnf"), dimacs});
  certificate.files.push_back({FileOf(steps, "map"), ToMap(cnf)});
  certificate.files.push_back({FileOf(steps, "drat"), std::move(answer.drat)});
  return absl::OkStatus();
}

// Where a file is not what it should be: "FILE:LINE: why", or "".
std::string Difference(const std::string& file, const std::string& found,
                       const std::string& expected) {
  if (found == expected) return "";
  const auto [at, unused] = std::ranges::mismatch(found, expected);
  return absl::StrFormat("%s:%d: not what this iommucheck writes for the claim", file,
                         std::count(found.begin(), at, '\n') + 1);
}

absl::Status CheckRuns(const Reader& read, int steps, Checked& checked) {
  const smt::Cnf cnf = CnfOf(checked.claim, steps);
  std::string texts[3];
  for (int i = 0; const char* extension : {"cnf", "map", "drat"}) {
    absl::StatusOr<std::string> text = read(FileOf(steps, extension));
    if (!text.ok()) return text.status();
    texts[i++] = *std::move(text);
  }
  const absl::StatusOr<DratVerdict> verdict = CheckTexts(texts[0], texts[2], steps);
  if (!verdict.ok()) return verdict.status();
  checked.failure = Difference(FileOf(steps, "cnf"), texts[0], ToDimacs(cnf));
  if (checked.failure.empty())
    checked.failure = Difference(FileOf(steps, "map"), texts[1], ToMap(cnf));
  if (checked.failure.empty() && !verdict->verified) checked.failure = Failure(*verdict, steps);
  if (checked.failure.empty()) checked.runs.push_back(Summary(cnf, steps, *verdict));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Certificate> Certify(const Claim& claim, uint64_t conflicts) {
  Certificate certificate{.claim = claim, .runs = {}, .files = {}};
  for (int steps = smt::StepsNeeded(claim.property); steps <= claim.steps; ++steps)
    if (absl::Status s = CertifyRuns(steps, conflicts, certificate); !s.ok()) return s;
  certificate.files.push_back({kManifest, PrintManifest(claim, certificate.runs)});
  return certificate;
}

absl::StatusOr<Checked> CheckCertificate(const Reader& read) {
  const absl::StatusOr<std::string> manifest = read(kManifest);
  if (!manifest.ok()) return manifest.status();
  const absl::StatusOr<Claim> claim = ParseManifest(*manifest);
  if (!claim.ok()) return claim.status();
  Checked checked{.claim = *claim, .runs = {}, .failure = ""};
  for (int steps = smt::StepsNeeded(claim->property); steps <= claim->steps; ++steps) {
    if (absl::Status s = CheckRuns(read, steps, checked); !s.ok()) return s;
    if (!checked.failure.empty()) return checked;
  }
  checked.failure = Difference(kManifest, *manifest, PrintManifest(*claim, checked.runs));
  return checked;
}

}  // namespace iommucheck::certificate
