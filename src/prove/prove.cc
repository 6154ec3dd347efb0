// SPDX-License-Identifier: Apache-2.0
//
// Houdini: from all candidates, lemmas that some action breaks are dropped until no action breaks
// any. The rest is inductive; lemmas that the property does not rest on are left out.
#include "src/prove/prove.h"

#include <z3++.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/engine_error.h"
#include "src/prove/system.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::prove {
namespace {

// Formulas in Z3. Free variables become constants.
class ToZ3 {
 public:
  ToZ3() : sorts_(context_) {
    for (int s = 0; s < kSortCount; ++s)
      sorts_.push_back(context_.uninterpreted_sort(SortName(static_cast<Sort>(s))));
    const auto sort = [&](Sort s) { return sorts_[static_cast<int>(s)]; };
    for (int n = 0; n < kFunctionCount; ++n) {
      const FunctionInfo& info = InfoOf(static_cast<Function>(n));
      z3::sort_vector arguments(context_);
      if (info.argument) arguments.push_back(sort(*info.argument));
      functions_.push_back(context_.function(info.name, arguments, sort(info.result)));
    }
    for (int n = 0; n < kRelationCount; ++n) {
      const RelationInfo& info = InfoOf(static_cast<Relation>(n));
      z3::sort_vector arguments(context_);
      for (const Sort s : info.arguments) arguments.push_back(sort(s));
      relations_.push_back(context_.function(info.name, arguments, context_.bool_sort()));
    }
  }

  z3::context& context() { return context_; }

  z3::expr operator()(const Formula& f) {
    z3::expr_vector terms(context_);
    for (const Term& term : f->terms) terms.push_back(Translate(term));
    switch (f->kind) {
      case Formula::Kind::kTrue:
        return context_.bool_val(true);
      case Formula::Kind::kAtom:
        return relations_[static_cast<size_t>(f->relation)](terms);
      case Formula::Kind::kEqual:
        return terms[0] == terms[1];
      case Formula::Kind::kNot:
        return !(*this)(f->parts[0]);
      case Formula::Kind::kAnd:
        return (*this)(f->parts[0]) && (*this)(f->parts[1]);
      case Formula::Kind::kForAll: {
        z3::expr_vector variables(context_);
        for (const Variable& v : f->variables) variables.push_back(Translate(v));
        return z3::forall(variables, (*this)(f->parts[0]));
      }
    }
    return context_.bool_val(false);
  }

 private:
  z3::expr Translate(const Variable& v) {
    return context_.constant(absl::StrFormat("%c%d", SortLetter(v.sort), v.id).c_str(),
                             sorts_[static_cast<int>(v.sort)]);
  }

  z3::expr Translate(const Term& term) {
    if (!term.function) return Translate(term.variable);
    const z3::func_decl& function = functions_[static_cast<size_t>(*term.function)];
    return term.function == Function::kPlatform ? function() : function(Translate(term.variable));
  }

  RoomForZ3 room_;  // before it
  z3::context context_;
  z3::sort_vector sorts_;
  std::vector<z3::func_decl> functions_;
  std::vector<z3::func_decl> relations_;
};

// The budget is used up, or the command was stopped.
struct Spent {
  std::string reason = "the budget is used up";
};

// A check that was interrupted says nothing of a lemma.
void ThrowIfStopped() {
  if (tool::Stopped()) throw Spent{tool::StopReason()};
}

class Solvers {
 public:
  explicit Solvers(uint64_t budget) : budget_(budget) {}

  ToZ3& z3() { return z3_; }
  z3::check_result Check(z3::solver& solver, const z3::expr_vector& assumptions) {
    if (budget_ != 0) {
      if (resources_ >= budget_) throw Spent();
      z3::params params(z3_.context());
      params.set("rlimit", static_cast<unsigned>(std::min<uint64_t>(budget_ - resources_, ~0U)));
      solver.set(params);
    }
    ThrowIfStopped();
    ++checks_;
    const z3::check_result result = solver.check(assumptions);
    const z3::stats statistics = solver.statistics();
    for (unsigned n = 0; n < statistics.size(); ++n)
      if (statistics.key(n) == "rlimit count") resources_ = statistics.uint_value(n);
    if (result == z3::unknown && budget_ != 0 && resources_ >= budget_) throw Spent();
    if (result == z3::unknown) ThrowIfStopped();
    if (result == z3::unknown && SaysOutOfMemory(solver.reason_unknown())) throw std::bad_alloc();
    return result;
  }

