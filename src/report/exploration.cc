// SPDX-License-Identifier: Apache-2.0
#include "src/report/exploration.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/explore/record.h"
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
      return absl::StrFormat("VIOLATED: %s, %s; no smaller case exists in this scope",
                             Plural(a.found.topology.devices_count, "device"),
                             Plural(a.found.ops.size(), "step"));
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

// Whatever is not found is none: a scope bounds the machines, if not the runs.
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

absl::StatusOr<Exploration> Replayed(ScopeAnswer answer) {
  Exploration e{.answer = std::move(answer), .run = {}};
  Case& found = e.answer.found;
  if (e.answer.verdict != Verdict::kViolated) return e;
  e.run = Play(found);
  if (e.run.of(e.answer.question.property).at != static_cast<int>(found.ops.size()))
    return absl::InternalError(absl::StrCat(
        "explorer and model disagree on ", std::string(PropertyName(e.answer.question.property)),
        "\nthe explorer says that the last op of this case violates it:\n\n", PrintCase(found),
        "\nthe model plays it so:\n\n", ReplayText(found, e.run, {.all_events = true})));
  ExpectAsPlayed(found, e.run);
  return e;
}

std::string ExplorationText(const Exploration& e, const std::string& next) {
  const ScopeAnswer& a = e.answer;
  const explore::Question& q = a.question;
  std::string out = Field("explore", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  out += Field("kernel", KernelName(q.kernel));
  out += Field("tool", "iommucheck " IOMMUCHECK_VERSION ", exhaustive search (docs/explore.md)");
  out += Field("scope", absl::StrJoin(absl::StrSplit(explore::ScopeText(q.scope), ','), ", "));
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
  if (a.verdict == Verdict::kUnknown) out["reason"] = a.reason;
  out["exploration"] = explore::ExplorationToJson(a);
  out["stats"] = {{"shapes", a.shapes},
                  {"shapes_done", a.shapes_done},
                  {"topologies", a.machines},
                  {"states", a.states},
                  {"transitions", a.transitions}};
  out["verdict_line"] = VerdictLineOf(a);
  return out.dump(2) + "\n";
}

absl::StatusOr<ScopeAnswer> Merge(std::span<const ScopeAnswer> shards,
                                  std::span<const std::string> files) {
  ScopeAnswer all = shards.front();
  const auto bad = [&](size_t i, const std::string& expected) {
    return absl::InvalidArgumentError(absl::StrCat(files[i], ": expected ", expected));
  };
  std::vector<bool> seen(static_cast<size_t>(all.question.shards));
  all.shapes = all.shapes_done = all.machines = all.states = all.transitions = 0;
  all.every_depth = true;
  const auto smaller = [](const ScopeAnswer& a, const ScopeAnswer& b) {
    return std::tuple(a.found.ops.size(), a.found_in) < std::tuple(b.found.ops.size(), b.found_in);
  };
  const ScopeAnswer* first_violated = nullptr;
  const ScopeAnswer* unknown = nullptr;
  for (size_t i = 0; i < shards.size(); ++i) {
    const ScopeAnswer& s = shards[i];
    explore::Question same = s.question;
    same.shard = all.question.shard;
    if (same != all.question)
      return bad(i, absl::StrCat("a shard of the search that ", files[0], " is of"));
    const auto shard = static_cast<size_t>(s.question.shard - 1);
    if (seen[shard])
      return bad(i, absl::StrFormat("another shard than %d, which is there", s.question.shard));
    seen[shard] = true;
    all.shapes += s.shapes;
    all.shapes_done += s.shapes_done;
    const uint64_t before = all.machines;
    all.machines += s.machines;
    if (all.machines < before) all.machines = std::numeric_limits<uint64_t>::max();
    all.states += s.states;
    all.transitions += s.transitions;
    all.every_depth &= s.every_depth;
    all.depth = s.verdict == Verdict::kHolds && s.every_depth ? std::max(all.depth, s.depth)
                                                              : std::min(all.depth, s.depth);
    if (s.verdict == Verdict::kViolated &&
        (first_violated == nullptr || smaller(s, *first_violated)))
      first_violated = &s;
    if (s.verdict == Verdict::kUnknown) unknown = &s;
  }
  for (size_t n = 0; n < seen.size(); ++n)
    if (!seen[n])
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: expected shard %d of %d beside it, found none", files[0], n + 1, seen.size()));
  all.question.shard = all.question.shards = 1;
  all.verdict = Verdict::kHolds;
  if (unknown != nullptr) {
    all.verdict = Verdict::kUnknown;
    all.reason = unknown->reason;
  }
  // An unknown shard may hide a smaller case if it did not come as far.
  if (first_violated != nullptr &&
      (unknown == nullptr || unknown->depth >= first_violated->depth)) {
    all.verdict = Verdict::kViolated;
    all.found = first_violated->found;
    all.found_in = first_violated->found_in;
    all.depth = first_violated->depth;
    all.every_depth = false;
    all.reason.clear();
  }
  return all;
}

}  // namespace iommucheck::report
