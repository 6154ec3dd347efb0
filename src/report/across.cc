// SPDX-License-Identifier: Apache-2.0
#include "src/report/across.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/report/json.h"
#include "src/report/kernel_table.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"

namespace iommucheck::report {
namespace {

// The rule whose refusal is the errno that the op ends with.
std::optional<Rule> RefusingRule(const PlayedStep& step) {
  std::optional<Rule> last;
  for (const Event& e : step.events)
    if (e.kind == Event::Kind::kRefused && e.error == -step.result.error) last = e.rule;
  return step.result.error == 0 ? std::nullopt : last;
}

// What the n-th op came to: its errno, or why the run does not come that far.
std::string CellOf(const PlayedOn& on, size_t n) {
  if (n >= on.run.steps.size()) return n == 0 && on.run.outside ? "outside" : "-";
  const StepResult& result = on.run.steps[n].result;
  if (result.outcome == Outcome::kNotPossible) return "cannot";
  if (result.outcome == Outcome::kOutside) return "outside";
  return ErrnoName(result.error);
}

// A device after the run, in words that mean the same on every kernel.
struct Left {
  std::string group;   // the first device of its group; "none"
  std::string driver;  // that serves it
  std::string domain;  // the driver of the domain that its hardware points at
};

Left LeftAt(const PlayedOn& on, DeviceId device) {
  const Case& c = on.played;
  const State& s = on.run.final_state();
  Left left{.group = "none", .driver = "nobody", .domain = "none"};
  if (on.run.outside && on.run.steps.empty()) return left = {"outside", "outside", "outside"};
  if (s.devices[device].group != kNoId) {
    DeviceId first = device;
    for (DeviceId d = 0; d < device; ++d)
      if (s.devices[d].group == s.devices[device].group) first = std::min(first, d);
    left.group = first == device ? "its own" : "of " + c.names.devices[first];
  }
  left.driver = DriverName(c, DriverOfDevice(c, s, device));
  if (s.devices[device].hw != kNoId) left.domain = DriverName(c, DriverOfHardware(s, device));
  return left;
}

std::vector<Left> LeftOn(std::span<const PlayedOn> played, DeviceId device) {
  std::vector<Left> left;
  left.reserve(played.size());
  for (const PlayedOn& on : played) left.push_back(LeftAt(on, device));
  return left;
}

KernelTable EmptyTable(std::span<const PlayedOn> played) {
  KernelTable table;
  for (const PlayedOn& on : played)
    table.kernels.emplace_back(VersionName(on.played.kernel.version));
  return table;
}

template <typename CellAt>
KernelTable::Row RowOf(std::string head, std::span<const PlayedOn> played, CellAt cell) {
  KernelTable::Row row{.head = std::move(head), .cells = {}};
  for (const PlayedOn& on : played) row.cells.push_back(cell(on));
  return row;
}

// The rules that refuse the n-th op somewhere, where the kernels differ in it; and why it cannot be
// taken.
std::vector<std::string> WhyText(std::span<const PlayedOn> played, size_t n) {
  std::set<std::string> seen;
  std::vector<std::string> lines;
  for (const PlayedOn& on : played) {
    if (n >= on.run.steps.size()) continue;
    const PlayedStep& step = on.run.steps[n];
    std::string line;
    if (step.result.outcome == Outcome::kNotPossible)
      line = absl::StrCat("cannot: ", step.result.why);
    else if (step.result.outcome == Outcome::kOutside)
      line = absl::StrCat("outside: ", std::string(InfoOf(step.result.assumption).id));
    else if (const std::optional<Rule> rule = RefusingRule(step))
      line = absl::StrFormat("%s by %s: %s", ErrnoName(step.result.error), InfoOf(*rule).id,
                             InfoOf(*rule).holds);
    if (!line.empty() && seen.insert(line).second) lines.push_back(line);
  }
  return lines;
}

std::vector<Property> ViolatedSomewhere(std::span<const PlayedOn> played) {
  std::vector<Property> violated;
  for (Property p : kProperties)
    if (std::ranges::any_of(played, [p](const PlayedOn& on) { return on.run.of(p).at != 0; }))
      violated.push_back(p);
  return violated;
}

std::string OpsText(const Case& c, std::span<const PlayedOn> played) {
  KernelTable table = EmptyTable(played);
  for (size_t n = 0; n < c.ops.size(); ++n) {
    KernelTable::Row row = RowOf(absl::StrFormat("%d %s", n + 1, PrintOp(c.ops[n].op, c.names)),
                                 played, [n](const PlayedOn& on) { return CellOf(on, n); });
    if (row.differs()) row.below = WhyText(played, n);
    table.rows.push_back(std::move(row));
  }
  return KernelTableText(table);
}

std::string PropertiesText(std::span<const PlayedOn> played) {
  KernelTable table = EmptyTable(played);
  for (Property p : ViolatedSomewhere(played))
    table.rows.push_back(RowOf(std::string(PropertyName(p)), played, [p](const PlayedOn& on) {
      const int at = on.run.of(p).at;
      if (at == 0) return std::string("-");
      return IsPromised(on.played.kernel.version, p) ? absl::StrFormat("at %d", at)
                                                     : absl::StrFormat("(at %d)", at);
    }));
  if (table.rows.empty()) return "  none\n";
  return KernelTableText(table);
}

std::string LeftText(const Case& c, std::span<const PlayedOn> played) {
  KernelTable table = EmptyTable(played);
  for (DeviceId d = 0; d < c.topology.devices_count; ++d) {
    const std::vector<Left> left = LeftOn(played, d);
    const auto add = [&](const char* what, std::string Left::* member) {
      KernelTable::Row row{.head = absl::StrFormat("%s %s", c.names.devices[d], what), .cells = {}};
      for (const Left& on : left) row.cells.push_back(on.*member);
      if (row.differs()) table.rows.push_back(std::move(row));
    };
    add("in group", &Left::group);
    add("served by", &Left::driver);
    add("on domain of", &Left::domain);
  }
  return table.rows.empty() ? "  all devices are left alike\n" : KernelTableText(table);
}

Json OpJson(const Case& c, std::span<const PlayedOn> played, size_t n) {
  Json results = Json::array();
  for (const PlayedOn& on : played) {
    Json result = {{"profile", VersionName(on.played.kernel.version)}};
    if (n < on.run.steps.size()) {
      const PlayedStep& step = on.run.steps[n];
      if (step.result.outcome == Outcome::kNotPossible)
        result["not_possible"] = step.result.why;
      else if (step.result.outcome == Outcome::kOutside)
        result["outside"] = InfoOf(step.result.assumption).id;
      else
        result["errno"] = ErrnoName(step.result.error);
      if (const std::optional<Rule> rule = RefusingRule(step))
        result["refused_by"] = InfoOf(*rule).id;
    }
    results.push_back(std::move(result));
  }
  const KernelTable::Row row = RowOf("", played, [n](const PlayedOn& on) { return CellOf(on, n); });
  return {{"op", PrintOp(c.ops[n].op, c.names)},
          {"differs", row.differs()},
          {"results", std::move(results)}};
}

Json DeviceJson(const Case& c, std::span<const PlayedOn> played, DeviceId device) {
  Json after = Json::array();
  for (const PlayedOn& on : played) {
    const Left left = LeftAt(on, device);
    after.push_back({{"profile", VersionName(on.played.kernel.version)},
                     {"group", left.group},
                     {"driver", left.driver},
                     {"domain_of", left.domain}});
  }
  return {{"device", c.names.devices[device]}, {"after", std::move(after)}};
}

}  // namespace

std::vector<PlayedOn> PlayOn(const Case& c, std::span<const KernelVersion> versions) {
  std::vector<PlayedOn> played;
  for (const KernelVersion version : versions) {
    const RuleSet has = ProfileOf(version).rules;
    Case on = c;
    on.kernel.version = version;
    on.kernel.dropped = c.kernel.dropped & has;
    on.kernel.added = c.kernel.added - has;
    on.expectations.clear();
    for (CaseOp& op : on.ops) op.expected.reset();
    Run run = Play(on);
    played.push_back({.played = std::move(on), .run = std::move(run)});
  }
  return played;
}

bool BreaksPromise(std::span<const PlayedOn> played) {
  return std::ranges::any_of(
      played, [](const PlayedOn& on) { return !BrokenPromises(on.played, on.run).empty(); });
}

std::string AcrossText(const Case& c, std::span<const PlayedOn> played, const std::string& path) {
  const bool patched = !c.kernel.dropped.empty() || !c.kernel.added.empty();
  std::string out =
      Field("kernels",
            absl::StrCat("all that this version knows; the case is of ", KernelName(c.kernel),
                         patched ? ", and so is each other that has, or lacks, these rules" : ""));
  out += ToolText() + TopologyText(c);
  out += "\nWhat each op comes to; * where kernels differ\n" + OpsText(c, played);
  out += "\nProperties that a run violates, and where; in brackets: not promised\n" +
         PropertiesText(played);
  out += "\nWhere the run leaves a device, where kernels differ\n" + LeftText(c, played);
  out += "\n";
  for (const PlayedOn& on : played) out += ReplayVerdictLines(on.played, on.run, path);
  return out;
}

std::string AcrossJson(const Case& c, std::span<const PlayedOn> played, const std::string& path) {
  Json out = ToolJson("replay");
  out["kernels"] = Json::array();
  for (const PlayedOn& on : played) {
    Json violated = Json::array();
    for (Property p : kProperties)
      if (on.run.of(p).at != 0)
        violated.push_back({{"property", PropertyName(p)},
                            {"promised", IsPromised(on.played.kernel.version, p)},
                            {"at", on.run.of(p).at}});
    out["kernels"].push_back(
        {{"kernel", KernelJson(on.played.kernel)},
         {"complete", on.run.complete},
         {"violated", std::move(violated)},
         {"verdict_lines", LinesJson(ReplayVerdictLines(on.played, on.run, path))}});
  }
  out["ops"] = Json::array();
  for (size_t n = 0; n < c.ops.size(); ++n) out["ops"].push_back(OpJson(c, played, n));
  out["devices"] = Json::array();
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    out["devices"].push_back(DeviceJson(c, played, d));
  return JsonText(out);
}

}  // namespace iommucheck::report
