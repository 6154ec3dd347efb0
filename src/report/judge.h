// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck judge`: files, each held to the outcome that is written in it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace iommucheck::report {

struct Judged {
  std::string path;
  absl::Status status{};                  // why it could not be judged
  std::vector<std::string> mismatches{};  // what is not as written, a line each
  std::vector<std::string> verdicts{};    // of a claim's queries, the lines made to be grepped
  bool asserts_nothing = false;           // which is not as written, either
};

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

}  // namespace iommucheck::report
