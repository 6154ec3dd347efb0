// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/drat.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

namespace iommucheck::certificate {
namespace {

// Variable v is 2v, its negation 2v + 1.
using Literal = uint32_t;
using ClauseId = uint32_t;

constexpr ClauseId kNone = std::numeric_limits<ClauseId>::max();
constexpr Literal kNoLiteral = 0;

Literal FromDimacs(int literal) {
  return literal > 0 ? 2 * static_cast<Literal>(literal) : 2 * static_cast<Literal>(-literal) + 1;
}
Literal Not(Literal literal) { return literal ^ 1U; }

class Checker {
 public:
  Checker(const Formula& formula, const DratProof& proof);
  DratVerdict Run();

 private:
  struct Clause {
    size_t begin = 0;  // index of its first literal; the first two literals are watched
    uint32_t size = 0;
    Literal pivot = kNoLiteral;  // the first literal in the text of the proof
    bool present = false;
    bool core = false;  // the result depends on it
  };
  struct Watch {
    ClauseId clause;
    Literal other;  // any other literal of it; if that is true, nothing needs to be done
  };
  // A step of the proof, after PlayForward().
  struct Played {
    ClauseId clause = kNone;  // kNone: a deletion that was skipped
    size_t trail = 0;         // length of the trail before the step
  };

  // --- clauses ---
  ClauseId Store(std::span<const int> literals);
  [[nodiscard]] std::span<Literal> Of(ClauseId c) {
    return std::span(literals_).subspan(clauses_[c].begin, clauses_[c].size);
  }
  [[nodiscard]] std::span<const Literal> Of(ClauseId c) const {
    return std::span(literals_).subspan(clauses_[c].begin, clauses_[c].size);
  }
  static uint64_t Hash(std::span<const Literal> literals);
  ClauseId Find(std::span<const int> literals);
  void Attach(ClauseId c);
  void Detach(ClauseId c);
  void Unwatch(Literal literal, ClauseId c);

  // --- assignment ---
  [[nodiscard]] bool IsTrue(Literal l) const { return value_[l]; }
  [[nodiscard]] bool IsFalse(Literal l) const { return value_[Not(l)]; }
  void Assign(Literal literal, ClauseId reason);
  void Unassign(size_t length);
  [[nodiscard]] bool IsReason(ClauseId c) const;
  ClauseId Propagate();
  ClauseId PropagateFalse(Literal literal);

  // --- the proof ---
  ClauseId Add(std::span<const int> literals);
  bool PlayForward();
  bool CheckBackward(DratVerdict& verdict);
  void MarkConflict(ClauseId conflict);
  void MarkReasons(Literal literal);
  void MarkPending();
  bool Implied(std::span<const Literal> clause, Literal except);
  bool CheckLemma(ClauseId lemma);
  bool CheckResolvents(ClauseId lemma);

  const Formula& formula_;
  const DratProof& proof_;
  std::vector<Literal> literals_;
  std::vector<Clause> clauses_;
  absl::flat_hash_map<uint64_t, absl::InlinedVector<ClauseId, 1>> by_hash_;
  std::vector<std::vector<Watch>> watches_;  // by literal
  std::vector<uint8_t> value_;               // by literal: whether it is true
  std::vector<size_t> position_;             // by variable: on the trail
  std::vector<ClauseId> reason_;             // by variable
  std::vector<uint8_t> marked_;              // by variable: the reasons for it are in the core
  std::vector<ClauseId> pending_;            // clauses whose literals' reasons are to be marked
  std::vector<Literal> trail_;
  size_t head_ = 0;  // the trail before this index has been propagated
  std::vector<Played> played_;
  ClauseId conflict_ = kNone;
};

Checker::Checker(const Formula& formula, const DratProof& proof)
    : formula_(formula), proof_(proof) {
  const size_t variables = static_cast<size_t>(formula.variables) + 1;
  watches_.resize(2 * variables);
  value_.resize(2 * variables);
  position_.resize(variables);
  reason_.resize(variables, kNone);
  marked_.resize(variables);
}

// --- clauses ---

uint64_t Checker::Hash(std::span<const Literal> literals) {
  uint64_t sum = 0;  // independent of the order
  for (const Literal literal : literals) {
    uint64_t x = literal * 0x9e3779b97f4a7c15U;
    x ^= x >> 32U;
    sum += x * x;
  }
  return sum;
}

// Each literal once, in the order of the text.
std::vector<Literal> Distinct(std::span<const int> literals) {
  std::vector<Literal> distinct;
  for (const int literal : literals) distinct.push_back(FromDimacs(literal));
  std::vector<Literal> sorted = distinct;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) == sorted.end()) return distinct;
  std::vector<Literal> once;
  for (const Literal literal : distinct)
    if (std::ranges::find(once, literal) == once.end()) once.push_back(literal);
  return once;
}

