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
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

using guards::Map;

constexpr int kRuleColumn = 27;  // where lists of rules begin

// The ids; + marks a rule that the kernel as it is does not have.
std::vector<std::string> Names(const Map& map, RuleSet rules) {
  const KernelProfile kernel = ProfileOf(map.question.kernel);
  std::vector<std::string> names;
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule))
      names.push_back(absl::StrCat(std::string(info.id), kernel.has(info.rule) ? "" : "+"));
  return names;
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
    out += Row(absl::StrCat(n + 1),
               set.every_size ? "every size" : SizeText({bounds.devices, bounds.steps}),
               Names(map, set.rules));
    if (!set.proved_with.empty()) out += Row("", "every size with", Names(map, set.proved_with));
  }
  if (map.sufficient.empty()) out += map.complete ? "  nothing\n" : "  not known yet\n";
  return out;
}

std::string RemovalsText(const Map& map) {
  std::string out = "what breaks it when missing together, and not with one of them back\n";
  for (size_t n = 0; n < map.removals.size(); ++n)
    out += Row(RemovalName(n), SizeText(SizeOf(map.removals[n].found)),
               Names(map, map.removals[n].rules));
  if (map.removals.empty()) out += map.complete ? "  nothing\n" : "  not known yet\n";
  return out;
}

const char* Word(const guards::Standing& standing) {
  return VerdictName(standing.verdict, standing.proved);
}

std::string ShortSize(Size size) {
  return absl::StrFormat("%d dev, %s", size.devices, Plural(size.steps, "step"));
}

// "2 dev, 5 steps", "holds by 1", "none".
std::string Entry(const std::optional<guards::Standing>& standing) {
  if (!standing) return "-";
  if (standing->verdict == Verdict::kViolated) return ShortSize(SizeOf(standing->found));
  const std::string word = Word(*standing);
  return standing->by ? absl::StrCat(word, " by ", *standing->by + 1) : word;
}

std::string AloneText(const Map& map) {
  const std::vector<std::string> without = Names(map, map.universe - map.in_table);
  const auto row = [](const std::string& rule, const std::string& as_is, const std::string& rest) {
    return absl::StrFormat("  %-36s %-17s %s\n", rule, as_is, rest);
  };
  const int devices = map.question.bounds.devices;
  std::string out =
      "each rule, dropped alone: the smallest case; \"holds\": proved, \"none\":\n"
      "searched, by which of the sets above\n";
  out += row("", "kernel as it is", "with all +");
  out += row("searched up to", ShortSize({devices, map.as_is_steps}),
             ShortSize({devices, map.question.bounds.steps}));
  for (const guards::Alone& alone : map.alone)
    out += row(Names(map, RuleSet().add(alone.rule))[0], Entry(alone.as_is), Entry(alone.with_all));
  if (without.empty()) return out;
  const std::string note = absl::StrCat("with all + but ", absl::StrJoin(without, ", "));
  return absl::StrCat(out, "  ", absl::StrJoin(Wrap(note, kColumns - 2), "\n  "), "\n");
}

void AddSize(const Case& c, Json& out) {
  out["devices"] = c.topology.devices_count;
  out["steps"] = c.ops.size();
}

Json StandingJson(const guards::Standing& standing) {
  Json out = {{"verdict", Word(standing)}};
  if (standing.by) out["sufficient"] = *standing.by;
  if (standing.verdict == Verdict::kViolated) AddSize(standing.found, out);
  return out;
}

std::string KernelText(const Map& map) {
  const guards::Standing& kernel = map.kernel;
  const smt::Bounds& bounds = map.question.bounds;
  if (kernel.verdict == Verdict::kUnknown) return "unknown: " + map.why_cut;
  if (kernel.verdict == Verdict::kViolated)
    return "the kernel as it is: VIOLATED: " + SizeText(SizeOf(kernel.found));
  const std::string by = kernel.by ? absl::StrFormat(", by %d below", *kernel.by + 1) : "";
  return kernel.proved ? "the kernel as it is: holds for every size" + by
                       : absl::StrCat("the kernel as it is: none up to ",
                                      SizeText({bounds.devices, map.as_is_steps}), by);
}

std::string VerdictLineOf(const Map& map) {
  const guards::Question& q = map.question;
  const guards::Standing& kernel = map.kernel;
  std::string scope = SizeScope({q.bounds.devices, map.as_is_steps});
  if (kernel.verdict == Verdict::kUnknown) scope = SizeScope({});
  if (kernel.verdict == Verdict::kViolated) scope = SizeScope(SizeOf(kernel.found));
  if (kernel.proved) scope = kEverySize;
  return VerdictLine(q.property, q.kernel, Word(kernel), scope);
}

}  // namespace

std::string RemovalName(size_t n) {
  const std::string last(1, static_cast<char>('A' + n % 26));
  return n < 26 ? last : RemovalName(n / 26 - 1) + last;
}

std::string GuardsText(const Map& map, bool cases) {
  const guards::Question& q = map.question;
  std::string out = QuestionText("guards", q.property, q.kernel) + ToolText();
  if (q.bounds.steps > 0)
    out += Field("scope",
                 absl::StrCat("what is not proved was searched up to 2 drivers, ",
                              SizeText({q.bounds.devices, q.bounds.steps}), " (docs/guards.md)"));
  out += Field("verdict", KernelText(map));
  out += Field("rules", absl::StrFormat("%d may be missing; + marks what the kernel as it is "
                                        "does not have or assume",
                                        map.universe.size()));
  if (!map.complete) out += Field("unknown", map.why_cut + ": there may be more of all this");
  absl::StrAppend(&out, "\n", SufficientText(map), "\n", RemovalsText(map));
  if (!map.complete) return out + VerdictLineOf(map) + "\n";
  absl::StrAppend(&out, "\n", AloneText(map));
  for (size_t n = 0; cases && n < map.removals.size(); ++n) {
    const Case& c = map.removals[n].found;
    absl::StrAppend(&out, "\nremoval ", RemovalName(n), "\n", TopologyText(c), "trace\n",
                    TraceText(c, Play(c)));
  }
  return absl::StrCat(out, cases ? "\n" : "", VerdictLineOf(map), "\n");
}

std::string GuardsJson(const Map& map) {
  const guards::Question& q = map.question;
  Json out = Head("guards", Word(map.kernel), {q.bounds.devices, map.as_is_steps}, q.kernel);
  if (map.kernel.verdict == Verdict::kViolated) {
    AddSize(map.kernel.found, out["scope"]);
    out["case"] = CaseJson(map.kernel.found);
  }
  if (map.kernel.proved) out["scope"] = ScopeJson({}, true);
  if (map.kernel.by) out["by"] = *map.kernel.by;
  out["complete"] = map.complete;
  out["property"] = PropertyName(q.property);
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
    entry["case"] = CaseJson(removal.found);
    out["removals"].push_back(entry);
  }
  out["alone"] = Json::array();
  for (const guards::Alone& row : map.alone) {
    Json entry = {{"rule", InfoOf(row.rule).id}};
    if (row.as_is) entry["as_is"] = StandingJson(*row.as_is);
    entry["with_all"] = StandingJson(row.with_all);
    out["alone"].push_back(entry);
  }
  out["stats"] = {{"solver_resources", map.resources}, {"solver_checks", map.checks}};
  out["verdict_line"] = VerdictLineOf(map);
  return JsonText(out);
}

}  // namespace iommucheck::report
