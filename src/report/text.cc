// SPDX-License-Identifier: Apache-2.0
#include "src/report/text.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/evidence.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/notes.h"
#include "src/case/spelling.h"
#include "src/prove/prove.h"
#include "src/smt/query.h"
#include "src/tool/provenance.h"

namespace iommucheck::report {

std::vector<std::string> Wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    std::string& line = lines.back();
    if (!line.empty() && line.size() + 1 + word.size() > width)
      lines.emplace_back(word);
    else
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  return lines;
}

namespace {

constexpr int kLabel = 10;

std::string RuleList(RuleSet rules) { return absl::StrJoin(RuleIds(rules), ", "); }

bool WorthALine(const Event& e, bool all) {
  using enum Event::Kind;
  return all || e.kind == kRefused || e.kind == kOops || e.kind == kWarn ||
         (e.kind == kAttachDev && e.error != 0);
}

std::string ResultText(const StepResult& r) {
  if (r.outcome == Outcome::kDone) return ErrnoName(r.error);
  return r.outcome == Outcome::kNotPossible ? "not possible" : "outside";
}

std::string StepText(const Case& c, const Run& run, size_t i, const TraceOptions& options) {
  const PlayedStep& step = run.steps[i];
  std::string op = PrintOp(c.ops[i].op, c.names);
  const std::string result = ResultText(step.result);
  const int room = kColumns - 4 - static_cast<int>(result.size()) - 1;
  std::string out = absl::StrFormat("%3d %-*s %s\n", i + 1, room, op, result);
  return out + StepChanges(c, run, i, options);
}

}  // namespace

std::string StepChanges(const Case& c, const Run& run, size_t i, const TraceOptions& options) {
  const PlayedStep& step = run.steps[i];
  std::string out;
  if (step.result.outcome == Outcome::kNotPossible) out += Indented(6, step.result.why);
  if (step.result.outcome == Outcome::kOutside)
    out += Indented(6, absl::StrCat("leaves ", std::string(InfoOf(step.result.assumption).id)));
  for (const Event& e : step.events)
    if (WorthALine(e, options.all_events) && IsShown(options.shown, e.device))
      out += Indented(6, "- " + EventText(c, e));
  const bool told = step.result.outcome == Outcome::kDone && step.result.error == 0;
  for (const std::string& change :
       Changes(c, run.before(i), step.after, told ? &c.ops[i].op : nullptr, options.shown))
    out += Indented(6, change);
  for (Property p : kProperties)
    if (run.of(p).at == static_cast<int>(i) + 1 && IsPromised(c.kernel.version, p) &&
        (options.all_properties || IsEncoded(p)))
      out +=
          Indented(4, absl::StrFormat("! %s: %s", PropertyName(p), ViolationText(c, p, run.of(p))));
  return out;
}

std::string Indented(int indent, const std::string& text) {
  const std::string pad(static_cast<size_t>(indent), ' ');
  return absl::StrCat(
      pad, absl::StrJoin(Wrap(text, static_cast<size_t>(kColumns - indent)), "\n" + pad), "\n");
}

std::string DriverName(const Case& c, DriverId driver) {
  return driver == kNoId ? "nobody" : c.names.drivers[driver];
}

std::string_view TypeName(DomainType type) {
  constexpr std::array<std::string_view, 6> kNames = {"no",    "default",  "blocking",
                                                      "type1", "identity", "freed"};
  return kNames[static_cast<size_t>(type)];
}

std::string DomainText(const Case& c, const State& s, DomainId domain) {
  if (domain == kNoId) return "none";
  const DomainState& d = s.domains[domain];
  std::string text = absl::StrFormat("d%d, ", domain);
  if (d.ownerless) text += "static ";
  if (d.identity && d.type != DomainType::kPasid) text += "identity ";
  absl::StrAppendFormat(&text, "%s of %s", TypeName(d.type), DriverName(c, d.driver));
  if (d.table != kNoId && (d.driver == kNoId || d.table != c.topology.drivers[d.driver].table))
    absl::StrAppend(&text, ", domain ops ", c.names.tables[d.table]);
  // A type1 domain enforces coherency, if it can.
  if (d.coherent != (d.type == DomainType::kPaging))
    text += d.coherent ? ", enforces coherency" : ", does not enforce coherency";
  return text;
}

std::string PageSetText(uint64_t pages) {
  if (pages == 0) return "no page";
  std::vector<std::string> ranges;
  for (int first = 0; first < kPages; ++first) {
    if (((pages >> first) & 1U) == 0) continue;
    int last = first;
    while (last < kLastPage && ((pages >> (last + 1)) & 1U) != 0) ++last;
    ranges.push_back(first == last ? absl::StrCat(first) : absl::StrFormat("%d-%d", first, last));
    first = last;
  }
  const bool one = (pages & (pages - 1)) == 0;
  return absl::StrCat(one ? "page " : "pages ", absl::StrJoin(ranges, ", "));
}

