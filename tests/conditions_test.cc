// SPDX-License-Identifier: Apache-2.0
//
// cvc5 checks the verification conditions of the proofs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "src/case/encoded.h"
#include "src/prove/prove.h"
#include "tests/run_tool.h"

namespace iommucheck::prove {
namespace {

KernelProfile PromisedProfile(const Promise& promise) {
  KernelProfile kernel = ProfileOf(promise.version);
  for (const Rule rule : promise.assumptions) kernel.rules.add(rule);
  return kernel;
}

// The answers to all conditions about lemmas, in the order of the conditions.
std::vector<std::string> Answers(Property property, const KernelProfile& kernel,
                                 const std::vector<Lemma>& lemmas) {
  const TemporaryFolder folder;
  const std::string file = folder.In("vc.smt2");
  std::vector<std::string> answers;
  for (const Condition& condition : ConditionsOf(property, kernel, lemmas)) {
    std::ofstream(file) << condition.smt2;
    answers.push_back(
        RunShell("cvc5 --finite-model-find --rlimit=2000000 '" + file + "' 2>&1").out);
  }
  return answers;
}

class SecondSolver : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v cvc5 >/dev/null") != 0)
      GTEST_SKIP() << "cvc5 is not installed: the proofs are not checked by a second solver";
  }
};

TEST_F(SecondSolver, FindsEveryConditionOfEveryPromiseUnsatisfiable) {
  size_t conditions = 0;
  for (const Promise& promise : EncodedPromises()) {
    const KernelProfile kernel = PromisedProfile(promise);
    const Proof proof = Prove(promise.property, kernel, 0).value();
    for (const std::string& answer : Answers(promise.property, kernel, proof.invariant)) {
      EXPECT_EQ(answer, "unsat\n")
          << VersionName(promise.version) << " " << PropertyName(promise.property);
      ++conditions;
    }
  }
  EXPECT_GT(conditions, 200U);
}

TEST_F(SecondSolver, RefutesALemmaThatAnActionBreaks) {
  const auto promise =
      std::ranges::find(EncodedPromises(), KernelVersion::kV6_12, &Promise::version);
  KernelProfile kernel = PromisedProfile(*promise);
  const Proof proof = Prove(promise->property, kernel, 0).value();
  kernel.rules.drop(Rule::kAssumeHomogeneousGroups);
  EXPECT_THAT(Answers(promise->property, kernel, proof.invariant), testing::Contains("sat\n"));
}

}  // namespace
}  // namespace iommucheck::prove
