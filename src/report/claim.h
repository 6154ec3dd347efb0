// SPDX-License-Identifier: Apache-2.0
//
// A claim that somebody made, and the queries that decide it, with the outcome that iommucheck
// itself finds. One text file each (corpus/claims):
//
//   # free comment
//   claim mixed-buses
//   says Jason Gunthorpe, 2022-06-24, "Re: [PATCH v2 3/5] vfio/iommu_type1: ..."
//   quote it does protect against systems with multiple iommu drivers on different busses
//   query no-cross-driver-reuse kernel v6.0 drop type1.same_ops devices 3 steps 5
//         -> violated devices 2 steps 5                                       (one line)
//   query no-cross-driver-reuse kernel v6.1 devices 3 steps 5 -> holds        (proved, every size)
//   query no-cross-driver-reuse kernel v6.1 devices 3 steps 5 -> none      (up to that, no proof)
//   pairs kernel v6.0 drop type1.same_ops -> apart 200 coexist 12 violate 7   (the catalogue)
//   systems ../../data/systems/debian-7.2.csv -> trees 2788 driven 1047 several 85 affected 0 patched 0
//   case ../litmus/v7.1+two-tables.case           (played, and as is written in it)
//   finding True up to 6.0. ...
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/run.h"
#include "src/report/answer.h"
#include "src/report/pairs_text.h"
#include "src/report/results.h"

namespace iommucheck::report {

struct ClaimQuery {
  int line = 0;
  Question question;
  Verdict verdict{};    // expected
  bool proved = false;  // kHolds: for every size, else up to the bounds
  Size size;            // of the smallest case, where it is violated
};

struct ClaimPairs {
  int line = 0;
  KernelSpec kernel;
  PairCounts counts;  // expected
};

// Machines of a survey that was kept: all, those with an IOMMU that the kernel drives, those with
// devices of several drivers, and of these the ones that are affected, and affected with the patch
// of 2022, or of which that is unknown.
struct SystemCounts {
  int trees = 0;
  int driven = 0;
  int several = 0;
  int affected = 0;
  int patched = 0;
  friend bool operator==(const SystemCounts&, const SystemCounts&) = default;
};
struct ClaimSystems {
  int line = 0;
  std::string path;     // from the folder of the claim
  SystemCounts counts;  // expected
};

struct ClaimCase {
  int line = 0;
  std::string path;  // from the folder of the claim
};

struct Claim {
  std::string file;
  std::string name;
  std::string says;
  std::string quote;
  std::string finding;
  std::vector<ClaimQuery> queries;
  std::vector<ClaimPairs> pairs;
  std::vector<ClaimSystems> systems;
  std::vector<ClaimCase> cases;
};

// Errors: InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WHAT".
absl::StatusOr<Claim> ParseClaim(std::string_view text, std::string_view file);

// Of a claim, or of a case that is judged by itself.
struct Judgement {
  std::vector<std::string> lines;     // of a claim: what was asked and what came out, one a query
  std::vector<std::string> verdicts;  // of a claim's queries, the lines made to be grepped
  std::vector<Assertion> assertions;  // of a case, or a claim's queries and cases
  bool asserts_nothing = false;       // the case, or a case of the claim: a problem says which
};
// How the caller reads a case; its errors are passed on.
using CaseReader = std::function<absl::StatusOr<Case>(const std::string& path)>;
// Ask(), or something that remembers its answers.
using Asker = std::function<absl::StatusOr<Answer>(const Question& question)>;
// Asks every query and plays every case. Errors: as `ask` and `read`.
absl::StatusOr<Judgement> JudgeClaim(const Claim& claim, const CaseReader& read,
                                     const Asker& ask = Ask);

// `iommucheck judge`: files, each held to the outcome that is written in it.
struct Judged {
  std::string path;
  absl::Status status{};  // why it could not be judged
  Judgement judgement{};
  // Of a case: for each assertion, if the run does not meet it, the functions that it is about.
  std::vector<std::vector<KernelPlace>> kernel{};
};
// Plays the case.
Judged JudgeCase(const std::string& path, const Case& c);

struct JudgeCounts {
  size_t judged = 0;
  size_t differing = 0;
  size_t asserting_nothing = 0;  // counted in `differing`, too
  size_t unreadable = 0;
};
JudgeCounts CountJudged(std::span<const Judged> all);

// The lines about one file; with `verbose` also that it is as written.
std::string JudgedText(const Judged& judged, bool verbose);
std::string JudgeCountsText(const JudgeCounts& counts);
std::string JudgeJson(std::span<const Judged> all);
// A result for each file, of which the assertions are the parts.
std::vector<CheckResult> JudgeResults(std::span<const Judged> all);

}  // namespace iommucheck::report