std::string KernelName(const KernelSpec& kernel) {
  std::string name(VersionName(kernel.version));
  if (!kernel.dropped.empty()) name += " without " + RuleList(kernel.dropped);
  if (!kernel.added.empty()) name += " with " + RuleList(kernel.added);
  return name;
}

std::string AssumingText(const KernelSpec& kernel) {
  if (!kernel.added.has(Rule::kAssumeNoUnregisterWhileServing)) return "";
  return absl::StrFormat(", assuming that no instance unregisters while it serves a device (%s)",
                         InfoOf(Rule::kAssumeNoUnregisterWhileServing).id);
}

std::string Plural(uint64_t n, const char* what) {
  return absl::StrFormat("%d %s%s", n, what, n == 1 ? "" : "s");
}

std::string Field(const std::string& label, const std::string& text) {
  std::string out = Indented(kLabel, Printable(text));
  out.replace(0, std::min<size_t>(label.size(), kLabel), label);
  return out;
}

std::string Fields(const std::string& label, const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += Field(out.empty() ? label : "", text);
  return out;
}

std::string QuestionText(const char* command, Property property, const KernelSpec& kernel) {
  return Field(command, std::string(PropertyName(property))) +
         Field("", std::string(PropertySentence(property))) + Field("kernel", KernelName(kernel));
}

std::string LastLines(const std::string& next, const std::string& verdict_line) {
  const std::string command = next.empty() ? "" : "next      iommucheck " + next + "\n";
  return absl::StrCat(command, verdict_line, "\n");
}

std::string ToolName() {
  std::string name = tool::Build();
  name.insert(name.size() - 1,
              absl::StrCat(", Z3 ", prove::Z3Version(), ", CaDiCaL ", smt::CadicalVersion()));
  return name;
}

std::string ToolText() {
  std::string out = Field("tool", ToolName());
  if (const std::string line = tool::CommandLine(); !line.empty()) out += Field("command", line);
  for (const std::string& note : tool::Notes()) out += Field("note", note);
  return out;
}

std::string PagesText(Pages pages) {
  if (pages.count == 1) return absl::StrFormat("page %d", pages.first);
  return absl::StrFormat("pages %d-%d", pages.first, pages.first + pages.count - 1);
}

std::string EventText(const Case& c, const Event& e) {
  using enum Event::Kind;
  const std::string_view name = EventName(e.kind);
  const auto domain = [&] {
    return absl::StrFormat("d%d, %s of %s", e.domain, TypeName(e.type), DriverName(c, e.driver));
  };
  const auto device = [&] { return e.device == kNoId ? "" : c.names.devices[e.device]; };
  const auto result = [&] { return ErrnoName(-int{e.error}); };
  switch (e.kind) {
    case kAttachGroup:
      return absl::StrFormat("%s(group %d)", name, e.group);
    case kProbe:
      return absl::StrFormat("%s(%s): %s, group %d", name, device(), DriverName(c, e.device_driver),
                             e.group);
    case kRelease:
      return absl::StrFormat("%s(%s), group %d", name, device(), e.group);
    case kAlloc:
      return absl::StrFormat("%s() = %s", name, e.error != 0 ? "NULL" : domain());
    case kFree:
      return absl::StrFormat("%s(%s)", name, domain());
    case kAttachDev:
      return absl::StrFormat("%s(%s; %s served by %s) = %s", name, domain(), device(),
                             DriverName(c, e.device_driver), result());
    case kDetachDev:  // set_platform_dma_ops() of 6.6 may find none
      if (e.domain == kNoId) return absl::StrFormat("%s(no domain; %s)", name, device());
      return absl::StrFormat("%s(d%d; %s)", name, e.domain, device());
    case kRefused:
      if (e.error == 0) return absl::StrFormat("%s: not this domain", InfoOf(e.rule).id);
      return absl::StrFormat("%s: %s in %s", InfoOf(e.rule).id, result(), InfoOf(e.rule).function);
    case kWarn:
      return absl::StrFormat("%s in %s", name, e.where);
    case kOops:
      return absl::StrFormat("%s: %s in %s()", name, OopsName(e.oops), e.where);
    case kWait:
      return absl::StrFormat("%s in %s()", name, e.where);
    case kMap:
      return absl::StrFormat("%s(d%d, %s) = %s", name, e.domain, PagesText(e.pages), result());
    case kUnmap:
      return absl::StrFormat("%s(d%d, %s)", name, e.domain, PagesText(e.pages));
    case kPin:
      return absl::StrFormat("%s(%s) = %s", name, PagesText(e.pages), result());
    case kUnpin:
      return absl::StrFormat("%s(%s)", name, PagesText(e.pages));
    case kMsiCookie:
      return absl::StrFormat("%s(d%d) = %s", name, e.domain, result());
    case kAttachPasid:
      return absl::StrFormat("%s(%s; %s served by %s) = %s", name, domain(), device(),
                             DriverName(c, e.device_driver), result());
    case kRemovePasid:
      return absl::StrFormat("%s(d%d; %s)", name, e.domain, device());
  }
  return "";
}

