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
//   case ../litmus/v7.1+two-tables.case           (played, and as is written in it)
//   finding True up to 6.0. ...
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/report/answer.h"

namespace iommucheck::report {

struct ClaimQuery {
  int line = 0;
  Question question;
  Verdict verdict{};    // expected
  bool proved = false;  // kHolds: for every size, else up to the bounds
  int devices = 0;      // of the smallest case, where it is violated
  int steps = 0;
};

struct ClaimPairs {
  int line = 0;
  KernelSpec kernel;
  int apart = 0;    // pairs of drivers that cannot both serve devices of one machine
  int coexist = 0;  // pairs that can
  int violate = 0;  // and put a device on a domain of the other
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
  std::vector<ClaimCase> cases;
};

// Errors: InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WHAT".
absl::StatusOr<Claim> ParseClaim(std::string_view text, std::string_view file);

struct ClaimJudgement {
  std::vector<std::string> lines;       // one a query: what was asked and what came out
  std::vector<std::string> verdicts;    // of the queries, the lines made to be grepped
  std::vector<std::string> mismatches;  // outcomes that differ from those written
  bool asserts_nothing = false;         // a case of it does; a mismatch says which
};
// How the caller reads a case; its errors are passed on.
using CaseReader = std::function<absl::StatusOr<Case>(const std::string& path)>;
// Ask(), or something that remembers its answers.
using Asker = std::function<absl::StatusOr<Answer>(const Question& question)>;
// Asks every query and plays every case. Errors: as `ask` and `read`.
absl::StatusOr<ClaimJudgement> JudgeClaim(const Claim& claim, const CaseReader& read,
                                          const Asker& ask = Ask);

}  // namespace iommucheck::report
