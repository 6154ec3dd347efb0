// SPDX-License-Identifier: Apache-2.0
#include "src/report/guards_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/run.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"
#include "src/tool/stop.h"

namespace iommucheck::report {
namespace {

using guards::Map;

constexpr int kRuleColumn = 27;  // where lists of rules begin

// Marked where the kernel as it is does not have the rule.
std::vector<std::string> Names(const Map& map, RuleSet rules) {
  const KernelProfile kernel = ProfileOf(map.question.kernel);
  std::vector<std::string> names;
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule))
      names.push_back(absl::StrCat(std::string(info.id), kernel.has(info.rule) ? "" : "+"));
  return names;
}

std::string Size(int devices, int steps) {
  return absl::StrCat(Plural(static_cast<uint64_t>(devices), "device"), ", ",
                      Plural(static_cast<uint64_t>(steps), "step"));
}
std::string Size(const Case& c) {
  return Size(c.topology.devices_count, static_cast<int>(c.ops.size()));
}

// "  1  every size             a, b,", and the rest of the list below its first line.
std::string Row(const std::string& name, const std::string& what,
                const std::vector<std::string>& rules) {
  std::string out;
  std::string line = absl::StrFormat("  %-3s%-*s", name, kRuleColumn - 5, what);
  for (size_t n = 0; n < rules.size(); ++n) {
    const std::string word = rules[n] + (n + 1 < rules.size() ? ", " : "");
    if (static_cast<int>(line.size() + rules[n].size()) >= kColumns) {
      absl::StrAppend(&out, line.substr(0, line.find_last_not_of(' ') + 1), "\n");
      line = std::string(kRuleColumn, ' ');
    }
    line += word;
  }
  return absl::StrCat(out, line, "\n");
}

std::string SufficientText(const Map& map) {
  std::string out = "what suffices, whatever else is missing\n";
  for (size_t n = 0; n < map.sufficient.size(); ++n) {
    const guards::Sufficient& set = map.sufficient[n];
    const smt::Bounds& bounds = map.question.bounds;
    out +=
        Row(absl::StrCat(n + 1), set.every_size ? "every size" : Size(bounds.devices, bounds.steps),
            Names(map, set.rules));
    if (!set.proved_with.empty()) out += Row("", "every size with", Names(map, set.proved_with));
  }
  if (map.sufficient.empty()) out += "  nothing\n";
  return out;
}

std::string RemovalsText(const Map& map) {
  std::string out = "what breaks it when missing together, and not with one of them back\n";
  for (size_t n = 0; n < map.removals.size(); ++n)
    out += Row(RemovalName(n), Size(map.removals[n].found), Names(map, map.removals[n].rules));
  if (map.removals.empty()) out += "  nothing\n";
  return out;
}

std::string Role(const Map& map, const guards::Alone& row) {
  if (row.verdict == Verdict::kViolated) return "load-bearing";
  const bool used = std::ranges::any_of(
      map.sufficient, [&](const guards::Sufficient& set) { return set.rules.has(row.rule); });
  return used ? absl::StrFormat("redundant given %d", *row.by + 1) : "never needed";
}

std::string AloneText(const Map& map) {
  const std::string without = absl::StrJoin(Names(map, map.universe - map.in_table), ", ");
  if (map.alone.empty()) return absl::StrCat("nothing else holds it without ", without, "\n");
  std::string out = "each rule, dropped alone from the kernel with all of them";
  if (!without.empty()) absl::StrAppend(&out, "\nbut ", without);
  out += "\n";
  for (const guards::Alone& row : map.alone) {
    const std::string verdict = row.verdict == Verdict::kViolated ? Size(row.found) : "holds";
    absl::StrAppendFormat(&out, "  %-35s %-18s %s\n", Names(map, RuleSet().add(row.rule))[0],
                          verdict, Role(map, row));
  }
  return out;
}

std::string CaseText(const std::string& name, const Case& c) {
  const Run run = Play(c);
  return absl::StrCat("\nremoval ", name, "\n", TopologyText(c), "trace\n", TraceText(c, run));
}

void AddSize(const Case& c, Json& out) {
  out["devices"] = c.topology.devices_count;
  out["steps"] = c.ops.size();
}

}  // namespace

std::string RemovalName(size_t n) {
  const std::string last(1, static_cast<char>('A' + n % 26));
  return n < 26 ? last : RemovalName(n / 26 - 1) + last;
}

std::string GuardsText(const Map& map, bool cases) {
  const guards::Question& q = map.question;
  std::string out = Field("guards", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  out += Field("kernel", KernelName(q.kernel));
  out += ToolText();
  if (q.bounds.steps > 0)
    out +=
        Field("scope", absl::StrCat("what is not proved was searched up to 2 drivers, ",
                                    Size(q.bounds.devices, q.bounds.steps), " (docs/guards.md)"));
  out += Field("rules", absl::StrFormat("%d may be missing; + marks what the kernel as it is "
                                        "does not have or assume",
                                        map.universe.size()));
  if (!map.complete)
    out += Field("unknown",
                 absl::StrCat(tool::Stopped() ? tool::StopReason() : "the budget is used up",
                              ": there may be more of all this"));
  absl::StrAppend(&out, "\n", SufficientText(map), "\n", RemovalsText(map));
  if (!map.complete) return out;
  absl::StrAppend(&out, "\n", AloneText(map));
  for (size_t n = 0; cases && n < map.removals.size(); ++n)
    out += CaseText(RemovalName(n), map.removals[n].found);
  return out;
}

std::string GuardsJson(const Map& map) {
  const guards::Question& q = map.question;
  Json out = Head("guards", VerdictName(map.complete ? Verdict::kHolds : Verdict::kUnknown),
                  q.bounds.devices, q.bounds.steps, q.kernel);
  out["property"] = std::string(PropertyName(q.property));
  out["universe"] = RuleIds(map.universe);
  out["sufficient"] = Json::array();
  for (const guards::Sufficient& set : map.sufficient) {
    Json entry = {{"rules", RuleIds(set.rules)}, {"every_size", set.every_size}};
    if (!set.proved_with.empty()) entry["proved_with"] = RuleIds(set.proved_with);
    if (!set.why_not.empty()) entry["not_proved"] = set.why_not;
    out["sufficient"].push_back(entry);
  }
  out["removals"] = Json::array();
  for (const guards::Removal& removal : map.removals) {
    Json entry = {{"rules", RuleIds(removal.rules)}};
    AddSize(removal.found, entry);
    entry["case"] = Json::parse(CaseToJson(removal.found));
    out["removals"].push_back(entry);
  }
  out["alone"] = Json::array();
  for (const guards::Alone& row : map.alone) {
    Json entry = {{"rule", std::string(InfoOf(row.rule).id)},
                  {"verdict", VerdictName(row.verdict)}};
    if (row.by) entry["sufficient"] = *row.by;
    if (row.verdict == Verdict::kViolated) AddSize(row.found, entry);
    out["alone"].push_back(entry);
  }
  out["stats"] = {{"solver_resources", map.resources}, {"solver_checks", map.checks}};
  return JsonText(out);
}

}  // namespace iommucheck::report
