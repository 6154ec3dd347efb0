// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/manifest.h"

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
#include "src/smt/cnf.h"
#include "src/smt/needed.h"
#include "src/smt/query.h"
#include "src/tool/model_hash.h"

namespace iommucheck::certificate {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kClaim[] =
    "No machine of up to so many devices has a run of up to so many steps that violates the "
    "property.";

// The parts of the claim that are argued, not proved by a formula; docs/solver.md says more.
Json Argued(const Claim& claim) {
  Json argued = {
      "A formula (cnf; map says what its variables are) has a model if some run of so many steps, "
      "on "
      "a machine of so many devices, violates the property at its last step: encoded from "
      "docs/model.md, tested against the model.",
      "Machines and runs are those of docs/solver.md, The space.",
      "A run on fewer devices is one on more: one that no driver takes does no harm.",
      absl::StrFormat(
          "A violation takes %d steps at least, and ops that docs/solver.md names: tested "
          "in the model.",
          smt::StepsNeeded(claim.property)),
      "A shortest run that violates the property has no step that changes nothing."};
  if (smt::FactsAreAsserted(claim.property))
    argued.push_back(
        "The facts of src/smt/invariants.cc are asserted: they follow from the rest, as replays "
        "test.");
  return argued;
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

// Reads the members of the manifest that make up the claim.
class Members {
 public:
  Members(const Json& manifest, std::string path) : manifest_(manifest), path_(std::move(path)) {}

  [[nodiscard]] const Json& Member(const char* key) const {
    static const Json kNone;
    const auto found = manifest_.find(key);
    return found == manifest_.end() ? kNone : *found;
  }
  [[nodiscard]] absl::Status Wrong(const char* key, const std::string& expected) const {
    const Json& found = Member(key);
    Place place;
    place.pointer = absl::StrCat("/", key);
    return Mismatch(path_, place, expected, found.is_null() ? "none" : Quote(JsonLine(found)));
  }

  [[nodiscard]] absl::StatusOr<std::string> Word(const char* key,
                                                 const std::string& expected) const {
    const Json& value = Member(key);
    if (!value.is_string()) return Wrong(key, expected);
    return value.get<std::string>();
  }
  [[nodiscard]] absl::StatusOr<int> Number(const char* key, int lowest, int highest) const {
    const Json& value = Member(key);
    if (value.is_number_unsigned() && value >= lowest && value <= highest) return value.get<int>();
    return Wrong(key, absl::StrFormat("a number, %d to %d", lowest, highest));
  }
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Rules(const char* key) const {
    const Json& value = Member(key);
    const auto is_word = [](const Json& word) { return word.is_string(); };
    if (!value.is_array() || !std::ranges::all_of(value, is_word))
      return Wrong(key, "an array of rules");
    return value.get<std::vector<std::string>>();
  }
  [[nodiscard]] absl::StatusOr<KernelSpec> Kernel() const {
    const absl::StatusOr<std::string> version = Word("kernel", "a kernel profile");
    if (!version.ok()) return version.status();
    const absl::StatusOr<std::vector<std::string>> drop = Rules("drop");
    if (!drop.ok()) return drop.status();
    const absl::StatusOr<std::vector<std::string>> add = Rules("add");
    if (!add.ok()) return add.status();
    absl::StatusOr<KernelSpec> kernel = MakeKernel(*version, *drop, *add);
    const absl::Status found = kernel.ok() ? CheckEncoded(*kernel) : kernel.status();
    if (found.ok()) return kernel;
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", std::string(found.message())));
  }
  [[nodiscard]] absl::StatusOr<Property> PropertyOf() const {
    const absl::StatusOr<std::string> name = Word("property", kAnEncodedProperty);
    if (!name.ok()) return name.status();
    if (const auto property = FindEncodedProperty(*name)) return *property;
    return Wrong("property", kAnEncodedProperty);
  }
  // Formulas of another model differ from ours.
  [[nodiscard]] absl::Status CheckModel() const {
    const absl::StatusOr<std::string> model = Word("model", "a hash of model and encoding");
    if (!model.ok()) return model.status();
    if (*model == ModelHash()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: made by another model: %s, this iommucheck has %s", path_,
                        model->substr(0, 16), ModelHash()));
  }

 private:
  const Json& manifest_;
  std::string path_;
};

}  // namespace

std::string FileOf(int steps, std::string_view extension) {
  return absl::StrFormat("steps%d.%s", steps, extension);
}

std::string PrintManifest(const Claim& claim, const std::vector<ProvedRuns>& runs,
                          std::string_view tool) {
  Json manifest = {{"tool", std::string(tool)},
                   {"model", std::string(ModelHash())},
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

absl::StatusOr<Manifest> ParseManifest(std::string_view text, const std::string& path) {
  if (absl::Status s = CheckJsonSyntax(text, path); !s.ok()) return s;
  const Json manifest = Json::parse(text);
  if (!manifest.is_object())
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected an object"));
  const Members members(manifest, path);
  if (absl::Status s = members.CheckModel(); !s.ok()) return s;
  const absl::StatusOr<std::string> tool = members.Word("tool", "the iommucheck that made it");
  if (!tool.ok()) return tool.status();
  const absl::StatusOr<Property> property = members.PropertyOf();
  if (!property.ok()) return property.status();
  const absl::StatusOr<KernelSpec> kernel = members.Kernel();
  if (!kernel.ok()) return kernel.status();
  const absl::StatusOr<int> devices = members.Number("devices", 1, smt::kMaxBoundDevices);
  if (!devices.ok()) return devices.status();
  const absl::StatusOr<int> steps =
      members.Number("steps", smt::StepsNeeded(*property), smt::kMaxBoundSteps);
  if (!steps.ok()) return steps.status();
  return Manifest{
      .claim = {.property = *property, .kernel = *kernel, .devices = *devices, .steps = *steps},
      .tool = *tool};
}

}  // namespace iommucheck::certificate
