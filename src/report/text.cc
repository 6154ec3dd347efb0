// SPDX-License-Identifier: Apache-2.0
#include "src/report/text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"

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

std::string Indented(int indent, const std::string& text) {
  const std::string pad(static_cast<size_t>(indent), ' ');
  return absl::StrCat(
      pad, absl::StrJoin(Wrap(text, static_cast<size_t>(kColumns - indent)), "\n" + pad), "\n");
}

std::string RuleList(RuleSet rules) { return absl::StrJoin(RuleIds(rules), ", "); }

std::string_view TypeName(DomainType type) {
  switch (type) {
    case DomainType::kDefault:
      return "default";
    case DomainType::kBlocking:
      return "blocking";
    case DomainType::kPaging:
      return "type1";
    case DomainType::kPasid:
      return "identity";
    case DomainType::kFreed:
      return "freed";
    case DomainType::kFree:
      return "no";
  }
  return "";
}

std::string DriverName(const Case& c, DriverId driver) {
  return driver == kNoId ? "nobody" : c.names.drivers[driver];
}

std::string DomainText(const Case& c, const State& s, DomainId domain) {
  if (domain == kNoId) return "none";
  const DomainState& d = s.domains[domain];
  return absl::StrFormat("d%d, %s of %s", domain, TypeName(d.type), DriverName(c, d.driver));
}

// --- topology ---

std::string DriverText(const Case& c, DriverId id) {
  const Driver& d = c.topology.drivers[id];
  std::vector<std::string> claims;
  for (Bus bus : d.claim_order)
    if (const Claim claim = d.claims[static_cast<size_t>(bus)]; claim != Claim::kNone)
      claims.push_back(absl::StrFormat("%s (%s)", BusName(bus), ClaimName(claim)));
  std::vector<std::string> parts;
  if (d.firmware != Firmware::kAny)
    parts.push_back(absl::StrFormat("by %s", FirmwareName(d.firmware)));
  if (!claims.empty()) parts.push_back("claims " + absl::StrJoin(claims, ", "));
  if (d.claims_once) parts.emplace_back("claims once, after its last instance");
  if (d.unwinds) parts.emplace_back("unwinds a failed claim");
  if (d.clears) parts.emplace_back("clears its buses on unregister");
  if (d.same_instance) parts.emplace_back("attach_dev tests the instance");
  if (d.refuses_foreign) parts.emplace_back("attach_dev tests the device's driver");
  if (d.instance_groups) parts.emplace_back("a group per instance");
  if (!d.default_domains) parts.emplace_back("no default domains");
  if (!d.coherent) parts.emplace_back("lacks IOMMU_CAP_CACHE_COHERENCY");
  if (d.accepts_foreign) parts.emplace_back("probes any device");
  if (d.address != kNoId) parts.push_back("at the address of " + DriverName(c, d.address));
  for (DriverId other = 0; other < c.topology.drivers_count; ++other)
    if (other != id && c.topology.drivers[other].table == d.table)
      parts.push_back("shares its domain ops with " + DriverName(c, other));
  return absl::StrJoin(parts, "; ");
}

std::string InstanceText(const Case& c, const Instance& i) {
  std::string text = absl::StrFormat("of %s, %s", DriverName(c, i.driver),
                                     i.fwnode ? "with a fwnode" : "no fwnode");
  if (!i.enforces_coherency) text += ", does not enforce coherency";
  if (i.table != c.topology.drivers[i.driver].table)
    absl::StrAppend(&text, ", domain ops ", c.names.tables[i.table]);
  return text;
}

std::string DeviceText(const Case& c, const Device& d) {
  std::vector<std::string> behind;
  for (InstanceId m : d.masters)
    if (m != kNoId) behind.push_back(c.names.instances[m]);
  std::string text = absl::StrFormat(
      "on %s, %s", BusName(d.bus),
      behind.empty() ? "behind no IOMMU" : "behind " + absl::StrJoin(behind, " and "));
  if (d.alias != kNoId) absl::StrAppend(&text, ", DMA alias of ", c.names.devices[d.alias]);
  if (d.slot != 0) absl::StrAppendFormat(&text, ", shares slot %d", d.slot);
  if (d.absent) text += ", absent at boot";
  return text;
}

// --- trace ---

bool IsShown(const Shown& shown, DeviceId d) { return d == kNoId || shown.empty() || shown[d]; }