std::string ViolationText(const Case& c, Property property, const FirstViolation& v) {
  if (IsEncoded(property)) {
    assert(v.event);
    return EventText(c, *v.event);
  }
  std::vector<std::string> who;
  if (v.what.container != kNoId) who.push_back(absl::StrFormat("c%d", v.what.container));
  if (v.what.group != kNoId) who.push_back(absl::StrFormat("group %d", v.what.group));
  if (v.what.device != kNoId) who.push_back(c.names.devices[v.what.device]);
  if (v.what.domain != kNoId) who.push_back(absl::StrFormat("d%d", v.what.domain));
  std::string why(v.what.why);
  if (v.event && v.event->kind == Event::Kind::kOops)
    why = absl::StrFormat("%s in %s()", OopsName(v.event->oops), v.event->where);
  return absl::StrCat(absl::StrJoin(who, ", "), who.empty() ? "" : ": ", why);
}

std::string TraceText(const Case& c, const Run& run, const TraceOptions& options) {
  std::string out;
  for (size_t i = 0; i < run.steps.size(); ++i) out += StepText(c, run, i, options);
  return out;
}

std::vector<Rule> StoppingRules(const Case& c, Property property) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  std::vector<Rule> rules;
  for (const RuleInfo& info : AllRules()) {
    if (kernel.has(info.rule) || info.kind == RuleKind::kMechanism || !IsEncoded(info.rule))
      continue;
    Case with = c;
    with.kernel = c.kernel.With(info.rule);
    if (Play(with).of(property).at == 0) rules.push_back(info.rule);
  }
  return rules;
}

std::string FoundText(const Case& c, const Run& run, Property property, const std::string& replayed,
                      const Shown& shown) {
  std::string out =
      Field("replayed", absl::StrFormat("%s: yes, violated at %d", replayed, run.of(property).at));
  absl::StrAppend(&out, "\n", TopologyText(c, shown), "trace\n",
                  TraceText(c, run, {.shown = shown}),
                  "rules that this kernel lacks, each of which alone would stop this run\n");
  const std::vector<Rule> rules = StoppingRules(c, property);
  for (const Rule rule : rules) {
    const RuleInfo& info = InfoOf(rule);
    const std::string where =
        info.file.empty() ? "" : absl::StrFormat("%s: %s(); ", info.file, info.function);
    const std::string how = c.kernel.dropped.has(rule) ? "dropped" : "absent";
    out += Indented(2, absl::StrFormat("%s (%s)", info.id, how));
    out += Indented(4, absl::StrFormat("%s%s", where, info.holds));
  }
  return rules.empty() ? out + "  none\n" : out;
}

std::string ReplayText(const Case& c, const Run& run, const TraceOptions& options) {
  std::string out = Field("kernel", KernelName(c.kernel)) + ToolText();
  out += TopologyText(c);
  for (const std::string& note : NotesOf(c)) out += Field("note", note);
  if (run.outside && run.steps.empty()) {
    out += Field("outcome",
                 absl::StrCat("the machine is outside ", std::string(InfoOf(*run.outside).id)));
    return out;
  }
  TraceOptions all = options;
  all.all_properties = true;
  out += "trace\n" + TraceText(c, run, all);
  for (Property p : kProperties) {
    const FirstViolation& v = run.of(p);
    if (!IsEncoded(p) && v.at == 0) continue;  // only what is violated: they are many
    const char* label = p == kProperties.front() ? "outcome" : "";
    if (!IsPromised(c.kernel.version, p)) {
      out += Field(label, absl::StrFormat("%s: violated at %d, and not promised by %s",
                                          PropertyName(p), v.at, VersionName(c.kernel.version)));
      continue;
    }
    out += Field(label, v.at == 0 ? absl::StrFormat("%s: not violated by this run", PropertyName(p))
                                  : absl::StrFormat("%s: VIOLATED at %d", PropertyName(p), v.at));
  }
  return out;
}

// The head of a column in the table of rules: a stable series stands after its release, if that has a
// column.
std::string VersionHead(KernelVersion v) {
  return InfoOf(v).mainline != v ? "  .y" : " " + std::string(VersionName(v).substr(1));
}

