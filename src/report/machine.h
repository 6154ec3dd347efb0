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
#include "src/import/gap.h"
#include "src/prove/prove.h"
#include "src/report/gaps.h"
#include "src/smt/machine_query.h"

namespace iommucheck::report {

struct MachineQuestion {
  Property property = Property::kNoCrossDriverReuse;
  std::string path;                      // of the machine
  Case machine;                          // kernel, topology and names; its ops are not looked at
  std::vector<std::string> assumptions;  // what was assumed to read it, a sentence each
  std::vector<import::Gap> gaps;         // what of it could not be read
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

// The verdict, which is unknown rather than "holds" where a part of the machine is missing.
inline Verdict VerdictOf(const MachineAnswer& a) {
  return OnWhatIsThere(a.result.query.verdict, a.question.gaps);
}

// Whether, of what was read, it holds for runs of any length.
inline bool HoldsForEveryRun(const MachineAnswer& a) {
  return a.outside || a.one_driver || (a.proof && a.proof->proved);
}

// Whether that is the answer.
inline bool IsProved(const MachineAnswer& a) {
  return HoldsForEveryRun(a) && VerdictOf(a) == Verdict::kHolds;
}

// The first half of AskOnMachine(): what it holds by for runs of any length, if anything. With
// `prove`, also a proof.
absl::StatusOr<MachineAnswer> ProveOnMachine(const MachineQuestion& question, bool prove);
// "a violation is between two drivers, and ..", "11 lemmas, for every machine that ..", or why
// there is no proof.
std::string ProofText(const MachineAnswer& answer);

// Looks for a proof that rests on what the machine fulfils, then searches up to the bounds. The
// errors are those of Ask().
absl::StatusOr<MachineAnswer> AskOnMachine(const MachineQuestion& question);

// The answer on one kernel, or on the two profiles around the kernel of a system, that decides the
// exit status: violated before unknown before none up to a bound before a proof, and the first of
// those.
const MachineAnswer& WorstOf(const std::vector<MachineAnswer>& answers);

// Gives an answer about a patched kernel its `change`; other answers have none. Errors: as above.
absl::Status AskChange(MachineAnswer& answer);

// One after the other; the JSON of the worst, which names the verdicts of the others.
std::string MachineAnswersText(const std::vector<MachineAnswer>& answers,
                               const std::string& next = "");
std::string MachineAnswersJson(const std::vector<MachineAnswer>& answers);

}  // namespace iommucheck::report