class Diff {
 public:
  Diff(const Case& c, const State& before, const State& after, const Shown& shown)
      : c_(c), b_(before), a_(after) {
    for (int bus = 0; bus < kBusCount; ++bus) Slot(bus);
    for (DeviceId d = 0; d < c.topology.devices_count; ++d)
      if (IsShown(shown, d)) DeviceLine(d);
    for (GroupId g = 0; g < kMaxGroups; ++g)
      if (HasShown(shown, g)) GroupLine(g);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void Line(const std::string& text) { text_ += Indented(6, text); }

  // A group that is in a container, or was, is one that the run is about.
  [[nodiscard]] bool HasShown(const Shown& shown, GroupId id) const {
    bool has =
        shown.empty() || a_.groups[id].container != kNoId || b_.groups[id].container != kNoId;
    for (DeviceId d = 0; d < c_.topology.devices_count; ++d)
      has |= !shown.empty() && shown[d] && (a_.devices[d].group == id || b_.devices[d].group == id);
    return has;
  }

  void Slot(int bus) {
    if (b_.bus_ops[bus] == a_.bus_ops[bus]) return;
    Line(absl::StrFormat("bus %s ops %s", BusName(static_cast<Bus>(bus)),
                         a_.bus_ops[bus] == kNoId ? "NULL" : DriverName(c_, a_.bus_ops[bus])));
  }
  void DeviceLine(DeviceId id) {
    const DeviceState& b = b_.devices[id];
    const DeviceState& a = a_.devices[id];
    const std::string& name = c_.names.devices[id];
    if (a.instance != b.instance || a.group != b.group) {
      if (a.instance == kNoId)
        Line(absl::StrFormat("device %s released", name));
      else
        Line(absl::StrFormat("device %s served by %s, group %d", name,
                             c_.names.instances[a.instance], a.group));
    }
    // A device that is where its group is goes without saying.
    const bool stray = a.group != kNoId && a.hw != a_.groups[a.group].domain;
    const bool was_stray = b.group != kNoId && b.hw != b_.groups[b.group].domain;
    if (stray && (!was_stray || a.hw != b.hw))
      Line(absl::StrFormat("device %s on %s, not on its group's domain", name,
                           DomainText(c_, a_, a.hw)));
  }
  void GroupLine(GroupId id) {
    const GroupState& b = b_.groups[id];
    const GroupState& a = a_.groups[id];
    if (b.live && !a.live) Line(absl::StrFormat("group %d gone", id));
    if (!a.live) return;
    if (a.domain != b.domain ||
        (a.domain != kNoId && a_.domains[a.domain] != b_.domains[a.domain] &&
         a_.domains[a.domain].type != b_.domains[a.domain].type))
      Line(absl::StrFormat("group %d on %s%s", id, DomainText(c_, a_, a.domain), Sharers(id)));
    if (a.container != b.container)
      Line(a.container == kNoId ? absl::StrFormat("group %d in no container", id)
                                : absl::StrFormat("group %d in c%d", id, a.container));
  }
  // ", with group 0" where a type1 domain holds other groups too.
  [[nodiscard]] std::string Sharers(GroupId id) const {
    std::vector<std::string> others;
    for (GroupId g = 0; g < kMaxGroups; ++g)
      if (g != id && a_.groups[id].vfio_domain != kNoId &&
          a_.groups[g].vfio_domain == a_.groups[id].vfio_domain)
        others.push_back(absl::StrCat(g));
    return others.empty() ? "" : ", with group " + absl::StrJoin(others, ", ");
  }

  const Case& c_;
  const State& b_;
  const State& a_;
  std::string text_;
};

bool WorthALine(const Event& e, bool all) {
  using enum Event::Kind;
  return all || e.kind == kRefused || e.kind == kOops || e.kind == kWarn ||
         (e.kind == kAttachDev && e.error != 0);
}

std::string ResultText(const StepResult& r) {
  switch (r.outcome) {
    case Outcome::kDone:
      return ErrnoName(r.error);
    case Outcome::kNotPossible:
      return "not possible";
    case Outcome::kOutside:
      return "outside";
  }
  return "";
}

// What is at fault; of the first two properties the event says it.
std::string ViolationText(const Case& c, Property property, const FirstViolation& v) {
  if (IsEncoded(property)) return EventText(c, *v.event);
  std::vector<std::string> who;
  if (v.what.container != kNoId) who.push_back(absl::StrFormat("c%d", v.what.container));
  if (v.what.group != kNoId) who.push_back(absl::StrFormat("group %d", v.what.group));
  if (v.what.device != kNoId) who.push_back(c.names.devices[v.what.device]);
  if (v.what.domain != kNoId) who.push_back(absl::StrFormat("d%d", v.what.domain));
  return absl::StrCat(absl::StrJoin(who, ", "), who.empty() ? "" : ": ", std::string(v.what.why));
}

std::string StepText(const Case& c, const Run& run, size_t i, const TraceOptions& options) {
  const PlayedStep& step = run.steps[i];
  std::string op = PrintOp(c.ops[i].op, c.names);
  const std::string result = ResultText(step.result);
  const int room = kColumns - 4 - static_cast<int>(result.size()) - 1;
  std::string out = absl::StrFormat("%3d %-*s %s\n", i + 1, room, op, result);
  if (step.result.outcome == Outcome::kNotPossible) out += Indented(6, step.result.why);
  if (step.result.outcome == Outcome::kOutside)
    out += Indented(6, absl::StrCat("leaves ", std::string(InfoOf(step.result.assumption).id)));
  for (const Event& e : step.events)
    if (WorthALine(e, options.all_events) && IsShown(options.shown, e.device))
      out += Indented(6, "- " + EventText(c, e));
  out += Diff(c, i == 0 ? run.initial : run.steps[i - 1].after, step.after, options.shown).text();
  for (Property p : kProperties)
    if (run.of(p).at == static_cast<int>(i) + 1 && IsPromised(c.kernel.version, p) &&
        (options.all_properties || IsEncoded(p)))
      out +=
          Indented(4, absl::StrFormat("! %s: %s", PropertyName(p), ViolationText(c, p, run.of(p))));
  return out;
}

}  // namespace

