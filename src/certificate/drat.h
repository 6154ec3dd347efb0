// SPDX-License-Identifier: Apache-2.0
//
// A checker of DRAT proofs: that a formula in clauses has no model, from the formula and the proof
// alone. It knows nothing of the solver that wrote the proof, nor of the meaning of the formula.
//
// A proof is a sequence of clauses, each of which keeps a formula that has a model from losing its
// last one, up to the empty clause; and of clauses that the rest does without. A clause may be
// added if unit propagation from its negation ends in a conflict (RUP), or if that is so of each of
// its resolvents on its first literal (RAT). Wetzler, Heule, Hunt: "DRAT-trim", SAT 2014.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace iommucheck::certificate {

// Clauses one after another. Literals are as in DIMACS: variables from 1, negative where negated.
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
  int variables = 0;  // kMaxVariables at most
  ClauseList clauses;
};
inline constexpr int kMaxVariables = 1 << 24;

struct DratProof {
  struct Step {
    bool deletes = false;
    int line = 0;
  };
  std::vector<Step> steps;
  ClauseList clauses;  // one a step
};

// Errors: InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WHAT".
absl::StatusOr<Formula> ParseDimacs(std::string_view text, std::string_view file);
// In text; its literals are of the formula's variables.
absl::StatusOr<DratProof> ParseDrat(std::string_view text, std::string_view file, int variables);

struct DratVerdict {
  bool verified = false;
  int line = 0;              // of the proof, where it fails; 0: at its end
  std::string reason;        // why it fails
  std::vector<size_t> core;  // verified: the clauses of the formula that the proof rests on
  size_t lemmas = 0;         // clauses of the proof that were checked, for the rest is not needed
};

// As drat-trim does: backwards from the conflict, only what it rests on. Deletions of clauses that
// are not there, or that unit propagation has used, are passed over: more clauses do no harm.
DratVerdict CheckDrat(const Formula& formula, const DratProof& proof);

}  // namespace iommucheck::certificate
