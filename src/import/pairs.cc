// SPDX-License-Identifier: Apache-2.0
#include "src/import/pairs.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/properties.h"
#include "model/state.h"
#include "model/step.h"
#include "src/import/catalogue.h"

namespace iommucheck::import {
namespace {

constexpr std::array<std::string_view, 9> kReasonNames = {
    "claims-nothing", "no-architecture", "no-firmware",   "no-soc",   "one-loses",
    "both-serve",     "disjoint",        "one-registers", "no-claims"};

using Words = std::set<std::string>;

Words Common(const Words& a, const Words& b) {
  Words both;
  std::ranges::set_intersection(a, b, std::inserter(both, both.end()));
  return both;
}

std::string List(const Words& words) { return absl::StrJoin(words, ", "); }

Words Architectures(const CatalogueDriver& d, KernelVersion version) {
  const std::vector<std::string> arch = ArchitecturesIn(d, version);
  return {arch.begin(), arch.end()};
}

// "acpi:DMAR" becomes ACPI: a machine may have both this table and another.
Words FirmwareKinds(const CatalogueDriver& d) {
  Words kinds;
  for (const std::string& f : d.firmware)
    kinds.insert(f.starts_with("builtin:") ? f : f.substr(0, f.find(':')));
  return kinds;
}

Words Buses(const CatalogueDriver& d) {
  Words buses;
  for (const auto& [bus, claim] : d.claims) buses.insert(std::string(BusName(bus)));
  return buses;
}

// One machine, with an instance of each driver and a device behind it on every bus that the driver
// claims, and one run on it.
class PairRun {
 public:
  PairRun(const KernelSpec& kernel, const CatalogueDriver& a, const CatalogueDriver& b)
      : profile_(ProfileOf(kernel)) {
    case_.kernel = kernel;
    const Words common = Common(FirmwareKinds(a), FirmwareKinds(b));
    if (common.contains("dt"))
      case_.topology.firmware = Firmware::kDt;
    else if (common.contains("acpi"))
      case_.topology.firmware = Firmware::kAcpi;
    AddDriver(a, b);
    AddDriver(b, a);
    state_ = InitialState(case_.topology);
  }

  // Registers both drivers and lets the devices find them.
  void Probe(InstanceId first) {
    const Topology& t = case_.topology;
    Take(OpKind::kRegister, first);
    Take(OpKind::kRegister, static_cast<uint8_t>(1 - first));
    for (DeviceId d = 0; d < t.devices_count; ++d) {
      if (state_.devices[d].instance != kNoId) continue;
      // Drivers without fwnodes find devices that are plugged in. VT-d finds its ACPI-namespace
      // devices in this way, too: it probes them after it has stored its ops in their bus.
      if (t.instances[t.devices[d].masters[0]].fwnode) {
        Take(OpKind::kConfigure, d);
      } else {
        Take(OpKind::kRemove, d);
        Take(OpKind::kAdd, d);
      }
    }
  }

  [[nodiscard]] std::vector<DeviceId> ServedBy(DriverId driver) const {
    std::vector<DeviceId> served;
    for (DeviceId d = 0; d < case_.topology.devices_count; ++d) {
      const InstanceId i = state_.devices[d].instance;
      if (i != kNoId && case_.topology.instances[i].driver == driver) served.push_back(d);
    }
    return served;
  }

  // Puts the groups of both devices into one container. Returns whether VFIO allowed it.
  bool Join(DeviceId first, DeviceId second) {
    return Take(OpKind::kSetContainer, state_.devices[first].group) == 0 &&
           Take(OpKind::kSetIommu, 0) == 0 &&
           Take(OpKind::kSetContainer, state_.devices[second].group) == 0;
  }

  // The last rule that refused.
  [[nodiscard]] std::optional<Rule> refused() const {
    std::optional<Rule> last;
    for (const Event& e : events_)
      if (e.kind == Event::Kind::kRefused && e.error != 0) last = e.rule;
    return last;
  }
  [[nodiscard]] bool violates() const { return violates_; }
  [[nodiscard]] const Case& example() const { return case_; }