  [[nodiscard]] uint64_t resources() const { return resources_; }
  [[nodiscard]] int checks() const { return checks_; }

 private:
  ToZ3 z3_;
  uint64_t budget_;
  uint64_t resources_ = 0;  // Z3 counts them for the whole context
  int checks_ = 0;
  tool::Interruptible interruptible_{[this] { z3_.context().interrupt(); }};
};

z3::expr Literal(Solvers& solvers, const char* what, size_t n) {
  return solvers.z3().context().bool_const(absl::StrFormat("%s%d", what, n).c_str());
}

// Which of the lemmas hold after an action, given which hold before.
class ActionCheck {
 public:
  ActionCheck(Solvers& solvers, const std::vector<Formula>& axioms, const Action& action,
              const std::vector<Lemma>& lemmas)
      : solvers_(solvers),
        action_(action),
        solver_(solvers.z3().context(), z3::solver::simple()),
        given_(solvers.z3().context()),
        broken_(solvers.z3().context()) {
    ToZ3& z3 = solvers.z3();
    for (const Formula& axiom : axioms) solver_.add(z3(axiom));
    solver_.add(z3(action.guard));
    for (size_t n = 0; n < lemmas.size(); ++n) {
      const Formula open = lemmas[n].Open();
      changes_.push_back(action.Changes(open));
      given_.push_back(Literal(solvers, "given", n));
      broken_.push_back(Literal(solvers, "broken", n));
      solver_.add(z3::implies(given_.back(), z3(lemmas[n].Closed())));
      if (changes_.back())
        solver_.add(z3::implies(broken_.back(), z3(!action.Before(Apart(open)))));
    }
  }

  [[nodiscard]] const Action& action() const { return action_; }

  // Lemmas of `wanted` that break although all of `given` hold before; empty: none does. Where the
  // solver gives up on a lemma, it counts as broken.
  std::vector<size_t> Broken(const std::vector<size_t>& given, const std::vector<size_t>& wanted) {
    std::vector<size_t> changed;
    std::ranges::copy_if(wanted, std::back_inserter(changed),
                         [&](size_t n) { return changes_[n]; });
    std::vector<size_t> broken;
    if (changed.empty()) return broken;
    const z3::check_result result = Check(given, changed);
    if (result == z3::sat) {
      const z3::model model = solver_.get_model();
      std::ranges::copy_if(changed, std::back_inserter(broken), [&](size_t n) {
        return model.eval(broken_[static_cast<int>(n)]).is_true();
      });
      ThrowIfStopped();                    // the model may not be whole
      if (broken.empty()) return changed;  // one of them is; the model does not say which
    } else if (result == z3::unknown) {
      if (changed.size() == 1) return changed;
      for (const size_t n : changed)
        if (Check(given, {n}) != z3::unsat) broken.push_back(n);
    }
    return broken;
  }

  // After Broken() has found none: the lemmas of `given` that this rests on.
  std::vector<size_t> Used(const std::vector<size_t>& given) {
    std::vector<size_t> used;
    const z3::expr_vector core = solver_.unsat_core();
    for (const size_t n : given)
      for (const z3::expr& literal : core)
        if (z3::eq(literal, given_[static_cast<int>(n)])) used.push_back(n);
    return used;
  }