ClauseId Checker::Store(std::span<const int> literals) {
  const std::vector<Literal> distinct = Distinct(literals);
  const auto id = static_cast<ClauseId>(clauses_.size());
  clauses_.push_back({.begin = literals_.size(),
                      .size = static_cast<uint32_t>(distinct.size()),
                      .pivot = distinct.empty() ? kNoLiteral : distinct.front()});
  literals_.insert(literals_.end(), distinct.begin(), distinct.end());
  by_hash_[Hash(distinct)].push_back(id);
  return id;
}

// A clause with these literals that is not deleted.
ClauseId Checker::Find(std::span<const int> literals) {
  std::vector<Literal> wanted = Distinct(literals);
  const auto found = by_hash_.find(Hash(wanted));
  if (found == by_hash_.end()) return kNone;
  std::ranges::sort(wanted);
  for (const ClauseId id : found->second) {
    if (!clauses_[id].present) continue;
    const std::span<const Literal> of = Of(id);
    std::vector<Literal> sorted(of.begin(), of.end());
    std::ranges::sort(sorted);
    if (sorted == wanted) return id;
  }
  return kNone;
}

// Watches the literals that become unassigned first when the trail shrinks.
void Checker::Attach(ClauseId c) {
  clauses_[c].present = true;
  const std::span<Literal> of = Of(c);
  if (of.size() < 2) return;
  const auto rank = [this](Literal literal) {
    constexpr size_t kUnassigned = std::numeric_limits<size_t>::max() - 1;
    if (IsTrue(literal)) return kUnassigned + 1;
    return IsFalse(literal) ? position_[literal / 2] : kUnassigned;
  };
  std::ranges::partial_sort(of, of.begin() + 2, std::ranges::greater(), rank);
  watches_[of[0]].push_back({c, of[1]});
  watches_[of[1]].push_back({c, of[0]});
}

void Checker::Unwatch(Literal literal, ClauseId c) {
  std::vector<Watch>& watches = watches_[literal];
  const auto found = std::ranges::find(watches, c, &Watch::clause);
  *found = watches.back();
  watches.pop_back();
}

void Checker::Detach(ClauseId c) {
  clauses_[c].present = false;
  if (clauses_[c].size < 2) return;
  Unwatch(Of(c)[0], c);
  Unwatch(Of(c)[1], c);
}

// --- assignment ---

void Checker::Assign(Literal literal, ClauseId reason) {
  value_[literal] = 1;
  position_[literal / 2] = trail_.size();
  reason_[literal / 2] = reason;
  trail_.push_back(literal);
}

void Checker::Unassign(size_t length) {
  for (; trail_.size() > length; trail_.pop_back()) {
    const Literal literal = trail_.back();
    value_[literal] = 0;
    reason_[literal / 2] = kNone;
    marked_[literal / 2] = 0;
  }
  head_ = length;
}

bool Checker::IsReason(ClauseId c) const {
  return std::ranges::any_of(Of(c), [&](Literal l) { return IsTrue(l) && reason_[l / 2] == c; });
}

// Updates the clauses that watch a literal that has become false. Returns one whose literals are
// all false, or kNone.
ClauseId Checker::PropagateFalse(Literal literal) {
  std::vector<Watch>& watches = watches_[literal];
  ClauseId conflict = kNone;
  size_t kept = 0;
  for (size_t i = 0; i < watches.size(); ++i) {
    const Watch watch = watches[i];
    if (conflict != kNone || IsTrue(watch.other)) {
      watches[kept++] = watch;
      continue;
    }
    const std::span<Literal> of = Of(watch.clause);
    if (of[0] == literal) std::swap(of[0], of[1]);
    const auto free =
        std::find_if(of.begin() + 2, of.end(), [this](Literal l) { return !IsFalse(l); });
    if (!IsTrue(of[0]) && free != of.end()) {
      std::swap(of[1], *free);
      watches_[of[1]].push_back({watch.clause, of[0]});
      continue;
    }
    watches[kept++] = {watch.clause, of[0]};
    if (IsFalse(of[0])) conflict = watch.clause;
    if (!IsTrue(of[0]) && !IsFalse(of[0])) Assign(of[0], watch.clause);
  }
  watches.resize(kept);
  return conflict;
}

ClauseId Checker::Propagate() {
  while (head_ < trail_.size())
    if (const ClauseId conflict = PropagateFalse(Not(trail_[head_++])); conflict != kNone)
      return conflict;
  return kNone;
}

// --- the proof, forwards ---

