// SPDX-License-Identifier: Apache-2.0
#include "src/report/json.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/notes.h"
#include "src/report/changes.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"
#include "src/report/text_parts.h"
#include "src/smt/version.h"
#include "src/tool/provenance.h"

namespace iommucheck::report {

Json KernelJson(const KernelSpec& kernel) {
  return {{"profile", std::string(VersionName(kernel.version))},
          {"dropped", RuleIds(kernel.dropped)},
          {"added", RuleIds(kernel.added)}};
}

Json ToolJson(const char* command) {
  return {{"tool", tool::Release()},
          {"commit", std::string(tool::Commit())},
          {"z3", smt::Z3Version()},
          {"command", command},
          {"command_line", tool::CommandLine()}};
}

Json Head(const char* command, const char* verdict, int devices, int steps,
          const KernelSpec& kernel) {
  Json head = ToolJson(command);
  head["verdict"] = verdict;
  head["scope"] = {{"kind", "bounded"}, {"devices", devices}, {"steps", steps}};
  head["kernel"] = KernelJson(kernel);
  return head;
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
        entry["outside"] = std::string(InfoOf(step.result.assumption).id);
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
    rules.push_back({{"rule", std::string(info.id)},
                     {"how", c.kernel.dropped.has(rule) ? "dropped" : "absent"},
                     {"file", std::string(info.file)},
                     {"function", std::string(info.function)},
                     {"with", std::string(info.holds)}});
  }
  return rules;
}

Json ScopeJson(int devices, int steps, bool every_size) {
  if (every_size) return {{"kind", "every-size"}};
  return {{"kind", "bounded"}, {"devices", devices}, {"steps", steps}};
}

Json LinesJson(const std::string& lines) {
  Json out = Json::array();
  for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty()))
    out.push_back(std::string(line));
  return out;
}

std::string ReplayJson(const Case& c, const Run& run, const std::string& path) {
  bool violated = false;
  Json properties = Json::array();
  for (Property p : kProperties) {
    const int at = run.of(p).at;
    const bool promised = IsPromised(c.kernel.version, p);
    violated |= at != 0 && promised;
    Json entry = {
        {"property", std::string(PropertyName(p))}, {"promised", promised}, {"violated", at != 0}};
    if (at != 0) entry["at"] = at;
    if (at != 0) entry["what"] = ViolationText(c, p, run.of(p));
    properties.push_back(std::move(entry));
  }
  Json out = Head("replay", violated ? "violated" : "none", c.topology.devices_count,
                  static_cast<int>(run.steps.size()), c.kernel);
  out["case"] = Json::parse(CaseToJson(c));
  out["replayed"] = true;
  out["steps"] = StepsJson(c, run);
  out["properties"] = std::move(properties);
  for (const std::string& note : NotesOf(c)) out["notes"].push_back(note);
  if (run.outside) out["outside"] = std::string(InfoOf(*run.outside).id);
  out["mismatches"] = Mismatches(c, run, path);
  out["stats"] = {{"steps", run.steps.size()}};
  out["verdict_lines"] = LinesJson(ReplayVerdictLines(c, run, path));
  return JsonText(out);
}

std::string KernelsJson(std::span<const Rule> shown, std::span<const KernelVersion> versions) {
  Json profiles = Json::array();
  for (KernelVersion v : versions) {
    const KernelProfile profile = ProfileOf(v);
    profiles.push_back({{"profile", std::string(VersionName(v))},
                        {"era", std::string(EraName(profile.era))},
                        {"rules", RuleIds(profile.rules)}});
  }
  Json rules = Json::array();
  for (const Rule rule : shown) {
    const RuleInfo& info = InfoOf(rule);
    const char* kind = info.kind == RuleKind::kCheck       ? "check"
                       : info.kind == RuleKind::kMechanism ? "mechanism"
                                                           : "assumption";
    rules.push_back({{"id", std::string(info.id)},
                     {"kind", kind},
                     {"file", std::string(info.file)},
                     {"function", std::string(info.function)},
                     {"with", std::string(info.holds)},
                     {"without", std::string(info.dropped)}});
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
    for (const Promise& p : Promises()) {
      if (p.property != property) continue;
      Json assumptions = Json::array();
      for (Rule r : p.assumptions) assumptions.push_back(std::string(InfoOf(r).id));
      Json without = Json::array();
      for (const FaultInfo& fault : AllFaults())
        if ((p.without & FaultBit(fault.kind)) != 0) without.push_back(fault.word);
      promises.push_back({{"profile", std::string(VersionName(p.version))},
                          {"assumptions", std::move(assumptions)},
                          {"unless_fail", std::move(without)}});
    }
    properties.push_back({{"property", std::string(PropertyName(property))},
                          {"sentence", std::string(PropertySentence(property))},
                          {"encoded", IsEncoded(property)},
                          {"promises", std::move(promises)}});
  }
  Json out = ToolJson("properties");
  out["properties"] = std::move(properties);
  return JsonText(out);
}

}  // namespace iommucheck::report
