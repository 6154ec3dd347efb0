// SPDX-License-Identifier: Apache-2.0
#include "src/report/json.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "model/evidence.h"
#include "src/case/encoded.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/notes.h"
#include "src/prove/prove.h"
#include "src/report/text.h"
#include "src/smt/query.h"
#include "src/tool/provenance.h"

namespace iommucheck::report {

Json KernelJson(const KernelSpec& kernel) {
  return {{"profile", VersionName(kernel.version)},
          {"dropped", RuleIds(kernel.dropped)},
          {"added", RuleIds(kernel.added)}};
}

Json ToolJson(const char* command) {
  Json out = {{"tool", tool::Release()},  {"commit", tool::Commit()},
              {"z3", prove::Z3Version()}, {"cadical", smt::CadicalVersion()},
              {"command", command},       {"command_line", tool::CommandLine()}};
  for (const std::string& note : tool::Notes()) out["kernel_notes"].push_back(note);
  return out;
}

Json CaseJson(const Case& c) { return Json::parse(CaseToJson(c)); }

Json ScopeJson(Size size, bool every_size) {
  if (every_size) return {{"kind", "every-size"}};
  return {{"kind", "bounded"}, {"devices", size.devices}, {"steps", size.steps}};
}

Json Head(const char* command, const char* verdict, Size size, const KernelSpec& kernel) {
  Json head = ToolJson(command);
  head["verdict"] = verdict;
  head["scope"] = ScopeJson(size);
  head["kernel"] = KernelJson(kernel);
  return head;
}

void AddFound(Property property, const Case* found, const Run& run, Json& out) {
  out["property"] = PropertyName(property);
  if (found != nullptr) out["case"] = CaseJson(*found);
  if (found != nullptr) out["steps"] = StepsJson(*found, run);
  out["replayed"] = found != nullptr;
  if (found != nullptr) out["stopping_rules"] = StoppingRulesJson(*found, property);
}

void AddProof(const prove::Proof& proof, Json& out) {
  if (proof.proved)
    for (const prove::Lemma& lemma : proof.invariant)
      out["invariant"].push_back(prove::PrintLemma(lemma));
  else
    out["not_proved"] = proof.reason;
}

void AddProofStats(const prove::Proof& proof, Json& stats) {
  stats["proof_resources"] = proof.resources;
  stats["proof_checks"] = proof.checks;
}

Json StepsJson(const Case& c, const Run& run) {
  Json steps = Json::array();
  for (size_t i = 0; i < run.steps.size(); ++i) {
    const PlayedStep& step = run.steps[i];
    Json entry = {{"op", PrintOp(c.ops[i].op, c.names)}};
    switch (step.result.outcome) {
      case Outcome::kDone:
        entry["errno"] = ErrnoName(step.result.error);
        break;
      case Outcome::kNotPossible:
        entry["not_possible"] = step.result.why;
        break;
      case Outcome::kOutside:
        entry["outside"] = InfoOf(step.result.assumption).id;
        break;
    }
    Json events = Json::array();
    for (const Event& e : step.events) events.push_back(EventText(c, e));
    entry["events"] = std::move(events);
    if (step.result.outcome == Outcome::kDone)
      entry["changes"] = Changes(c, run.before(i), step.after);
    steps.push_back(std::move(entry));
  }
  return steps;
}

Json StoppingRulesJson(const Case& c, Property property) {
  Json rules = Json::array();
  for (const Rule rule : StoppingRules(c, property)) {
    const RuleInfo& info = InfoOf(rule);
    rules.push_back({{"rule", info.id},
                     {"how", c.kernel.dropped.has(rule) ? "dropped" : "absent"},
                     {"file", info.file},
                     {"function", info.function},
                     {"with", info.holds}});
  }
  return rules;
}

Json LinesJson(const std::string& lines) {
  Json out = Json::array();
  for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty()))
    out.push_back(std::string(line));
  return out;
}

std::string ReplayJson(const Case& c, const Run& run, const std::string& path) {
  Json properties = Json::array();
  for (Property p : kProperties) {
    const int at = run.of(p).at;
    Json entry = {{"property", PropertyName(p)},
                  {"promised", IsPromised(c.kernel.version, p)},
                  {"violated", at != 0}};
    if (at != 0) entry["at"] = at;
    if (at != 0) entry["what"] = ViolationText(c, p, run.of(p));
    properties.push_back(std::move(entry));
  }
  const Verdict verdict = BrokenPromises(c, run).empty() ? Verdict::kHolds : Verdict::kViolated;
  Json out = Head("replay", VerdictName(verdict, false),
                  {c.topology.devices_count, static_cast<int>(run.steps.size())}, c.kernel);
  out["case"] = CaseJson(c);
  out["replayed"] = true;
  out["steps"] = StepsJson(c, run);
  out["properties"] = std::move(properties);
  for (const std::string& note : NotesOf(c)) out["notes"].push_back(note);
  if (run.outside) out["outside"] = InfoOf(*run.outside).id;
  out["mismatches"] = Mismatches(c, run, path);
  out["stats"] = {{"steps", run.steps.size()}};
  out["verdict_lines"] = LinesJson(ReplayVerdictLines(c, run, path));
  return JsonText(out);
}

std::string KernelsJson(std::span<const Rule> shown, std::span<const KernelVersion> versions) {
  Json profiles = Json::array();
  for (KernelVersion v : versions) {
    const KernelProfile profile = ProfileOf(v);
    Json trees = Json::array();
    for (const SeenTree& seen : SeenTreesOf(v))
      trees.push_back({{"tree", seen.tree},
                       {"release", seen.release},
                       {"seen", SeenName(seen.run ? Seen::kCode : Seen::kText)}});
    profiles.push_back({{"profile", VersionName(v)},
                        {"era", EraName(profile.era)},
                        {"rules", RuleIds(profile.rules)},
                        {"trees", std::move(trees)}});
  }
  Json rules = Json::array();
  for (const Rule rule : shown) {
    const RuleInfo& info = InfoOf(rule);
    Json seen = Json::object();
    for (KernelVersion v : versions) seen[std::string(VersionName(v))] = SeenName(SeenIn(rule, v));
    rules.push_back({{"id", info.id},
                     {"kind", kRuleKindNames[static_cast<size_t>(info.kind)]},
                     {"seen", std::move(seen)},
                     {"file", info.file},
                     {"function", info.function},
                     {"with", info.holds},
                     {"without", info.dropped}});
  }
  Json out = ToolJson("kernels");
  out["profiles"] = std::move(profiles);
  out["rules"] = std::move(rules);
  return JsonText(out);
}

std::string PropertiesJson(std::span<const Property> shown) {
  Json properties = Json::array();
  for (Property property : shown) {
    Json promises = Json::array();
    for (const Promise& p : Promises())
      if (p.property == property)
        promises.push_back({{"profile", VersionName(p.version)},
                            {"assumptions", AssumptionsOf(p)},
                            {"unless_fail", FaultsOf(p)}});
    properties.push_back({{"property", PropertyName(property)},
                          {"sentence", std::string(PropertySentence(property))},
                          {"encoded", IsEncoded(property)},
                          {"promises", std::move(promises)}});
  }
  Json out = ToolJson("properties");
  out["properties"] = std::move(properties);
  return JsonText(out);
}

}  // namespace iommucheck::report
