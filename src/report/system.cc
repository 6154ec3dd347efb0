// SPDX-License-Identifier: Apache-2.0
#include "src/report/system.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "src/case/encoded.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/import/catalogue.h"
#include "src/prove/facts.h"
#include "src/report/blame.h"
#include "src/report/by_hand.h"
#include "src/report/json.h"
#include "src/report/kernel_table.h"
#include "src/report/text.h"
#include "src/tool/progress.h"

namespace iommucheck::report {
namespace {

// The machine as a kernel has it: all of it, and the devices that a search keeps of it.
struct OnKernel {
  KernelSpec kernel;
  import::System whole;
  import::System kept;
};

absl::StatusOr<OnKernel> MachineOn(const std::string& path, const import::Found& found,
                                   const KernelSpec& kernel) {
  absl::StatusOr<import::System> whole = SystemOn(path, found, kernel.version);
  if (!whole.ok()) return whole.status();
  absl::StatusOr<import::System> kept =
      SystemOn(path, found, kernel.version, import::Keep::kTwoOfAKind);
  if (!kept.ok()) return kept.status();
  return OnKernel{.kernel = import::AssumingInTree(kernel, kept->names.drivers),
                  .whole = *std::move(whole),
                  .kept = *std::move(kept)};
}

// One question: answered at once where the machine allows it, else by the search, and by a proof
// where the search finds nothing.
absl::StatusOr<SystemReport::Search> AskOn(const SystemQuestion& question, const OnKernel& machine,
                                           Property property, bool hypothetical) {
  KernelSpec kernel = machine.kernel;
  if (hypothetical) kernel.dropped.add(Rule::kType1SameOps);
  SystemReport::Search search{.kernel = kernel,
                              .property = property,
                              .hypothetical = hypothetical,
                              .gaps = machine.whole.gaps};
  const MachineQuestion on{
      .property = property, .path = question.path, .machine = MachineCase(machine.whole, kernel)};
  const auto prove = [&](bool with_proof) -> absl::Status {
    absl::StatusOr<MachineAnswer> proof = ProveOnMachine(on, with_proof);
    if (!proof.ok()) return proof.status();
    search.proof = *std::move(proof);
    if (HoldsForEveryRun(search.proof))
      search.verdict = OnWhatIsThere(Verdict::kHolds, search.gaps);
    return absl::OkStatus();
  };
  if (absl::Status s = prove(false); !s.ok()) return s;
  if (HoldsForEveryRun(search.proof)) return search;

  search.result = explore::ExploreMachine(MachineCase(machine.kept, kernel), property,
                                          question.steps, question.max_states);
  search.all_devices = machine.kept.topology.devices_count == machine.kept.devices_found;
  search.verdict = OnWhatIsThere(search.result.verdict, search.gaps);
  if (search.result.verdict != Verdict::kViolated) {
    if (absl::Status s = prove(true); !s.ok()) return s;
    return search;
  }
  absl::StatusOr<Run> run = ReplayFound("explorer", property, search.result.found);
  if (!run.ok()) return run.status();
  search.run = *std::move(run);
  return search;
}

}  // namespace

absl::StatusOr<import::System> SystemOn(const std::string& path, const import::Found& found,
                                        KernelVersion version, import::Keep keep) {
  absl::StatusOr<import::System> system = import::ToSystem(found, version, keep);
  if (system.ok()) return system;
  return absl::InvalidArgumentError(absl::StrCat(Printable(path), ": ", system.status().message()));
}

Case MachineCase(const import::System& system, const KernelSpec& kernel) {
  Case c;
  c.kernel = kernel;
  c.topology = system.topology;
  c.names = system.names;
  return c;
}

bool InAnyRun(const SystemReport::Search& search) {
  const explore::ExploreResult& r = search.result;
  return HoldsForEveryRun(search.proof) || (r.every_depth && search.all_devices) ||
         (r.verdict == Verdict::kHolds && !r.reason.empty());
}

Verdict SystemReport::verdict() const {
  Verdict worst = Verdict::kHolds;
  for (const Search& s : searches) {
    if (s.hypothetical) continue;
    if (s.verdict == Verdict::kViolated) return s.verdict;
    if (s.verdict == Verdict::kUnknown) worst = s.verdict;
  }
  return worst;
}

bool SystemReport::in_any_run() const {
  return std::ranges::all_of(searches,
                             [](const Search& s) { return s.hypothetical || InAnyRun(s); });
}

absl::StatusOr<SystemKernels> KernelsFor(const std::string& path, const import::Found& found,
                                         const std::optional<KernelSpec>& given) {
  SystemKernels result;
  if (given) {
    result.kernels = {*given};
    return result;
  }
  const std::optional<ReleasePlace> place = PlaceOf(found.kernel_release);
  if (!place || !place->below)
    return absl::InvalidArgumentError(absl::StrCat(
        Printable(path), ": expected proc/version of a kernel from 5.10 on, found ",
        found.kernel_release.empty() ? found.release_trouble : Printable(found.kernel_release),
        "; say --kernel"));
  for (const KernelVersion version : ProfilesFor(*place))
    result.kernels.push_back({.version = version, .dropped = {}, .added = {}});
  result.place = PlaceText(found.kernel_release, *place);
  return result;
}

namespace {

std::string VerdictText(const SystemReport::Search& search);

// Asks about the kernel of the search without its patch, unless that is among those asked before.
absl::Status AskChange(const SystemReport& report, const OnKernel& machine,
                       SystemReport::Search& search) {
  const std::optional<KernelSpec> before = WithoutPatch(search.kernel);
  if (!before) return absl::OkStatus();
  const auto known = std::ranges::find_if(report.searches, [&](const SystemReport::Search& s) {
    return s.kernel == *before && s.property == search.property;
  });
  SystemReport::Search without;
  if (known != report.searches.end()) {
    without = *known;
  } else {
    OnKernel unpatched = machine;
    unpatched.kernel = *before;
    absl::StatusOr<SystemReport::Search> asked =
        AskOn(report.question, unpatched, search.property, /*hypothetical=*/false);
    if (!asked.ok()) return asked.status();
    without = *std::move(asked);
  }
  search.change = {.before = *before,
                   .verdict = without.verdict,
                   .any_run = InAnyRun(without),
                   .steps = without.verdict == Verdict::kViolated
                                ? static_cast<int>(without.run.steps.size())
                                : without.result.depth,
                   .text = VerdictText(without)};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SystemReport> CheckSystem(const SystemQuestion& question) {
  const absl::StatusOr<import::Found> found = import::ReadTree(question.path);
  if (!found.ok()) return found.status();
  return CheckFound(question, *found);
}

absl::StatusOr<std::vector<SystemReport>> CheckFoundOn(const SystemQuestion& question,
                                                       const import::Found& found,
                                                       std::span<const KernelVersion> versions) {
  std::vector<SystemReport> reports;
  for (const KernelVersion version : versions) {
    SystemQuestion on = question;
    on.kernel = KernelSpec{.version = version, .dropped = {}, .added = {}};
    absl::StatusOr<SystemReport> report = CheckFound(on, found);
    if (!report.ok()) return report.status();
    reports.push_back(*std::move(report));
  }
  return reports;
}

absl::StatusOr<SystemReport> CheckFound(const SystemQuestion& question,
                                        const import::Found& found) {
  const absl::StatusOr<SystemKernels> kernels = KernelsFor(question.path, found, question.kernel);
  if (!kernels.ok()) return kernels.status();
  std::vector<OnKernel> machines;
  for (const KernelSpec& kernel : kernels->kernels) {
    absl::StatusOr<OnKernel> machine = MachineOn(question.path, found, kernel);
    if (!machine.ok()) return machine.status();
    machines.push_back(*std::move(machine));
  }
  SystemReport report{.question = question,
                      .kernel_release = found.kernel_release,
                      .place = kernels->place,
                      .system = machines.front().kept};
  for (const OnKernel& machine : machines) {
    report.kernels.push_back(machine.kernel);
    report.vfio.push_back(VfioOn(machine.whole, found.vfio, machine.kernel));
  }
  const bool two_drivers = prove::DriversOf(report.system.topology) > 1;
  for (const bool hypothetical : {false, true})
    for (Property property : kEncodedProperties)
      for (const OnKernel& machine : machines) {
        if (hypothetical && (!two_drivers || machine.kernel.dropped.has(Rule::kType1SameOps)))
          continue;
        tool::Progress(absl::StrFormat("searching %s%s, %s", KernelName(machine.kernel),
                                       hypothetical ? " and the patch of 2022" : "",
                                       PropertyName(property)));
        absl::StatusOr<SystemReport::Search> search =
            AskOn(question, machine, property, hypothetical);
        if (!search.ok()) return search.status();
        if (absl::Status s = AskChange(report, machine, *search); !s.ok()) return s;
        report.searches.push_back(*std::move(search));
      }
  return report;
}

namespace {

std::string VerdictText(const SystemReport::Search& search) {
  const explore::ExploreResult& r = search.result;
  const bool every_run = HoldsForEveryRun(search.proof);
  if (search.verdict == Verdict::kViolated)
    return absl::StrFormat("VIOLATED in %d steps", search.run.steps.size());
  if (search.verdict == Verdict::kUnknown && !every_run && r.verdict == Verdict::kUnknown)
    return absl::StrFormat("unknown: %s; none up to %d steps", r.reason, r.depth);
  if (search.verdict == Verdict::kUnknown)
    return UnknownText(InAnyRun(search) ? "in any run"
                                        : absl::StrFormat("up to %d steps", r.depth));
  const std::string assuming = AssumingText(search.kernel);
  if (every_run) return "holds on this machine: " + ProofText(search.proof) + assuming;
  if (!r.reason.empty()) return "holds on this machine: " + r.reason;
  const std::string seen = Plural(r.states, "state") + assuming;
  if (InAnyRun(search)) return "holds in runs of any length, " + seen;
  if (r.every_depth) return "none in any number of steps, of devices that stand for all; " + seen;
  return absl::StrFormat("none up to %d steps, %s", r.depth, seen);
}

std::string VerdictLineOf(const SystemReport::Search& s) {
  const bool proved = s.verdict == Verdict::kHolds && InAnyRun(s);
  // Where a part is missing, nothing is known of the machine that is asked about.
  const bool missing = s.verdict == Verdict::kUnknown && !s.gaps.empty();
  const int reached = missing ? 0 : s.result.depth;
  const int steps =
      s.verdict == Verdict::kViolated ? static_cast<int>(s.result.found.ops.size()) : reached;
  return VerdictLine(s.property, s.kernel, VerdictName(s.verdict, proved),
                     proved ? MachineScope() : MachineScope(steps));
}

// The devices of each group as the running kernel had them; -1: devices without a group.
std::map<int, std::vector<const import::AsFound*>> FoundGroups(const import::System& system) {
  std::map<int, std::vector<const import::AsFound*>> groups;
  for (const import::AsFound& device : system.as_found) groups[device.group].push_back(&device);
  return groups;
}

// "0000:00:1f.3" where all functions are of segment 0.
std::string ShortName(const import::System& system, const import::AsFound& device) {
  const bool one_segment = std::ranges::all_of(system.as_found, [](const import::AsFound& d) {
    return d.bus != Bus::kPci || d.device.starts_with("0000:");
  });
  return device.bus == Bus::kPci && one_segment ? device.device.substr(5) : device.device;
}

// Which driver serves whom in the running kernel, a line for each group. The line names the driver
// of each device if the group has more than one.
std::string AsFoundText(const import::System& system) {
  std::vector<std::string> lines;
  const auto driver_of = [](const import::AsFound* d) {
    return d->driver.empty() ? std::string("no driver") : d->driver;
  };
  for (const auto& [group, devices] : FoundGroups(system)) {
    const std::string first = driver_of(devices.front());
    const bool mixed = std::ranges::any_of(
        devices, [&](const import::AsFound* d) { return driver_of(d) != first; });
    std::string line = group < 0 ? "no group" : absl::StrFormat("group %d", group);
    absl::StrAppend(&line, mixed ? ", more than one driver" : ", " + first, ":");
    for (const import::AsFound* d : devices) {
      absl::StrAppend(&line, " ", ShortName(system, *d));
      if (mixed) absl::StrAppend(&line, " (", driver_of(d), ")");
    }
    lines.push_back(std::move(line));
  }
  return Fields(system.described_only ? "groups" : "as found", lines);
}

// "20 IOMMU instances (3 stand for them)"
std::string Counted(size_t found, const char* what, int kept) {
  std::string count = Plural(found, what);
  if (static_cast<int>(found) == kept) return count;
  return absl::StrFormat("%s (%d stand for them)", count, kept);
}

std::string FoundCounts(const import::System& s) {
  return Counted(s.instances_found.size(), "IOMMU instance", s.topology.instances_count) + ", " +
         Counted(static_cast<size_t>(s.devices_found), "device", s.topology.devices_count);
}

Json SearchJson(const SystemReport& report, const SystemReport::Search& s) {
  const bool violated = s.verdict == Verdict::kViolated;
  Json entry = {{"property", PropertyName(s.property)},
                {"kernel", KernelJson(s.kernel)},
                {"hypothetical", s.hypothetical},
                {"verdict", VerdictName(s.verdict, InAnyRun(s))},
                {"verdict_line", VerdictLineOf(s)},
                {"every_run", s.verdict == Verdict::kHolds && InAnyRun(s)},
                {"steps", violated ? static_cast<int>(s.run.steps.size()) : s.result.depth},
                {"states", s.result.states},
                {"transitions", s.result.transitions}};
  if (s.change) {
    Json scope = {{"kind", "machine"},
                  {"path", Printable(report.question.path)},
                  {"devices", report.system.devices_found},
                  {"assumptions", AssumptionsJson(report.system.assumptions)}};
    if (s.change->any_run)
      scope["every_run"] = true;
    else
      scope["steps"] = s.change->steps;
    entry["change"] = {{"before",
                        {{"kernel", KernelJson(s.change->before)},
                         {"verdict", VerdictName(s.change->verdict, s.change->any_run)},
                         {"scope", std::move(scope)}}},
                       {"because", BecauseOf(s.verdict, s.change->verdict)}};
  }
  if (const RuleSet missing = AssumptionsNotMade(s.property, s.kernel);
      violated && !missing.empty())
    entry["assumptions_not_made"] = RuleIds(missing);
  const bool every_run = HoldsForEveryRun(s.proof);
  if (every_run && s.verdict == Verdict::kHolds) entry["proof"] = ProofText(s.proof);
  if (s.verdict == Verdict::kUnknown && (every_run || s.result.verdict == Verdict::kHolds))
    entry["reason"] = kNotAllIsThere;
  else if (!s.result.reason.empty())
    entry["reason"] = s.result.reason;
  return entry;
}

Json FoundJson(const import::System& s) {
  Json out;
  out["instances"] = Json::array();
  for (const import::InstanceAsFound& instance : s.instances_found)
    out["instances"].push_back(
        {{"name", Printable(instance.name)}, {"driver", Printable(instance.driver)}});
  out["groups"] = Json::array();
  for (const auto& [group, devices] : FoundGroups(s)) {
    Json entry = {{"group", group < 0 ? Json() : Json(group)}, {"devices", Json::array()}};
    for (const import::AsFound* d : devices)
      entry["devices"].push_back({{"name", Printable(d->device)},
                                  {"bus", BusName(d->bus)},
                                  {"instance", Printable(d->instance)},
                                  {"driver", Printable(d->driver)}});
    out["groups"].push_back(std::move(entry));
  }
  return out;
}

}  // namespace

std::string SystemAnswer(const SystemReport& report) {
  const import::System& s = report.system;
  std::vector<std::string> names;
  names.reserve(report.kernels.size());
  for (const KernelSpec& kernel : report.kernels) names.push_back(KernelName(kernel));
  const std::string on = absl::StrJoin(names, " and ");
  for (const SystemReport::Search& search : report.searches)
    if (!search.hypothetical && search.verdict == Verdict::kViolated)
      return absl::StrFormat("affected: %s is violated in %d steps on %s",
                             PropertyName(search.property), search.run.steps.size(),
                             KernelName(search.kernel));
  if (report.verdict() == Verdict::kUnknown) {
    if (!s.gaps.empty())
      return absl::StrFormat("unknown because of what is missing: %s To settle it: %s.",
                             s.gaps.front().missing, s.gaps.front().settle);
    for (const SystemReport::Search& search : report.searches)
      if (!search.hypothetical && search.verdict == Verdict::kUnknown)
        return absl::StrFormat("unknown because of %s: a larger budget may settle it",
                               search.result.reason);
  }
  std::vector<std::string> drivers;
  for (const import::InstanceAsFound& i : s.instances_found)
    if (std::ranges::find(drivers, i.driver) == drivers.end()) drivers.push_back(i.driver);
  if (drivers.empty())
    return "not affected because no IOMMU is registered: that changes once a driver registers some";
  if (drivers.size() == 1)
    return absl::StrFormat(
        "not affected because it has one IOMMU driver, %s, and a violation is between two: a "
        "second driver that serves devices would change that",
        drivers.front());
  const std::string of = absl::StrJoin(drivers, ", ");
  if (!report.in_any_run())
    return absl::StrFormat(
        "none up to %d steps: no such run puts a device of %s on a domain of another on %s, and "
        "there is no proof for longer ones",
        report.question.steps, of, on);
  return absl::StrFormat(
      "not affected because no run puts a device of %s on a domain of another on %s (proved, see "
      "below): another kernel, a patch or what is assumed below could change that",
      of, on);
}

namespace {

int CountDrivers(const import::System& system) {
  std::set<std::string> drivers;
  for (const import::InstanceAsFound& i : system.instances_found) drivers.insert(i.driver);
  return static_cast<int>(drivers.size());
}

}  // namespace

// "not affected" is a proof, or there are no two drivers.
std::string AnswerWord(const SystemReport& report, bool hypothetical) {
  bool any = false;
  bool unknown = false;
  bool bounded = false;
  for (const SystemReport::Search& s : report.searches) {
    if (s.hypothetical != hypothetical) continue;
    any = true;
    if (s.verdict == Verdict::kViolated) return "affected";
    unknown |= s.verdict == Verdict::kUnknown;
    bounded |= CountDrivers(report.system) > 1 && !InAnyRun(s);
  }
  if (!any) return "";
  if (unknown) return "unknown";
  return bounded ? absl::StrFormat("none up to %d steps", report.question.steps) : "not affected";
}

std::string SystemText(const SystemReport& report) {
  const import::System& s = report.system;
  std::vector<std::string> names;
  names.reserve(report.kernels.size());
  for (const KernelSpec& kernel : report.kernels) names.push_back(KernelName(kernel));
  const std::string kernels = absl::StrJoin(names, " and as ");
  std::string out =
      absl::StrCat(absl::StrJoin(Wrap(Printable(SystemAnswer(report)), kColumns), "\n"), "\n\n");
  out += Field("system", Printable(report.question.path)) + ToolText();
  if (!s.model.empty()) out += Field("model", Printable(s.model));
  out += Field("kernel", report.kernel_release.empty()
                             ? kernels
                             : absl::StrFormat("Linux %s, modelled as %s",
                                               Printable(report.kernel_release), kernels));
  if (!report.place.empty()) out += Field("", report.place);
  out += Field("found", FoundCounts(s));
  if (s.instances_found.empty())
    out += Field("", "No IOMMU is registered: VFIO type1 has nothing to attach here.");
  out += AsFoundText(s);
  if (!s.instances_found.empty())
    out += "\n" + TopologyText(MachineCase(s, report.kernels.front()));
  for (const VfioOnKernel& vfio : report.vfio) out += VfioText(vfio);
  out += AssumptionsText(s.assumptions) + GapsText(s.gaps);

  out += absl::StrFormat(
      "\nCan any run on this machine violate a property (searched: up to %d steps)\n",
      report.question.steps);
  const SystemReport::Search* shown = nullptr;
  const auto list = [&](bool hypothetical) {
    std::string lines;
    for (const SystemReport::Search& search : report.searches) {
      if (search.hypothetical != hypothetical) continue;
      const std::string heading =
          absl::StrFormat("%s on %s", PropertyName(search.property), KernelName(search.kernel));
      absl::StrAppend(&lines, absl::StrJoin(Wrap(heading, kColumns), "\n"), "\n");
      lines += Field("", VerdictText(search));
      if (search.verdict == Verdict::kViolated)
        lines += PromisedText(search.kernel.version,
                              AssumptionsNotMade(search.property, search.kernel), "this kernel");
      // The patch of 2022 is asked about beside the kernel without it.
      if (search.change && (!hypothetical || search.verdict == Verdict::kViolated))
        lines += BeforeText(search.change->before, search.change->text, search.verdict,
                            search.change->verdict, search.change->any_run);
      if (shown == nullptr && search.verdict == Verdict::kViolated) shown = &search;
    }
    return lines;
  };
  out += list(false);
  const std::string hypothetical = list(true);
  if (!hypothetical.empty())
    out += "\nApart from that: what if the patch of 2022 took type1.same_ops away\n" + hypothetical;
  if (shown != nullptr) {
    out += absl::StrFormat("\nA shortest run, %s on %s\n", PropertyName(shown->property),
                           KernelName(shown->kernel));
    out += TraceText(shown->result.found, shown->run);
    out += "\nThe same by hand, as root; `iommucheck export` makes a program of the calls\n";
    out += ByHandText(shown->result.found);
  }
  out += "\n";
  for (const SystemReport::Search& search : report.searches) out += VerdictLineOf(search) + "\n";
  return out;
}

std::string SystemJson(const SystemReport& report) {
  Json searches = Json::array();
  const SystemReport::Search* first = nullptr;
  uint64_t states = 0;
  for (const SystemReport::Search& s : report.searches) {
    states += s.result.states;
    if (first == nullptr && s.verdict == Verdict::kViolated) first = &s;
    searches.push_back(SearchJson(report, s));
  }
  KernelSpec kernel = report.kernels.front();
  for (const SystemReport::Search& s : report.searches)
    if (!s.hypothetical && s.verdict == report.verdict()) kernel = s.kernel;
  Json out = Head("check", VerdictName(report.verdict(), report.in_any_run()),
                  {report.system.topology.devices_count, report.question.steps}, kernel);
  Json& scope = out["scope"];
  scope = {{"kind", "machine"},
           {"path", Printable(report.question.path)},
           {"devices", report.system.devices_found}};
  if (report.verdict() == Verdict::kHolds && report.in_any_run())
    scope["every_run"] = true;
  else
    scope["steps"] = report.question.steps;
  scope["assumptions"] = AssumptionsJson(report.system.assumptions);
  out["system"] = {{"path", Printable(report.question.path)},
                   {"kernel_release", Printable(report.kernel_release)},
                   {"place", report.place},
                   {"answer", Printable(SystemAnswer(report))},
                   {"devices_found", report.system.devices_found},
                   {"as_found", FoundJson(report.system)},
                   {"assumptions", AssumptionsJson(report.system.assumptions)},
                   {"gaps", GapsJson(report.system.gaps)}};
  out["vfio"] = Json::array();
  for (const VfioOnKernel& vfio : report.vfio) out["vfio"].push_back(VfioJson(vfio));
  out["searches"] = std::move(searches);
  if (first != nullptr) out["case"] = CaseJson(first->result.found);
  if (first != nullptr) out["by_hand"] = ByHand(first->result.found);
  out["replayed"] = first != nullptr;
  out["stats"] = {{"states", states}};
  return JsonText(out);
}

namespace {

// The answer without the name of its kernel.
std::string SentenceOn(const SystemReport& report) {
  return absl::StrReplaceAll(
      SystemAnswer(report),
      {{" on " + KernelName(report.kernels.front()), ""},
       {"(proved, see below)", "(proved)"},
       {"what is assumed below", "what check assumes and says about one kernel"}});
}

template <typename CellOf>
KernelTable::Row RowOf(std::string head, const std::vector<SystemReport>& reports, CellOf cell) {
  KernelTable::Row row{.head = std::move(head), .cells = {}};
  for (const SystemReport& report : reports) row.cells.push_back(cell(report));
  return row;
}

KernelTable AnswersTable(const std::vector<SystemReport>& reports) {
  KernelTable table;
  for (const SystemReport& report : reports)
    table.kernels.emplace_back(VersionName(report.kernels.front().version));
  table.rows.push_back(RowOf("answer", reports,
                             [](const SystemReport& report) { return AnswerWord(report, false); }));
  KernelTable::Row patched = RowOf("with the patch of 2022", reports, [](const SystemReport& r) {
    const std::string word = AnswerWord(r, true);
    return word.empty() ? AnswerWord(r, false) : word;
  });
  if (patched.cells != table.rows.front().cells) table.rows.push_back(std::move(patched));
  std::set<std::string> drivers;
  for (const SystemReport& report : reports)
    for (const import::InstanceAsFound& i : report.system.instances_found) drivers.insert(i.driver);
  for (const std::string& driver : drivers)
    table.rows.push_back(RowOf(driver + " comes up", reports, [&](const SystemReport& report) {
      for (const Unregistered& u : report.vfio.front().refused)
        if (u.driver == driver) return ErrnoName(u.refusal.error);
      const auto& there = report.system.instances_found;
      const bool known =
          std::ranges::find(there, driver, &import::InstanceAsFound::driver) != there.end();
      return std::string(known ? "ok" : "no driver");
    }));
  return table;
}

}  // namespace

std::string SystemsText(const std::vector<SystemReport>& reports) {
  const SystemReport& newest = reports.back();
  std::string out = Field("system", Printable(newest.question.path)) + ToolText();
  if (!newest.system.model.empty()) out += Field("model", Printable(newest.system.model));
  out += Field("found", FoundCounts(newest.system));
  out += "\nEach kernel alone; * where kernels differ\n" + KernelTableText(AnswersTable(reports));
  out += "\nWhy\n";
  std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
  for (const SystemReport& report : reports) {
    const std::string sentence = Printable(SentenceOn(report));
    const std::string name(VersionName(report.kernels.front().version));
    const auto at = std::ranges::find(reasons, sentence, [](const auto& r) { return r.first; });
    if (at == reasons.end())
      reasons.push_back({sentence, {name}});
    else
      at->second.push_back(name);
  }
  for (const auto& [sentence, kernels] : reasons)
    out += Indented(2, absl::StrCat(absl::StrJoin(kernels, ", "), ": ", sentence));
  std::vector<VfioOnKernel> vfio;
  vfio.reserve(reports.size());
  for (const SystemReport& report : reports) vfio.push_back(report.vfio.front());
  const std::string groups = VfioTableText(vfio, !newest.system.described_only);
  if (!groups.empty())
    out += "\nWhat VFIO says to each group; \"whole\": only with all of its devices\n" + groups;
  out += "\n";
  for (const SystemReport& report : reports)
    for (const SystemReport::Search& search : report.searches)
      if (!search.hypothetical) out += VerdictLineOf(search) + "\n";
  return out;
}

std::string SystemsJson(const std::vector<SystemReport>& reports) {
  Json out = ToolJson("check");
  out["path"] = Printable(reports.back().question.path);
  out["kernels"] = Json::array();
  for (const SystemReport& report : reports) {
    Json lines = Json::array();
    for (const SystemReport::Search& search : report.searches)
      if (!search.hypothetical) lines.push_back(VerdictLineOf(search));
    const std::string patched = AnswerWord(report, true);
    out["kernels"].push_back({{"kernel", KernelJson(report.kernels.front())},
                              {"word", AnswerWord(report, false)},
                              {"patched", patched.empty() ? AnswerWord(report, false) : patched},
                              {"answer", Printable(SystemAnswer(report))},
                              {"vfio", VfioJson(report.vfio.front())},
                              {"verdict_lines", std::move(lines)}});
  }
  return JsonText(out);
}

}  // namespace iommucheck::report
