// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query --on`: a question about one machine, and its answer, played in the model on all
// of the machine; and missing parts of a real machine, in verdicts and in print.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/import/sysfs.h"
#include "src/report/answer.h"
#include "src/report/json.h"
#include "src/smt/machine_query.h"

namespace iommucheck::report {

// The verdict on a machine of which `found` is known: nothing holds where a part is missing, and
// what is violated on the rest stands.
inline Verdict OnWhatIsThere(Verdict found, const std::vector<import::Gap>& gaps) {
  return found == Verdict::kHolds && !gaps.empty() ? Verdict::kUnknown : found;
}

// Why it is unknown then.
inline constexpr const char* kNotAllIsThere = "not all of the machine could be read";
// "unknown: not all of the machine could be read (see 'missing'); no violation up to 6 steps on the
// rest"
std::string UnknownText(const std::string& runs);

// The field "missing", a paragraph a gap; empty where there is none.
std::string GapsText(const std::vector<import::Gap>& gaps);
// The field "assumed".
std::string AssumptionsText(const std::vector<std::string>& assumptions);
Json GapsJson(const std::vector<import::Gap>& gaps);
Json AssumptionsJson(const std::vector<std::string>& assumptions);

struct MachineQuestion {
  Property property = Property::kNoCrossDriverReuse;
  std::string path;                        // of the machine
  Case machine{};                          // kernel, topology and names; its ops are not used
  std::vector<std::string> assumptions{};  // what was assumed to read it, a sentence each
  std::vector<import::Gap> gaps{};         // parts of it that could not be read
  smt::Bounds bounds{};                    // devices is not used
  bool want_smt2 = false;
  bool bounded = false;  // do not try to prove it
};

// The answer for the kernel without the rules that a patch takes away and adds, on the same
// machine.
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
  // Why the property holds in runs of any length: the assumption of the kernel that the machine is
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

// Whether the property holds for runs of any length on the part of the machine that was read.
inline bool HoldsForEveryRun(const MachineAnswer& a) {
  return a.outside || a.one_driver || (a.proof && a.proof->proved);
}

// Whether that is the answer: no part of the machine is missing.
inline bool IsProved(const MachineAnswer& a) {
  return HoldsForEveryRun(a) && VerdictOf(a) == Verdict::kHolds;
}

// The first half of AskOnMachine(): why the property holds in runs of any length, if it does. Looks
// for a proof only with `prove`.
absl::StatusOr<MachineAnswer> ProveOnMachine(const MachineQuestion& question, bool prove);

// Looks for a proof that rests on the facts that the machine fulfils, then searches up to the
// bounds. Errors: as Ask().
absl::StatusOr<MachineAnswer> AskOnMachine(const MachineQuestion& question);

// Of the answers on one kernel, or on the two profiles around the kernel of a system, the one that
// decides the exit status: violated before unknown before none up to a bound before a proof, and
// the first of equal ones.
const MachineAnswer& WorstOf(const std::vector<MachineAnswer>& answers);

// Gives an answer about a patched kernel its `change`; other answers have none. Errors: as above.
absl::Status AskChange(MachineAnswer& answer);

// "a violation is between two drivers, and ..", "11 lemmas, for every machine that ..", or why
// there is no proof.
std::string ProofText(const MachineAnswer& answer);

// The line that is made to be grepped.
std::string VerdictLineOf(const MachineAnswer& answer);

// One after the other; the JSON of the worst, which names the verdicts of the others.
std::string MachineAnswersText(const std::vector<MachineAnswer>& answers,
                               const std::string& next = "");
std::string MachineAnswersJson(const std::vector<MachineAnswer>& answers);

}  // namespace iommucheck::report
