// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/drat.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/str_format.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck::certificate {
namespace {

struct Token {
  std::string_view text;  // empty: the end of the file
  int line;
  int column;
};

// Words between blanks. Lines that begin with 'c' are comments. Keeps the first word that was not
// what the file should have there.
class Tokens {
 public:
  Tokens(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  [[nodiscard]] const absl::Status& status() const { return status_; }

  Token Next() {
    SkipBlanks();
    const size_t begin = at_;
    while (at_ < text_.size() && !IsBlank(text_[at_])) ++at_;
    return {text_.substr(begin, at_ - begin), line_, static_cast<int>(begin - line_begin_) + 1};
  }
  void Expected(const std::string& what, const Token& found) {
    if (status_.ok())
      status_ = Mismatch(file_, {found.line, found.column, {}}, what,
                         found.text.empty() ? "end of file" : Quote(found.text));
  }
  // 0: the token is no such number.
  int NumberOf(const Token& token, int lowest, int highest, const std::string& what) {
    int value = 0;
    const char* const begin = token.text.data();
    const char* const end = begin + token.text.size();
    const auto [rest, error] = std::from_chars(begin, end, value);
    if (error == std::errc() && rest == end && lowest <= value && value <= highest) return value;
    Expected(absl::StrFormat("%s, %d to %d", what, lowest, highest), token);
    return 0;
  }
  // Literals up to a 0; `token` is the first of them.
  void ReadClause(Token token, int variables, ClauseList& clauses) {
    while (const int literal = NumberOf(token, -variables, variables, "a literal or 0")) {
      clauses.Add(literal);
      token = Next();
    }
    clauses.EndClause();
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  void SkipBlanks() {
    while (at_ < text_.size()) {
      const bool comment = at_ == line_begin_ && text_[at_] == 'c';
      if (comment) at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size() || !IsBlank(text_[at_])) return;
      if (text_[at_++] != '\n') continue;
      ++line_;
      line_begin_ = at_;
    }
  }

  std::string_view text_;
  std::string_view file_;
  size_t at_ = 0;
  int line_ = 1;
  size_t line_begin_ = 0;
  absl::Status status_;
};

// Variable v is 2v, its negation 2v + 1.
using Literal = uint32_t;
using ClauseId = uint32_t;

constexpr ClauseId kNone = std::numeric_limits<ClauseId>::max();
constexpr Literal kNoLiteral = 0;

Literal FromDimacs(int literal) {
  return literal > 0 ? 2 * static_cast<Literal>(literal) : 2 * static_cast<Literal>(-literal) + 1;
}
Literal Not(Literal literal) { return literal ^ 1U; }

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

class Checker {
 public:
  Checker(const Formula& formula, const DratProof& proof) : formula_(formula), proof_(proof) {
    const size_t variables = static_cast<size_t>(formula.variables) + 1;
    watches_.resize(2 * variables);
    value_.resize(2 * variables);
    position_.resize(variables);
    reason_.resize(variables, kNone);
    marked_.resize(variables);
  }

  DratVerdict Run() {
    DratVerdict verdict;
    if (!PlayForward()) {
      verdict.reason = "the proof ends without a conflict";
      return verdict;
    }
    verdict.verified = CheckBackward(verdict);
    for (ClauseId c = 0; verdict.verified && c < formula_.clauses.size() && c < clauses_.size();
         ++c)
      if (clauses_[c].core) verdict.core.push_back(c);
    return verdict;
  }

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
  [[nodiscard]] std::span<Literal> Of(ClauseId c) {
    return std::span(literals_).subspan(clauses_[c].begin, clauses_[c].size);
  }

  static uint64_t Hash(std::span<const Literal> literals) {
    uint64_t sum = 0;  // independent of the order
    for (const Literal literal : literals) {
      uint64_t x = literal * 0x9e3779b97f4a7c15U;
      x ^= x >> 32U;
      sum += x * x;
    }
    return sum;
  }

