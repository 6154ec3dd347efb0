// SPDX-License-Identifier: Apache-2.0
#include "src/report/exploration.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
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
  found = Asserted(std::move(found), e.run, {e.answer.question.property});
  return e;
}

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

namespace {

using Refusal = std::function<absl::Status(size_t file, const std::string& expected)>;

// That these are answers to each shard of one search, each once.
absl::Status CheckShards(std::span<const ScopeAnswer> shards, const std::string& first_file,
                         const Refusal& bad) {
  const explore::Question& question = shards.front().question;
  std::vector<bool> seen(static_cast<size_t>(question.shards));
  for (size_t i = 0; i < shards.size(); ++i) {
    explore::Question same = shards[i].question;
    same.shard = question.shard;
    if (same != question)
      return bad(i, absl::StrCat("a shard of the search that ", first_file, " is of"));
    const auto shard = static_cast<size_t>(shards[i].question.shard - 1);
    if (seen[shard])
      return bad(i, absl::StrFormat("another shard than %d, which is there", shard + 1));
    seen[shard] = true;
  }
  for (size_t n = 0; n < seen.size(); ++n)
    if (!seen[n])
      return bad(0, absl::StrFormat("shard %d of %d beside it, found none", n + 1, seen.size()));
  return absl::OkStatus();
}

uint64_t SumUpToMost(uint64_t a, uint64_t b) {
  return a + b < a ? std::numeric_limits<uint64_t>::max() : a + b;
}

// That each speaks of the shapes that its shard of the scope has.
absl::Status CheckShapes(std::span<const ScopeAnswer> shards, const Refusal& bad) {
  const explore::Question& question = shards.front().question;
  const explore::ScopeShapes shapes(ProfileOf(question.kernel), question.scope);
  const auto step = static_cast<size_t>(question.shards);
  for (size_t i = 0; i < shards.size(); ++i) {
    const ScopeAnswer& s = shards[i];
    const auto first = static_cast<size_t>(s.question.shard - 1);
    uint64_t count = 0;
    uint64_t machines = 0;
    for (size_t shape = first; shape < shapes.size(); shape += step) {
      ++count;
      machines = SumUpToMost(machines, shapes.MachinesAt(shape));
    }
    if (s.shapes != count || s.machines != machines)
      return bad(i, absl::StrFormat("%d shapes and %d topologies, as many as the shard has", count,
                                    machines));
    if (s.verdict != Verdict::kViolated) continue;
    if (s.found_in >= shapes.size() || s.found_in % step != first ||
        shapes.At(s.found_in).topology.devices_count != s.found.topology.devices_count)
      return bad(i, "a case on a shape of the shard");
  }
  return absl::OkStatus();
}

// Steps up to which no run violates the property, in no shape of the shard.
int Covered(const ScopeAnswer& s) { return s.every_depth ? explore::kUnbounded : s.depth; }

}  // namespace

absl::StatusOr<ScopeAnswer> Merge(std::span<const ScopeAnswer> shards,
                                  std::span<const std::string> files) {
  const Refusal bad = [&](size_t i, const std::string& expected) {
    return absl::InvalidArgumentError(absl::StrCat(files[i], ": expected ", expected));
  };
  if (absl::Status s = CheckShards(shards, files[0], bad); !s.ok()) return s;
  if (absl::Status s = CheckShapes(shards, bad); !s.ok()) return s;

  ScopeAnswer all;
  all.question = shards.front().question;
  all.question.shard = all.question.shards = 1;
  const ScopeAnswer* violated = nullptr;  // with the smallest case
  const ScopeAnswer* unknown = nullptr;   // that came least far
  int deepest = 0;
  int covered = explore::kUnbounded;
  const auto case_of = [](const ScopeAnswer* s) {
    return std::tuple(s->found.ops.size(), s->found_in);
  };
  const auto progress_of = [](const ScopeAnswer* s) {
    return std::tuple(s->depth, s->question.shard);
  };
  for (const ScopeAnswer& s : shards) {
    all.shapes += s.shapes;
    all.shapes_done += s.shapes_done;
    all.machines = SumUpToMost(all.machines, s.machines);
    all.states = SumUpToMost(all.states, s.states);
    all.transitions = SumUpToMost(all.transitions, s.transitions);
    deepest = std::max(deepest, s.depth);
    covered = std::min(covered, Covered(s));
    if (s.verdict == Verdict::kViolated && (violated == nullptr || case_of(&s) < case_of(violated)))
      violated = &s;
    // One whose case is not known to be its smallest did not come to its end either.
    if ((s.verdict == Verdict::kUnknown || !s.smallest) &&
        (unknown == nullptr || progress_of(&s) < progress_of(unknown)))
      unknown = &s;
  }
  all.every_depth = covered == explore::kUnbounded;
  all.depth = all.every_depth ? deepest : covered;
  if (violated == nullptr) {
    all.verdict = unknown == nullptr ? Verdict::kHolds : Verdict::kUnknown;
    if (unknown != nullptr) all.reason = unknown->reason;
    return all;
  }
  const auto steps = static_cast<int>(violated->found.ops.size());
  all.verdict = Verdict::kViolated;
  all.found = violated->found;
  all.found_in = violated->found_in;
  all.smallest = unknown == nullptr || unknown->depth >= steps;
  if (all.smallest)
    all.depth = steps - 1;
  else
    all.reason =
        absl::StrFormat("shard %d came to %s only, %s", unknown->question.shard,
                        Plural(static_cast<uint64_t>(unknown->depth), "step"), unknown->reason);
  return all;
}

}  // namespace iommucheck::report
