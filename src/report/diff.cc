// SPDX-License-Identifier: Apache-2.0
#include "src/report/diff.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/report/blame.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// Plays the case found on both kernels.
absl::Status Replay(const DiffQuestion& q, Direction& d) {
  Case& found = d.result.found;
  const Case other = RefusedCase(q, d);
  d.allowed = Play(found);
  d.refused = Play(other);
  if (d.allowed.of(q.property).at != static_cast<int>(found.ops.size()) ||
      d.refused.steps.empty() || d.refused.of(q.property).at != 0)
    return absl::InternalError(absl::StrCat(
        "solver and model disagree on ", std::string(PropertyName(q.property)),
        "\nthe solver says that the last op of this case violates it, and no op on ",
        KernelName(other.kernel), ":\n\n", PrintCase(found), "\nthe model plays it so:\n\n",
        ReplayText(found, d.allowed, {.all_events = true}), "\nand so:\n\n",
        ReplayText(other, d.refused, {.all_events = true})));
  found = Asserted(std::move(found), d.allowed, {q.property});
  return absl::OkStatus();
}

}  // namespace

Verdict Diff::verdict() const {
  const auto any = [this](Verdict v) {
    return std::ranges::any_of(directions, [v](const Direction& d) { return d.verdict == v; });
  };
  if (any(Verdict::kViolated)) return Verdict::kViolated;
  return any(Verdict::kUnknown) ? Verdict::kUnknown : Verdict::kHolds;
}

bool Diff::every_size() const { return std::ranges::all_of(directions, &Direction::every_size); }

namespace {

// `known`: answers that need not be looked for again.
absl::StatusOr<Diff> AskBetween(const DiffQuestion& question, std::span<const Answer> known) {
  Diff diff{.question = question};
  diff.directions[1].allows = 1;
  const std::array profiles = {ProfileOf(question.kernels[0]), ProfileOf(question.kernels[1])};
  diff.same_rules = profiles[0].era == profiles[1].era && profiles[0].rules == profiles[1].rules;
  if (diff.same_rules) {
    for (Direction& d : diff.directions) {
      d.verdict = Verdict::kHolds;
      d.every_size = true;
    }
    return diff;
  }
  for (int i = 0; i < 2; ++i) {
    Question q{.property = question.property,
               .kernel = question.kernels[i],
               .bounds = question.bounds,
               .bounded = question.bounded};
    const auto same = std::ranges::find_if(
        known, [&q](const Answer& a) { return a.question.kernel == q.kernel; });
    if (same != known.end()) {
      diff.alone[i] = *same;
      continue;
    }
    q.bounds.budget = smt::BudgetLeft(question.bounds.budget, diff.resources);
    absl::StatusOr<Answer> answer = Ask(q);
    if (!answer.ok()) return answer.status();
    diff.resources += ResourcesOf(*answer);
    diff.checks += ChecksOf(*answer);
    diff.alone[i] = *std::move(answer);
  }
  for (int i = 0; i < 2; ++i) {
    const std::optional<Answer>& asked = diff.alone[i];
    assert(asked);
    const Answer& alone = *asked;
    absl::StatusOr<Direction> direction =
        AskDirection(question, i, alone, smt::BudgetLeft(question.bounds.budget, diff.resources));
    if (!direction.ok()) return direction.status();
    diff.directions[i] = *std::move(direction);
    if (alone.result.verdict != Verdict::kViolated) continue;
    diff.resources += diff.directions[i].result.resources;
    diff.checks += diff.directions[i].result.checks;
  }
  return diff;
}

}  // namespace

absl::StatusOr<Diff> AskDiff(const DiffQuestion& question) {
  absl::StatusOr<Diff> diff = AskBetween(question, {});
  if (!diff.ok() || diff->same_rules) return diff;
  DiffQuestion unpatched = question;
  std::vector<Answer> known;
  for (int i = 0; i < 2; ++i) {
    unpatched.kernels[i] = WithoutPatch(question.kernels[i]).value_or(question.kernels[i]);
    if (const std::optional<Answer>& alone = diff->alone[i]) known.push_back(*alone);
  }
  if (unpatched.kernels == question.kernels) return diff;
  unpatched.bounds.budget = smt::BudgetLeft(question.bounds.budget, diff->resources);
  absl::StatusOr<Diff> before = AskBetween(unpatched, known);
  if (!before.ok()) return before.status();
  diff->resources += before->resources;
  diff->checks += before->checks;
  diff->before = std::make_shared<const Diff>(*std::move(before));
  return diff;
}

