// SPDX-License-Identifier: Apache-2.0
//
// cvc5 checks the verification conditions of the proofs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "src/case/encoded.h"
#include "src/prove/prove.h"

namespace iommucheck::prove {
namespace {

namespace fs = std::filesystem;

KernelProfile PromisedProfile(const Promise& promise) {
  KernelProfile kernel = ProfileOf(promise.version);
  for (const Rule rule : promise.assumptions) kernel.rules.add(rule);
  return kernel;
}

std::string Cvc5(const fs::path& file) {
  const std::string command =
      "cvc5 --finite-model-find --rlimit=2000000 '" + file.string() + "' 2>&1";
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "cvc5 does not run";
  std::array<char, 256> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), n);
  pclose(pipe);
  return output;
}

// The answers to all conditions about lemmas, in the order of the conditions.
std::vector<std::string> Answers(Property property, const KernelProfile& kernel,
                                 const std::vector<Lemma>& lemmas) {
  const fs::path file = fs::path(testing::TempDir()) / absl::StrCat("vc-", getpid(), ".smt2");
  std::vector<std::string> answers;
  for (const Condition& condition : ConditionsOf(property, kernel, lemmas)) {
    std::ofstream(file) << condition.smt2;
    answers.push_back(Cvc5(file));
  }
  fs::remove(file);
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
    const absl::StatusOr<Proof> proof = Prove(promise.property, kernel, 0);
    ASSERT_TRUE(proof.ok()) << proof.status();
    for (const std::string& answer : Answers(promise.property, kernel, proof->invariant)) {
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
  const absl::StatusOr<Proof> proof = Prove(promise->property, kernel, 0);
  ASSERT_TRUE(proof.ok()) << proof.status();
  kernel.rules.drop(Rule::kAssumeHomogeneousGroups);
  EXPECT_THAT(Answers(promise->property, kernel, proof->invariant), testing::Contains("sat\n"));
}

}  // namespace
}  // namespace iommucheck::prove
