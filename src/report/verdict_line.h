// SPDX-License-Identifier: Apache-2.0
//
// The line of an answer that is made to be grepped, the same in every command, and its words.
// docs/output.md has the grammar.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

// Of a machine and a run on it, or of all up to some bounds.
struct Size {
  int devices = 0;
  int steps = 0;
  friend bool operator==(const Size&, const Size&) = default;
};
inline Size SizeOf(const Case& c) {
  return {.devices = c.topology.devices_count, .steps = static_cast<int>(c.ops.size())};
}
// "2 devices, 5 steps"
std::string SizeText(Size size);

// The scope of a verdict in one word: proved; a size, or "nothing" where that is no machine or no
// run; one machine, in any run or in runs of up to so many steps.
inline constexpr std::string_view kEverySize = "every-size";
std::string SizeScope(Size size);
std::string MachineScope(std::optional<int> steps = std::nullopt);

// "Verdict no-cross-driver-reuse v6.0,-type1.same_ops violated devices=2,steps=5". No line break.
std::string VerdictLine(std::string_view property, const KernelSpec& kernel,
                        std::string_view verdict, std::string_view scope);
inline std::string VerdictLine(Property property, const KernelSpec& kernel,
                               std::string_view verdict, std::string_view scope) {
  return VerdictLine(PropertyName(property), kernel, verdict, scope);
}

// The properties that the kernel of the case promises and the run violates.
std::vector<Property> BrokenPromises(const Case& c, const Run& run);

// Of a run: a line for each broken promise, "violated case=FILE,step=N"; where there is none one
// line, of all that the kernel promises, as property `promised`: none in the steps that were taken,
// or unknown where the machine is outside of an assumption. Each ends the line.
std::string ReplayVerdictLines(const Case& c, const Run& run, const std::string& path);

// Of all that `replay --sweep` played: if the run as it is written breaks a promise, the lines of
// that run; else a line for each promise that a run with a failure breaks, "violated
// case=FILE,sweep", property `promised` if a run only loses something; else one line, none.
std::string SweepVerdictLines(const Case& c, const Run& run,
                              std::span<const Property> with_failures, bool loses,
                              const std::string& path);

}  // namespace iommucheck::report
