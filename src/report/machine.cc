// SPDX-License-Identifier: Apache-2.0
#include "src/report/machine.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/prove/facts.h"
#include "src/report/blame.h"
#include "src/report/json.h"
#include "src/report/text.h"

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
  absl::StatusOr<Run> run = ReplayFound("solver", q.property, answer.result.query.found);
  if (!run.ok()) return run.status();
  answer.run = *std::move(run);
  return absl::OkStatus();
}

}  // namespace

std::string VerdictLineOf(const MachineAnswer& a) {
  const smt::QueryResult& r = a.result.query;
  const bool proved = IsProved(a);
  // Where a part is missing, nothing is known of the machine that is asked about.
  const bool missing = VerdictOf(a) == Verdict::kUnknown && r.verdict == Verdict::kHolds;
  return VerdictLine(a.question.property, a.question.machine.kernel,
                     VerdictName(VerdictOf(a), proved),
                     proved ? MachineScope() : MachineScope(missing ? 0 : SizeOf(r).steps));
}

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
                       .steps = SizeOf(asked->result.query).steps};
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

std::string UnknownText(const std::string& runs) {
  return absl::StrFormat("unknown: %s (see 'missing'); no violation %s on the rest", kNotAllIsThere,
                         runs);
}

std::string GapsText(const std::vector<import::Gap>& gaps) {
  std::vector<std::string> lines;
  for (const import::Gap& gap : gaps) {
    lines.push_back(gap.missing);
    lines.push_back(
        absl::StrFormat("So it is not known %s. To settle it: %s.", gap.unknown, gap.settle));
  }
  return Fields("missing", lines);
}

std::string AssumptionsText(const std::vector<std::string>& assumptions) {
  return Fields("assumed", assumptions);
}

Json GapsJson(const std::vector<import::Gap>& gaps) {
  Json out = Json::array();
  for (const import::Gap& gap : gaps)
    out.push_back({{"missing", Printable(gap.missing)},
                   {"unknown", Printable(gap.unknown)},
                   {"settle", Printable(gap.settle)}});
  return out;
}

Json AssumptionsJson(const std::vector<std::string>& assumptions) {
  Json out = Json::array();
  for (const std::string& sentence : assumptions) out.push_back(Printable(sentence));
  return out;
}

