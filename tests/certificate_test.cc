// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "src/case/encoded.h"
#include "src/certificate/sat.h"
#include "src/smt/cnf.h"
#include "src/smt/query.h"
#include "tests/given.h"

namespace iommucheck::certificate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Files = std::map<std::string, std::string>;

Files FilesOf(const Claim& claim) {
  Files files;
  const Certificate certificate = Certify(claim, 0).value();
  for (const File& file : certificate.files) files["dir/" + file.name] = file.text;
  return files;
}

absl::StatusOr<Checked> Check(const Files& files) {
  return CheckCertificate("dir", [&](const std::string& path) -> absl::StatusOr<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return absl::InvalidArgumentError(path + ": none");
    return found->second;
  });
}

// "" if the certificate is right.
std::string FailureOf(const Files& files) { return Check(files).value().failure; }
std::string ErrorOf(const Files& files) {
  const absl::StatusOr<Checked> checked = Check(files);
  EXPECT_EQ(checked.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(checked.status().message());
}

class Certificates : public testing::TestWithParam<Claim> {};

TEST_P(Certificates, ShowWhatTheyClaim) {
  const Claim& claim = GetParam();
  const Checked checked = Check(FilesOf(claim)).value();
  EXPECT_EQ(checked.failure, "");
  EXPECT_EQ(PropertyName(checked.claim.property), PropertyName(claim.property));
  EXPECT_EQ(checked.claim.kernel, claim.kernel);
  const int lengths = claim.steps - smt::StepsNeeded(claim.property) + 1;
  ASSERT_EQ(checked.runs.size(), static_cast<size_t>(lengths));
  for (const ProvedRuns& runs : checked.runs) {
    EXPECT_GT(runs.core, 0U);
    EXPECT_LT(runs.core, runs.clauses);
  }
}

// The proof is valid for every kernel that has the rules in its core, whatever other rules it has.
TEST_P(Certificates, HoldWithoutTheRulesThatNoProofUses) {
  Claim claim = GetParam();
  const Certificate certificate = Certify(claim, 0).value();
  RuleSet used;
  for (const ProvedRuns& runs : certificate.runs)
    for (const RuleInfo& info : EncodedRuleInfos())
      if (runs.rules.has(info.rule)) used.add(info.rule);
  for (const RuleInfo& info : EncodedRuleInfos()) {
    if (!ProfileOf(claim.kernel).has(info.rule) || used.has(info.rule)) continue;
    if (claim.kernel.added.has(info.rule))
      claim.kernel.added.drop(info.rule);
    else
      claim.kernel.dropped.add(info.rule);
  }
  const smt::QueryResult result =
      smt::Query(claim.property, claim.kernel, {.devices = claim.devices, .steps = claim.steps})
          .value();
  EXPECT_EQ(result.verdict, Verdict::kHolds);
}

std::vector<Claim> Claims() {
  const std::string slots = ",+assume.bus_ops_not_replaced";
  const std::string groups = ",+assume.homogeneous_groups";
  return {
      {.property = kReuse, .kernel = KernelOf("v5.15" + slots), .devices = 2, .steps = 5},
      {.property = kReuse, .kernel = KernelOf("v6.0" + slots), .devices = 3, .steps = 5},
      {.property = kReuse, .kernel = KernelOf("v6.1"), .devices = 3, .steps = 6},
      {.property = kReuse, .kernel = KernelOf("v6.12" + groups), .devices = 2, .steps = 6},
      {.property = kReuse, .kernel = KernelOf("v7.1" + groups), .devices = 3, .steps = 5},
      {.property = kAttach, .kernel = KernelOf("v5.18" + slots), .devices = 2, .steps = 3},
      {.property = kAttach, .kernel = KernelOf("v6.1.y"), .devices = 2, .steps = 4},
      {.property = kAttach, .kernel = KernelOf("v6.8" + groups), .devices = 1, .steps = 5},
  };
}
INSTANTIATE_TEST_SUITE_P(Profiles, Certificates, testing::ValuesIn(Claims()), [](const auto& row) {
  return TestName(absl::StrCat(std::string(VersionName(row.param.kernel.version)), " ",
                               std::string(PropertyName(row.param.property)), " ",
                               row.param.steps));
});

// --- certificates that are not right ---

class Forged : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    files_ = new Files(
        FilesOf({.property = kReuse, .kernel = KernelOf("v6.1"), .devices = 2, .steps = 5}));
  }
  static void TearDownTestSuite() { delete files_; }
  static Files* files_;
  static Files With(const std::string& name, const std::string& text) {
    Files files = *files_;
    files["dir/" + name] = text;
    return files;
  }
  static std::string Text(const std::string& name) { return files_->at("dir/" + name); }
};
Files* Forged::files_ = nullptr;

TEST_F(Forged, NothingIsWrongBefore) { EXPECT_EQ(FailureOf(*files_), ""); }

TEST_F(Forged, AProofThatEndsEarly) {
  EXPECT_THAT(FailureOf(With("steps5.drat", "")), HasSubstr("dir/steps5.drat: the proof ends"));
}

TEST_F(Forged, AProofThatBeginsWithItsEnd) {
  EXPECT_THAT(FailureOf(With("steps5.drat", "0\n" + Text("steps5.drat"))),
              HasSubstr("dir/steps5.drat:1: the clause does not follow"));
}

TEST_F(Forged, AFormulaThatIsEasier) {
  // The number of clauses is unchanged, but one of them is the empty one.
  std::string cnf = Text("steps5.cnf");
  const size_t first = cnf.find('\n') + 1;
  cnf.replace(first, cnf.find('\n', first) - first, "0");
  EXPECT_EQ(FailureOf(With("steps5.cnf", cnf)),
            "dir/steps5.cnf:2: not what this iommucheck writes for the claim");
}

