// SPDX-License-Identifier: Apache-2.0
#include "src/import/catalogue.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace iommucheck::embedded {
// NOLINTNEXTLINE(readability-identifier-naming): named after its file
extern const std::string_view drivers_json;
}  // namespace iommucheck::embedded

namespace iommucheck::import {
namespace {

using nlohmann::json;

// Throws an error about a word of the file that the reader does not know. ParseCatalogue() catches
// it, together with the exceptions of the JSON library.
[[noreturn]] void Unknown(std::string_view what, const std::string& word) {
  throw json::other_error::create(
      501, absl::StrCat(std::string(what), " '", word, "' is not known"), nullptr);
}

// The words of an enumeration, in its order.
constexpr std::array<std::string_view, 4> kCoherencies = {"none", "no", "yes", "hardware"};
constexpr std::array<std::string_view, 5> kReuses = {"none", "any_instance", "same_instance",
                                                     "single_device", "capability_dependent"};

template <typename T>
T OneOf(std::span<const std::string_view> words, const json& value, std::string_view what) {
  const auto text = value.get<std::string>();
  const auto it = std::ranges::find(words, text);
  if (it == words.end()) Unknown(what, text);
  return static_cast<T>(it - words.begin());
}

Bus ReadBus(const json& value) {
  const auto name = value.get<std::string>();
  const std::optional<Bus> bus = FindBus(name);
  if (!bus) Unknown("bus", name);
  return *bus;
}

KernelVersion ReadEra(const json& value) {
  const auto name = value.get<std::string>();
  const std::optional<KernelVersion> era = FindVersion(name);
  if (!era) Unknown("era", name);
  return *era;
}

CatalogueDriver ReadDriver(const json& facts, KernelVersion era) {
  CatalogueDriver d;
  d.era = era;
  facts.at("name").get_to(d.name);
  facts.at("arch").get_to(d.arch);
  facts.at("soc").get_to(d.soc);
  facts.at("firmware").get_to(d.firmware);
  facts.at("bound").get_to(d.bound);
  facts.at("fwnode").get_to(d.fwnode);
  for (const json& claim : facts.at("claims")) {
    d.claims.emplace_back(ReadBus(claim.at(0)), OneOf<Claim>(kClaimNames, claim.at(1), "claim"));
    if (d.claims.back().second == Claim::kNone) Unknown("claim", claim.at(1).get<std::string>());
  }
  facts.at("claims_once").get_to(d.claims_once);
  facts.at("on_failure").get_to(d.on_failure);
  for (const json& bus : facts.at("remove_clears")) d.remove_clears.push_back(ReadBus(bus));
  d.cache_coherency = OneOf<Coherency>(kCoherencies, facts.at("cache_coherency"), "coherency");
  d.enforces_coherency =
      OneOf<Coherency>(kCoherencies, facts.at("enforces_coherency"), "coherency");
  d.reuse = OneOf<Reuse>(kReuses, facts.at("reuse"), "reuse");
  facts.at("default_domains").get_to(d.default_domains);
  facts.at("group").get_to(d.group);
  facts.at("tables").get_to(d.tables);
  if (facts.contains("since")) d.since = ReadEra(facts.at("since"));
  if (facts.contains("last")) d.last = ReadEra(facts.at("last"));
  const json arch_since = facts.value("arch_since", json::object());
  for (const auto& [arch, first] : arch_since.items())
    d.arch_since.emplace_back(arch, ReadEra(first));
  const json compatible = facts.value("compatible", json::object());
  for (const auto& [first, strings] : compatible.items())
    for (const json& text : strings)
      d.compatible.emplace_back(text.get<std::string>(), ReadEra(first));
  return d;
}

// A driver's entry holds the facts that never change; each era holds those that are new in it.
std::vector<CatalogueDriver> ReadCatalogue(const json& file) {
  std::vector<CatalogueDriver> rows;
  const auto unbinds = file.value("unbinds", std::vector<std::string>());
  for (const json& entry : file.at("drivers")) {
    json facts = entry;
    facts.erase("eras");
    facts["present"] = false;
    for (const json& era : file.at("eras")) {
      const auto news = entry.at("eras").find(era.get<std::string>());
      if (news != entry.at("eras").end()) {
        facts["present"] = true;
        facts.merge_patch(*news);
      }
      if (!facts.at("present").get<bool>()) continue;
      rows.push_back(ReadDriver(facts, ReadEra(era)));
      rows.back().unbinds = std::ranges::find(unbinds, rows.back().name) != unbinds.end();
    }
  }
  return rows;
}

// The era whose facts apply to a kernel for which the file has none: the nearest earlier era of the
// same kind (claimed slots, slots of one driver, fwnode), or else the first later one, as v6.12 for
// v6.8.
KernelVersion EraOf(KernelVersion version) {
  const auto same_kind = [](Era a, Era b) {
    return a == b || (WritesEverySlot(a) && WritesEverySlot(b));
  };
  const auto is_read = [version, same_kind](KernelVersion era) {
    return same_kind(InfoOf(era).era, InfoOf(version).era) &&
           std::ranges::find(Catalogue(), era, &CatalogueDriver::era) != Catalogue().end();
  };
  for (auto v = static_cast<size_t>(version) + 1; v-- > 0;)
    if (is_read(kKernelVersions[v])) return kKernelVersions[v];
  const auto* const later = std::ranges::find_if(kKernelVersions, is_read);
  return later == kKernelVersions.end() ? version : *later;
}

bool HasAny(const std::vector<std::string>& words, std::string_view prefix) {
  return std::ranges::any_of(words, [&](const std::string& w) { return w.starts_with(prefix); });
}

Firmware FirmwareOf(const CatalogueDriver& driver) {
  const bool acpi = HasAny(driver.firmware, "acpi:");
  const bool dt = HasAny(driver.firmware, "dt");
  if (HasAny(driver.firmware, "builtin:") || acpi == dt) return Firmware::kAny;
  return acpi ? Firmware::kAcpi : Firmware::kDt;
}

// The model walks all buses in claim_order: first the claimed ones, in the order of the calls, then
// the rest.
void SetClaims(const CatalogueDriver& driver, Driver& model) {
  size_t next = 0;
  for (const auto& [bus, claim] : driver.claims) {
    model.claims[static_cast<size_t>(bus)] = claim;
    model.claim_order[next++] = bus;
  }
  for (int b = 0; b < kBusCount; ++b)
    if (model.claims[static_cast<size_t>(b)] == Claim::kNone)
      model.claim_order[next++] = static_cast<Bus>(b);
}

// In the model a driver clears either all buses that it claims or none.
bool ClearsAll(const CatalogueDriver& driver) {
  return !driver.claims.empty() && std::ranges::all_of(driver.claims, [&](const auto& claim) {
    return std::ranges::find(driver.remove_clears, claim.first) != driver.remove_clears.end();
  });
}

}  // namespace

absl::StatusOr<std::vector<CatalogueDriver>> ParseCatalogue(std::string_view text) {
  try {
    return ReadCatalogue(json::parse(text));
  } catch (const json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("drivers.json: ", e.what()));
  }
}