namespace {

// Machines of no more devices are shown whole.
constexpr int kMaxShownWhole = 12;

// The devices that the model's run is about: devices and groups that an op or the violation names,
// and devices related to them.
Shown ShownIn(const MachineAnswer& a) {
  const Case& c = a.result.query.found;
  const Topology& t = c.topology;
  if (t.devices_count <= kMaxShownWhole) return {};
  Shown named(t.devices_count);
  for (size_t n = 0; n < c.ops.size(); ++n) {
    const Op& op = c.ops[n].op;
    const State& before = a.run.before(n);
    for (DeviceId d = 0; d < t.devices_count; ++d) {
      if (InfoOf(op.kind).a == Operand::kDevice && op.a == d) named[d] = true;
      if (InfoOf(op.kind).a == Operand::kGroup && before.devices[d].group == op.a) named[d] = true;
    }
  }
  if (const std::optional<Event>& event = a.run.of(a.question.property).event;
      event && event->device != kNoId)
    named[event->device] = true;
  Shown shown = named;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    for (DeviceId e = 0; e < t.devices_count; ++e)
      if (named[e] && t.related(d, e)) shown[d] = true;
  return shown;
}

std::string MachineLine(const MachineQuestion& q) {
  const Topology& t = q.machine.topology;
  return absl::StrFormat("%s: %s, %s, %s", Printable(q.path), Plural(t.drivers_count, "driver"),
                         Plural(t.instances_count, "instance"), Plural(t.devices_count, "device"));
}

// How many of the machine's devices were in the circuit.
std::string EncodedDevices(const MachineAnswer& a) {
  const int devices = a.question.machine.topology.devices_count;
  if (a.result.whole) return Plural(devices, "device");
  return absl::StrFormat("%s, %d at a time stand for them: argued, not proved",
                         Plural(devices, "device"), a.result.query.proved_devices);
}

std::string VerdictText(const MachineAnswer& a) {
  const smt::QueryResult& r = a.result.query;
  const std::string covered =
      absl::StrFormat("none up to %s%s; %s", Plural(r.proved_steps, "step"),
                      AssumingText(a.question.machine.kernel), EncodedDevices(a));
  if (r.verdict == Verdict::kViolated)
    return absl::StrFormat("VIOLATED on this machine: %s; %s", Plural(r.found.ops.size(), "step"),
                           a.result.whole ? "no shorter run exists" : "no shorter run was found");
  if (r.verdict == Verdict::kUnknown) return absl::StrFormat("unknown: %s; %s", r.reason, covered);
  if (VerdictOf(a) == Verdict::kUnknown)
    return UnknownText(HoldsForEveryRun(a) ? "in any run"
                                           : "up to " + Plural(r.proved_steps, "step"));
  return IsProved(a) ? "holds on this machine" : covered;
}

std::string ChangeText(const MachineAnswer& a, const MachineChange& change) {
  const Verdict after = VerdictOf(a);
  const std::string steps = Plural(change.steps, "step");
  std::string verdict = "unknown; none up to " + steps;
  if (change.verdict == Verdict::kViolated) verdict = "VIOLATED on this machine: " + steps;
  if (change.verdict == Verdict::kHolds)
    verdict = change.every_run ? "holds on this machine" : "none up to " + steps;
  std::string out = BeforeText(change.before, verdict, after, change.verdict, change.every_run);
  if (after == Verdict::kViolated && change.verdict == Verdict::kViolated)
    out += Field("", absl::StrFormat("the run below violates it there, too: %s",
                                     change.same_run ? "yes" : "no"));
  return out;
}

Json ChangeJson(const MachineAnswer& a, const MachineChange& change) {
  const MachineQuestion& q = a.question;
  Json scope = {{"kind", "machine"},
                {"path", Printable(q.path)},
                {"devices", q.machine.topology.devices_count},
                {"assumptions", AssumptionsJson(q.assumptions)}};
  if (change.every_run)
    scope["every_run"] = true;
  else
    scope["steps"] = change.steps;
  const Verdict after = VerdictOf(a);
  Json out = {{"before",
               {{"kernel", KernelJson(change.before)},
                {"verdict", VerdictName(change.verdict, change.every_run)},
                {"scope", std::move(scope)}}},
              {"because", BecauseOf(after, change.verdict)}};
  if (after == Verdict::kViolated) out["same_run"] = change.same_run;
  return out;
}

std::string AnswerText(const MachineAnswer& a, const std::string& next) {
  const MachineQuestion& q = a.question;
  std::string out = QuestionText("query", q.property, q.machine.kernel);
  out += Field("machine", MachineLine(q));
  const std::string runs = IsProved(a) ? "any length" : "up to " + Plural(q.bounds.steps, "step");
  out += ToolText();
  out += Field("scope", absl::StrFormat("this machine, runs of %s (docs/solver.md)", runs));
  out += Field("verdict", VerdictText(a));
  if (a.result.query.verdict == Verdict::kViolated)
    out += PromisedText(q.machine.kernel.version, AssumptionsNotMade(q.property, q.machine.kernel),
                        "this kernel");
  if (a.change) out += ChangeText(a, *a.change);
  const bool of_the_rest = HoldsForEveryRun(a) && !IsProved(a);
  const bool violated = a.result.query.verdict == Verdict::kViolated;
  if ((a.proof || IsProved(a)) && !of_the_rest && !violated) out += Field("proof", ProofText(a));
  out += AssumptionsText(q.assumptions) + GapsText(q.gaps);
  if (violated)
    out += FoundText(a.result.query.found, a.run, q.property, "in the model, on all of the machine",
                     ShownIn(a));
  return out + LastLines(next, VerdictLineOf(a));
}

Json AnswerJson(const MachineAnswer& a) {
  const smt::QueryResult& r = a.result.query;
  const MachineQuestion& q = a.question;
  const int devices = q.machine.topology.devices_count;
  const int steps = SizeOf(r).steps;
  Json out =
      Head("query", VerdictName(VerdictOf(a), IsProved(a)), {devices, steps}, q.machine.kernel);
  Json& scope = out["scope"];
  scope = {{"kind", "machine"}, {"path", Printable(q.path)}, {"devices", devices}};
  if (IsProved(a)) {
    scope["every_run"] = true;
  } else {
    scope["steps"] = steps;
    scope["whole"] = a.result.whole;
    scope["encoded_devices"] = r.proved_devices;
  }
  scope["assumptions"] = AssumptionsJson(q.assumptions);
  if (!q.gaps.empty()) scope["gaps"] = GapsJson(q.gaps);
  AddFound(q.property, r.verdict == Verdict::kViolated ? &r.found : nullptr, a.run, out);
  if (const RuleSet missing = AssumptionsNotMade(q.property, q.machine.kernel);
      r.verdict == Verdict::kViolated && !missing.empty())
    out["assumptions_not_made"] = RuleIds(missing);
  if (a.change) out["change"] = ChangeJson(a, *a.change);
  if (a.outside && IsProved(a)) out["outside"] = InfoOf(*a.outside).id;
  if (r.verdict == Verdict::kUnknown)
    out["reason"] = r.reason;
  else if (VerdictOf(a) == Verdict::kUnknown)
    out["reason"] = kNotAllIsThere;
  if (a.proof && IsProved(a)) out["facts"] = RuleIds(a.facts);
  if (a.proof && (IsProved(a) || !a.proof->proved)) AddProof(*a.proof, out);
  out["stats"] = {{"solver_resources", r.resources},
                  {"solver_checks", r.checks},
                  {"refuted_runs", a.result.refuted}};
  if (a.proof) AddProofStats(*a.proof, out["stats"]);
  out["verdict_line"] = VerdictLineOf(a);
  return out;
}

}  // namespace

