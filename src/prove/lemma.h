// SPDX-License-Identifier: Apache-2.0
//
// Sentences about every state: "served_by(d,i) & attached(d,x) -> owner(x) = driver(i)". The first
// letter of a variable is that of its sort; variables are universally quantified.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/prove/system.h"

namespace iommucheck::prove {

struct Lemma {
  struct Literal {
    std::optional<Relation> relation;  // none: the two terms are equal
    std::vector<Term> terms;
    friend bool operator==(const Literal&, const Literal&) = default;
  };
  std::vector<Literal> premises;
  Literal conclusion;
  friend bool operator==(const Lemma&, const Lemma&) = default;

  [[nodiscard]] std::vector<Variable> Variables() const;  // each once
  [[nodiscard]] Formula Open() const;                     // with its variables free
  [[nodiscard]] Formula Closed() const { return ForAll(Variables(), Open()); }
};

std::string PrintLemma(const Lemma& lemma);
// A line each; a longer lemma goes on in lines that begin with a blank.
std::string PrintLemmas(const std::vector<Lemma>& lemmas, size_t columns);

// Of a file of lemmas; with more, Z3 would not come to an end.
inline constexpr size_t kMaxLemmas = 256;
inline constexpr size_t kMaxPremises = 16;
// As printed; `#` begins a comment. Errors: InvalidArgument, "FILE:LINE:COLUMN: expected ..".
absl::StatusOr<std::vector<Lemma>> ParseLemmas(std::string_view text, std::string_view file);

// The property as a sentence about a state.
Lemma PropertyLemma(Property property);

// The sentences that an invariant of the kernel is looked for among.
std::vector<Lemma> Candidates(const KernelFamily& kernel);

// The meaning of each word of lemmas, as comment lines of a file of lemmas.
std::string Glossary();

}  // namespace iommucheck::prove