// Adds a clause and propagates it at once; a conflict is stored in conflict_.
ClauseId Checker::Add(std::span<const int> literals) {
  const ClauseId c = Store(literals);
  Attach(c);
  const std::span<const Literal> of = Of(c);
  if (of.empty() || IsFalse(of[0])) {
    conflict_ = c;
    return c;
  }
  const bool unit = of.size() == 1 || IsFalse(of[1]);
  if (unit && !IsTrue(of[0])) Assign(of[0], c);
  conflict_ = Propagate();
  return c;
}

// Plays the proof up to the first conflict. Returns whether there is one.
bool Checker::PlayForward() {
  for (size_t i = 0; i < formula_.clauses.size() && conflict_ == kNone; ++i)
    Add(formula_.clauses[i]);
  for (size_t i = 0; i < proof_.steps.size() && conflict_ == kNone; ++i) {
    Played played{.clause = kNone, .trail = trail_.size()};
    if (!proof_.steps[i].deletes) {
      played.clause = Add(proof_.clauses[i]);
    } else if (const ClauseId c = Find(proof_.clauses[i]); c != kNone && !IsReason(c)) {
      Detach(c);
      played.clause = c;
    }
    played_.push_back(played);
  }
  return conflict_ != kNone;
}

// --- the proof, backwards ---

// Queues the clause that made the literal true or false for the core.
void Checker::MarkReasons(Literal literal) {
  const Literal variable = literal / 2;
  if (marked_[variable] != 0) return;
  marked_[variable] = 1;
  if (const ClauseId reason = reason_[variable]; reason != kNone) pending_.push_back(reason);
}

void Checker::MarkPending() {
  while (!pending_.empty()) {
    const ClauseId c = pending_.back();
    pending_.pop_back();
    clauses_[c].core = true;
    for (const Literal literal : Of(c)) MarkReasons(literal);
  }
}

void Checker::MarkConflict(ClauseId conflict) {
  pending_.push_back(conflict);
  MarkPending();
}

// Whether unit propagation refutes the negation of the clause without the literal `except`. If it
// does not, the negation stays assigned.
bool Checker::Implied(std::span<const Literal> clause, Literal except) {
  for (const Literal literal : clause) {
    if (literal == except || IsFalse(literal)) continue;
    if (IsTrue(literal)) {
      MarkReasons(literal);
      MarkPending();
      return true;
    }
    Assign(Not(literal), kNone);
  }
  const ClauseId conflict = Propagate();
  if (conflict != kNone) MarkConflict(conflict);
  return conflict != kNone;
}

// The RAT check. Precondition: the negation of the lemma is assigned and propagated.
bool Checker::CheckResolvents(ClauseId lemma) {
  const Literal pivot = clauses_[lemma].pivot;
  if (pivot == kNoLiteral) return false;
  const size_t length = trail_.size();
  for (ClauseId c = 0; c < clauses_.size(); ++c) {
    if (!clauses_[c].present || std::ranges::find(Of(c), Not(pivot)) == Of(c).end()) continue;
    const bool implied = Implied(Of(c), Not(pivot));
    Unassign(length);
    if (!implied) return false;
  }
  return true;
}

bool Checker::CheckLemma(ClauseId lemma) {
  const size_t length = trail_.size();
  const bool holds = Implied(Of(lemma), kNoLiteral) || CheckResolvents(lemma);
  Unassign(length);
  return holds;
}

bool Checker::CheckBackward(DratVerdict& verdict) {
  MarkConflict(conflict_);
  for (size_t i = played_.size(); i-- > 0;) {
    const auto [c, trail] = played_[i];
    if (c == kNone) continue;
    if (proof_.steps[i].deletes) {
      Attach(c);
      continue;
    }
    Detach(c);
    Unassign(trail);
    if (!clauses_[c].core) continue;
    ++verdict.lemmas;
    if (!CheckLemma(c)) {
      verdict.line = proof_.steps[i].line;
      verdict.reason = "the clause does not follow: it is neither RUP nor RAT";
      return false;
    }
  }
  return true;
}

DratVerdict Checker::Run() {
  DratVerdict verdict;
  if (!PlayForward()) {
    verdict.reason = "the proof ends without a conflict";
    return verdict;
  }
  verdict.verified = CheckBackward(verdict);
  for (ClauseId c = 0; verdict.verified && c < formula_.clauses.size() && c < clauses_.size(); ++c)
    if (clauses_[c].core) verdict.core.push_back(c);
  return verdict;
}

}  // namespace

DratVerdict CheckDrat(const Formula& formula, const DratProof& proof) {
  return Checker(formula, proof).Run();
}

}  // namespace iommucheck::certificate