 private:
  // If enforcement depends on the hardware, it is as for the other driver, since groups that differ
  // in it never share a domain.
  static bool Enforces(const CatalogueDriver& driver, const CatalogueDriver& other) {
    return driver.enforces_coherency == Coherency::kYes ||
           (driver.enforces_coherency == Coherency::kHardware &&
            other.enforces_coherency == Coherency::kYes);
  }

  void AddDriver(const CatalogueDriver& driver, const CatalogueDriver& other) {
    Topology& t = case_.topology;
    const uint8_t id = t.drivers_count++;
    t.tables_count = t.drivers_count;
    t.drivers[id] = ToModelDriver(driver);
    t.drivers[id].table = id;
    t.instances[t.instances_count++] = {id, driver.fwnode, id, Enforces(driver, other)};
    case_.names.drivers.push_back(driver.name);
    case_.names.tables.push_back(absl::StrCat(driver.name, ".ops"));
    case_.names.instances.push_back(absl::StrCat(driver.name, ".0"));
    std::vector<Bus> buses;
    buses.reserve(driver.claims.size() + 1);
    for (const auto& [bus, claim] : driver.claims) buses.push_back(bus);
    if (buses.empty()) buses.push_back(t.firmware == Firmware::kDt ? Bus::kPlatform : Bus::kPci);
    for (const Bus bus : buses) {
      t.devices[t.devices_count].bus = bus;
      t.devices[t.devices_count++].masters[0] = id;
      case_.names.devices.push_back(absl::StrCat(driver.name, "-", std::string(BusName(bus))));
    }
  }

  int Take(OpKind kind, uint8_t a) {
    const Op op{kind, a, 0, {}};
    const StepResult result = Step(profile_, case_.topology, op, state_, events_);
    if (result.outcome != Outcome::kDone) return -1;
    case_.ops.push_back({op, result.error, ""});
    if (!violates_ && FindViolation(Property::kNoCrossDriverReuse, events_) != nullptr) {
      violates_ = true;
      case_.expectations.push_back({.kind = Expectation::Kind::kViolated,
                                    .property = Property::kNoCrossDriverReuse,
                                    .at = static_cast<int>(case_.ops.size())});
    }
    return result.error;
  }

