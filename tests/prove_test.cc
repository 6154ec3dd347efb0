// SPDX-License-Identifier: Apache-2.0
#include "src/prove/prove.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"

namespace iommucheck::prove {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

const fs::path kSource = IOMMUCHECK_SOURCE_DIR;

KernelSpec PromisedSpec(KernelVersion version, Property property) {
  KernelSpec spec{.version = version, .dropped = {}, .added = {}};
  for (const Promise& promise : EncodedPromises())
    if (promise.version == version && promise.property == property)
      for (const Rule rule : promise.assumptions) spec.added.add(rule);
  return spec;
}

Proof Find(Property property, const KernelProfile& kernel, uint64_t budget = 0) {
  const absl::StatusOr<Proof> proof = Prove(property, kernel, budget);
  EXPECT_TRUE(proof.ok()) << proof.status();
  return proof.ok() ? *proof : Proof{};
}

std::vector<Lemma> Parsed(std::string_view text) {
  const absl::StatusOr<std::vector<Lemma>> lemmas = ParseLemmas(text, "f");
  EXPECT_TRUE(lemmas.ok()) << lemmas.status();
  return lemmas.ok() ? *lemmas : std::vector<Lemma>{};
}

std::string NameOf(const Promise& promise) {
  std::string name = absl::StrCat(std::string(VersionName(promise.version)), "_",
                                  std::string(PropertyName(promise.property)));
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

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
  const auto checked = CheckInvariant(GetParam().property, kernel, read, 0);
  ASSERT_TRUE(checked.ok());
  EXPECT_TRUE(checked->proved) << checked->reason;
  for (size_t n = 0; n < read.size(); ++n) {
    std::vector<Lemma> fewer = read;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(n));
    const auto refuted = CheckInvariant(GetParam().property, kernel, fewer, 0);
    ASSERT_TRUE(refuted.ok());
    EXPECT_FALSE(refuted->proved) << "without: " << PrintLemma(read[n]);
  }
}

INSTANTIATE_TEST_SUITE_P(Prove, Promised,
                         testing::ValuesIn(EncodedPromises().begin(), EncodedPromises().end()),
                         [](const auto& tested) { return NameOf(tested.param); });

// No property is proved for which the fuzz target finds a violating run. Reads
// fuzz/mutations.cmake.
TEST(Mutations, HaveNoProof) {
  std::ifstream file(kSource / "fuzz/mutations.cmake");
  const std::regex line(R"(\s*expect_trap\((\S+) (\S+) \$\{(attach|reuse)\}\))");
  int mutations = 0;
  for (std::string text; std::getline(file, text);) {
    std::smatch match;
    if (!std::regex_match(text, match, line)) {
      EXPECT_THAT(text, testing::Not(HasSubstr("expect_trap")));
      continue;
    }
    // The only variable loops over the last two versions.
    const std::vector<std::string> versions = match[1] == "${version}"
                                                  ? std::vector<std::string>{"v6.12", "v7.1"}
                                                  : std::vector<std::string>{match[1]};
    const Property property =
        match[3] == "attach" ? Property::kNoCrossDriverAttach : Property::kNoCrossDriverReuse;
    for (const std::string& version : versions) {
      const auto found = FindVersion(version);
      ASSERT_TRUE(found) << version;
      KernelProfile kernel = ProfileOf(PromisedSpec(*found, property));
      const std::vector<std::string> rules = absl::StrSplit(std::string(match[2]), ',');
      for (const std::string& rule : rules) {
        ASSERT_TRUE(FindRule(rule)) << rule;
        kernel.rules.drop(*FindRule(rule));
      }
      const Proof proof = Find(property, kernel);
      EXPECT_FALSE(proof.proved) << text;
      EXPECT_TRUE(proof.known) << text;
      EXPECT_THAT(proof.reason, HasSubstr("against: "));
      ++mutations;
    }
  }
  EXPECT_GE(mutations, 30);
}

TEST(Budget, RunsOut) {
  const KernelProfile kernel =
      ProfileOf(PromisedSpec(KernelVersion::kV6_0, Property::kNoCrossDriverReuse));
  const Proof proof = Find(Property::kNoCrossDriverReuse, kernel, 1000);
  EXPECT_FALSE(proof.proved);
  EXPECT_FALSE(proof.known);
  EXPECT_EQ(proof.reason, "the budget is used up");
}

TEST(Given, LemmasThatAreNoProofAreRefused) {
  const KernelProfile kernel = ProfileOf(KernelVersion::kV6_1);
  const auto reason = [&](std::string_view text) {
    const auto proof = CheckInvariant(Property::kNoCrossDriverAttach, kernel, Parsed(text), 0);
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
  const auto error = [](std::string_view text) {
    const auto lemmas = ParseLemmas(text, "f");
    EXPECT_FALSE(lemmas.ok()) << text;
    return std::string(lemmas.status().message());
  };
  EXPECT_EQ(error("# x\nregistered(d) -> fresh(x)"), "f:2:12: expected an instance, found 'd'");
  EXPECT_EQ(error("registered(i)\n"), "f:1:14: expected & or ->, found the end of the lemma");
  EXPECT_EQ(error("regstered(i) -> fresh(x)"),
            "f:1:1: expected a relation or a term, found 'regstered'");
  EXPECT_EQ(error("fresh(x) -> i = i1 i"), "f:1:20: expected the end of the lemma, found 'i'");
  EXPECT_EQ(error("fresh(x) ->\n  i = driver(d)"), "f:2:14: expected an instance, found 'd'");
  EXPECT_EQ(error("fresh(x20) -> attaching"),
            "f:1:7: expected a variable (d i g x b r c t, and a number up to 19), found 'x20'");
  EXPECT_EQ(error("fresh(x) -> \xff"),
            "f:1:13: expected a variable (d i g x b r c t, and a "
            "number up to 19), found byte 0xff");
  EXPECT_EQ(error("fresh(x -> attaching"), "f:1:9: expected ), found '-'");
}

}  // namespace
}  // namespace iommucheck::prove
