// SPDX-License-Identifier: Apache-2.0
//
// The recorded traces of booted kernels (corpus/traces), and the comparison of other traces with
// them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/case.h"
#include "src/conform/compare.h"
#include "src/conform/trace_text.h"

namespace iommucheck::conform {

// In files of many cases (.cases) a line "=== NAME" comes before each; a .case has the name of its
// file.
absl::StatusOr<Cases> ReadCases(const std::vector<std::string>& paths);

// The case as an unpatched kernel without assumptions plays it: with the ops that the model of the
// version can take, up to the first that it cannot.
Case AsPlayed(const Case& c, KernelVersion version);
Cases AsPlayed(const Cases& cases, KernelVersion version);

struct Difference {
  std::string name;
  Comparison comparison;
};
// The cases of the file for which `trace_of` differs from the recorded trace.
std::vector<Difference> CompareTraces(const TraceFile& recorded, const Cases& cases,
                                      std::string_view other_name,
                                      const std::function<Trace(const Case&)>& trace_of);

}  // namespace iommucheck::conform
