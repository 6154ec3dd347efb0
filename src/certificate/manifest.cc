// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/manifest.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_syntax.h"
#include "src/case/kernel.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/smt/cnf.h"
#include "src/smt/query.h"

namespace iommucheck::certificate {
namespace {

using Json = nlohmann::ordered_json;

// What the formulas do not say; docs/solver.md has more words.
Json Argued(const Claim& claim) {
  Json argued = {
      "steps MAP is what the variables of CNF stand for; that CNF has a model if such a run violates "
      "the property is tested, not proved",
      absl::StrFormat("a violation takes %d steps at least, and each kind of op that "
                      "docs/solver.md names; tested in the model",
                      smt::StepsNeeded(claim.property)),
      "a run that violates the property on fewer devices does so beside one that no driver takes",
      "of the runs that violate the property, a shortest one has no step that changes nothing, and "
      "violates it at its last step only",
      "machines and runs are those of docs/solver.md, The space",
  };
  if (smt::FactsAreAsserted(claim.property))
    argued.push_back(
        "the facts of src/smt/invariants.cc are asserted; they follow from the rest, which is tested "
        "in each replay");
  return argued;
}

std::string SentenceOf(const Claim& claim) {
  return absl::StrFormat(
      "On no machine of up to %d devices does a run of up to %d steps violate %s.", claim.devices,
      claim.steps, PropertyName(claim.property));
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

absl::Status Wrong(const std::string& pointer, const std::string& expected, const Json& found) {
  Place place;
  place.pointer = pointer;
  return Mismatch(kManifest, place, expected, found.is_null() ? "none" : Quote(found.dump()));
}

const Json& Member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

absl::StatusOr<int> Number(const Json& manifest, const char* key, int highest) {
  const Json& value = Member(manifest, key);
  if (value.is_number_unsigned() && value.get<uint64_t>() >= 1 &&
      value.get<uint64_t>() <= static_cast<uint64_t>(highest))
    return value.get<int>();
  return Wrong(absl::StrCat("/", key), absl::StrFormat("a number, 1 to %d", highest), value);
}

absl::StatusOr<std::vector<std::string>> Words(const Json& manifest, const char* key) {
  const Json& value = Member(manifest, key);
  bool strings = value.is_array();
  for (const Json& word : value) strings = strings && word.is_string();
  if (strings) return value.get<std::vector<std::string>>();
  return Wrong(absl::StrCat("/", key), "an array of rules", value);
}

absl::StatusOr<KernelSpec> Kernel(const Json& manifest) {
  const Json& version = Member(manifest, "kernel");
  if (!version.is_string()) return Wrong("/kernel", "a kernel profile", version);
  const absl::StatusOr<std::vector<std::string>> drop = Words(manifest, "drop");
  if (!drop.ok()) return drop.status();
  const absl::StatusOr<std::vector<std::string>> add = Words(manifest, "add");
  if (!add.ok()) return add.status();
  absl::StatusOr<KernelSpec> kernel = MakeKernel(version.get<std::string>(), *drop, *add);
  if (kernel.ok()) return kernel;
  return absl::InvalidArgumentError(absl::StrCat(kManifest, ": ", kernel.status().message()));
}

}  // namespace

std::string FileOf(int steps, std::string_view extension) {
  return absl::StrFormat("steps%d.%s", steps, extension);
}

std::string PrintManifest(const Claim& claim, const std::vector<ProvedRuns>& runs) {
  Json manifest = {{"tool", "iommucheck " IOMMUCHECK_VERSION},
                   {"claim", SentenceOf(claim)},
                   {"property", std::string(PropertyName(claim.property))},
                   {"kernel", std::string(VersionName(claim.kernel.version))},
                   {"drop", RuleIds(claim.kernel.dropped)},
                   {"add", RuleIds(claim.kernel.added)},
                   {"devices", claim.devices},
                   {"steps", claim.steps},
                   {"runs", Json::array()},
                   {"argued", Argued(claim)}};
  for (const ProvedRuns& proved : runs) manifest["runs"].push_back(RunsJson(claim, proved));
  return manifest.dump(2) + "\n";
}

absl::StatusOr<Claim> ParseManifest(std::string_view text) {
  if (absl::Status s = CheckJsonSyntax(text, kManifest); !s.ok()) return s;
  const Json manifest = Json::parse(text);
  if (!manifest.is_object()) return Wrong("/", "an object", manifest);
  const Json& name = Member(manifest, "property");
  const auto property =
      name.is_string() ? FindProperty(name.get<std::string>()) : std::optional<Property>();
  if (!property) return Wrong("/property", "no-cross-driver-attach or no-cross-driver-reuse", name);
  const absl::StatusOr<KernelSpec> kernel = Kernel(manifest);
  if (!kernel.ok()) return kernel.status();
  const absl::StatusOr<int> devices = Number(manifest, "devices", smt::kMaxBoundDevices);
  if (!devices.ok()) return devices.status();
  const absl::StatusOr<int> steps = Number(manifest, "steps", smt::kMaxBoundSteps);
  if (!steps.ok()) return steps.status();
  return Claim{.property = *property, .kernel = *kernel, .devices = *devices, .steps = *steps};
}

}  // namespace iommucheck::certificate