absl::StatusOr<Direction> AskDirection(const DiffQuestion& q, int allows, const Answer& alone,
                                       uint64_t budget) {
  Direction d{.allows = allows,
              .verdict = alone.result.verdict,
              .every_size = HoldsForEverySize(alone),
              .result = alone.result};
  if (d.verdict != Verdict::kViolated) return d;

  smt::Bounds bounds = q.bounds;
  bounds.proved_steps = static_cast<int>(alone.result.found.ops.size()) - 1;
  bounds.budget = budget;
  absl::StatusOr<smt::QueryResult> result =
      smt::Query(q.property, q.kernels[allows], bounds, false, {}, q.kernels[1 - allows]);
  if (!result.ok()) return result.status();
  d.result = *std::move(result);
  d.verdict = d.result.verdict;
  if (d.verdict != Verdict::kViolated) return d;
  const absl::Status replayed = Replay(q, d);
  return replayed.ok() ? absl::StatusOr<Direction>(d) : replayed;
}

Case RefusedCase(const DiffQuestion& question, const Direction& direction) {
  Case c = direction.result.found;
  c.kernel = question.kernels[1 - direction.allows];
  return c;
}

namespace {

constexpr std::array kLetters = {"A", "B"};

Size BoundsOf(const DiffQuestion& q) {
  return {.devices = q.bounds.devices, .steps = q.bounds.steps};
}

const char* Refusing(const Direction& d) { return kLetters[1 - d.allows]; }

std::string DirectionLine(const Direction& d) {
  const std::string size = SizeText(SizeOf(d.result));
  if (d.verdict == Verdict::kViolated) return size + "; no smaller case exists";
  if (d.verdict == Verdict::kHolds) return d.every_size ? "none of any size" : "none up to " + size;
  return absl::StrCat("unknown: ", d.result.reason, "; none up to ", size);
}

std::string DiffLine(const Diff& diff) {
  if (diff.same_rules) return "the same for every size: the two have the same rules";
  if (diff.verdict() == Verdict::kViolated) return "DIFFERENT";
  if (diff.verdict() == Verdict::kUnknown) return "unknown";
  if (diff.every_size()) return "the same for every size: neither violates it";
  return "the same up to " + SizeText(BoundsOf(diff.question));
}

std::string AloneLine(const Answer& a) {
  return a.result.verdict == Verdict::kViolated ? "violated on " + SizeText(SizeOf(a.result))
                                                : VerdictText(a);
}

// Refusals in a step that are not in the same step on the other kernel.
std::vector<std::string> Refusals(const Case& c, const PlayedStep& step, const PlayedStep& other) {
  std::vector<std::string> texts;
  for (const Event& e : step.events) {
    if (e.kind != Event::Kind::kRefused) continue;
    const bool both = std::ranges::any_of(other.events, [&](const Event& o) {
      return o.kind == Event::Kind::kRefused && o.rule == e.rule && o.error == e.error;
    });
    if (!both) texts.push_back(EventText(c, e));
  }
  return texts;
}

std::string ResultText(const StepResult& r) {
  if (r.outcome == Outcome::kDone) return ErrnoName(r.error);
  if (r.outcome == Outcome::kNotPossible) return absl::StrCat("not possible (", r.why, ")");
  return absl::StrCat("outside ", std::string(InfoOf(r.assumption).id));
}

std::string DirectionText(const Diff& diff, const Direction& d) {
  const Case& c = d.result.found;
  const Case other = RefusedCase(diff.question, d);
  std::string out = absl::StrFormat("\n%s allows, %s refuses\n", kLetters[d.allows], Refusing(d));
  out += TopologyText(c);
  out += absl::StrFormat("on %s\n", kLetters[d.allows]) + TraceText(c, d.allowed);
  out += absl::StrFormat("on %s\n", Refusing(d)) + TraceText(other, d.refused);
  return out + Field("parting", PartingLine(diff, d));
}

// "Difference P A B violated devices=2,steps=5": a case violates P on A and not on B.
std::string DifferenceLine(const DiffQuestion& q, const Direction& d) {
  return absl::StrFormat("Difference %s %s %s %s %s", PropertyName(q.property),
                         KernelWord(q.kernels[d.allows]), KernelWord(q.kernels[1 - d.allows]),
                         VerdictName(d.verdict, d.every_size),
                         d.every_size ? std::string(kEverySize) : SizeScope(SizeOf(d.result)));
}

Json DirectionJson(const Diff& diff, const Direction& d) {
  const bool found = d.verdict == Verdict::kViolated;
  Json out = {{"allows", KernelJson(diff.question.kernels[d.allows])},
              {"refuses", KernelJson(diff.question.kernels[1 - d.allows])},
              {"verdict", VerdictName(d.verdict, d.every_size)},
              {"scope", ScopeJson(SizeOf(d.result), d.every_size)},
              {"difference_line", DifferenceLine(diff.question, d)}};
  if (d.verdict == Verdict::kUnknown) out["reason"] = d.result.reason;
  if (!found) return out;
  out["case"] = CaseJson(d.result.found);
  out["steps"] = StepsJson(d.result.found, d.allowed);
  out["refused_steps"] = StepsJson(RefusedCase(diff.question, d), d.refused);
  out["parting"] = PartingLine(diff, d);
  return out;
}

const char* BecauseOfChanges(const Diff& diff, const Direction& d) {
  return BecauseOf(d.verdict, diff.before->directions[static_cast<size_t>(d.allows)].verdict);
}

// The two kernels without what is dropped and added, and whose a difference is.
std::string BeforeLines(const Diff& diff) {
  if (!diff.before) return "";
  const Diff& before = *diff.before;
  const auto& kernels = before.question.kernels;
  std::vector<std::string> lines = {absl::StrFormat("%s and %s: %s", KernelName(kernels[0]),
                                                    KernelName(kernels[1]), DiffLine(before))};
  if (!before.same_rules) {
    for (int i = 0; i < 2; ++i)
      if (const std::optional<Answer>& alone = before.alone[i])
        lines.push_back(absl::StrFormat("%s alone: %s", kLetters[i], AloneLine(*alone)));
    for (const Direction& d : before.directions)
      lines.push_back(absl::StrFormat("only %s: %s", kLetters[d.allows], DirectionLine(d)));
  }
  std::string out = Fields("before", lines);
  lines.clear();
  for (const Direction& d : diff.directions) {
    const Verdict was = before.directions[static_cast<size_t>(d.allows)].verdict;
    const std::string only = absl::StrCat("of the changes, only ", kLetters[d.allows], ": ");
    const std::string_view because = BecauseOfChanges(diff, d);
    if (d.verdict != Verdict::kViolated && was == Verdict::kViolated)
      lines.push_back(only + "the difference is gone, as far as the verdict goes");
    else if (because == "yes")
      lines.push_back(only + "yes, without them there is no such case" +
                      (before.same_rules || before.directions[d.allows].every_size
                           ? ""
                           : ", up to the same bounds"));
    else if (d.verdict == Verdict::kViolated)
      lines.push_back(only +
                      (because == "no" ? "no, without them there is such a case, too" : "unknown"));
  }
  return lines.empty() ? out : out + Fields("because", lines);
}

// The assumptions that each kernel is not given, though its version promises the property with them.
std::string PromisedLines(const Diff& diff) {
  std::string out;
  for (int i = 0; i < 2; ++i)
    if (const std::optional<Answer>& alone = diff.alone[i])
      out +=
          PromisedText(diff.question.kernels[i].version, AssumptionsNotMade(*alone), kLetters[i]);
  return out;
}

Json BeforeJson(const Diff& diff) {
  const Diff& before = *diff.before;
  Json out = {{"kernels", Json::array()},
              {"same_rules", before.same_rules},
              {"verdict", VerdictName(before.verdict(), before.every_size())},
              {"directions", Json::array()}};
  for (const KernelSpec& kernel : before.question.kernels)
    out["kernels"].push_back(KernelJson(kernel));
  for (const Direction& d : before.directions)
    out["directions"].push_back(
        {{"verdict", VerdictName(d.verdict, d.every_size)},
         {"scope", ScopeJson(SizeOf(d.result), d.every_size)},
         {"because", BecauseOfChanges(diff, diff.directions[static_cast<size_t>(d.allows)])}});
  return out;
}

// The lines made to be grepped: about the two kernels together, then about each alone.
std::string LastLines(const Diff& diff) {
  std::string out;
  for (const Direction& d : diff.directions)
    absl::StrAppend(&out, DifferenceLine(diff.question, d), "\n");
  for (const std::optional<Answer>& alone : diff.alone)
    if (alone) absl::StrAppend(&out, VerdictLineOf(*alone), "\n");
  return out;
}

}  // namespace

