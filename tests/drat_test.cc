// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/drat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/str_join.h"
#include "src/certificate/sat.h"
#include "tests/given.h"

namespace iommucheck::certificate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DratVerdict Check(const std::string& dimacs, const std::string& drat) {
  const Formula formula = ParseDimacs(dimacs, "f.cnf").value();
  return CheckDrat(formula, ParseDrat(drat, "f.drat", formula.variables).value());
}

// All clauses of three variables, and the proof of the paper on DRAT-trim's example.
constexpr char kEight[] =
    "c a comment\n"
    "p cnf 4 8\n"
    " 1  2 -3 0\n-1 -2  3 0\n 2  3 -4 0\n-2 -3  4 0\n"
    "-1 -3 -4 0\n 1  3  4 0\n-1  2  4 0\n 1 -2 -4 0\n";

struct Proved {
  std::string sentence;
  std::string formula;
  std::string proof;
  int line = 0;          // of the clause that does not follow; 0: none
  std::string reason{};  // part of why it is not verified; "": it is
};

const char kTwo[] = "p cnf 3 4\n1 2 0\n-1 2 0\n1 -2 0\n-1 -2 0\n";
const char kCopies[] = "p cnf 2 5\n1 2 0\n2 1 0\n-1 2 0\n1 -2 0\n-1 -2 0\n";
const char kTwice[] = "p cnf 2 5\n1 1 2 0\n1 -1 0\n-1 2 2 0\n1 -2 0\n-1 -2 0\n";

class Drat : public testing::TestWithParam<Proved> {};

TEST_P(Drat, IsChecked) {
  const Proved& row = GetParam();
  const DratVerdict verdict = Check(row.formula, row.proof);
  EXPECT_EQ(verdict.verified, row.reason.empty()) << verdict.reason;
  EXPECT_EQ(verdict.line, row.line);
  EXPECT_THAT(verdict.reason, HasSubstr(row.reason));
}

const char kNeither[] = "neither RUP nor RAT";
const char kNoEnd[] = "without a conflict";
INSTANTIATE_TEST_SUITE_P(
    Proofs, Drat,
    testing::Values(
        Proved{"a RUP proof is accepted", kEight, "1 2 0\n1 0\n2 0\n0\n"},
        // -1 is blocked: no assignment of the other variables needs 1. It is not RUP.
        Proved{"a lemma that is only RAT is accepted", kEight, "-1 0\nd -1 2 4 0\n2 0\n0\n"},
        // 3 does not occur in the formula, so any clause is RAT on 3. In the next one -3 occurs.
        Proved{"the first literal is the pivot", kTwo, "3 1 0\n1 0\n0\n"},
        Proved{"a pivot whose complement occurs is no excuse",
               "p cnf 3 3\n1 2 0\n-3 -1 0\n-3 -2 0\n", "3 1 0\n0\n", 2, kNeither},
        // Defines 3 as 1 and 2, then adds clauses that follow.
        Proved{"a definition is RAT and its use is RUP",
               "p cnf 4 6\n1 4 0\n1 -4 0\n2 4 0\n2 -4 0\n-1 -2 4 0\n-1 -2 -4 0\n",
               "3 -1 -2 0\n-3 1 0\n-3 2 0\n1 0\n2 0\n3 0\n0\n"},
        Proved{"a clause that is neither is refused", "p cnf 2 3\n1 2 0\n-1 2 0\n1 -2 0\n",
               "c one more\n2 0\n-1 0\n0\n", 3, kNeither},
        Proved{"an empty clause out of nothing is refused", "p cnf 2 2\n1 2 0\n-1 2 0\n", "0\n", 1,
               kNeither},
        Proved{"a proof that ends early is refused", kEight, "1 2 0\n", 0, kNoEnd},
        Proved{"unit propagation that ends in a conflict needs no proof",
               "p cnf 2 3\n1 0\n-1 2 0\n-2 0\n", ""},
        Proved{"an empty clause needs no proof", "p cnf 0 1\n0\n", ""},
        Proved{"a deleted clause is of no use", kEight,
               "d 1 2 -3 0\nd 3 4 1 0\n1 2 0\n1 0\n2 0\n0\n", 4, kNeither},
        Proved{"a deletion takes away one copy", kCopies, "d 1 2 0\n2 0\n0\n"},
        Proved{"two deletions take away both copies", kCopies, "d 1 2 0\nd 1 2 0\n2 0\n0\n", 3,
               kNeither},
        // Like drat-trim, since solvers delete clauses that they have propagated.
        Proved{"deletions of units are passed over",
               "p cnf 3 6\n1 0\n-1 2 3 0\n-1 2 -3 0\n-1 -2 3 0\n-2 -3 0\n-1 2 0\n",
               "d 1 0\nd -1 2 0\n2 0\n0\n"},
        Proved{"deletions of clauses that are not there are passed over", kEight,
               "d 1 0\nd 1 2 3 0\n1 2 0\n1 0\n2 0\n0\n"},
        Proved{"a literal may be there twice", kTwice, "1 -1 0\n2 2 0\n0\n"},
        Proved{"a deletion finds a clause with a literal twice", kTwice, "d 2 1 0\n2 2 0\n0\n", 2,
               kNeither}),
    [](const auto& row) { return TestName(row.param.sentence); });

TEST(DratCore, HasTheClausesThatTheProofRestsOn) {
  const DratVerdict verdict =
      Check("p cnf 4 6\n3 4 0\n1 2 0\n-1 2 0\n-3 0\n1 -2 0\n-1 -2 0\n", "4 3 1 0\n2 0\n0\n");
  ASSERT_TRUE(verdict.verified);
  EXPECT_THAT(verdict.core, ElementsAre(1, 2, 4, 5));
  EXPECT_EQ(verdict.lemmas, 1U);
}

