// SPDX-License-Identifier: Apache-2.0
//
// A checker of DRAT proofs. It shows that a formula in clauses has no model, from the formula and
// the proof alone, and knows neither the solver that wrote the proof nor the meaning of the
// formula.
//
// A proof is a sequence of added and deleted clauses that ends with the empty clause. Adding one
// must not make a satisfiable formula unsatisfiable: unit propagation from the clause's negation
// ends in a conflict (RUP), or the same is true of each resolvent on its first literal (RAT).
// Deleted clauses are those that the rest does not need. Wetzler, Heule, Hunt: "DRAT-trim", SAT
// 2014.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace iommucheck::certificate {

// A list of clauses. Literals are as in DIMACS: variables from 1, negative if negated.
class ClauseList {
 public:
  void Add(int literal) { literals_.push_back(literal); }
  void EndClause() { ends_.push_back(literals_.size()); }
  [[nodiscard]] size_t size() const { return ends_.size(); }
  [[nodiscard]] std::span<const int> operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::span(literals_).subspan(begin, ends_[i] - begin);
  }

 private:
  std::vector<int> literals_;
  std::vector<size_t> ends_;
};

struct Formula {
  int variables = 0;  // at most kMaxVariables
  ClauseList clauses;
};
inline constexpr int kMaxVariables = 1 << 24;

struct DratProof {
  struct Step {
    bool deletes = false;
    int line = 0;
  };
  std::vector<Step> steps;
  ClauseList clauses;  // one for each step
};

// Errors: InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WHAT".
absl::StatusOr<Formula> ParseDimacs(std::string_view text, std::string_view file);
// Parses a proof in text form; its literals may use only the formula's variables.
absl::StatusOr<DratProof> ParseDrat(std::string_view text, std::string_view file, int variables);

struct DratVerdict {
  bool verified = false;
  int line = 0;              // line of the proof where the check fails; 0: at its end
  std::string reason;        // why it fails
  std::vector<size_t> core;  // verified: the clauses of the formula that the proof needs
  size_t lemmas = 0;         // clauses of the proof that were checked; the others are not needed
};

// Checks as drat-trim does: backwards from the conflict, and only the clauses it depends on.
// Deletions of clauses that do not exist, or that unit propagation has used, are skipped: extra
// clauses do no harm.
DratVerdict CheckDrat(const Formula& formula, const DratProof& proof);

}  // namespace iommucheck::certificate