  KernelProfile profile_;
  Case case_;
  State state_;
  std::vector<Event> events_;
  bool violates_ = false;
};

// How much a run shows.
int Rank(const PairResult& r) { return r.both_serve + r.vfio_usable + r.violates; }

// Tries all ways to put a device of each into one container, after one order of registration.
void TryJoins(const PairRun& probed, PairResult& best) {
  for (const DeviceId a : probed.ServedBy(0))
    for (const DeviceId b : probed.ServedBy(1))
      for (const auto& [first, second] : {std::pair(a, b), std::pair(b, a)}) {
        PairRun run = probed;
        PairResult result = best;
        result.both_serve = true;
        result.vfio_usable = run.Join(first, second);
        result.violates = run.violates();
        result.example = run.example();
        result.refused = result.vfio_usable ? std::nullopt : run.refused();
        if (Rank(result) > Rank(best)) best = std::move(result);
      }
}

void RunInModel(const KernelSpec& kernel, const CatalogueDriver& a, const CatalogueDriver& b,
                PairResult& best) {
  Words orders;
  for (const InstanceId first : {InstanceId{0}, InstanceId{1}}) {
    PairRun probed(kernel, a, b);
    probed.Probe(first);
    if (first == 0) best.example = probed.example();
    if (probed.ServedBy(0).empty() || probed.ServedBy(1).empty()) continue;
    orders.insert(first == 0 ? a.name : b.name);
    TryJoins(probed, best);
  }
  const char* semicolon = best.detail.empty() ? "" : "; ";
  if (orders.size() == 1)
    absl::StrAppend(&best.detail, semicolon, "both serve when ", *orders.begin(), " comes first");
  if (orders.size() == 2) absl::StrAppend(&best.detail, semicolon, "both serve in either order");
}

// The reason why the pair is impossible before any kernel runs; nullopt: there is none.
std::optional<PairReason> FallsOnPaper(const CatalogueDriver& a, const CatalogueDriver& b,
                                       KernelVersion version, std::string& detail) {
  const bool claims = InfoOf(version).era == Era::kBusSlots;
  for (const CatalogueDriver* d : {&a, &b})
    if (claims && d->claims.empty()) {
      detail = absl::StrCat(d->name, " claims no bus");
      return PairReason::kClaimsNothing;
    }
  const Words arch_a = Architectures(a, version);
  const Words arch_b = Architectures(b, version);
  if (Common(arch_a, arch_b).empty()) {
    detail = absl::StrCat(List(arch_a), " against ", List(arch_b));
    return PairReason::kNoArchitecture;
  }
  if (Common(FirmwareKinds(a), FirmwareKinds(b)).empty()) {
    detail = absl::StrCat(List(FirmwareKinds(a)), " against ", List(FirmwareKinds(b)));
    return PairReason::kNoFirmware;
  }
  if (!a.soc.empty() && !b.soc.empty() && a.soc != b.soc) {
    detail = absl::StrCat(a.soc, " against ", b.soc);
    return PairReason::kNoSoc;
  }
  return std::nullopt;
}

PairResult Analyse(const KernelSpec& kernel, const CatalogueDriver* a, const CatalogueDriver* b) {
  PairResult result{.a = a->name, .b = b->name, .detail = {}, .example = {}};
  const bool claims = ProfileOf(kernel).era == Era::kBusSlots;
  if (const auto reason = FallsOnPaper(*a, *b, kernel.version, result.detail)) {
    result.reason = *reason;
    return result;
  }
  if (!claims) {
    RunInModel(kernel, *a, *b, result);
    const bool single = ProfileOf(kernel).has(Rule::kRegisterSingleDriver);
    result.reason = result.both_serve ? PairReason::kNoClaims
                    : single          ? PairReason::kOneRegisters
                                      : PairReason::kOneLoses;
    if (!result.both_serve)
      result.detail = single ? "iommu_device_register() of whichever comes second is -EBUSY"
                             : "one of them gets no device, whichever registers first";
    return result;
  }
  const Words overlap = Common(Buses(*a), Buses(*b));
  result.detail = overlap.empty() ? absl::StrCat(List(Buses(*a)), " against ", List(Buses(*b)))
                                  : absl::StrCat("both claim ", List(overlap));
  RunInModel(kernel, *a, *b, result);
  result.reason = overlap.empty()     ? PairReason::kDisjoint
                  : result.both_serve ? PairReason::kBothServe
                                      : PairReason::kOneLoses;
  return result;
}

}  // namespace

std::string_view PairReasonName(PairReason reason) {
  return kReasonNames[static_cast<size_t>(reason)];
}

std::vector<const CatalogueDriver*> DriversThatExist(KernelVersion version) {
  std::vector<const CatalogueDriver*> drivers;
  for (const CatalogueDriver& row : Catalogue()) {
    if (!Exists(row, version) || (!drivers.empty() && drivers.back()->name == row.name)) continue;
    // A driver that is younger than the facts of the kernel's era has those of its first.
    const CatalogueDriver* const facts = FindDriver(row.name, version);
    drivers.push_back(facts == nullptr ? &row : facts);
  }
  return drivers;
}

std::vector<PairResult> AnalysePairs(const KernelSpec& kernel) {
  std::vector<PairResult> results;
  const std::vector<const CatalogueDriver*> drivers = DriversThatExist(kernel.version);
  for (size_t i = 0; i < drivers.size(); ++i)
    for (size_t j = i + 1; j < drivers.size(); ++j)
      results.push_back(Analyse(kernel, drivers[i], drivers[j]));
  return results;
}

}  // namespace iommucheck::import