const std::vector<CatalogueDriver>& Catalogue() {
  static const auto* const rows =
      new std::vector<CatalogueDriver>(ParseCatalogue(embedded::drivers_json).value());
  return *rows;
}

std::vector<const CatalogueDriver*> DriversOf(KernelVersion version) {
  const KernelVersion era = EraOf(version);
  std::vector<const CatalogueDriver*> drivers;
  for (const CatalogueDriver& row : Catalogue())
    if (row.era == era) drivers.push_back(&row);
  return drivers;
}

const CatalogueDriver* FindDriver(std::string_view name, KernelVersion version) {
  const KernelVersion era = EraOf(version);
  for (const CatalogueDriver& row : Catalogue())
    if (row.era == era && row.name == name) return &row;
  return nullptr;
}

bool Exists(const CatalogueDriver& driver, KernelVersion version) {
  return driver.since <= version && version <= driver.last;
}

std::vector<std::string> ArchitecturesIn(const CatalogueDriver& driver, KernelVersion version) {
  std::vector<std::string> arch = driver.arch;
  for (const auto& [later, first] : driver.arch_since)
    if (version < first) std::erase(arch, later);
  return arch;
}

const CatalogueDriver* FindDriverByBound(std::string_view bound) {
  for (const CatalogueDriver& row : Catalogue())
    if (std::ranges::find(row.bound, bound) != row.bound.end()) return &row;
  return nullptr;
}

const CatalogueDriver* FindDriverByCompatible(std::span<const std::string> compatible,
                                              KernelVersion version) {
  for (const std::string& wanted : compatible)
    for (const CatalogueDriver* row : DriversOf(version))
      for (const auto& [known, first] : row->compatible)
        if (known == wanted && first <= version) return row;
  return nullptr;
}

bool IsKnownCompatible(std::span<const std::string> compatible) {
  return std::ranges::any_of(Catalogue(), [&](const CatalogueDriver& row) {
    return std::ranges::any_of(row.compatible, [&](const auto& known) {
      return std::ranges::find(compatible, known.first) != compatible.end();
    });
  });
}

Driver ToModelDriver(const CatalogueDriver& driver) {
  Driver model;
  model.firmware = FirmwareOf(driver);
  SetClaims(driver, model);
  model.claims_once = driver.claims_once;
  model.unwinds = driver.on_failure == "unwind";
  model.clears = ClearsAll(driver);
  // When a domain is offered to a second device, it has one already, so a driver of single devices
  // refuses like one that tests instances.
  model.same_instance =
      driver.reuse == Reuse::kSameInstance || driver.reuse == Reuse::kSingleDevice;
  // Up to and including 6.1 these two drivers compare fwspec->ops in attach_dev.
  model.refuses_foreign = driver.era <= KernelVersion::kV6_1 &&
                          (driver.name == "arm-smmu" || driver.name == "qcom_iommu");
  model.instance_groups = driver.group == "instance";
  model.default_domains = driver.default_domains;
  // If it depends on the hardware, the model assumes coherency: more machines get as far as sharing
  // a domain.
  model.coherent =
      driver.cache_coherency == Coherency::kYes || driver.cache_coherency == Coherency::kHardware;
  return model;
}

bool Unbinds(std::string_view driver) {
  const auto known = std::ranges::find(Catalogue(), driver, &CatalogueDriver::name);
  return known == Catalogue().end() || known->unbinds;
}

KernelSpec AssumingInTree(KernelSpec kernel, std::span<const std::string> drivers) {
  // With one driver there are no domains of others, and so no need for the assumption.
  if (drivers.size() > 1 && std::ranges::none_of(drivers, Unbinds))
    kernel.added = kernel.added | (kAssumedInTree - kernel.dropped);
  kernel.dropped = kernel.dropped - kAssumedInTree;  // no profile has it
  return kernel;
}

}  // namespace iommucheck::import
