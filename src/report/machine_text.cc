// SPDX-License-Identifier: Apache-2.0
#include "src/report/machine_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/report/answer.h"
#include "src/report/blame_text.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
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
    const State& before = n == 0 ? a.run.initial : a.run.steps[n - 1].after;
    for (DeviceId d = 0; d < t.devices_count; ++d) {
      if (InfoOf(op.kind).a == Operand::kDevice && op.a == d) named[d] = true;
      if (InfoOf(op.kind).a == Operand::kGroup && before.devices[d].group == op.a) named[d] = true;
    }
  }
  if (const DeviceId d = a.run.of(a.question.property).event->device; d != kNoId) named[d] = true;
  Shown shown = named;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    for (DeviceId e = 0; e < t.devices_count; ++e)
      if (named[e] && t.related(d, e)) shown[d] = true;
  return shown;
}

std::string Count(int n, const char* what) {
  return absl::StrFormat("%d %s%s", n, what, n == 1 ? "" : "s");
}

std::string MachineLine(const MachineQuestion& q) {
  const Topology& t = q.machine.topology;
  return absl::StrFormat("%s: %s, %s, %s", Printable(q.path), Count(t.drivers_count, "driver"),
                         Count(t.instances_count, "instance"), Count(t.devices_count, "device"));
}

// How many of the machine's devices were in the circuit.
std::string EncodedDevices(const MachineAnswer& a) {
  const int devices = a.question.machine.topology.devices_count;
  if (a.result.whole) return Count(devices, "device");
  return absl::StrFormat("%s, %d at a time stand for them: argued, not proved",
                         Count(devices, "device"), a.result.query.proved_devices);
}

std::string VerdictText(const MachineAnswer& a) {
  const smt::QueryResult& r = a.result.query;
  const std::string covered =
      absl::StrFormat("none up to %s%s; %s", Count(r.proved_steps, "step"),
                      AssumingText(a.question.machine.kernel), EncodedDevices(a));
  switch (r.verdict) {
    case Verdict::kViolated:
      return absl::StrFormat("VIOLATED on this machine: %s; %s",
                             Count(static_cast<int>(r.found.ops.size()), "step"),
                             a.result.whole ? "no shorter run exists" : "no shorter run was found");
    case Verdict::kHolds:
      if (VerdictOf(a) == Verdict::kUnknown)
        return UnknownText(HoldsForEveryRun(a) ? "in any run"
                                               : "up to " + Count(r.proved_steps, "step"));
      return IsProved(a) ? "holds on this machine" : covered;
    case Verdict::kUnknown:
      return absl::StrFormat("unknown: %s; %s", r.reason, covered);
  }
  return "";
}

}  // namespace

std::string ProofText(const MachineAnswer& a) {
  if (a.outside)
    return absl::StrFormat("the machine is outside of %s, which this kernel assumes",
                           InfoOf(*a.outside).id);
  if (a.one_driver) return "a violation is between two drivers, and the machine has not got them";
  if (!a.proof->proved)
    return "not for every machine that has what this one has: " + a.proof->reason;
  const std::vector<std::string> facts = RuleIds(a.facts);
  return absl::StrCat(Count(static_cast<int>(a.proof->invariant.size()), "lemma"),
                      facts.empty() ? ", for every machine"
                                    : ", for every machine that has what this one has: " +
                                          absl::StrJoin(facts, ", "));
}