  ClauseId Store(std::span<const int> literals) {
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
  ClauseId Find(std::span<const int> literals) {
    std::vector<Literal> wanted = Distinct(literals);
    const auto found = by_hash_.find(Hash(wanted));
    if (found == by_hash_.end()) return kNone;
    std::ranges::sort(wanted);
    const auto is_wanted = [&](Literal l) { return std::ranges::binary_search(wanted, l); };
    for (const ClauseId id : found->second)
      if (clauses_[id].present && clauses_[id].size == wanted.size() &&
          std::ranges::all_of(Of(id), is_wanted))
        return id;
    return kNone;
  }

  // Watches the literals that become unassigned first when the trail shrinks.
  void Attach(ClauseId c) {
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

  void Detach(ClauseId c) {
    clauses_[c].present = false;
    if (clauses_[c].size < 2) return;
    for (const Literal literal : Of(c).first(2)) {
      std::vector<Watch>& watches = watches_[literal];
      *std::ranges::find(watches, c, &Watch::clause) = watches.back();
      watches.pop_back();
    }
  }

  // --- assignment ---
  [[nodiscard]] bool IsTrue(Literal l) const { return value_[l]; }
  [[nodiscard]] bool IsFalse(Literal l) const { return value_[Not(l)]; }

  void Assign(Literal literal, ClauseId reason) {
    value_[literal] = 1;
    position_[literal / 2] = trail_.size();
    reason_[literal / 2] = reason;
    trail_.push_back(literal);
  }

  void Unassign(size_t length) {
    for (; trail_.size() > length; trail_.pop_back()) {
      const Literal literal = trail_.back();
      value_[literal] = 0;
      reason_[literal / 2] = kNone;
      marked_[literal / 2] = 0;
    }
    head_ = length;
  }

  [[nodiscard]] bool IsReason(ClauseId c) {
    return std::ranges::any_of(Of(c), [&](Literal l) { return IsTrue(l) && reason_[l / 2] == c; });
  }

  // Updates the clauses that watch a literal that has become false. Returns one whose literals are
  // all false, or kNone.
  ClauseId PropagateFalse(Literal literal) {
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

  ClauseId Propagate() {
    while (head_ < trail_.size())
      if (const ClauseId conflict = PropagateFalse(Not(trail_[head_++])); conflict != kNone)
        return conflict;
    return kNone;
  }

  // --- the proof, forwards ---

  // Adds a clause and propagates it at once; a conflict is stored in conflict_.
  ClauseId Add(std::span<const int> literals) {
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
  bool PlayForward() {
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
  void MarkReasons(Literal literal) {
    const Literal variable = literal / 2;
    if (marked_[variable] != 0) return;
    marked_[variable] = 1;
    if (const ClauseId reason = reason_[variable]; reason != kNone) pending_.push_back(reason);
  }

  void MarkPending() {
    while (!pending_.empty()) {
      const ClauseId c = pending_.back();
      pending_.pop_back();
      clauses_[c].core = true;
      for (const Literal literal : Of(c)) MarkReasons(literal);
    }
  }

  // Whether unit propagation refutes the negation of the clause without the literal `except`. If it
  // does not, the negation stays assigned.
  bool Implied(std::span<const Literal> clause, Literal except) {
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
    if (conflict == kNone) return false;
    pending_.push_back(conflict);
    MarkPending();
    return true;
  }

  // The RAT check. Precondition: the negation of the lemma is assigned and propagated.
  bool CheckResolvents(ClauseId lemma) {
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

  bool CheckLemma(ClauseId lemma) {
    const size_t length = trail_.size();
    const bool holds = Implied(Of(lemma), kNoLiteral) || CheckResolvents(lemma);
    Unassign(length);
    return holds;
  }

  bool CheckBackward(DratVerdict& verdict) {
    pending_.push_back(conflict_);
    MarkPending();
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

}  // namespace

absl::StatusOr<Formula> ParseDimacs(std::string_view text, std::string_view file) {
  Tokens tokens(text, file);
  for (const char* head : {"p", "cnf"})
    if (const Token token = tokens.Next(); token.text != head)
      tokens.Expected("\"p cnf VARIABLES CLAUSES\"", token);
  Formula formula;
  formula.variables = tokens.NumberOf(tokens.Next(), 0, kMaxVariables, "the number of variables");
  const int clauses =
      tokens.NumberOf(tokens.Next(), 0, std::numeric_limits<int>::max(), "the number of clauses");
  for (int i = 0; i < clauses && tokens.status().ok(); ++i)
    tokens.ReadClause(tokens.Next(), formula.variables, formula.clauses);
  if (const Token token = tokens.Next(); !token.text.empty())
    tokens.Expected(absl::StrFormat("no more than %d clauses", clauses), token);
  if (!tokens.status().ok()) return tokens.status();
  return formula;
}

absl::StatusOr<DratProof> ParseDrat(std::string_view text, std::string_view file, int variables) {
  Tokens tokens(text, file);
  DratProof proof;
  for (Token token = tokens.Next(); !token.text.empty() && tokens.status().ok();
       token = tokens.Next()) {
    const bool deletes = token.text == "d";
    proof.steps.push_back({.deletes = deletes, .line = token.line});
    tokens.ReadClause(deletes ? tokens.Next() : token, variables, proof.clauses);
  }
  if (!tokens.status().ok()) return tokens.status();
  return proof;
}

DratVerdict CheckDrat(const Formula& formula, const DratProof& proof) {
  return Checker(formula, proof).Run();
}

}  // namespace iommucheck::certificate
