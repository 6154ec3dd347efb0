// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "src/case/spelling.h"
#include "src/conform/trace_text.h"
#include "src/conform/trace_words.h"

namespace iommucheck::conform {
namespace {

// Whether a line of the end is needed. The lines have a fixed order.
enum class Need : uint8_t { kAlways, kMaybe, kWithTheLast };
constexpr auto kEndLines = std::to_array<std::pair<std::string_view, Need>>({
    {"groups", Need::kAlways},
    {"share", Need::kAlways},
    {"domains", Need::kAlways},
    {"warns", Need::kAlways},
    {"pins", Need::kMaybe},
    {"mappings", Need::kMaybe},
    {"mapped", Need::kMaybe},
    {"domain", Need::kMaybe},
    {"default_domain", Need::kWithTheLast},
    {"owner_cnt", Need::kWithTheLast},
});

class TraceParser {
 public:
  TraceParser(std::string_view text, std::string_view file,
              const std::function<const Case*(std::string_view)>& find)
      : lines_(SplitLines(text)), file_(file), find_(find) {}

  absl::StatusOr<TraceFile> Run() {
    TraceFile out;
    if (absl::Status s = ReadHeader(out); !s.ok()) return s;
    while (!AtEnd()) {
      if (absl::Status s = ReadCase(out.entries.emplace_back()); !s.ok()) return s;
    }
    return out;
  }

 private:
  [[nodiscard]] TraceWords Words() const { return {file_, lines_, line_}; }
  // Advances to the next line that has words.
  bool AtEnd() {
    while (line_ < lines_.size() && Words().size() == 0) ++line_;
    return line_ == lines_.size();
  }

  absl::Status ReadHeader(TraceFile& out) {
    AtEnd();
    const TraceWords version = Words();
    if (version[0] != "trace") return version.Expected("trace", 0);
    if (version[1] != "1") return version.Expected("version 1", 1);
    if (absl::Status s = version.NoMore(2); !s.ok()) return s;
    ++line_;
    AtEnd();
    const TraceWords kernel = Words();
    if (kernel[0] != "kernel") return kernel.Expected("kernel", 0);
    if (kernel.size() < 2) return kernel.Expected("what gave the trace", 1);
    out.kernel = kernel.line().substr(kernel.Offset(1));
    ++line_;
    return absl::OkStatus();
  }

  absl::Status ReadCase(TraceFile::Entry& entry) {
    const TraceWords name = Words();
    if (name[0] != "case") return name.Expected("case", 0);
    const Case* c = name.size() < 2 ? nullptr : find_(name[1]);
    if (c == nullptr) return name.Expected("the name of a case", 1);
    if (absl::Status s = name.NoMore(2); !s.ok()) return s;
    entry.name = name[1];
    ++line_;
    for (;; ++line_) {
      if (AtEnd()) return Words().Expected("an op, a call or end", 0);
      const TraceWords words = Words();
      if (words[0] == "end") break;
      const absl::Status s = absl::ascii_isdigit(static_cast<unsigned char>(words[0][0]))
                                 ? ReadOp(*c, words, entry.trace)
                                 : ReadCall(*c, words, entry.trace);
      if (!s.ok()) return s;
    }
    if (absl::Status s = Words().NoMore(1); !s.ok()) return s;
    ++line_;
    return ReadEnd(*c, entry.trace);
  }

  static absl::Status ReadOp(const Case& c, const TraceWords& words, Trace& trace) {
    const size_t number = trace.steps.size();
    if (number == c.ops.size()) return words.Expected("end: the case has no more ops", 0);
    if (words[0] != absl::StrCat(number + 1))
      return words.Expected(absl::StrCat("op ", number + 1), 0);
    const std::string op = PrintOp(c.ops[number].op, c.names);
    const size_t equals = words.line().rfind(" = ");
    const size_t begin = words.Offset(1);
    if (equals == std::string_view::npos || equals < begin ||
        words.line().substr(begin, equals - begin) != std::string_view(op))
      return words.Expected(absl::StrCat("'", op, "' and = with an errno"), 1);
    TraceStep step{.calls_end = static_cast<uint32_t>(trace.calls.size())};
    if (absl::Status s = words.ReadError(words.size() - 1, step.error); !s.ok()) return s;
    trace.steps.push_back(step);
    return absl::OkStatus();
  }

  // Reads the field at word `at`, and sets `at` to the next field.
  static absl::Status ReadField(Field field, const Names& n, const TraceWords& words, size_t& at,
                                Call& call) {
    switch (field) {
      case Field::kNone:
        return absl::OkStatus();
      case Field::kDomain:
        return words.ReadDomain(at++, call.domain);
      case Field::kDriver:
        return words.ReadName(at++, n.drivers, "a driver", call.driver);
      case Field::kTable:
        if (words[at] == "-") return ++at, absl::OkStatus();
        return words.ReadName(at++, n.tables, "a table", call.table);
      case Field::kInstance:
        return words.ReadName(at++, n.instances, "an instance", call.instance);
      case Field::kDeviceIfSaid:
        if (words[at] == "-") return ++at, absl::OkStatus();
        [[fallthrough]];
      case Field::kDevice:
        return words.ReadName(at++, n.devices, "a device", call.device);
      case Field::kPages:
        return words.ReadPages(at++, call.pages);
      case Field::kPins:
        return words.ReadAmount(at, "a number of pins", "pinned", call.pins);
      case Field::kLocked:
        return words.ReadAmount(at, "a number of pages", "locked", call.locked);
      case Field::kErrorIfNoDomain:
        if (call.domain != Call::kNoDomain) return absl::OkStatus();
        [[fallthrough]];
      case Field::kError:
        return words.ReadResult(at, call.error);
    }
    return absl::OkStatus();
  }