std::string PartingLine(const Diff& diff, const Direction& d) {
  const Case other = RefusedCase(diff.question, d);
  for (size_t i = 0; i < d.refused.steps.size(); ++i) {
    const PlayedStep& refused = d.refused.steps[i];
    const PlayedStep& allowed = d.allowed.steps[i];
    const std::vector<std::string> refusals = Refusals(other, refused, allowed);
    const bool same = refused.result.outcome == allowed.result.outcome &&
                      refused.result.error == allowed.result.error;
    if (same && refusals.empty()) continue;
    std::string line =
        absl::StrFormat("op %d, %s: %s on %s", i + 1, PrintOp(other.ops[i].op, other.names),
                        ResultText(refused.result), Refusing(d));
    if (!same) absl::StrAppend(&line, ", ", ResultText(allowed.result), " on ", kLetters[d.allows]);
    for (const std::string& refusal : refusals) absl::StrAppend(&line, "; ", refusal);
    return line;
  }
  return absl::StrCat("no op has another result or is refused; ", Refusing(d),
                      " does not come to this attach_dev");
}

std::string DiffText(const Diff& diff) {
  const DiffQuestion& q = diff.question;
  std::string out = Field("diff", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  for (int i = 0; i < 2; ++i) out += Field(kLetters[i], KernelName(q.kernels[i]));
  const std::string bounds = diff.every_size() ? "machines of every size, runs of any length"
                                               : "up to 2 drivers, " + SizeText(BoundsOf(q));
  out += ToolText() + Field("scope", bounds + " (docs/solver.md)");
  out += Field("verdict", DiffLine(diff));
  if (diff.same_rules) return out + LastLines(diff);
  for (int i = 0; i < 2; ++i) {
    const std::optional<Answer>& alone = diff.alone[i];
    assert(alone);
    out += Field(absl::StrCat(kLetters[i], " alone"), AloneLine(*alone));
  }
  for (const Direction& d : diff.directions)
    out += Field(absl::StrCat("only ", kLetters[d.allows]), DirectionLine(d));
  out += PromisedLines(diff) + BeforeLines(diff);
  for (const Direction& d : diff.directions)
    if (d.verdict == Verdict::kViolated) out += DirectionText(diff, d);
  return out + LastLines(diff);
}

std::string DiffJson(const Diff& diff) {
  const DiffQuestion& q = diff.question;
  Json out =
      Head("diff", VerdictName(diff.verdict(), diff.every_size()), BoundsOf(q), q.kernels[0]);
  out["scope"] = ScopeJson(BoundsOf(q), diff.every_size());
  out["property"] = PropertyName(q.property);
  out["other_kernel"] = KernelJson(q.kernels[1]);
  out["replayed"] = diff.verdict() == Verdict::kViolated;
  out["directions"] = Json::array();
  for (const Direction& d : diff.directions) {
    out["directions"].push_back(DirectionJson(diff, d));
    if (d.verdict == Verdict::kViolated && !out.contains("case"))
      out["case"] = out["directions"].back()["case"];
  }
  out["alone"] = Json::array();
  for (const std::optional<Answer>& alone : diff.alone)
    if (alone) {
      Json of = {{"kernel", KernelJson(alone->question.kernel)},
                 {"verdict", VerdictName(alone->result.verdict, HoldsForEverySize(*alone))},
                 {"verdict_line", VerdictLineOf(*alone)}};
      if (const RuleSet missing = AssumptionsNotMade(*alone); !missing.empty())
        of["assumptions_not_made"] = RuleIds(missing);
      out["alone"].push_back(std::move(of));
    }
  if (diff.before) out["before"] = BeforeJson(diff);
  out["stats"] = {{"resources", diff.resources}, {"checks", diff.checks}};
  return JsonText(out);
}

}  // namespace iommucheck::report
