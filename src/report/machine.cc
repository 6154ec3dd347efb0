// SPDX-License-Identifier: Apache-2.0
#include "src/report/machine.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/prove/facts.h"
#include "src/report/answer.h"
#include "src/report/blame.h"

namespace iommucheck::report {
namespace {

KernelProfile With(KernelProfile kernel, RuleSet facts) {
  for (const RuleInfo& info : AllRules())
    if (facts.has(info.rule)) kernel.rules.add(info.rule);
  return kernel;
}

// The facts without which the invariant does not hold.
absl::StatusOr<RuleSet> Needed(const MachineQuestion& q, RuleSet facts, const prove::Proof& proof) {
  const KernelProfile kernel = ProfileOf(q.machine.kernel);
  for (const RuleInfo& info : AllRules()) {
    if (!facts.has(info.rule)) continue;
    RuleSet fewer = facts;
    fewer.drop(info.rule);
    const absl::StatusOr<prove::Proof> still =
        prove::CheckInvariant(q.property, With(kernel, fewer), proof.invariant, q.bounds.budget);
    if (!still.ok()) return still.status();
    if (still->proved) facts = fewer;
  }
  return facts;
}

// Whether type1.same_ops tells drivers apart, and never two instances of one driver. Then, until a
// foreign domain was attached, the reuse loop tries only domains that the rule lets it try: the new
// domain of the group has been attached to the same devices before.
bool OneTableADriver(const KernelProfile& kernel, const Topology& t, RuleSet facts) {
  const auto kept = [&](Rule rule) { return kernel.has(rule) || facts.has(rule); };
  if (!kept(Rule::kAssumeTablesNotShared) || !kept(Rule::kAssumeAddressNotReused)) return false;
  return kernel.has(Rule::kAllocOpsPerDriver) ||
         std::ranges::all_of(
             std::span(t.instances).first(t.instances_count),
             [&](const Instance& i) { return i.table == t.drivers[i.driver].table; });
}

// Proofs by the facts that they rest on, so that parts of a machine with the same facts share one.
class Proofs {
 public:
  explicit Proofs(const MachineQuestion& question) : question_(question) {}
  bool Prove(const Topology& part, smt::Known what) {
    const KernelProfile kernel = ProfileOf(question_.machine.kernel);
    RuleSet facts = prove::FactsOf(kernel, part);
    if (what == smt::Known::kHoldsButForReuse) {
      if (!OneTableADriver(kernel, part, facts)) return false;
      facts.add(Rule::kType1SameOps);
    }
    const auto [at, fresh] = known_.try_emplace(facts.words(), false);
    if (!fresh) return at->second;
    const absl::StatusOr<prove::Proof> proof =
        prove::Prove(question_.property, With(kernel, facts), question_.bounds.budget);
    return at->second = proof.ok() && proof->proved;
  }

 private:
  const MachineQuestion& question_;
  std::map<RuleSet::Words, bool> known_;  // by facts
};

absl::Status Prove(MachineAnswer& answer) {
  const MachineQuestion& q = answer.question;
  const KernelProfile kernel = ProfileOf(q.machine.kernel);
  const RuleSet facts = prove::FactsOf(kernel, q.machine.topology);
  absl::StatusOr<prove::Proof> proof =
      prove::Prove(q.property, With(kernel, facts), q.bounds.budget);
  if (!proof.ok()) return proof.status();
  answer.proof = *std::move(proof);
  if (!answer.proof->proved) return absl::OkStatus();
  const absl::StatusOr<RuleSet> needed = Needed(q, facts, *answer.proof);
  if (!needed.ok()) return needed.status();
  answer.facts = *needed;
  return absl::OkStatus();
}

absl::Status Search(smt::Bounds bounds, MachineAnswer& answer) {
  const MachineQuestion& q = answer.question;
  if (answer.proof) bounds.budget = smt::BudgetLeft(bounds.budget, answer.proof->resources);
  Proofs proofs(q);
  const auto proved = [&](const Topology& part, smt::Known what) {
    return !q.bounded && proofs.Prove(part, what);
  };
  absl::StatusOr<smt::MachineResult> result =
      smt::QueryMachine(q.property, q.machine, bounds, q.want_smt2, proved);
  if (!result.ok()) return result.status();
  answer.result = *std::move(result);
  if (answer.result.query.verdict != Verdict::kViolated) return absl::OkStatus();
  Case& found = answer.result.query.found;
  answer.run = Play(found);
  if (answer.run.of(q.property).at != static_cast<int>(found.ops.size()))
    return absl::InternalError(
        absl::StrCat("the search and the model disagree on\n", PrintCase(found)));
  found = Asserted(std::move(found), answer.run, {q.property});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MachineAnswer> ProveOnMachine(const MachineQuestion& question, bool prove) {
  MachineAnswer answer;
  answer.question = question;
  const Topology& t = question.machine.topology;
  answer.outside = BrokenAssumption(t, ProfileOf(question.machine.kernel).rules);
  answer.one_driver = prove::DriversOf(t) < 2;
  if (prove && !HoldsForEveryRun(answer))
    if (absl::Status s = Prove(answer); !s.ok()) return s;
  if (HoldsForEveryRun(answer)) answer.result.query.verdict = Verdict::kHolds;
  return answer;
}

absl::StatusOr<MachineAnswer> AskOnMachine(const MachineQuestion& question) {
  absl::StatusOr<MachineAnswer> answer = ProveOnMachine(question, !question.bounded);
  if (!answer.ok() || HoldsForEveryRun(*answer)) return answer;
  const absl::Status searched = Search(question.bounds, *answer);
  return searched.ok() ? answer : searched;
}

absl::Status AskChange(MachineAnswer& answer) {
  const std::optional<KernelSpec> before = WithoutPatch(answer.question.machine.kernel);
  if (!before) return absl::OkStatus();
  MachineQuestion question = answer.question;
  question.machine.kernel = *before;
  question.want_smt2 = false;
  const uint64_t used =
      answer.result.query.resources + (answer.proof ? answer.proof->resources : 0);
  question.bounds.budget = smt::BudgetLeft(question.bounds.budget, used);
  const absl::StatusOr<MachineAnswer> asked = AskOnMachine(question);
  if (!asked.ok()) return asked.status();
  MachineChange change{.before = *before,
                       .verdict = VerdictOf(*asked),
                       .every_run = IsProved(*asked),
                       .steps = StepsOf(asked->result.query)};
  if (answer.result.query.verdict == Verdict::kViolated) {
    Case c = answer.result.query.found;
    c.kernel = *before;
    change.same_run = Play(c).of(question.property).at != 0;
  }
  answer.change = change;
  return absl::OkStatus();
}

const MachineAnswer& WorstOf(const std::vector<MachineAnswer>& answers) {
  const auto badness = [](const MachineAnswer& a) {
    const Verdict verdict = VerdictOf(a);
    if (verdict == Verdict::kViolated) return 3;
    if (verdict == Verdict::kUnknown) return 2;
    return IsProved(a) ? 0 : 1;
  };
  const MachineAnswer* worst = &answers.front();
  for (const MachineAnswer& a : answers)
    if (badness(a) > badness(*worst)) worst = &a;
  return *worst;
}

}  // namespace iommucheck::report
