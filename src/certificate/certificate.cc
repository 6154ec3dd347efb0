// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/certificate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/json_syntax.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/certificate/drat.h"
#include "src/certificate/sat.h"
#include "src/smt/cnf.h"
#include "src/smt/query.h"
#include "src/tool/progress.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

namespace iommucheck::certificate {
namespace {

// --- the manifest ---

using Json = nlohmann::ordered_json;

constexpr char kClaim[] =
    "No machine of up to so many devices has a run of up to so many steps that violates the "
    "property.";

constexpr char kFormulas[] =
    "A formula (cnf; map says what its variables are) has a model if some run of so many steps, on "
    "a machine of so many devices, violates the property at its last step: encoded from "
    "docs/model.md, tested against the model.";

// The parts of the claim that are argued, not proved by a formula; docs/solver.md says more.
Json Argued(const Claim& claim) {
  Json argued = {
      kFormulas, "Machines and runs are those of docs/solver.md, The space.",
      "A run on fewer devices is one on more: one that no driver takes does no harm.",
      absl::StrFormat("A violation takes %d steps at least, and ops that docs/solver.md names: "
                      "tested in the model.",
                      smt::StepsNeeded(claim.property)),
      "A shortest run that violates the property has no step that changes nothing."};
  if (smt::FactsAreAsserted(claim.property))
    argued.push_back(
        "The facts of src/smt/invariants.cc are asserted: they follow from the rest, as replays "
        "test.");
  return argued;
}

// "steps5" and the extension.
std::string FileOf(int steps, std::string_view extension) {
  return absl::StrFormat("steps%d.%s", steps, extension);
}

Json RunsJson(const Claim& claim, const ProvedRuns& runs) {
  return {{"steps", runs.steps},
          {"devices", claim.devices},
          {"cnf", FileOf(runs.steps, "cnf")},
          {"map", FileOf(runs.steps, "map")},
          {"proof", FileOf(runs.steps, "drat")},
          {"variables", runs.variables},
          {"clauses", runs.clauses},
          {"core_clauses", runs.core},
          {"core_lemmas", runs.lemmas},
          {"core_rules", RuleIds(runs.rules)}};
}

// Reads the members of the manifest that make up the claim, and keeps the first error.
class Members {
 public:
  Members(const Json& manifest, std::string path) : manifest_(manifest), path_(std::move(path)) {}

  [[nodiscard]] const absl::Status& status() const { return status_; }

  std::string Word(const char* key, const std::string& expected) {
    const Json& value = Member(key);
    if (value.is_string()) return value.get<std::string>();
    Wrong(key, expected);
    return "";
  }
  int Number(const char* key, int lowest, int highest) {
    const Json& value = Member(key);
    if (value.is_number_unsigned() && value >= lowest && value <= highest) return value.get<int>();
    Wrong(key, absl::StrFormat("a number, %d to %d", lowest, highest));
    return 0;
  }
  KernelSpec Kernel() {
    const std::string version = Word("kernel", "a kernel profile");
    const std::vector<std::string> drop = Rules("drop");
    const std::vector<std::string> add = Rules("add");
    const absl::StatusOr<KernelSpec> kernel = MakeKernel(version, drop, add);
    const absl::Status found = kernel.ok() ? CheckEncoded(*kernel) : kernel.status();
    if (found.ok()) return *kernel;
    Fail(std::string(found.message()));
    return {};
  }
  Property PropertyOf() {
    if (const auto found = FindEncodedProperty(Word("property", AnEncodedProperty())))
      return *found;
    Wrong("property", AnEncodedProperty());
    return {};
  }
  // Formulas of another model differ from ours.
  void CheckModel() {
    const std::string model = Word("model", "a hash of model and encoding");
    if (model != tool::ModelHash())
      Fail(absl::StrFormat("made by another model: %s, this iommucheck has %s", model.substr(0, 16),
                           tool::ModelHash()));
  }

 private:
  [[nodiscard]] const Json& Member(const char* key) const {
    static const Json kNone;
    const auto found = manifest_.find(key);
    return found == manifest_.end() ? kNone : *found;
  }
  std::vector<std::string> Rules(const char* key) {
    const Json& value = Member(key);
    const auto is_word = [](const Json& word) { return word.is_string(); };
    if (value.is_array() && std::ranges::all_of(value, is_word))
      return value.get<std::vector<std::string>>();
    Wrong(key, "an array of rules");
    return {};
  }
  void Wrong(const char* key, const std::string& expected) {
    const Json& found = Member(key);
    if (status_.ok())
      status_ = Mismatch(path_, {0, 0, absl::StrCat("/", key)}, expected,
                         found.is_null() ? "none" : Quote(JsonLine(found)));
  }
  void Fail(const std::string& why) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(path_, ": ", why));
  }