namespace {

std::string ChangeText(const MachineAnswer& a) {
  const MachineChange& change = *a.change;
  const Verdict after = VerdictOf(a);
  const std::string steps = Count(change.steps, "step");
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

Json ChangeJson(const MachineAnswer& a) {
  const MachineQuestion& q = a.question;
  const MachineChange& change = *a.change;
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

std::string VerdictLineOf(const MachineAnswer& a) {
  const smt::QueryResult& r = a.result.query;
  const bool proved = IsProved(a);
  // Where a part is missing, nothing is known of the machine that is asked about.
  const bool missing = VerdictOf(a) == Verdict::kUnknown && r.verdict == Verdict::kHolds;
  return VerdictLine(a.question.property, a.question.machine.kernel,
                     VerdictName(VerdictOf(a), proved),
                     proved ? MachineScope() : MachineScope(missing ? 0 : StepsOf(r)));
}

std::string AnswerText(const MachineAnswer& a, const std::string& next) {
  const MachineQuestion& q = a.question;
  std::string out = Field("query", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  out += Field("kernel", KernelName(q.machine.kernel));
  out += Field("machine", MachineLine(q));
  const std::string runs = IsProved(a) ? "any length" : "up to " + Count(q.bounds.steps, "step");
  out += ToolText();
  out += Field("scope", absl::StrFormat("this machine, runs of %s (docs/solver.md)", runs));
  out += Field("verdict", VerdictText(a));
  if (a.change) out += ChangeText(a);
  const bool of_the_rest = HoldsForEveryRun(a) && !IsProved(a);
  const bool violated = a.result.query.verdict == Verdict::kViolated;
  if ((a.proof || IsProved(a)) && !of_the_rest && !violated) out += Field("proof", ProofText(a));
  out += AssumptionsText(q.assumptions) + GapsText(q.gaps);
  const std::string last = LastLines(next, VerdictLineOf(a));
  if (!violated) return out + last;

  const Case& c = a.result.query.found;
  out +=
      Field("replayed", absl::StrFormat("in the model, on all of the machine: yes, violated at %d",
                                        a.run.of(q.property).at));
  const Shown shown = ShownIn(a);
  out += "\n" + TopologyText(c, shown) + "trace\n" + TraceText(c, a.run, {.shown = shown});
  const std::string rules = StoppingRulesText(c, q.property);
  out += "rules that this kernel lacks, each of which alone would stop this run\n";
  return absl::StrCat(out, rules.empty() ? "  none\n" : rules, last);
}

Json AnswerJson(const MachineAnswer& a) {
  const smt::QueryResult& r = a.result.query;
  const MachineQuestion& q = a.question;
  const bool violated = r.verdict == Verdict::kViolated;
  const int devices = q.machine.topology.devices_count;
  const int steps = violated ? static_cast<int>(r.found.ops.size()) : r.proved_steps;
  Json out =
      Head("query", VerdictName(VerdictOf(a), IsProved(a)), devices, steps, q.machine.kernel);
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
  out["property"] = std::string(PropertyName(q.property));
  if (violated) out["case"] = Json::parse(CaseToJson(r.found));
  if (violated) out["steps"] = StepsJson(r.found, a.run);
  out["replayed"] = violated;
  if (violated) out["stopping_rules"] = StoppingRulesJson(r.found, q.property);
  if (a.change) out["change"] = ChangeJson(a);
  if (a.outside && IsProved(a)) out["outside"] = std::string(InfoOf(*a.outside).id);
  if (r.verdict == Verdict::kUnknown)
    out["reason"] = r.reason;
  else if (VerdictOf(a) == Verdict::kUnknown)
    out["reason"] = kNotAllIsThere;
  if (a.proof && IsProved(a)) {
    out["facts"] = RuleIds(a.facts);
    for (const prove::Lemma& lemma : a.proof->invariant)
      out["invariant"].push_back(prove::PrintLemma(lemma));
  } else if (a.proof && !a.proof->proved) {
    out["not_proved"] = a.proof->reason;
  }
  out["stats"] = {{"solver_resources", r.resources},
                  {"solver_checks", r.checks},
                  {"refuted_runs", a.result.refuted}};
  if (a.proof) {
    out["stats"]["proof_resources"] = a.proof->resources;
    out["stats"]["proof_checks"] = a.proof->checks;
  }
  out["verdict_line"] = VerdictLineOf(a);
  return out;
}

}  // namespace

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
