// SPDX-License-Identifier: Apache-2.0
#include "src/prove/prove.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "src/case/encoded.h"
#include "tests/mutations.h"

namespace iommucheck::prove {
namespace {

using testing::HasSubstr;

KernelSpec PromisedSpec(KernelVersion version, Property property) {
  KernelSpec spec{.version = version, .dropped = {}, .added = {}};
  for (const Promise& promise : EncodedPromises())
    if (promise.version == version && promise.property == property)
      for (const Rule rule : promise.assumptions) spec.added.add(rule);
  return spec;
}

Proof Find(Property property, const KernelProfile& kernel, uint64_t budget = 0) {
  return Prove(property, kernel, budget).value();
}

std::vector<Lemma> Parsed(std::string_view text) { return ParseLemmas(text, "f").value(); }

class Promised : public testing::TestWithParam<Promise> {};

TEST_P(Promised, HoldsForEverySize) {
  const KernelProfile kernel = ProfileOf(PromisedSpec(GetParam().version, GetParam().property));
  const Proof proof = Find(GetParam().property, kernel);
  ASSERT_TRUE(proof.proved) << proof.reason;
  EXPECT_EQ(proof.invariant[0], PropertyLemma(GetParam().property));

  // The printed proof can be read again and is still a proof, and it needs every lemma.
  const std::vector<Lemma> read =
      Parsed(absl::StrCat(Glossary(), PrintLemmas(proof.invariant, 75)));
  EXPECT_EQ(read, proof.invariant);
  const auto checked = CheckInvariant(GetParam().property, kernel, read, 0).value();
  EXPECT_TRUE(checked.proved) << checked.reason;
  for (size_t n = 0; n < read.size(); ++n) {
    std::vector<Lemma> fewer = read;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(n));
    const auto refuted = CheckInvariant(GetParam().property, kernel, fewer, 0).value();
    EXPECT_FALSE(refuted.proved) << "without: " << PrintLemma(read[n]);
  }
}

INSTANTIATE_TEST_SUITE_P(Prove, Promised,
                         testing::ValuesIn(EncodedPromises().begin(), EncodedPromises().end()),
                         [](const auto& tested) {
                           return TestName(
                               absl::StrCat(std::string(VersionName(tested.param.version)), " ",
                                            std::string(PropertyName(tested.param.property))));
                         });

// No property is proved for which the fuzz target finds a violating run.
TEST(Mutations, HaveNoProof) {
  const std::vector<Mutation> mutations = ReadMutations();
  for (const Mutation& mutation : mutations) {
    KernelProfile kernel = ProfileOf(PromisedSpec(mutation.version, mutation.property));
    kernel.rules = kernel.rules - mutation.dropped;
    const Proof proof = Find(mutation.property, kernel);
    EXPECT_FALSE(proof.proved) << mutation.text;
    EXPECT_TRUE(proof.known) << mutation.text;
    EXPECT_THAT(proof.reason, HasSubstr("against: "));
  }
  EXPECT_GE(mutations.size(), 30U);
}

TEST(Budget, RunsOut) {
  const KernelProfile kernel = ProfileOf(PromisedSpec(KernelVersion::kV6_0, kReuse));
  const Proof proof = Find(kReuse, kernel, 1000);
  EXPECT_FALSE(proof.proved);
  EXPECT_FALSE(proof.known);
  EXPECT_EQ(proof.reason, "the budget is used up");
}

TEST(Given, LemmasThatAreNoProofAreRefused) {
  const KernelProfile kernel = ProfileOf(KernelVersion::kV6_1);
  const auto reason = [&](std::string_view text) {
    const auto proof = CheckInvariant(kAttach, kernel, Parsed(text), 0);
    EXPECT_TRUE(proof.ok());
    EXPECT_FALSE(proof->proved);
    return proof->reason;
  };
  EXPECT_EQ(reason("-> registered(i)\n"), "does not hold at boot: -> registered(i)");
  EXPECT_EQ(reason("registered(i) & registered(i1) -> i = i1"),
            "iommu_device_register breaks: registered(i) & registered(i1) -> i = i1");
  EXPECT_EQ(reason("allocated(x) -> allocated(x)"), "the lemmas do not imply the property");
  EXPECT_EQ(reason(""), "the lemmas do not imply the property");
}

TEST(Parse, SaysWhereItGoesWrong) {
  const std::string variable = "a variable (d i g x b r c t, and a number up to 19), found ";
  for (const auto& [text, place, expected] : std::vector<std::array<std::string, 3>>{
           {"# x\nregistered(d) -> fresh(x)", "2:12", "an instance, found 'd'"},
           {"registered(i)\n", "1:14", "& or ->, found the end of the lemma"},
           {"regstered(i) -> fresh(x)", "1:1", "a relation or a term, found 'regstered'"},
           {"fresh(x) -> i = i1 i", "1:20", "the end of the lemma, found 'i'"},
           {"fresh(x) ->\n  i = driver(d)", "2:14", "an instance, found 'd'"},
           {"fresh(x20) -> attaching", "1:7", variable + "'x20'"},
           {"fresh(x) -> \xff", "1:13", variable + "byte 0xff"},
           {"fresh(x -> attaching", "1:9", "), found '-'"}})
    EXPECT_EQ(MessageOf(ParseLemmas(text, "f")), "f:" + place + ": expected " + expected);
}

}  // namespace
}  // namespace iommucheck::prove