  const Json& manifest_;
  std::string path_;
  absl::Status status_;
};

// `tool`: the version of iommucheck that made it.
std::string PrintManifest(const Claim& claim, const std::vector<ProvedRuns>& runs,
                          std::string_view tool = tool::Release()) {
  Json manifest = {{"tool", std::string(tool)},
                   {"model", std::string(tool::ModelHash())},
                   {"claim", kClaim},
                   {"property", std::string(PropertyName(claim.property))},
                   {"kernel", std::string(VersionName(claim.kernel.version))},
                   {"drop", RuleIds(claim.kernel.dropped)},
                   {"add", RuleIds(claim.kernel.added)},
                   {"devices", claim.devices},
                   {"steps", claim.steps},
                   {"runs", Json::array()},
                   {"argued", Argued(claim)}};
  for (const ProvedRuns& proved : runs) manifest["runs"].push_back(RunsJson(claim, proved));
  return JsonText(manifest);
}

// The parts of a manifest that are read: the claim and the tool. Everything else follows from the
// claim and the other files.
struct Manifest {
  Claim claim;
  std::string tool;
};

absl::StatusOr<Manifest> ParseManifest(std::string_view text, const std::string& path) {
  if (absl::Status s = CheckJsonSyntax(text, path); !s.ok()) return s;
  const Json manifest = Json::parse(text);
  if (!manifest.is_object())
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected an object"));
  Members members(manifest, path);
  members.CheckModel();
  Manifest m;
  m.tool = members.Word("tool", "the iommucheck that made it");
  m.claim.property = members.PropertyOf();
  m.claim.kernel = members.Kernel();
  m.claim.devices = members.Number("devices", 1, smt::kMaxBoundDevices);
  m.claim.steps = members.Number("steps", smt::StepsNeeded(m.claim.property), smt::kMaxBoundSteps);
  if (!members.status().ok()) return members.status();
  return m;
}

// --- formulas and proofs ---

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
  return absl::InternalError(
      absl::StrFormat("query and certificate disagree on runs of %d steps\nthe query finds that "
                      "none violates the property"
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
  const absl::StatusOr<Formula> parsed = ParseDimacs(formula.text, formula.name);
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

// Reads a file of the certificate by its name.
using ReadNamed = std::function<absl::StatusOr<File>(const std::string& name)>;

absl::Status CheckRuns(int steps, const ReadNamed& read, Checked& checked) {
  const absl::StatusOr<File> formula = read(FileOf(steps, "cnf"));
  if (!formula.ok()) return formula.status();
  const absl::StatusOr<Formula> parsed = ParseDimacs(formula->text, formula->name);
  if (!parsed.ok()) return parsed.status();
  const smt::Cnf cnf = CnfOf(checked.claim, steps);
  checked.failure = Difference(*formula, ToDimacs(cnf));
  if (!checked.failure.empty()) return absl::OkStatus();

  const absl::StatusOr<File> map = read(FileOf(steps, "map"));
  if (!map.ok()) return map.status();
  checked.failure = Difference(*map, ToMap(cnf));
  if (!checked.failure.empty()) return absl::OkStatus();

  const absl::StatusOr<File> proof = read(FileOf(steps, "drat"));
  if (!proof.ok()) return proof.status();
  const absl::StatusOr<DratVerdict> verdict = CheckProof(*parsed, *proof);
  if (!verdict.ok()) return verdict.status();
  if (!verdict->verified) checked.failure = Failure(*proof, *verdict);
  checked.runs.push_back(Summary(cnf, steps, *verdict));
  return absl::OkStatus();
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
  const ReadNamed read_named = [&](const std::string& name) -> absl::StatusOr<File> {
    const std::string path = absl::StrCat(folder, "/", name);
    absl::StatusOr<std::string> text = read(path);
    if (!text.ok()) return text.status();
    return File{path, *std::move(text)};
  };
  const absl::StatusOr<File> manifest = read_named(kManifest);
  if (!manifest.ok()) return manifest.status();
  const absl::StatusOr<Manifest> said = ParseManifest(manifest->text, manifest->name);
  if (!said.ok()) return said.status();
  const Claim& claim = said->claim;
  Checked checked{.claim = claim, .runs = {}, .failure = ""};
  for (int steps = smt::StepsNeeded(claim.property); steps <= claim.steps; ++steps) {
    if (absl::Status s = CheckRuns(steps, read_named, checked); !s.ok()) return s;
    if (!checked.failure.empty()) return checked;
  }
  checked.failure = Difference(*manifest, PrintManifest(claim, checked.runs, said->tool));
  return checked;
}

}  // namespace iommucheck::certificate