std::string ProofText(const MachineAnswer& a) {
  if (a.outside)
    return absl::StrFormat("the machine is outside of %s, which this kernel assumes",
                           InfoOf(*a.outside).id);
  if (a.one_driver) return "a violation is between two drivers, and the machine has not got them";
  assert(a.proof);
  if (!a.proof->proved)
    return "not for every machine that has what this one has: " + a.proof->reason;
  const std::vector<std::string> facts = RuleIds(a.facts);
  return absl::StrCat(Plural(a.proof->invariant.size(), "lemma"),
                      facts.empty() ? ", for every machine"
                                    : ", for every machine that has what this one has: " +
                                          absl::StrJoin(facts, ", "));
}

std::string MachineAnswersText(const std::vector<MachineAnswer>& answers, const std::string& next) {
  std::string out;
  for (const MachineAnswer& a : answers)
    out += (out.empty() ? "" : "\n") + AnswerText(a, &a == &WorstOf(answers) ? next : "");
  return out;
}

std::string MachineAnswersJson(const std::vector<MachineAnswer>& answers) {
  const MachineAnswer& worst = WorstOf(answers);
  Json out = AnswerJson(worst);
  for (const MachineAnswer& a : answers)
    if (&a != &worst)
      out["other_kernels"].push_back({{"kernel", KernelJson(a.question.machine.kernel)},
                                      {"verdict", VerdictName(VerdictOf(a), IsProved(a))},
                                      {"verdict_line", VerdictLineOf(a)}});
  return JsonText(out);
}

}  // namespace iommucheck::report