TEST_F(Forged, AnotherMap) {
  const std::string map = absl::StrReplaceAll(Text("steps5.map"), {{"device0.", "device1."}});
  EXPECT_THAT(FailureOf(With("steps5.map", map)), HasSubstr("dir/steps5.map:"));
}

TEST_F(Forged, AClaimOfMoreThanTheFilesShow) {
  const auto manifest = [](const char* from, const char* to) {
    return With("MANIFEST.json", absl::StrReplaceAll(Text("MANIFEST.json"), {{from, to}}));
  };
  EXPECT_THAT(ErrorOf(manifest("\"steps\": 5,\n  \"runs", "\"steps\": 6,\n  \"runs")),
              HasSubstr("dir/steps6.cnf"));
  EXPECT_THAT(FailureOf(manifest("\"devices\": 2,\n  \"steps", "\"devices\": 3,\n  \"steps")),
              HasSubstr("dir/steps5.cnf:"));
  EXPECT_THAT(FailureOf(manifest("v6.1", "v6.8")), HasSubstr("dir/steps5.cnf:"));
  EXPECT_THAT(FailureOf(manifest("\"core.dma_owner\",", "\"core.owner_first\",")),
              HasSubstr("dir/MANIFEST.json:"));
}

TEST_F(Forged, FilesThatAreNotOfTheirForm) {
  const auto error = [](const char* name, const std::string& text) {
    return ErrorOf(With(name, text));
  };
  EXPECT_THAT(error("MANIFEST.json", ""), HasSubstr("dir/MANIFEST.json:1:1: expected JSON"));
  EXPECT_THAT(error("MANIFEST.json", "[]"), HasSubstr("expected an object"));
  EXPECT_THAT(error("MANIFEST.json", "{}"),
              HasSubstr("dir/MANIFEST.json: /model: expected a hash of model and encoding, found"));
  const std::string manifest = Text("MANIFEST.json");
  for (const auto& [from, to, expected] : std::vector<std::array<std::string, 3>>{
           {"\"no-cross-driver-reuse\"", "\"reuse\"", "/property: expected no-cross"},
           {"\"v6.1\"", "6", "/kernel: expected a kernel profile, found"},
           {"\"v6.1\"", "\"v6.2\"", "expected a kernel (v5.10.y"},
           {"\"drop\": []", "\"drop\": [1]", "/drop: expected an array of rules, found"},
           {"\"add\": []", "\"add\": [\"x.y\"]", "expected a rule"},
           {"\"devices\": 2,\n  \"steps\"", "\"devices\": 99,\n  \"steps\"",
            "/devices: expected a number, 1 to 6, found"},
           {"\"steps\": 5,\n  \"runs\"", "\"steps\": -5,\n  \"runs\"",
            "/steps: expected a number, 5 to 12, found"}})
    EXPECT_THAT(error("MANIFEST.json", absl::StrReplaceAll(manifest, {{from, to}})),
                HasSubstr("dir/MANIFEST.json: " + expected));
  EXPECT_THAT(error("steps5.cnf", "p cnf 1 1\n2 0\n"), HasSubstr("dir/steps5.cnf:2:1: expected"));
  EXPECT_THAT(error("steps5.drat", "1 2 x\n"), HasSubstr("dir/steps5.drat:1:5: expected"));
}

// --- the formulas, against Z3 ---

TEST(Formulas, HaveAModelWhereZ3FindsACase) {
  for (const auto& [property, kernel] : std::vector<std::pair<Property, KernelSpec>>{
           {kReuse, KernelOf("v5.15,-type1.same_ops")},
           {kReuse, KernelOf("v6.0,-type1.same_ops")},
           {kReuse, KernelOf("v6.8,-type1.same_ops,-core.owner_first")},
           {kReuse, KernelOf("v7.1,-type1.same_ops,-core.owner_first")},
           {kReuse, KernelOf("v6.12")},
           {kAttach, KernelOf("v6.0")},
           {kAttach, KernelOf("v7.1")},
           {kAttach, KernelOf("v6.8,-assume.probe_rejects_foreign")}}) {
    const smt::QueryResult found = smt::Query(property, kernel, {}).value();
    ASSERT_EQ(found.verdict, Verdict::kViolated) << VersionName(kernel.version);
    const int steps = static_cast<int>(found.found.ops.size());
    for (int s = smt::StepsNeeded(property); s <= steps; ++s)
      EXPECT_EQ(SolveCnf(smt::CnfOf(property, kernel, 3, s), 0).kind,
                s < steps ? SatAnswer::Kind::kUnsat : SatAnswer::Kind::kSat)
          << VersionName(kernel.version) << " " << PropertyName(property) << " " << s;
  }
}

TEST(Formulas, CertifyNothingOfAKernelThatIsViolated) {
  const absl::StatusOr<Certificate> certificate = Certify(
      {.property = kReuse, .kernel = KernelOf("v6.0,-type1.same_ops"), .devices = 2, .steps = 5},
      0);
  EXPECT_EQ(certificate.status().code(), absl::StatusCode::kInternal);
  // The error reports both solvers, and the machine and the run of the model.
  EXPECT_THAT(std::string(certificate.status().message()),
              AllOf(HasSubstr("\nstep5.kind."), HasSubstr("\ndevice0.")));
}

TEST(Budget, EndsWithoutACertificate) {
  const absl::StatusOr<Certificate> certificate =
      Certify({.property = kReuse,
               .kernel = KernelOf("v6.0,+assume.bus_ops_not_replaced"),
               .devices = 3,
               .steps = 6},
              10);
  EXPECT_EQ(certificate.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace iommucheck::certificate
