// SPDX-License-Identifier: Apache-2.0
//
// The minimal removals are the minimal sets that hit every sufficient set. So the search takes a
// minimal set that hits all sufficient sets known so far, and removes its rules: either that breaks
// the property, or the remaining rules hold another sufficient set. When every such set breaks the
// property, both lists are complete. This is MARCO's enumeration with the largest seeds first, so
// that no removal has to grow.
#include "src/guards/guards.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/engine_error.h"
#include "src/case/run.h"
#include "src/prove/prove.h"
#include "src/smt/rule_query.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::guards {
namespace {

void ForEach(RuleSet rules, const std::function<void(Rule)>& visit) {
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule)) visit(info.rule);
}

// Solver resources for a search beyond the bounds: a few seconds.
constexpr uint64_t kLookBudget = 40'000'000;

// Thrown when the budget or memory is used up, or the command was stopped.
struct Spent {
  std::string reason;
};
struct Failed {
  absl::Status status;
};

class Search {
 public:
  Search(const Question& question)
      : question_(question), map_{.question = question, .universe = UniverseOf(question.kernel)} {}

  Map Run() {
    try {
      LookAtTheKernelAsItIs();
      // A driver's own test refuses every foreign device, and makes circuits large. So this rule is
      // decided first, and left out of all circuits after that.
      RuleSet open = map_.universe;
      if (Sufficient set{.rules = RuleSet().add(Rule::kDriverSameInstance)};
          open.has_all(set.rules) && Proved(set)) {
        AddSufficient(set);
        open = open - set.rules;
      }
      Prepare(open);
      for (;;) {
        const auto untried = std::ranges::find_if(
            hitting_, [&](RuleSet set) { return !KnownToBreak(map_.universe - set); });
        if (untried == hitting_.end()) break;
        tool::Progress(
            absl::StrFormat("%d sets that suffice, %d kernels that do not hold; trying what "
                            "else could be a removal",
                            map_.sufficient.size(), broken_.size()));
        Decide(map_.universe - *untried);
      }
      std::ranges::sort(hitting_, {},
                        [](RuleSet set) { return std::pair(set.size(), set.words()); });
      for (const RuleSet& dropped : hitting_)
        map_.removals.push_back({.rules = dropped, .found = Smallest(dropped)});
      DropEachAlone();
      map_.complete = true;
    } catch (const Spent& spent) {
      map_.why_cut = spent.reason;
    } catch (const std::exception& e) {
      if (!tool::Stopped() && !IsOutOfMemory(e)) throw;
      map_.why_cut = tool::Stopped() ? tool::StopReason() : kOutOfMemory;
    }
    map_.resources = Used();
    if (query_) map_.checks += query_->checks();
    return std::move(map_);
  }

 private:
  // This comes first, since the rest takes longer: even a map that is cut short has this answer.
  void LookAtTheKernelAsItIs() {
    const int asked = question_.bounds.steps;
    const int steps = asked != 0 ? asked : smt::Bounds{}.steps;
    std::optional<Case> found = Ask(question_.kernel, steps);
    map_.as_is_steps = steps;
    map_.kernel.verdict = found ? Verdict::kViolated : Verdict::kHolds;
    if (found)
      map_.kernel.found = *std::move(found);
    else
      as_is_looked_ = steps;
  }

  // If the question does not give a number of steps, the shortest violation decides it.
  void Prepare(RuleSet open) {
    if (map_.question.bounds.steps == 0) {
      const std::optional<Case> shortest = Ask(With(open), smt::kMaxBoundSteps, open);
      if (!shortest) throw Failed{absl::InternalError("a kernel without rules violates nothing")};
      map_.question.bounds.steps =
          static_cast<int>(shortest->ops.size()) + (question_.bounded ? 0 : 1);
    }
    smt::Bounds bounds = map_.question.bounds;
    bounds.budget = Left();
    query_ = std::make_unique<smt::RuleQuery>(question_.property, With(open), open, bounds);
    open_ = open;
  }

  // Every removal must hit the new set, too; drops removals that are no longer minimal.
  void AddSufficient(const Sufficient& set) {
    map_.sufficient.push_back(set);
    std::vector<RuleSet> hit;
    std::vector<RuleSet> extended;
    for (const RuleSet& old : hitting_) {
      if (old.has_any(set.rules)) {
        hit.push_back(old);
      } else {
        ForEach(set.rules, [&](Rule rule) { extended.push_back(RuleSet(old).add(rule)); });
      }
    }
    for (const RuleSet& candidate : extended)
      if (std::ranges::none_of(hit, [&](RuleSet other) { return candidate.has_all(other); }))
        hit.push_back(candidate);
    hitting_ = std::move(hit);
  }

  // Shows that these rules break the property, or finds a sufficient set among them.
  void Decide(RuleSet kept) {
    while (!Breaks(kept)) {
      Sufficient set{.rules = Shrink(kept)};
      if (Suffices(set)) return AddSufficient(set);
    }
  }

  // Whether a kernel with at least these rules violates the property, within the steps that
  // sufficed for others.
  bool Breaks(RuleSet kept) {
    return KnownToBreak(kept) || Violates(query_->ViolatedAsBefore(kept));
  }

