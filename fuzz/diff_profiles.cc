// SPDX-License-Identifier: Apache-2.0
//
// A profile is its rules: a kernel of the same era that is changed to have the rules of another
// does, step by step, the same. Code that asks for the version, and not for a rule, breaks this.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fuzz/feedback.h"
#include "fuzz/finding.h"
#include "model/step.h"
#include "src/case/bytes.h"
#include "src/case/repair.h"
#include "src/case/run.h"

namespace {

using namespace iommucheck;

// A kernel of the other version that has the rules of this one.
KernelSpec As(KernelVersion other, const KernelProfile& kernel) {
  const RuleSet rules = ProfileOf(other).rules;
  return {.version = other, .dropped = rules - kernel.rules, .added = kernel.rules - rules};
}

[[noreturn]] void Differ(const DecodedCase& c, const KernelSpec& other, int at) {
  Case taken = ToCase(c);
  taken.ops.resize(static_cast<size_t>(at) + 1);
  Case changed = taken;
  changed.kernel = other;
  fuzzing::Fail(
      absl::StrCat("a profile is its rules, ", std::string(VersionName(c.kernel.version)), " and ",
                   std::string(VersionName(other.version))),
      absl::StrCat(PrintCase(Asserted(taken, Play(taken))), "--- and ---\n",
                   PrintCase(Asserted(changed, Play(changed))), "\n", fuzzing::ReproduceText()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzzing::NoteInput(data, size);
  static DecodedCase c;
  static std::vector<Event> events;
  DecodeBytes({data, size}, c);
  const KernelProfile kernel = ProfileOf(c.kernel);
  Repair(c.topology, kernel.rules);
  fuzzing::NoteRun(c, kernel);
  for (const KernelVersion version : kKernelVersions) {
    if (version == c.kernel.version || ProfileOf(version).era != kernel.era) continue;
    const KernelSpec spec = As(version, kernel);
    const KernelProfile other = ProfileOf(spec);
    State state = InitialState(c.topology);
    State other_state = state;
    for (int i = 0; i < c.ops_count; ++i) {
      const StepResult result = Step(kernel, c.topology, c.ops[i], state, events);
      const StepResult again = Step(other, c.topology, c.ops[i], other_state, events);
      if (result.outcome != again.outcome || result.error != again.error || !(state == other_state))
        Differ(c, spec, i);
    }
  }
  return 0;
}
