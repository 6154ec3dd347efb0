// SPDX-License-Identifier: Apache-2.0
#include "src/report/exploration_text.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
#include "src/explore/search_json.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

using explore::ScopeAnswer;

std::string Machines(const ScopeAnswer& a) {
  if (a.machines == std::numeric_limits<uint64_t>::max()) return "more than 10^19 topologies";
  return absl::StrCat(a.machines, a.machines == 1 ? " topology" : " topologies");
}

std::string VerdictText(const ScopeAnswer& a) {
  const std::string size = absl::StrFormat("%s, %s", Machines(a), Plural(a.states, "state"));
  switch (a.verdict) {
    case Verdict::kViolated:
      return absl::StrFormat(
          "VIOLATED: %s, %s; %s", Plural(a.found.topology.devices_count, "device"),
          Plural(a.found.ops.size(), "step"),
          a.smallest ? "no smaller case exists in this scope"
                     : absl::StrCat("a smaller case may exist in this scope: ", a.reason));
    case Verdict::kHolds:
      if (a.every_depth)
        return absl::StrFormat(
            "none in this scope, in runs of any length (%s, none deeper than %s)", size,
            Plural(static_cast<uint64_t>(a.depth), "step"));
      return absl::StrFormat("none in this scope (%s)", size);
    case Verdict::kUnknown:
      return absl::StrFormat("unknown: %s; none on any topology up to %s, %d of %s beyond",
                             a.reason, Plural(static_cast<uint64_t>(a.depth), "step"),
                             a.shapes_done, Plural(a.shapes, "shape"));
  }
  return "";
}

// "none" and never "holds": a scope bounds the machines, even where it does not bound the runs.
std::string VerdictLineOf(const ScopeAnswer& a) {
  explore::Scope seen = a.question.scope;
  if (a.verdict == Verdict::kUnknown) seen.steps = a.depth;
  std::string scope = explore::ScopeText(seen);
  if (a.question.shards > 1)
    absl::StrAppendFormat(&scope, ",shard=%d/%d", a.question.shard, a.question.shards);
  if (a.verdict == Verdict::kViolated)
    scope = SizeScope(a.found.topology.devices_count, static_cast<int>(a.found.ops.size()));
  if (a.verdict == Verdict::kUnknown && a.depth == 0) scope = SizeScope(0, 0);
  return VerdictLine(a.question.property, a.question.kernel, VerdictName(a.verdict, false), scope);
}

}  // namespace

std::string ExplorationText(const Exploration& e, const std::string& next) {
  const ScopeAnswer& a = e.answer;
  const explore::Question& q = a.question;
  std::string out = Field("explore", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  out += Field("kernel", KernelName(q.kernel));
  out += ToolText();
  out += Field("scope",
               absl::StrCat(absl::StrJoin(absl::StrSplit(explore::ScopeText(q.scope), ','), ", "),
                            "; exhaustive search (docs/explore.md)"));
  if (q.shards > 1) out += Field("shard", absl::StrFormat("%d of %d", q.shard, q.shards));
  out += Field("verdict", VerdictText(a));
  out += Field("covered",
               absl::StrFormat("%d of %s, %s, %s", a.shapes_done, Plural(a.shapes, "shape"),
                               Plural(a.states, "state"), Plural(a.transitions, "transition")));
  const std::string last = LastLines(next, VerdictLineOf(a));
  if (a.verdict != Verdict::kViolated) return out + last;
  const Case& c = a.found;
  out += Field("replayed",
               absl::StrFormat("in the model: yes, violated at %d", e.run.of(q.property).at));
  out += "\n" + TopologyText(c) + "trace\n" + TraceText(c, e.run);
  const std::string rules = StoppingRulesText(c, q.property);
  out += "rules that this kernel lacks, each of which alone would stop this run\n";
  return absl::StrCat(out, rules.empty() ? "  none\n" : rules, last);
}

std::string ExplorationJson(const Exploration& e) {
  const ScopeAnswer& a = e.answer;
  const bool violated = a.verdict == Verdict::kViolated;
  Json out = Head("explore", VerdictName(a.verdict, false),
                  violated ? a.found.topology.devices_count : a.question.scope.devices,
                  violated ? static_cast<int>(a.found.ops.size()) : a.depth, a.question.kernel);
  out["property"] = std::string(PropertyName(a.question.property));
  if (violated) out["case"] = Json::parse(CaseToJson(a.found));
  if (violated) out["steps"] = StepsJson(a.found, e.run);
  out["replayed"] = violated;
  if (violated) out["stopping_rules"] = StoppingRulesJson(a.found, a.question.property);
  if (!a.reason.empty()) out["reason"] = a.reason;
  out["exploration"] = explore::ExplorationToJson(a);
  out["stats"] = {{"shapes", a.shapes},
                  {"shapes_done", a.shapes_done},
                  {"topologies", a.machines},
                  {"states", a.states},
                  {"transitions", a.transitions}};
  out["verdict_line"] = VerdictLineOf(a);
  explore::Seal(out);
  return JsonText(out);
}

}  // namespace iommucheck::report