  // Learns from the case, if there is one.
  bool Violates(Verdict verdict) {
    if (verdict == Verdict::kUnknown) throw Spent{query_->reason()};
    if (verdict == Verdict::kViolated) Learn(query_->Found());
    return verdict == Verdict::kViolated;
  }

  // Leaves out rules as long as this does not break the property. Precondition: Breaks() was false.
  RuleSet Shrink(RuleSet kept) {
    const auto narrow = [&](RuleSet to) {
      kept = KnownToBreak(query_->Core()) ? to : query_->Core();
    };
    narrow(kept);
    ForEach(kept, [&](Rule rule) {
      const RuleSet fewer = RuleSet(kept).drop(rule);
      if (kept.has(rule) && !Breaks(fewer)) narrow(fewer);
    });
    return kept;
  }

  // Whether the set suffices, by a proof or within the bounds.
  bool Suffices(Sufficient& set) {
    if (!question_.bounded) {
      if (Proved(set)) return true;
      if (BreaksLater(set.rules)) return false;
    }
    if (Violates(query_->Violated(set.rules))) return false;
    if (!question_.bounded) Complete(set);
    return true;
  }

  // Finds rules with which the set can be proved: starts with the proof for all rules, and leaves
  // out those that it does not use.
  void Complete(Sufficient& set) {
    const KernelProfile all = ProfileOf(With(open_));
    const absl::StatusOr<prove::Proof> whole =
        Counted(prove::Prove(question_.property, all, Left()));
    if (!whole->proved) return;
    RuleSet kept = open_;
    ForEach(open_ - set.rules, [&](Rule rule) {
      const RuleSet fewer = RuleSet(kept).drop(rule);
      if (Counted(prove::CheckInvariant(question_.property, {all, open_ - fewer}, whole->invariant,
                                        Left()))
              ->proved)
        kept = fewer;
    });
    set.proved_with = kept - set.rules;
  }

  // Whether a longer run violates the property on the kernel with exactly these rules. As all rules
  // are fixed, the search reaches far; if it finds nothing, nothing is claimed.
  bool BreaksLater(RuleSet kept) {
    const smt::Bounds bounds{.devices = std::min(question_.bounds.devices, 2),
                             .steps = std::min(map_.question.bounds.steps + 2, smt::kMaxBoundSteps),
                             .budget = kLookBudget};
    const auto result = Counted(smt::Query(question_.property, With(kept), bounds));
    if (result->verdict == Verdict::kViolated) Learn(result->found);
    return result->verdict == Verdict::kViolated;
  }

  // The answer for the kernel with exactly these rules. If a proved sufficient set is among them,
  // the property holds. If no sufficient set is, we know only that some kernel with these and other
  // rules violates the property, so ask about this one.
  Standing StandingOf(RuleSet kept, int steps) {
    Standing standing{.verdict = Verdict::kHolds};
    for (size_t n = 0; n < map_.sufficient.size() && !standing.proved; ++n) {
      const Sufficient& set = map_.sufficient[n];
      if (!kept.has_all(set.rules)) continue;
      standing.proved =
          set.every_size || (!set.proved_with.empty() && kept.has_all(set.proved_with));
      if (!standing.by || standing.proved) standing.by = n;
    }
    if (standing.proved || (standing.by && steps <= map_.question.bounds.steps)) return standing;
    // A set that was not checked for so many steps is no reason.
    if (steps > map_.question.bounds.steps) standing.by.reset();
    for (const Removal& removal : map_.removals) {
      Case c = removal.found;
      c.kernel = With(kept);
      const int last = static_cast<int>(c.ops.size());
      if (Play(c).of(question_.property).at == last) steps = std::max(steps, last);
    }
    const KernelSpec kernel = With(kept);
    std::optional<Case> found =
        Ask(kernel, steps, {}, kernel == question_.kernel ? as_is_looked_ : 0);
    if (!found) return standing;
    return {.verdict = Verdict::kViolated, .found = *std::move(found)};
  }

  // Drops each rule alone: from the kernel in question, and from the kernel with all assumptions
  // but those that suffice alone.
  void DropEachAlone() {
    map_.in_table = open_;
    const RuleSet as_is = map_.universe & ProfileOf(question_.kernel).rules;
    const int steps = map_.question.bounds.steps;
    map_.as_is_steps = question_.bounds.steps != 0 ? steps : std::max(steps, smt::Bounds{}.steps);
    if (map_.kernel.verdict != Verdict::kViolated) {
      as_is_looked_ = std::min(as_is_looked_, map_.as_is_steps);
      map_.kernel = StandingOf(as_is, map_.as_is_steps);
    }
    // The kernel with all its rules may be provable even if no small set of them is.
    if (!question_.bounded && map_.kernel.verdict == Verdict::kHolds && !map_.kernel.proved)
      map_.kernel.proved =
          Counted(prove::Prove(question_.property, ProfileOf(question_.kernel), Left()))->proved;
    ForEach(open_, [&](Rule rule) {
      Alone alone{.rule = rule};
      if (as_is.has(rule)) alone.as_is = StandingOf(RuleSet(as_is).drop(rule), map_.as_is_steps);
      alone.with_all = StandingOf(RuleSet(open_).drop(rule), steps);
      map_.alone.push_back(std::move(alone));
    });
  }

