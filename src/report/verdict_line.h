// SPDX-License-Identifier: Apache-2.0
//
// The line of an answer that is made to be grepped, the same in every command, and its words.
// docs/output.md has the grammar.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/properties.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/case/verdict.h"

namespace iommucheck::report {

// "holds" where it is proved for each size and run, "none" where a search up to a bound found
// nothing: the two never share a word. `proved` is used only where the verdict is kHolds.
const char* VerdictName(Verdict verdict, bool proved);

// "v6.0,-type1.same_ops,+assume.homogeneous_groups", as --kernel takes it.
std::string KernelWord(const KernelSpec& kernel);

// The scopes: proved; of a case found, or up to a bound, "nothing" where that is no machine or no
// run; of one machine, in any run or in runs of so many steps.
inline constexpr std::string_view kEverySize = "every-size";
std::string SizeScope(int devices, int steps);
std::string MachineScope(std::optional<int> steps = std::nullopt);

// "Verdict no-cross-driver-reuse v6.0,-type1.same_ops violated devices=2,steps=5". No line break.
std::string VerdictLine(std::string_view property, const KernelSpec& kernel,
                        std::string_view verdict, std::string_view scope);
inline std::string VerdictLine(Property property, const KernelSpec& kernel,
                               std::string_view verdict, std::string_view scope) {
  return VerdictLine(PropertyName(property), kernel, verdict, scope);
}

// Of a run: a line for each property that the kernel promises and the run violates, "violated
// case=FILE,step=N"; where there is none one line, of all that it promises, as property `promised`:
// none in the steps that were taken, or unknown where the machine is outside of an assumption.
// Each ends the line.
std::string ReplayVerdictLines(const Case& c, const Run& run, const std::string& path);

// Of all that `replay --sweep` played: as of the run as it is written where that violates a
// promise; else a line for each that a run with a failure violates, "violated case=FILE,sweep",
// property `promised` where one only loses something for good; else one line, none.
std::string SweepVerdictLines(const Case& c, const Run& run,
                              std::span<const Property> with_failures, bool loses,
                              const std::string& path);

}  // namespace iommucheck::report
