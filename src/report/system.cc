// SPDX-License-Identifier: Apache-2.0
#include "src/report/system.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

constexpr size_t kMaxListed = 4;  // devices of a group that the text names

std::string SearchVerdict(const SystemReport::Search& search) {
  const explore::ExploreResult& r = search.result;
  const std::string seen = absl::StrFormat("%d states", r.states);
  switch (r.verdict) {
    case Verdict::kViolated:
      return absl::StrFormat("VIOLATED in %d steps", search.run.steps.size());
    case Verdict::kHolds:
      if (!r.reason.empty()) return "not on this machine: " + r.reason;
      if (r.every_depth) return "holds in runs of any length, " + seen;
      return absl::StrFormat("none up to %d steps, %s", r.depth, seen);
    case Verdict::kUnknown:
      return absl::StrFormat("unknown: %s; none up to %d steps", r.reason, r.depth);
  }
  return "";
}

std::string VerdictLineOf(const SystemReport::Search& s) {
  const bool proved = s.result.verdict == Verdict::kHolds && InAnyRun(s);
  const int steps = s.result.verdict == Verdict::kViolated
                        ? static_cast<int>(s.result.found.ops.size())
                        : s.result.depth;
  return VerdictLine(s.property, s.kernel, VerdictName(s.result.verdict, proved),
                     proved ? MachineScope() : MachineScope(steps));
}

// Who serves whom in the running kernel, a line a group.
std::string AsFoundText(const import::System& system) {
  std::string out;
  for (size_t d = 0; d < system.as_found.size(); ++d) {
    const int group = system.as_found[d].group;
    if (group < 0) continue;
    std::vector<std::string> members;
    bool first = true;
    for (size_t e = 0; e < system.as_found.size(); ++e) {
      if (system.as_found[e].group != group) continue;
      if (e < d) first = false;
      members.push_back(system.names.devices[e]);
    }
    if (!first) continue;
    const size_t more = members.size() > kMaxListed ? members.size() - kMaxListed : 0;
    std::string line = absl::StrFormat("group %d, %s:", group, system.as_found[d].driver);
    for (size_t i = 0; i + more < members.size(); ++i) absl::StrAppend(&line, " ", members[i]);
    if (more > 0) absl::StrAppendFormat(&line, " and %d more", more);
    out += Field(out.empty() ? "as found" : "", line);
  }
  return out;
}

std::string FoundCounts(const SystemReport& report) {
  const import::System& s = report.system;
  return absl::StrFormat("%d IOMMU instances, %d devices%s", s.topology.instances_count,
                         s.devices_found,
                         s.devices_found == s.topology.devices_count
                             ? ""
                             : absl::StrFormat(" (%d stand for them)", s.topology.devices_count));
}

Case MachineCase(const SystemReport& report, const KernelSpec& kernel) {
  return {.comment = {},
          .kernel = kernel,
          .topology = report.system.topology,
          .names = report.system.names,
          .ops = {},
          .expectations = {}};
}

absl::StatusOr<SystemReport::Search> RunSearch(const SystemReport& report, const KernelSpec& kernel,
                                               Property property) {
  SystemReport::Search search{.kernel = kernel, .property = property, .result = {}, .run = {}};
  search.result = explore::ExploreMachine(MachineCase(report, kernel), property,
                                          report.question.steps, report.question.max_states);
  if (search.result.verdict != Verdict::kViolated) return search;
  search.run = Play(search.result.found);
  if (search.run.of(property).at == 0)
    return absl::InternalError(
        absl::StrCat("the search and the model disagree on\n", PrintCase(search.result.found)));
  return search;
}

}  // namespace

bool InAnyRun(const SystemReport::Search& search) {
  return search.result.every_depth || !search.result.reason.empty();
}