namespace {

// "run on v6.1, v6.1.y; read on v5.15": in the trees of which profiles the rule was looked for.
std::string SeenText(Rule rule, std::span<const KernelVersion> versions) {
  std::vector<std::string> parts;
  for (const Seen how : {Seen::kCode, Seen::kText}) {
    std::vector<std::string> names;
    for (KernelVersion v : versions)
      if (SeenIn(rule, v) == how) names.emplace_back(VersionName(v));
    if (!names.empty())
      parts.push_back(absl::StrCat(std::string(SeenName(how)), " on ", absl::StrJoin(names, ", ")));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace

std::string KernelsText(std::span<const Rule> rules, std::span<const KernelVersion> versions) {
  std::string out = "rule";
  out.resize(36, ' ');
  for (KernelVersion v : versions) out += VersionHead(v);
  out += "\n";
  for (const Rule rule : rules) {
    const RuleInfo& info = InfoOf(rule);
    absl::StrAppendFormat(&out, "%-36s", info.id);
    for (KernelVersion v : versions)
      absl::StrAppendFormat(&out, "%*s", VersionHead(v).size(),
                            ProfileOf(v).has(rule) ? "yes" : "-");
    out += "\n";
  }
  out += "\nera\n";
  for (KernelVersion v : versions)
    absl::StrAppendFormat(&out, "  %-6s %s\n", VersionName(v), EraName(ProfileOf(v).era));
  out += "\nseen in the trees (run: their code agrees with the model; read: their text)\n";
  for (KernelVersion v : versions)
    for (const SeenTree& seen : SeenTreesOf(v))
      absl::StrAppendFormat(&out, "  %-7s %-4s %-9s %s\n", VersionName(v),
                            SeenName(seen.run ? Seen::kCode : Seen::kText), seen.release,
                            seen.tree);
  out += "\nWhat each does, and what a kernel without it does:\n";
  for (const Rule rule : rules) {
    const RuleInfo& info = InfoOf(rule);
    absl::StrAppendFormat(&out, "\n%s\n", info.id);
    const bool assumption = info.kind == RuleKind::kAssumption;
    out += Indented(2, assumption ? absl::StrFormat("assumption about: %s", info.function)
                                  : absl::StrFormat("%s: %s()", info.file, info.function));
    out += Indented(2, absl::StrFormat("with: %s", info.holds));
    out += Indented(2, absl::StrFormat("without: %s", info.dropped));
    if (const std::string seen = SeenText(rule, versions); !seen.empty())
      out += Indented(2, "seen: " + seen);
  }
  out += "\nWhat each promises: iommucheck properties\n";
  return out;
}

std::vector<std::string> AssumptionsOf(const Promise& promise) {
  std::vector<std::string> ids;
  for (Rule rule : promise.assumptions) ids.emplace_back(InfoOf(rule).id);
  return ids;
}

std::vector<std::string> FaultsOf(const Promise& promise) {
  std::vector<std::string> words;
  for (const FaultInfo& fault : AllFaults())
    if ((promise.without & FaultBit(fault.kind)) != 0) words.emplace_back(fault.word);
  return words;
}

namespace {

// Whether the promise of the next version is the same.
bool Continues(const Promise& a, const Promise& next) {
  return static_cast<int>(next.version) == static_cast<int>(a.version) + 1 &&
         std::ranges::equal(a.assumptions, next.assumptions) && a.without == next.without;
}

// A promise that versions in a row share.
std::string PromiseText(std::span<const Promise> alike) {
  const Promise& p = alike.front();
  const std::vector<std::string> ids = AssumptionsOf(p);
  const std::vector<std::string> faults = FaultsOf(p);
  std::string text(VersionName(p.version));
  if (alike.size() > 1)
    absl::StrAppend(&text, " to ", std::string(VersionName(alike.back().version)));
  if (!ids.empty()) absl::StrAppend(&text, " with ", absl::StrJoin(ids, ", "));
  if (!faults.empty()) absl::StrAppend(&text, ", unless these fail: ", absl::StrJoin(faults, ", "));
  return text;
}

}  // namespace

std::string PropertiesText(std::span<const Property> properties) {
  std::string out;
  for (Property property : properties) {
    absl::StrAppend(&out, out.empty() ? "" : "\n", std::string(PropertyName(property)), "\n");
    out += Indented(2, std::string(PropertySentence(property)));
    const auto promises = std::ranges::equal_range(Promises(), property, {}, &Promise::property);
    if (promises.empty()) out += "  promised by no kernel\n";
    for (auto first = promises.begin(); first != promises.end();) {
      auto end = first + 1;
      while (end != promises.end() && Continues(*(end - 1), *end)) ++end;
      out += Indented(2, "promised on " + PromiseText({first, end}));
      first = end;
    }
  }
  return out;
}

}  // namespace iommucheck::report
