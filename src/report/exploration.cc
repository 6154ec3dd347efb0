// SPDX-License-Identifier: Apache-2.0
#include "src/report/exploration.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
#include "src/explore/search_json.h"
#include "src/report/answer.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

using explore::ScopeAnswer;
using Refuse = std::function<absl::Status(size_t file, const std::string& expected)>;

// Checks that there is one answer for each shard of one search.
absl::Status CheckShards(std::span<const ScopeAnswer> shards, const std::string& first_file,
                         const Refuse& bad) {
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

// Checks that each answer is about the shapes that its shard of the scope has.
absl::Status CheckShapes(std::span<const ScopeAnswer> shards, const Refuse& bad) {
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

absl::StatusOr<Exploration> Replayed(ScopeAnswer answer) {
  Exploration e{.answer = std::move(answer)};
  if (e.answer.verdict != Verdict::kViolated) return e;
  absl::StatusOr<Run> run = ReplayFound("explorer", e.answer.question.property, e.answer.found);
  if (!run.ok()) return run.status();
  e.run = *std::move(run);
  return e;
}

absl::StatusOr<ScopeAnswer> Merge(std::span<const ScopeAnswer> shards,
                                  std::span<const std::string> files) {
  const Refuse bad = [&](size_t i, const std::string& expected) {
    return absl::InvalidArgumentError(absl::StrCat(files[i], ": expected ", expected));
  };
  if (absl::Status s = CheckShards(shards, files[0], bad); !s.ok()) return s;
  if (absl::Status s = CheckShapes(shards, bad); !s.ok()) return s;

  ScopeAnswer all;
  all.question = shards.front().question;
  all.question.shard = all.question.shards = 1;
  const ScopeAnswer* violated = nullptr;  // with the smallest case
  const ScopeAnswer* unknown = nullptr;   // with the fewest steps covered
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
    // A shard whose case is not known to be its smallest did not come to its end either.
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
    all.reason = absl::StrFormat("shard %d came to %s only, %s", unknown->question.shard,
                                 Plural(unknown->depth, "step"), unknown->reason);
  return all;
}

namespace {

std::string VerdictText(const ScopeAnswer& a) {
  const std::string machines =
      a.machines == std::numeric_limits<uint64_t>::max()
          ? "more than 10^19 topologies"
          : absl::StrCat(a.machines, a.machines == 1 ? " topology" : " topologies");
  const std::string size = absl::StrFormat("%s, %s", machines, Plural(a.states, "state"));
  const std::string depth = Plural(a.depth, "step");
  if (a.verdict == Verdict::kViolated)
    return absl::StrFormat("VIOLATED: %s; %s", SizeText(SizeOf(a.found)),
                           a.smallest ? "no smaller case exists in this scope"
                                      : "a smaller case may exist in this scope: " + a.reason);
  if (a.verdict == Verdict::kUnknown)
    return absl::StrFormat("unknown: %s; none on any topology up to %s, %d of %s beyond", a.reason,
                           depth, a.shapes_done, Plural(a.shapes, "shape"));
  if (!a.every_depth) return absl::StrFormat("none in this scope (%s)", size);
  return absl::StrFormat("none in this scope, in runs of any length (%s, none deeper than %s)",
                         size, depth);
}

// "none" and never "holds": a scope bounds the machines, even where it does not bound the runs.
std::string VerdictLineOf(const ScopeAnswer& a) {
  explore::Scope seen = a.question.scope;
  if (a.verdict == Verdict::kUnknown) seen.steps = a.depth;
  std::string scope = explore::ScopeText(seen);
  if (a.question.shards > 1)
    absl::StrAppendFormat(&scope, ",shard=%d/%d", a.question.shard, a.question.shards);
  if (a.verdict == Verdict::kViolated) scope = SizeScope(SizeOf(a.found));
  if (a.verdict == Verdict::kUnknown && a.depth == 0) scope = SizeScope({});
  return VerdictLine(a.question.property, a.question.kernel, VerdictName(a.verdict, false), scope);
}

}  // namespace

std::string ExplorationText(const Exploration& e, const std::string& next) {
  const ScopeAnswer& a = e.answer;
  const explore::Question& q = a.question;
  std::string out = QuestionText("explore", q.property, q.kernel) + ToolText();
  out += Field("scope",
               absl::StrCat(absl::StrJoin(absl::StrSplit(explore::ScopeText(q.scope), ','), ", "),
                            "; exhaustive search (docs/explore.md)"));
  if (q.shards > 1) out += Field("shard", absl::StrFormat("%d of %d", q.shard, q.shards));
  out += Field("verdict", VerdictText(a));
  out += Field("covered",
               absl::StrFormat("%d of %s, %s, %s", a.shapes_done, Plural(a.shapes, "shape"),
                               Plural(a.states, "state"), Plural(a.transitions, "transition")));
  if (a.verdict == Verdict::kViolated) out += FoundText(a.found, e.run, q.property);
  return out + LastLines(next, VerdictLineOf(a));
}

std::string ExplorationJson(const Exploration& e) {
  const ScopeAnswer& a = e.answer;
  const bool violated = a.verdict == Verdict::kViolated;
  const Size searched = {.devices = a.question.scope.devices, .steps = a.depth};
  Json out = Head("explore", VerdictName(a.verdict, false), violated ? SizeOf(a.found) : searched,
                  a.question.kernel);
  AddFound(a.question.property, violated ? &a.found : nullptr, e.run, out);
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