std::string KernelName(const KernelSpec& kernel) {
  std::string name(VersionName(kernel.version));
  if (!kernel.dropped.empty()) name += " without " + RuleList(kernel.dropped);
  if (!kernel.added.empty()) name += " with " + RuleList(kernel.added);
  return name;
}

std::string Plural(uint64_t n, const char* what) {
  return absl::StrFormat("%d %s%s", n, what, n == 1 ? "" : "s");
}

std::string Field(const std::string& label, const std::string& text) {
  std::string out = Indented(kLabel, text);
  out.replace(0, std::min<size_t>(label.size(), kLabel), label);
  return out;
}

std::string LastLines(const std::string& next, const std::string& verdict_line) {
  const std::string command = next.empty() ? "" : "next      iommucheck " + next + "\n";
  return absl::StrCat(command, verdict_line, "\n");
}

std::string TopologyText(const Case& c, const Shown& shown) {
  const Topology& t = c.topology;
  std::string out;
  if (t.firmware != Firmware::kAny) out += Field("firmware", std::string(FirmwareName(t.firmware)));
  const auto row = [&out](const char* label, const std::string& name, const std::string& text) {
    out += Field(label, text.empty() ? name : name + ": " + text);
  };
  for (DriverId d = 0; d < t.drivers_count; ++d)
    row(d == 0 ? "drivers" : "", c.names.drivers[d], DriverText(c, d));
  for (InstanceId i = 0; i < t.instances_count; ++i)
    row(i == 0 ? "instances" : "", c.names.instances[i], InstanceText(c, t.instances[i]));
  int devices = 0;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (IsShown(shown, d))
      row(devices++ == 0 ? "devices" : "", c.names.devices[d], DeviceText(c, t.devices[d]));
  if (devices < t.devices_count)
    out += Field("", absl::StrFormat("and %d more, not in this run", t.devices_count - devices));
  return out;
}

std::string PagesText(Pages pages) {
  if (pages.count == 1) return absl::StrFormat("page %d", pages.first);
  return absl::StrFormat("pages %d-%d", pages.first, pages.first + pages.count - 1);
}