  static absl::Status ReadCall(const Case& c, const TraceWords& words, Trace& trace) {
    if (trace.steps.empty()) return words.Expected("op 1", 0);
    const auto* form = std::ranges::find(kCallForms, words[0], &CallForm::word);
    if (form == kCallForms.end()) return words.Expected("a call, oops, crash, an op or end", 0);
    Call call{.kind = form->kind};
    size_t at = 1;
    for (Field field : form->fields)
      if (absl::Status s = ReadField(field, c.names, words, at, call); !s.ok()) return s;
    if (absl::Status s = words.NoMore(at); !s.ok()) return s;
    trace.calls.push_back(call);
    trace.steps.back().calls_end = static_cast<uint32_t>(trace.calls.size());
    return absl::OkStatus();
  }

  // "dev0 dev1 | dev2"
  static absl::Status ReadSets(const Case& c, const TraceWords& words,
                               std::array<DeviceId, kMaxDevices>& first) {
    DeviceId head = kNoId;
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i] == "|") {
        head = kNoId;
        continue;
      }
      uint8_t dev = kNoId;
      if (absl::Status s = words.ReadName(i, c.names.devices, "a device", dev); !s.ok()) return s;
      if (first[dev] != kNoId) return words.Expected("each device once", i);
      if (head != kNoId && head > dev) return words.Expected("devices in the case's order", i);
      if (head == kNoId) head = dev;
      first[dev] = head;
    }
    return absl::OkStatus();
  }

  // "d1 0-3 7 | d4 0"
  static absl::Status ReadMapped(const TraceWords& words, std::vector<Mapped>& mapped) {
    for (size_t i = 1; i < words.size(); ++i) {
      Mapped& m = mapped.emplace_back();
      if (absl::Status s = words.ReadDomain(i, m.domain); !s.ok()) return s;
      for (++i; i < words.size() && words[i] != "|"; ++i) {
        Pages pages;
        if (absl::Status s = words.ReadPages(i, pages); !s.ok()) return s;
        m.pages |= MaskOf(pages);
      }
    }
    return absl::OkStatus();
  }

  static absl::Status ReadCount(const TraceWords& words, int& count) {
    const absl::Status s = words.ReadNumber(1, "a number", std::numeric_limits<int>::max(), count);
    return s.ok() ? words.NoMore(2) : s;
  }

  // "dev0 d3 | dev2 -", or for owner_cnt "dev0 1 owned | dev2 0"; each group once.
  static absl::Status ReadGroups(const Case& c, const TraceWords& words, int16_t GroupEnd::* field,
                                 Trace& trace) {
    const bool counts = field == &GroupEnd::owner_cnt;
    size_t at = 1;
    for (DeviceId head = 0; head < c.topology.devices_count; ++head) {
      if (trace.group[head] != head) continue;
      if (at > 1) {
        if (words[at] != "|") return words.Expected("|", at);
        ++at;
      }
      if (words[at] != c.names.devices[head]) return words.Expected(c.names.devices[head], at);
      GroupEnd& group = trace.groups[head];
      const std::string_view value = words[at + 1];
      int number = -1;
      const bool none = !counts && value == "-";
      const std::string digits(counts || !value.starts_with('d') ? value : value.substr(1));
      if (!none && (!absl::SimpleAtoi(digits, &number) || number < 0 || number > 0x7fff))
        return words.Expected(counts ? "a number" : "a domain such as d0", at + 1);
      group.*field = static_cast<int16_t>(number);
      at += 2;
      if (!counts || words[at] != "owned") continue;
      group.owned = true;
      ++at;
    }
    return words.NoMore(at);
  }

  absl::Status ReadEnd(const Case& c, Trace& trace) {
    bool there = false;  // whether the line before was there
    for (const auto& [word, need] : kEndLines) {
      if (need == Need::kWithTheLast && !there) continue;
      const bool end = AtEnd();
      const TraceWords words = Words();
      there = !end && words[0] == word;
      if (!there && need != Need::kMaybe) return words.Expected(word, 0);
      if (!there) continue;
      if (absl::Status s = ReadEndLine(c, words, trace); !s.ok()) return s;
      ++line_;
    }
    return absl::OkStatus();
  }

  static absl::Status ReadEndLine(const Case& c, const TraceWords& words, Trace& trace) {
    const std::string_view word = words[0];
    if (word == "groups") return ReadSets(c, words, trace.group);
    if (word == "share") return ReadSets(c, words, trace.share);
    if (word == "domains") return ReadCount(words, trace.domains);
    if (word == "warns") return ReadCount(words, trace.warns);
    if (word == "pins") return ReadCount(words, trace.pins.emplace());
    if (word == "mappings") return ReadCount(words, trace.mappings.emplace());
    if (word == "mapped") {
      trace.has_mapped = true;
      return ReadMapped(words, trace.mapped);
    }
    trace.has_groups = true;
    return ReadGroups(c, words,
                      word == "domain"           ? &GroupEnd::domain
                      : word == "default_domain" ? &GroupEnd::default_domain
                                                 : &GroupEnd::owner_cnt,
                      trace);
  }

  std::vector<std::string_view> lines_;
  std::string file_;
  const std::function<const Case*(std::string_view)>& find_;
  size_t line_ = 0;
};

}  // namespace

absl::StatusOr<TraceFile> ParseTraces(std::string_view text, std::string_view file,
                                      const std::function<const Case*(std::string_view)>& find) {
  return TraceParser(text, file, find).Run();
}

}  // namespace iommucheck::conform
