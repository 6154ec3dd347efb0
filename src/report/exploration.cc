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
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

using explore::ScopeAnswer;

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

namespace {

using Refusal = std::function<absl::Status(size_t file, const std::string& expected)>;

// Checks that there is one answer for each shard of one search.
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

// Checks that each answer is about the shapes that its shard of the scope has.
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
    all.reason =
        absl::StrFormat("shard %d came to %s only, %s", unknown->question.shard,
                        Plural(static_cast<uint64_t>(unknown->depth), "step"), unknown->reason);
  return all;
}

}  // namespace iommucheck::report
