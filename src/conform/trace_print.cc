// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/conform/trace_text.h"

namespace iommucheck::conform {
namespace {

std::string Error(int error) { return error == 0 ? "0" : ErrnoName(error); }
std::string DomainName(uint16_t domain) {
  return domain == Call::kNoDomain ? "-" : absl::StrFormat("d%d", domain);
}
const std::string& NameOf(const std::vector<std::string>& names, uint8_t id) {
  static const std::string kNotSaid = "-";
  return id == kNoId ? kNotSaid : names[id];
}

std::string PagesText(Pages pages) {
  if (pages.count == 1) return absl::StrCat(pages.first);
  return absl::StrCat(pages.first, "-", pages.first + pages.count - 1);
}

std::string FieldText(const Case& c, const Call& call, Field field) {
  switch (field) {
    case Field::kNone:
      return "";
    case Field::kDomain:
      return absl::StrCat(" ", DomainName(call.domain));
    case Field::kDriver:
      return absl::StrCat(" ", NameOf(c.names.drivers, call.driver));
    case Field::kTable:
      return absl::StrCat(" ", NameOf(c.names.tables, call.table));
    case Field::kInstance:
      return absl::StrCat(" ", NameOf(c.names.instances, call.instance));
    case Field::kDevice:
    case Field::kDeviceIfSaid:
      return absl::StrCat(" ", NameOf(c.names.devices, call.device));
    case Field::kPages:
      return absl::StrCat(" ", PagesText(call.pages));
    case Field::kPins:
      return absl::StrCat(" ", call.pins, " pinned");
    case Field::kLocked:
      return absl::StrCat(" ", call.locked, " locked");
    case Field::kErrorIfNoDomain:
      if (call.error == 0) return "";
      [[fallthrough]];
    case Field::kError:
      return absl::StrCat(" = ", Error(call.error));
  }
  return "";
}

std::string CallText(const Case& c, const Call& call) {
  const CallForm& form = kCallForms[static_cast<size_t>(call.kind)];
  std::string text(form.word);
  for (Field field : form.fields) text += FieldText(c, call, field);
  return text;
}

// "a b | c": the sets of devices that have the same first device.
std::string Sets(const Case& c, const std::array<DeviceId, kMaxDevices>& first, size_t at_least) {
  std::string text;
  for (DeviceId head = 0; head < c.topology.devices_count; ++head) {
    if (first[head] != head) continue;
    if (std::ranges::count(first, head) < static_cast<std::ptrdiff_t>(at_least)) continue;
    if (!text.empty()) text += " |";
    for (DeviceId dev = head; dev < c.topology.devices_count; ++dev)
      if (first[dev] == head) absl::StrAppend(&text, text.empty() ? "" : " ", c.names.devices[dev]);
  }
  return text;
}

std::string Labelled(std::string_view label, const std::string& text) {
  return text.empty() ? std::string(label) : absl::StrCat(std::string(label), " ", text);
}

std::string MappedText(const std::vector<Mapped>& mapped) {
  std::string text;
  for (const Mapped& m : mapped) {
    absl::StrAppend(&text, text.empty() ? "" : " | ", DomainName(m.domain));
    for (uint64_t left = m.pages; left != 0;)
      absl::StrAppend(&text, " ", PagesText(TakeRange(left)));
  }
  return text;
}

// "dev0 d3 | dev2 -": one entry for each group, named by its first device.
std::string ByGroup(const Case& c, const Trace& trace,
                    const std::function<std::string(const GroupEnd&)>& text_of) {
  std::string text;
  for (DeviceId head = 0; head < c.topology.devices_count; ++head)
    if (trace.group[head] == head)
      absl::StrAppend(&text, text.empty() ? "" : " | ", c.names.devices[head], " ",
                      text_of(trace.groups[head]));
  return text;
}

// Adds the lines of the end without those that `other` cannot have.
void AddEndLines(const Case& c, const Trace& trace, const Trace& other, std::vector<Line>& lines) {
  const size_t at = trace.steps.size();
  lines.push_back({at, "end"});
  lines.push_back({at, Labelled("  groups", Sets(c, trace.group, 1))});
  lines.push_back({at, Labelled("  share", Sets(c, trace.share, 2))});
  lines.push_back({at, absl::StrFormat("  domains %d", trace.domains)});
  lines.push_back({at, absl::StrFormat("  warns %d", trace.warns)});
  if (trace.has_mapped && other.has_mapped)
    lines.push_back({at, Labelled("  mapped", MappedText(trace.mapped))});
  if (!trace.has_groups || !other.has_groups) return;
  const auto add = [&](std::string_view label, const auto& text_of) {
    lines.push_back({at, Labelled(label, ByGroup(c, trace, text_of))});
  };
  add("  domain", [](const GroupEnd& g) { return DomainName(static_cast<uint16_t>(g.domain)); });
  add("  default_domain",
      [](const GroupEnd& g) { return DomainName(static_cast<uint16_t>(g.default_domain)); });
  add("  owner_cnt",
      [](const GroupEnd& g) { return absl::StrCat(g.owner_cnt, g.owned ? " owned" : ""); });
}

}  // namespace

std::vector<Line> LinesOf(const Case& c, const Trace& trace, const Trace& other) {
  std::vector<Line> lines;
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    lines.push_back({i, absl::StrFormat("%d %s = %s", i + 1, PrintOp(c.ops[i].op, c.names),
                                        Error(trace.steps[i].error))});
    for (const Call& call : trace.CallsOf(i))
      if (other.has_mapped || !IsOfMappings(call))
        lines.push_back({i, absl::StrCat("  ", CallText(c, call)), &call});
  }
  AddEndLines(c, trace, other, lines);
  return lines;
}

std::string PrintTraceHeader(std::string_view kernel) {
  return absl::StrFormat("trace 1\nkernel %s\n", kernel);
}

std::string PrintTrace(const Case& c, const Trace& trace, std::string_view name) {
  std::string text = absl::StrFormat("case %s\n", name);
  for (const std::string& line : TraceLines(c, trace)) absl::StrAppend(&text, line, "\n");
  return text;
}

std::string PrintAnswers(const Answers& answers, const Cases& cases) {
  std::string text = "answers 1\n";
  for (const auto& [version, build] : answers.kernels)
    absl::StrAppend(&text, "kernel ", std::string(VersionName(version)), " ", build, "\n");
  for (const auto& [name, of] : answers.cases) {
    const Case& c = cases.find(name)->second;
    // Kernels that answered the same stand together, by the oldest of them.
    std::vector<std::pair<std::string, std::string>> answered;
    for (const auto& [version, trace] : of) {
      const std::string lines = absl::StrJoin(TraceLines(c, trace), "\n");
      auto it = std::ranges::find(answered, lines, &std::pair<std::string, std::string>::second);
      if (it == answered.end()) it = answered.insert(it, {"of", lines});
      absl::StrAppend(&it->first, " ", std::string(VersionName(version)));
    }
    if (!answered.empty()) absl::StrAppend(&text, "case ", name, "\n");
    for (const auto& [kernels, lines] : answered)
      absl::StrAppend(&text, kernels, "\n", lines, "\n");
  }
  return text + "done\n";
}

std::vector<std::string> TraceLines(const Case& c, const Trace& trace) {
  std::vector<std::string> lines;
  for (Line& line : LinesOf(c, trace, trace)) lines.push_back(std::move(line.text));
  return lines;
}

}  // namespace iommucheck::conform
