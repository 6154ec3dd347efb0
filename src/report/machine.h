// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query --on`: a question about one machine, its answer played in the model on all of
// it, and both in print.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/prove/prove.h"
#include "src/smt/fixed_query.h"

namespace iommucheck::report {

struct MachineQuestion {
  Property property = Property::kNoCrossDriverReuse;
  std::string path;                      // of the machine
  Case machine;                          // kernel, topology and names; its ops are not looked at
  std::vector<std::string> assumptions;  // what was assumed to read it, a sentence each
  smt::Bounds bounds;                    // devices: nothing
  bool want_smt2 = false;
  bool bounded = false;  // do not try to prove it
};

// The kernel without what a patch takes away and adds, on the same machine.
struct MachineChange {
  KernelSpec before;
  Verdict verdict{};
  bool every_run = false;  // kHolds: in runs of any length
  int steps = 0;           // of the case, else up to so many
  bool same_run = false;   // the case found on the kernel asked about violates it there, too
};

struct MachineAnswer {
  MachineQuestion question;
  smt::MachineResult result;
  // What it holds by, for runs of any length: the assumption of the kernel that the machine is
  // outside of, that it has one driver, or a proof for all machines with `facts`.
  std::optional<Rule> outside;
  bool one_driver = false;
  std::optional<prove::Proof> proof;
  RuleSet facts;                          // that the machine fulfils and the proof rests on
  Run run;                                // kViolated: the model's run of result.query.found
  std::optional<MachineChange> change{};  // of a patch, where asked for
};

// Whether the verdict is one for runs of any length.
inline bool HoldsForEveryRun(const MachineAnswer& a) {
  return a.outside || a.one_driver || (a.proof && a.proof->proved);
}

// Looks for a proof that rests on what the machine fulfils, then searches up to the bounds. The
// errors are those of Ask().
absl::StatusOr<MachineAnswer> AskOnMachine(const MachineQuestion& question);

// Gives an answer about a patched kernel its `change`; other answers have none. Errors: as above.
absl::Status AskChange(MachineAnswer& answer);

std::string MachineAnswerText(const MachineAnswer& answer, const std::string& next = "");
std::string MachineAnswerJson(const MachineAnswer& answer);

}  // namespace iommucheck::report