 private:
  z3::check_result Check(const std::vector<size_t>& given, const std::vector<size_t>& wanted) {
    const z3::expr goal = Literal(solvers_, "goal", static_cast<size_t>(goals_++));
    z3::expr_vector some(solvers_.z3().context());
    for (const size_t n : wanted) some.push_back(broken_[static_cast<int>(n)]);
    solver_.add(z3::implies(goal, z3::mk_or(some)));
    z3::expr_vector assumptions(solvers_.z3().context());
    for (const size_t n : given) assumptions.push_back(given_[static_cast<int>(n)]);
    assumptions.push_back(goal);
    return solvers_.Check(solver_, assumptions);
  }

  Solvers& solvers_;
  const Action& action_;
  z3::solver solver_;
  z3::expr_vector given_;   // the lemma holds before
  z3::expr_vector broken_;  // it does not hold after
  std::vector<bool> changes_;
  int goals_ = 0;
};

class Prover {
 public:
  Prover(const KernelFamily& kernel, std::vector<Lemma> lemmas, uint64_t budget)
      : solvers_(budget),
        axioms_(AxiomsOf(kernel)),
        actions_(ActionsOf(kernel)),
        lemmas_(std::move(lemmas)) {
    for (const Action& action : actions_) checks_.emplace_back(solvers_, axioms_, action, lemmas_);
    for (size_t n = 0; n < lemmas_.size(); ++n) alive_.push_back(n);
  }

  // Drops lemmas until the rest is inductive.
  void Houdini() {
    // An action is done when nothing was dropped since it was looked at.
    size_t done = 0;
    for (size_t n = 0; done < checks_.size(); n = (n + 1) % checks_.size()) {
      tool::Progress(absl::StrFormat("looking for a proof: %d lemmas left of %d", alive_.size(),
                                     lemmas_.size()));
      ++done;
      for (;;) {
        const std::vector<size_t> broken = checks_[n].Broken(alive_, alive_);
        if (broken.empty()) break;
        std::erase_if(
            alive_, [&](size_t lemma) { return std::ranges::find(broken, lemma) != broken.end(); });
        done = 1;
      }
    }
  }

  // The lemmas that `root` rests on, itself first: none of them can be left out.
  std::vector<size_t> RestsOn(size_t root) {
    std::vector<size_t> needed = {root};
    for (size_t at = 0; at < needed.size(); ++at)
      for (ActionCheck& check : checks_) {
        const std::vector<size_t> lemma = {needed[at]};
        if (check.Broken(needed, lemma).empty() || !check.Broken(alive_, lemma).empty()) continue;
        for (const size_t n : check.Used(alive_))
          if (std::ranges::find(needed, n) == needed.end()) needed.push_back(n);
      }
    // Lemmas that only a lemma that is left out rested on can often go, too.
    for (size_t before = 0; before != needed.size();) {
      before = needed.size();
      for (size_t at = needed.size(); --at > 0;) {
        std::vector<size_t> fewer = needed;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at));
        if (std::ranges::all_of(
                checks_, [&](ActionCheck& check) { return check.Broken(fewer, fewer).empty(); }))
          needed = std::move(fewer);
      }
    }
    return needed;
  }

  // The actions that break a lemma that was dropped, given those left and itself.
  std::string Breakers(size_t lemma) {
    std::vector<size_t> given = alive_;
    given.push_back(lemma);
    std::vector<std::string> names;
    for (ActionCheck& check : checks_)
      if (!check.Broken(given, {lemma}).empty()) names.emplace_back(check.action().name);
    return absl::StrJoin(names, "; ");
  }

  // A lemma that does not hold at boot, or that some action breaks; none: they are inductive.
  std::optional<std::string> FirstBroken() {
    for (const Lemma& lemma : lemmas_)
      if (!Contradictory({!AtBoot(Apart(lemma.Open()))}))
        return absl::StrCat("does not hold at boot: ", PrintLemma(lemma));
    for (ActionCheck& check : checks_) {
      const std::vector<size_t> broken = check.Broken(alive_, alive_);
      if (!broken.empty())
        return absl::StrFormat("%s breaks: %s", check.action().name,
                               PrintLemma(lemmas_[broken[0]]));
    }
    return std::nullopt;
  }

  // Whether the lemmas together say what `goal` says.
  bool Imply(const Lemma& goal) {
    std::vector<Formula> formulas;
    formulas.reserve(alive_.size() + 1);
    for (const size_t n : alive_) formulas.push_back(lemmas_[n].Closed());
    formulas.push_back(!Apart(goal.Open()));
    return Contradictory(formulas);
  }

  [[nodiscard]] bool Alive(size_t lemma) const {
    return std::ranges::find(alive_, lemma) != alive_.end();
  }
  void Count(Proof& proof) const {
    proof.resources = solvers_.resources();
    proof.checks = solvers_.checks();
    proof.candidates = static_cast<int>(lemmas_.size());
  }

 private:
  // Whether no machine and state fulfil all of the formulas.
  bool Contradictory(const std::vector<Formula>& formulas) {
    z3::solver solver(solvers_.z3().context(), z3::solver::simple());
    for (const Formula& axiom : axioms_) solver.add(solvers_.z3()(axiom));
    for (const Formula& f : formulas) solver.add(solvers_.z3()(f));
    return solvers_.Check(solver, z3::expr_vector(solvers_.z3().context())) == z3::unsat;
  }

  Solvers solvers_;
  std::vector<Formula> axioms_;
  std::vector<Action> actions_;
  std::vector<Lemma> lemmas_;
  std::deque<ActionCheck> checks_;
  std::vector<size_t> alive_;
};

