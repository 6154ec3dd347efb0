// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query --all`: every smallest case of a property, each replayed in the model.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/report/answer.h"
#include "src/smt/query.h"

namespace iommucheck::report {

struct AllCases {
  Answer answer;  // kViolated: the cases below are as small as the one found
  // Of cases that are variants of each other (src/case/variants.h) the one that reads most easily.
  std::vector<Case> cases{};
  std::vector<Run> runs{};
  smt::Enumeration search{};  // not complete: there may be more, which changes no verdict
  bool enough = false;        // as many as asked for, and one more was found
};

// Asks, then goes through all cases of the size found; up to `max` of them where that is not 0.
// Errors: as Ask().
absl::StatusOr<AllCases> AskAll(const Question& question, int max);

std::string AllText(const AllCases& all);
std::string AllJson(const AllCases& all);

}  // namespace iommucheck::report