  bool Proved(Sufficient& set) {
    const prove::KernelFamily family(ProfileOf(With(map_.universe)), map_.universe - set.rules);
    const auto proof = Counted(prove::Prove(question_.property, family, Left()));
    set.every_size = proof->proved;
    set.why_not = proof->reason;
    return set.every_size;
  }

  // Stores the largest kernel that the case shows to violate the property: the one with every rule
  // that does not stop this run.
  void Learn(Case c) {
    const auto violates = [&] {
      return Play(c).of(question_.property).at == static_cast<int>(c.ops.size());
    };
    const std::string found = PrintCase(c);
    if (!violates())
      throw Failed{absl::InternalError(absl::StrCat(
          "solver and model disagree on ", std::string(PropertyName(question_.property)),
          "\nthe solver says that the last op of this case violates it:\n\n", found))};
    RuleSet rules = map_.universe - (map_.universe - ProfileOf(c.kernel).rules);
    ForEach(map_.universe - rules, [&](Rule rule) {
      c.kernel = With(RuleSet(rules).add(rule));
      if (violates()) rules.add(rule);
    });
    for (const Sufficient& set : map_.sufficient)
      if (rules.has_all(set.rules))
        throw Failed{absl::InternalError(
            absl::StrCat("rules that were found to suffice do not:\n\n", found))};
    broken_.push_back(rules);
  }

  Case Smallest(RuleSet dropped) {
    std::optional<Case> found = Ask(With(map_.universe - dropped), smt::kMaxBoundSteps);
    if (!found) throw Failed{absl::InternalError("a removal that breaks the property does not")};
    return *std::move(found);
  }

  // The smallest case up to so many steps on the kernel, of which rules in `open` may be dropped.
  // It is known that it has none up to `proved_steps`.
  std::optional<Case> Ask(const KernelSpec& kernel, int steps, RuleSet open = {},
                          int proved_steps = 0) {
    smt::Bounds bounds = question_.bounds;
    bounds.steps = steps;
    bounds.budget = Left();
    bounds.proved_steps = proved_steps;
    const auto result = Counted(smt::Query(question_.property, kernel, bounds, false, open));
    if (result->verdict == Verdict::kUnknown) throw Spent{result->reason};
    if (result->verdict != Verdict::kViolated) return std::nullopt;
    return Asserted(result->found, Play(result->found), {question_.property});
  }

  [[nodiscard]] KernelSpec With(RuleSet rules) const {
    return KernelWith(question_.kernel, map_.universe, rules);
  }
  [[nodiscard]] bool KnownToBreak(RuleSet kept) const {
    return std::ranges::any_of(broken_, [&](RuleSet set) { return set.has_all(kept); });
  }
  [[nodiscard]] uint64_t Used() const {
    return map_.resources + (query_ ? query_->resources() : 0);
  }
  [[nodiscard]] uint64_t Left() const { return smt::BudgetLeft(question_.bounds.budget, Used()); }

  template <typename Result>
  absl::StatusOr<Result> Counted(absl::StatusOr<Result> result) {
    // An interrupted search proves nothing about the rules.
    if (tool::Stopped()) throw Spent{tool::StopReason()};
    if (absl::IsResourceExhausted(result.status())) throw Spent{kOutOfMemory};
    if (!result.ok()) throw Failed{result.status()};
    map_.resources += result->resources;
    map_.checks += result->checks;
    return result;
  }

  const Question& question_;
  Map map_;
  int as_is_looked_ = 0;                        // the kernel in question holds for so many steps
  RuleSet open_;                                // `universe` without rules that suffice alone
  std::vector<RuleSet> hitting_ = {RuleSet()};  // the minimal sets that hit all in map_.sufficient
  std::vector<RuleSet> broken_;                 // kernels that violate the property
  std::unique_ptr<smt::RuleQuery> query_;
};

}  // namespace

RuleSet UniverseOf(const KernelSpec& kernel) {
  RuleSet universe = ProfileOf(kernel).rules;
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption && !kernel.dropped.has(info.rule))
      universe.add(info.rule);
  return universe & EncodedRules();
}

KernelSpec KernelWith(const KernelSpec& kernel, RuleSet universe, RuleSet rules) {
  const RuleSet has = ProfileOf(kernel.version).rules;
  KernelSpec spec = kernel;
  ForEach(universe, [&](Rule rule) {
    RuleSet& changed = has.has(rule) ? spec.dropped : spec.added;
    if (rules.has(rule) != has.has(rule))
      changed.add(rule);
    else
      changed.drop(rule);
  });
  return spec;
}

absl::StatusOr<Map> FindGuards(const Question& question) {
  try {
    return Search(question).Run();
  } catch (const Failed& failed) {
    return failed.status;
  } catch (const std::exception& e) {
    return EngineError(e);
  }
}

}  // namespace iommucheck::guards