absl::StatusOr<SystemReport> CheckSystem(const SystemQuestion& question,
                                         const std::function<void(const std::string&)>& progress) {
  absl::StatusOr<import::System> system = import::ReadSystem(question.path);
  if (!system.ok()) return system.status();
  SystemReport report{
      .question = question, .system = *std::move(system), .kernel = {}, .searches = {}};
  if (!question.kernel && !report.system.nearest)
    return absl::InvalidArgumentError(
        absl::StrCat(question.path, ": expected proc/version of a kernel from 5.15 on, found ",
                     report.system.kernel_release.empty() ? "none" : report.system.kernel_release,
                     "; say --kernel"));
  report.kernel =
      question.kernel ? *question.kernel : KernelSpec{.version = *report.system.nearest};

  std::vector<KernelSpec> kernels = {report.kernel};
  if (!report.kernel.dropped.has(Rule::kType1SameOps)) {
    kernels.push_back(report.kernel);
    kernels.back().dropped.add(Rule::kType1SameOps);
  }
  for (Property property : kEncodedProperties)
    for (const KernelSpec& kernel : kernels) {
      progress(absl::StrFormat("searching %s, %s", KernelName(kernel), PropertyName(property)));
      absl::StatusOr<SystemReport::Search> search = RunSearch(report, kernel, property);
      if (!search.ok()) return search.status();
      report.searches.push_back(*std::move(search));
    }
  return report;
}

std::string SystemText(const SystemReport& report) {
  const import::System& s = report.system;
  std::string out = Field("system", report.question.path);
  out += Field("kernel", s.kernel_release.empty()
                             ? KernelName(report.kernel)
                             : absl::StrFormat("Linux %s, modelled as %s", s.kernel_release,
                                               KernelName(report.kernel)));
  out += Field("found", FoundCounts(report));
  out += AsFoundText(s);
  out += "\n" + TopologyText(MachineCase(report, report.kernel));
  for (size_t i = 0; i < s.assumptions.size(); ++i)
    out += Field(i == 0 ? "assumed" : "", s.assumptions[i]);
  out += absl::StrFormat("\nCan any run of up to %d steps on this machine violate\n",
                         report.question.steps);
  const SystemReport::Search* shown = nullptr;
  for (const SystemReport::Search& search : report.searches) {
    out += absl::StrFormat("%s on %s\n", PropertyName(search.property), KernelName(search.kernel));
    out += Field("", SearchVerdict(search));
    if (shown == nullptr && search.result.verdict == Verdict::kViolated) shown = &search;
  }
  if (shown != nullptr) {
    out += absl::StrFormat("\nA shortest run, %s on %s\n", PropertyName(shown->property),
                           KernelName(shown->kernel));
    out += TraceText(shown->result.found, shown->run);
  }
  out += "\n";
  for (const SystemReport::Search& search : report.searches) out += VerdictLineOf(search) + "\n";
  return out;
}

std::string SystemJson(const SystemReport& report) {
  bool violated = false;
  bool unknown = false;
  bool proved = true;
  Json searches = Json::array();
  const SystemReport::Search* first = nullptr;
  for (const SystemReport::Search& s : report.searches) {
    violated |= s.result.verdict == Verdict::kViolated;
    unknown |= s.result.verdict == Verdict::kUnknown;
    proved &= InAnyRun(s);
    if (first == nullptr && s.result.verdict == Verdict::kViolated) first = &s;
    Json entry = {
        {"property", std::string(PropertyName(s.property))},
        {"kernel", KernelJson(s.kernel)},
        {"verdict", VerdictName(s.result.verdict, InAnyRun(s))},
        {"verdict_line", VerdictLineOf(s)},
        {"steps", s.result.verdict == Verdict::kViolated ? static_cast<int>(s.run.steps.size())
                                                         : s.result.depth},
        {"states", s.result.states},
        {"transitions", s.result.transitions}};
    if (!s.result.reason.empty()) entry["reason"] = s.result.reason;
    searches.push_back(std::move(entry));
  }
  Json out = Head("check",
                  VerdictName(violated  ? Verdict::kViolated
                              : unknown ? Verdict::kUnknown
                                        : Verdict::kHolds,
                              proved),
                  report.system.topology.devices_count, report.question.steps, report.kernel);
  out["system"] = {{"path", report.question.path},
                   {"kernel_release", report.system.kernel_release},
                   {"devices_found", report.system.devices_found},
                   {"assumptions", report.system.assumptions}};
  out["searches"] = std::move(searches);
  if (first != nullptr) out["case"] = Json::parse(CaseToJson(first->result.found));
  out["replayed"] = first != nullptr;
  uint64_t states = 0;
  for (const SystemReport::Search& s : report.searches) states += s.result.states;
  out["stats"] = {{"states", states}};
  return out.dump(2) + "\n";
}

}  // namespace iommucheck::report