std::string EventText(const Case& c, const Event& e) {
  using enum Event::Kind;
  const auto domain = [&] {
    return absl::StrFormat("d%d, %s of %s", e.domain, TypeName(e.type), DriverName(c, e.driver));
  };
  const auto device = [&] { return e.device == kNoId ? "" : c.names.devices[e.device]; };
  switch (e.kind) {
    case kAttachGroup:
      return absl::StrFormat("vfio_iommu_type1_attach_group(group %d)", e.group);
    case kProbe:
      return absl::StrFormat("probe_device(%s): %s, group %d", device(),
                             DriverName(c, e.device_driver), e.group);
    case kRelease:
      return absl::StrFormat("release_device(%s), group %d", device(), e.group);
    case kAlloc:
      if (e.error != 0) return "domain_alloc() = NULL";
      return absl::StrFormat("domain_alloc() = %s", domain());
    case kFree:
      return absl::StrFormat("iommu_domain_free(%s)", domain());
    case kAttachDev:
      return absl::StrFormat("attach_dev(%s; %s served by %s) = %s", domain(), device(),
                             DriverName(c, e.device_driver), ErrnoName(-int{e.error}));
    case kDetachDev:
      return absl::StrFormat("detach_dev(d%d; %s)", e.domain, device());
    case kRefused:
      if (e.error == 0) return absl::StrFormat("%s: not this domain", InfoOf(e.rule).id);
      return absl::StrFormat("%s: %s in %s", InfoOf(e.rule).id, ErrnoName(-int{e.error}),
                             InfoOf(e.rule).function);
    case kWarn:
      return absl::StrFormat("WARN in %s", e.where);
    case kOops:
      return absl::StrFormat("oops: NULL pointer in %s()", e.where);
    case kWait:
      return absl::StrFormat("waits in %s()", e.where);
    case kMap:
      return absl::StrFormat("iommu_map(d%d, %s) = %s", e.domain, PagesText(e.pages),
                             ErrnoName(-int{e.error}));
    case kUnmap:
      return absl::StrFormat("iommu_unmap(d%d, %s)", e.domain, PagesText(e.pages));
    case kPin:
      return absl::StrFormat("pin(%s) = %s", PagesText(e.pages), ErrnoName(-int{e.error}));
    case kUnpin:
      return absl::StrFormat("unpin(%s)", PagesText(e.pages));
    case kMsiCookie:
      return absl::StrFormat("iommu_get_msi_cookie(d%d) = %s", e.domain, ErrnoName(-int{e.error}));
    case kAttachPasid:
      return absl::StrFormat("set_dev_pasid(%s; %s served by %s)", domain(), device(),
                             DriverName(c, e.device_driver));
  }
  return "";
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
    if (with.kernel.dropped.has(info.rule))
      with.kernel.dropped.drop(info.rule);
    else
      with.kernel.added.add(info.rule);
    if (Play(with).of(property).at == 0) rules.push_back(info.rule);
  }
  return rules;
}

std::string StoppingRulesText(const Case& c, Property property) {
  std::string out;
  for (const Rule rule : StoppingRules(c, property)) {
    const RuleInfo& info = InfoOf(rule);
    const std::string where =
        info.file.empty() ? "" : absl::StrFormat("%s: %s(); ", info.file, info.function);
    const std::string how = c.kernel.dropped.has(info.rule) ? "dropped" : "absent";
    out += Indented(2, absl::StrFormat("%s (%s)", info.id, how));
    out += Indented(4, absl::StrFormat("%s%s", where, info.holds));
  }
  return out;
}

std::string ReplayText(const Case& c, const Run& run, const TraceOptions& options) {
  std::string out = Field("kernel", KernelName(c.kernel));
  out += TopologyText(c);
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
    if (!IsEncoded(p) && v.at == 0) continue;  // of so many only what is violated
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

// The head of a column in the table of rules: a stable series stands after its release.
std::string VersionHead(KernelVersion v) {
  const std::string name(VersionName(v).substr(1));
  return name.ends_with(".y") ? "  .y" : " " + name;
}

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
                            ((info.versions >> static_cast<size_t>(v)) & 1U) != 0 ? "yes" : "-");
    out += "\n";
  }
  out += "\nera\n";
  for (KernelVersion v : versions)
    absl::StrAppendFormat(&out, "  %-6s %s\n", VersionName(v), EraName(ProfileOf(v).era));
  out += "\nWhat each does, and what a kernel without it does:\n";
  for (const Rule rule : rules) {
    const RuleInfo& info = InfoOf(rule);
    absl::StrAppendFormat(&out, "\n%s\n", info.id);
    const bool assumption = info.kind == RuleKind::kAssumption;
    out += Indented(2, assumption ? absl::StrFormat("assumption about: %s", info.function)
                                  : absl::StrFormat("%s: %s()", info.file, info.function));
    out += Indented(2, absl::StrFormat("with: %s", info.holds));
    out += Indented(2, absl::StrFormat("without: %s", info.dropped));
  }
  out += "\nWhat each promises: iommucheck properties\n";
  return out;
}

namespace {

// The same of the next version.
bool Continues(const Promise& a, const Promise& next) {
  return static_cast<int>(next.version) == static_cast<int>(a.version) + 1 &&
         std::ranges::equal(a.assumptions, next.assumptions) && a.without == next.without;
}

// A promise that versions in a row share.
std::string PromiseText(std::span<const Promise> alike) {
  const Promise& p = alike.front();
  std::vector<std::string> ids;
  for (Rule r : p.assumptions) ids.emplace_back(InfoOf(r).id);
  std::vector<std::string> faults;
  for (Fault::Kind kind : kFaultKinds)
    if ((p.without & FaultBit(kind)) != 0) faults.emplace_back(FaultName(kind));
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