struct Broken {
  std::string text;
  std::string error;
};

TEST(Dimacs, SaysWhatItExpected) {
  for (const Broken& broken : std::vector<Broken>{
           {"", "f.cnf:1:1: expected \"p cnf VARIABLES CLAUSES\", found end of file"},
           {"c x\np sat 1 1\n", "f.cnf:2:3: expected \"p cnf VARIABLES CLAUSES\", found 'sat'"},
           {"p cnf x 1\n", "f.cnf:1:7: expected the number of variables, 0 to 16777216, found 'x'"},
           {"p cnf 99999999999 1\n", "f.cnf:1:7: expected the number of variables"},
           {"p cnf 1 -1\n", "f.cnf:1:9: expected the number of clauses"},
           {"p cnf 2 1\n1 3 0\n", "f.cnf:2:3: expected a literal or 0, -2 to 2, found '3'"},
           {"p cnf 2 1\n1 2\n", "f.cnf:3:1: expected a literal or 0, -2 to 2, found end of file"},
           {"p cnf 2 2147483647\n1 2 0\n", "f.cnf:3:1: expected a literal or 0"},
           {"p cnf 2 1\n1 2 0\n1 0\n", "f.cnf:3:1: expected no more than 1 clauses, found '1'"}}) {
    const absl::StatusOr<Formula> formula = ParseDimacs(broken.text, "f.cnf");
    ASSERT_FALSE(formula.ok()) << broken.text;
    EXPECT_EQ(formula.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(formula.status().message()), HasSubstr(broken.error));
  }
}

TEST(DratText, SaysWhatItExpected) {
  for (const Broken& broken : std::vector<Broken>{
           {"1 0\nd x 0\n", "f.drat:2:3: expected a literal or 0, -2 to 2, found 'x'"},
           {"1 0\nd", "f.drat:2:2: expected a literal or 0, -2 to 2, found end of file"},
           {"1 2", "f.drat:1:4: expected a literal or 0, -2 to 2, found end of file"},
           {"1 -3 0\n", "f.drat:1:3: expected a literal or 0, -2 to 2, found '-3'"},
           {std::string("a\x01\x81\0", 4), "f.drat:1:1: expected a literal or 0"}}) {
    const absl::StatusOr<DratProof> proof = ParseDrat(broken.text, "f.drat", 2);
    ASSERT_FALSE(proof.ok()) << broken.text;
    EXPECT_THAT(std::string(proof.status().message()), HasSubstr(broken.error));
  }
}

// --- with proofs of the solver, on random formulas ---

smt::Cnf RandomCnf(std::mt19937& random, int variables, int clauses) {
  smt::Cnf cnf;
  cnf.variables.resize(static_cast<size_t>(variables));
  for (int i = 0; i < clauses; ++i) {
    std::vector<int>& clause = cnf.definitions.emplace_back();
    for (int k = 0; k < 3; ++k) {
      const int variable = static_cast<int>(random() % static_cast<unsigned>(variables)) + 1;
      clause.push_back(random() % 2 == 0 ? variable : -variable);
    }
  }
  return cnf;
}

bool HasModel(const smt::Cnf& cnf) {
  for (unsigned model = 0; model < 1U << cnf.variables.size(); ++model) {
    const auto holds = [&](int literal) {
      return (model >> (std::abs(literal) - 1) & 1U) == (literal > 0 ? 1U : 0U);
    };
    if (std::ranges::all_of(cnf.definitions, [&](const std::vector<int>& clause) {
          return std::ranges::any_of(clause, holds);
        }))
      return true;
  }
  return false;
}

TEST(DratOfTheSolver, ChecksAndTheCoreAloneHasNoModel) {
  std::mt19937 random(1);
  int proofs = 0;
  for (int round = 0; round < 300; ++round) {
    const smt::Cnf cnf = RandomCnf(random, 12, 62);
    const SatAnswer answer = SolveCnf(cnf, 0);
    ASSERT_EQ(answer.kind == SatAnswer::Kind::kSat, HasModel(cnf));
    if (answer.kind == SatAnswer::Kind::kSat) continue;
    const DratVerdict verdict = Check(ToDimacs(cnf), answer.drat);
    ASSERT_TRUE(verdict.verified) << verdict.reason;
    smt::Cnf core = cnf;
    core.definitions.clear();
    for (const size_t clause : verdict.core) core.definitions.push_back(cnf.definitions[clause]);
    EXPECT_FALSE(HasModel(core));
    ++proofs;
  }
  EXPECT_GT(proofs, 100);
}

// Whatever a proof says, a formula that has a model is not refuted.
TEST(DratOfTheSolver, NoProofRefutesAFormulaThatHasAModel) {
  std::mt19937 random(2);
  int with_model = 0;
  for (int round = 0; round < 3000; ++round) {
    const smt::Cnf cnf = RandomCnf(random, 8, 40);
    const SatAnswer answer = SolveCnf(cnf, 0);
    if (answer.kind == SatAnswer::Kind::kSat) continue;
    smt::Cnf fewer = cnf;
    fewer.definitions.erase(fewer.definitions.begin() +
                            static_cast<long>(random() % fewer.definitions.size()));
    std::vector<std::string> lines = Split(answer.drat);
    if (random() % 2 == 0 && !lines.empty())
      lines.erase(lines.begin() + static_cast<long>(random() % lines.size()));
    const bool model = HasModel(fewer);
    with_model += model ? 1 : 0;
    if (model) {
      EXPECT_FALSE(Check(ToDimacs(fewer), absl::StrJoin(lines, "\n") + "\n").verified);
    }
  }
  EXPECT_GT(with_model, 50);
}

}  // namespace
}  // namespace iommucheck::certificate
