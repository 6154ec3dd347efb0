// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/drat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/certificate/sat.h"

namespace iommucheck::certificate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DratVerdict Check(const std::string& dimacs, const std::string& drat) {
  const absl::StatusOr<Formula> formula = ParseDimacs(dimacs, "f.cnf");
  EXPECT_TRUE(formula.ok()) << formula.status();
  if (!formula.ok()) return {};
  const absl::StatusOr<DratProof> proof = ParseDrat(drat, "f.drat", formula->variables);
  EXPECT_TRUE(proof.ok()) << proof.status();
  return proof.ok() ? CheckDrat(*formula, *proof) : DratVerdict();
}

// All clauses of three variables, and the proof of the paper on DRAT-trim's example.
constexpr char kEight[] =
    "c a comment\n"
    "p cnf 4 8\n"
    " 1  2 -3 0\n-1 -2  3 0\n 2  3 -4 0\n-2 -3  4 0\n"
    "-1 -3 -4 0\n 1  3  4 0\n-1  2  4 0\n 1 -2 -4 0\n";

TEST(Drat, AcceptsARupProof) {
  const DratVerdict verdict = Check(kEight, "1 2 0\n1 0\n2 0\n0\n");
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.line, 0);
}

TEST(Drat, AcceptsALemmaThatIsOnlyRat) {
  // -1 is blocked: no assignment of the other variables needs 1. It is not RUP.
  const DratVerdict verdict = Check(kEight, "-1 0\nd -1 2 4 0\n2 0\n0\n");
  EXPECT_TRUE(verdict.verified) << verdict.reason << " at " << verdict.line;
}

TEST(Drat, TakesTheFirstLiteralAsThePivot) {
  // 3 does not occur in the formula, so any clause is RAT on 3. In the second formula -3 occurs.
  const std::string formula = "p cnf 3 4\n1 2 0\n-1 2 0\n1 -2 0\n-1 -2 0\n";
  EXPECT_TRUE(Check(formula, "3 1 0\n1 0\n0\n").verified);
  const DratVerdict wrong = Check("p cnf 3 3\n1 2 0\n-3 -1 0\n-3 -2 0\n", "3 1 0\n0\n");
  EXPECT_FALSE(wrong.verified);
}

TEST(Drat, ADefinitionIsRatAndItsUseIsRup) {
  // Defines 3 as 1 and 2, then adds clauses that follow.
  const std::string formula = "p cnf 4 6\n1 4 0\n1 -4 0\n2 4 0\n2 -4 0\n-1 -2 4 0\n-1 -2 -4 0\n";
  const DratVerdict verdict = Check(formula, "3 -1 -2 0\n-3 1 0\n-3 2 0\n1 0\n2 0\n3 0\n0\n");
  EXPECT_TRUE(verdict.verified) << verdict.reason << " at " << verdict.line;
}

TEST(Drat, RefusesAClauseThatIsNeither) {
  const DratVerdict verdict =
      Check("p cnf 2 3\n1 2 0\n-1 2 0\n1 -2 0\n", "c one more\n2 0\n-1 0\n0\n");
  EXPECT_FALSE(verdict.verified);
  EXPECT_EQ(verdict.line, 3);
  EXPECT_THAT(verdict.reason, HasSubstr("neither RUP nor RAT"));
}

TEST(Drat, RefusesAnEmptyClauseOutOfNothing) {
  const DratVerdict verdict = Check("p cnf 2 2\n1 2 0\n-1 2 0\n", "0\n");
  EXPECT_FALSE(verdict.verified);
  EXPECT_EQ(verdict.line, 1);
}

TEST(Drat, RefusesAProofThatEndsEarly) {
  const DratVerdict verdict = Check(kEight, "1 2 0\n");
  EXPECT_FALSE(verdict.verified);
  EXPECT_EQ(verdict.line, 0);
  EXPECT_THAT(verdict.reason, HasSubstr("without a conflict"));
}

TEST(Drat, NeedsNoProofWhereUnitPropagationEndsInAConflict) {
  EXPECT_TRUE(Check("p cnf 2 3\n1 0\n-1 2 0\n-2 0\n", "").verified);
  EXPECT_TRUE(Check("p cnf 0 1\n0\n", "").verified);
}

TEST(Drat, ADeletedClauseIsOfNoUse) {
  EXPECT_TRUE(Check(kEight, "1 2 0\n1 0\n2 0\n0\n").verified);
  EXPECT_FALSE(Check(kEight, "d 1 2 -3 0\nd 3 4 1 0\n1 2 0\n1 0\n2 0\n0\n").verified);
}

TEST(Drat, ADeletionTakesAwayOneCopy) {
  const std::string formula = "p cnf 2 5\n1 2 0\n2 1 0\n-1 2 0\n1 -2 0\n-1 -2 0\n";
  EXPECT_TRUE(Check(formula, "d 1 2 0\n2 0\n0\n").verified);
  EXPECT_FALSE(Check(formula, "d 1 2 0\nd 1 2 0\n2 0\n0\n").verified);
}

// Like drat-trim, since solvers delete clauses that they have propagated.
TEST(Drat, PassesOverDeletionsOfUnits) {
  const std::string formula = "p cnf 3 6\n1 0\n-1 2 3 0\n-1 2 -3 0\n-1 -2 3 0\n-2 -3 0\n-1 2 0\n";
  EXPECT_TRUE(Check(formula, "d 1 0\nd -1 2 0\n2 0\n0\n").verified);
}

TEST(Drat, PassesOverDeletionsOfWhatIsNotThere) {
  EXPECT_TRUE(Check(kEight, "d 1 0\nd 1 2 3 0\n1 2 0\n1 0\n2 0\n0\n").verified);
}

TEST(Drat, TellsWhichClausesTheProofRestsOn) {
  const DratVerdict verdict =
      Check("p cnf 4 6\n3 4 0\n1 2 0\n-1 2 0\n-3 0\n1 -2 0\n-1 -2 0\n", "4 3 1 0\n2 0\n0\n");
  ASSERT_TRUE(verdict.verified);
  EXPECT_THAT(verdict.core, ElementsAre(1, 2, 4, 5));
  EXPECT_EQ(verdict.lemmas, 1U);
}

TEST(Drat, BearsLiteralsTwiceAndClausesThatSayNothing) {
  const std::string formula = "p cnf 2 5\n1 1 2 0\n1 -1 0\n-1 2 2 0\n1 -2 0\n-1 -2 0\n";
  EXPECT_TRUE(Check(formula, "1 -1 0\n2 2 0\n0\n").verified);
  EXPECT_FALSE(Check(formula, "d 2 1 0\n2 2 0\n0\n").verified);
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

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
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
    std::vector<std::string> lines = Lines(answer.drat);
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
