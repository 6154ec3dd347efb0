// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck pairs`: which two in-tree drivers could serve one machine.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/import/pairs.h"

namespace iommucheck::report {

struct PairCounts {
  int apart = 0;    // cannot both serve devices of one machine
  int coexist = 0;  // can
  int violate = 0;  // coexist, and a device ends on an existing domain of the other
  friend bool operator==(const PairCounts&, const PairCounts&) = default;
};
PairCounts CountPairs(std::span<const import::PairResult> pairs);

// The pairs that coexist, and how many are apart for which reason; with `all` each of these, too.
std::string PairsText(const KernelSpec& kernel, std::span<const import::PairResult> pairs,
                      bool all);
std::string PairsJson(const KernelSpec& kernel, std::span<const import::PairResult> pairs);

// The pairs of every kernel: one table of those that meet on any of them, and what each makes of
// them.
struct PairsOn {
  KernelSpec kernel;
  std::vector<import::PairResult> pairs;
};
std::string PairsAcrossText(std::span<const PairsOn> kernels);
std::string PairsAcrossJson(std::span<const PairsOn> kernels);

}  // namespace iommucheck::report