// Runs `find` under the budget; turns exceptions into a reason why nothing is known.
template <typename Find>
absl::StatusOr<Proof> Attempt(const KernelFamily& kernel, const std::vector<Lemma>& lemmas,
                              uint64_t budget, Find find) {
  Proof proof;
  try {
    Prover prover(kernel, lemmas, budget);
    try {
      find(prover, proof);
    } catch (const Spent& spent) {
      proof.known = false;
      proof.reason = spent.reason;
    }
    prover.Count(proof);
  } catch (const std::exception& e) {
    if (!tool::Stopped()) return EngineError(e);
    proof.known = false;
    proof.reason = tool::StopReason();
  }
  return proof;
}

}  // namespace

absl::StatusOr<Proof> CheckInvariant(Property property, const KernelFamily& kernel,
                                     const std::vector<Lemma>& lemmas, uint64_t budget) {
  return Attempt(kernel, lemmas, budget, [&](Prover& prover, Proof& proof) {
    if (const std::optional<std::string> broken = prover.FirstBroken()) {
      proof.reason = *broken;
    } else if (!prover.Imply(PropertyLemma(property))) {
      proof.reason = "the lemmas do not imply the property";
    } else {
      proof.proved = true;
      proof.invariant = lemmas;
    }
  });
}

absl::StatusOr<Proof> Prove(Property property, const KernelFamily& kernel, uint64_t budget) {
  const std::vector<Lemma> candidates = Candidates(kernel);
  const auto root = static_cast<size_t>(std::ranges::find(candidates, PropertyLemma(property)) -
                                        candidates.begin());
  absl::StatusOr<Proof> found =
      Attempt(kernel, candidates, budget, [&](Prover& prover, Proof& proof) {
        prover.Houdini();
        if (!prover.Alive(root)) {
          proof.reason =
              absl::StrCat("no invariant of the family holds it against: ", prover.Breakers(root));
          return;
        }
        for (const size_t n : prover.RestsOn(root)) proof.invariant.push_back(candidates[n]);
        proof.proved = true;
      });
  if (!found.ok() || !found->proved) return found;
  // Nothing is claimed that would not be accepted from elsewhere.
  absl::StatusOr<Proof> checked = CheckInvariant(property, kernel, found->invariant, 0);
  if (!checked.ok()) return checked.status();
  if (!checked->known) return checked;
  if (!checked->proved)
    return absl::InternalError(
        absl::StrCat("an invariant was found that is none: ", checked->reason));
  found->resources += checked->resources;
  found->checks += checked->checks;
  return found;
}

std::string Z3Version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned build = 0;
  unsigned revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return absl::StrCat(major, ".", minor, ".", build);
}

}  // namespace iommucheck::prove
