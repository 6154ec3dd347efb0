// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/conform/trace_text.h"

namespace iommucheck::conform {
namespace {

// The lines of the end, in their order.
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
  // The words of the line, with where they begin.
  struct Token {
    std::string_view text;
    size_t at;
  };

  bool AtEnd() {
    while (line_ < lines_.size() && Words().empty()) ++line_;
    return line_ == lines_.size();
  }
  std::vector<Token> Words() const {
    std::vector<Token> words;
    const std::string_view line = line_ < lines_.size() ? lines_[line_] : std::string_view();
    for (size_t i = 0; i < line.size();) {
      const size_t end = std::min(line.find_first_of(" \t\r", i), line.size());
      if (end > i) words.push_back({line.substr(i, end - i), i});
      i = end + 1;
    }
    return words;
  }
  [[nodiscard]] absl::Status Expected(std::string_view what, size_t at,
                                      std::string_view found) const {
    return Mismatch(file_, {static_cast<int>(line_) + 1, static_cast<int>(at) + 1, {}}, what,
                    line_ >= lines_.size() ? "the end" : Quote(found));
  }
  // The pages of a word such as 3 or 3-5.
  static std::optional<Pages> FindPages(std::string_view text) {
    const size_t dash = text.find('-');
    int first = 0;
    int last = 0;
    if (!absl::SimpleAtoi(std::string(text.substr(0, dash)), &first)) return std::nullopt;
    if (dash == std::string_view::npos)
      last = first;
    else if (!absl::SimpleAtoi(std::string(text.substr(dash + 1)), &last))
      return std::nullopt;
    if (first < 0 || last < first || last >= kPages) return std::nullopt;
    return Pages{static_cast<uint8_t>(first), static_cast<uint8_t>(last - first + 1)};
  }
  absl::Status ReadPages(const std::vector<Token>& words, size_t at, Pages& pages) const {
    const std::optional<Pages> found = FindPages(At(words, at).text);
    if (!found) return Expected("pages such as 0-3", words, at);
    pages = *found;
    return absl::OkStatus();
  }
  // "4 pinned"
  absl::Status ReadAmount(const std::vector<Token>& words, size_t& at, const char* what,
                          std::string_view unit, uint16_t& amount) const {
    int number = 0;
    if (!absl::SimpleAtoi(std::string(At(words, at).text), &number) || number < 0 ||
        number > 0xffff)
      return Expected(what, words, at);
    if (At(words, at + 1).text != unit) return Expected(unit, words, at + 1);
    amount = static_cast<uint16_t>(number);
    at += 2;
    return absl::OkStatus();
  }
  absl::Status ReadMapped(const std::vector<Token>& words, std::vector<Mapped>& mapped) const {
    for (size_t i = 1; i < words.size(); ++i) {
      Mapped& m = mapped.emplace_back();
      if (absl::Status s = ReadDomain(words, i, m.domain); !s.ok()) return s;
      for (++i; i < words.size() && words[i].text != "|"; ++i) {
        Pages pages;
        if (absl::Status s = ReadPages(words, i, pages); !s.ok()) return s;
        m.pages |= MaskOf(pages);
      }
    }
    return absl::OkStatus();
  }

  // The word number `i` of the line, or nothing at its end.
  [[nodiscard]] Token At(const std::vector<Token>& words, size_t i) const {
    if (i < words.size()) return words[i];
    return {"", line_ < lines_.size() ? lines_[line_].size() : 0};
  }
  [[nodiscard]] absl::Status Expected(std::string_view what, const std::vector<Token>& words,
                                      size_t i) const {
    const Token token = At(words, i);
    return Expected(what, token.at, token.text);
  }
  absl::Status NoMore(const std::vector<Token>& words, size_t count) const {
    return words.size() > count ? Expected("the end of the line", words, count) : absl::OkStatus();
  }

  absl::Status ReadHeader(TraceFile& out) {
    AtEnd();
    std::vector<Token> words = Words();
    if (At(words, 0).text != "trace") return Expected("trace", words, 0);
    if (At(words, 1).text != "1") return Expected("version 1", words, 1);
    if (absl::Status s = NoMore(words, 2); !s.ok()) return s;
    ++line_;
    AtEnd();
    words = Words();
    if (At(words, 0).text != "kernel") return Expected("kernel", words, 0);
    if (words.size() < 2) return Expected("what gave the trace", words, 1);
    out.kernel = lines_[line_].substr(words[1].at);
    ++line_;
    return absl::OkStatus();
  }

  absl::Status ReadCase(TraceFile::Entry& entry) {
    std::vector<Token> words = Words();
    if (words[0].text != "case") return Expected("case", words, 0);
    const Case* c = words.size() < 2 ? nullptr : find_(words[1].text);
    if (c == nullptr) return Expected("the name of a case", words, 1);
    if (absl::Status s = NoMore(words, 2); !s.ok()) return s;
    entry.name = words[1].text;
    ++line_;
    Trace& trace = entry.trace;
    while (true) {
      if (AtEnd()) return Expected("an op, a call or end", 0, "");
      words = Words();
      if (words[0].text == "end") break;
      const absl::Status s = absl::ascii_isdigit(static_cast<unsigned char>(words[0].text[0]))
                                 ? ReadOp(*c, words, trace)
                                 : ReadCall(*c, words, trace);
      if (!s.ok()) return s;
      ++line_;
    }
    if (absl::Status s = NoMore(words, 1); !s.ok()) return s;
    ++line_;
    return ReadEnd(*c, trace);
  }

  absl::Status ReadOp(const Case& c, const std::vector<Token>& words, Trace& trace) const {
    const size_t number = trace.steps.size();
    if (number == c.ops.size()) return Expected("end: the case has no more ops", words, 0);
    if (words[0].text != absl::StrCat(number + 1))
      return Expected(absl::StrCat("op ", number + 1), words, 0);
    const std::string op = PrintOp(c.ops[number].op, c.names);
    const size_t equals = lines_[line_].rfind(" = ");
    const size_t begin = words.size() < 2 ? lines_[line_].size() : words[1].at;
    if (equals == std::string_view::npos || equals < begin ||
        lines_[line_].substr(begin, equals - begin) != std::string_view(op))
      return Expected(absl::StrCat("'", op, "' and = with an errno"), words, 1);
    TraceStep step{.calls_end = static_cast<uint32_t>(trace.calls.size())};
    if (absl::Status s = ReadError(words, words.size() - 1, step.error); !s.ok()) return s;
    trace.steps.push_back(step);
    return absl::OkStatus();
  }

  absl::Status ReadError(const std::vector<Token>& words, size_t at, int& error) const {
    const std::string_view text = At(words, at).text;
    const auto found = text == "0"    ? std::optional(0)
                       : text == "ok" ? std::nullopt
                                      : FindErrno(text);
    if (!found) return Expected("0 or an errno such as -EBUSY", words, at);
    error = *found;
    return absl::OkStatus();
  }
  // "=" at word `at` and the errno after it.
  absl::Status ReadResult(const std::vector<Token>& words, size_t& at, int16_t& error) const {
    if (At(words, at).text != "=") return Expected("=", words, at);
    int value = 0;
    if (absl::Status s = ReadError(words, at + 1, value); !s.ok()) return s;
    error = static_cast<int16_t>(value);
    at += 2;
    return absl::OkStatus();
  }
  absl::Status ReadName(const std::vector<Token>& words, size_t at,
                        const std::vector<std::string>& names, const char* what, bool optional,
                        uint8_t& id) const {
    const std::string_view text = At(words, at).text;
    const auto it = std::ranges::find(names, text);
    if (it != names.end()) {
      id = static_cast<uint8_t>(it - names.begin());
      return absl::OkStatus();
    }
    if (optional && text == "-") return absl::OkStatus();
    return Expected(absl::StrCat(what, " of the case"), words, at);
  }
  absl::Status ReadDomain(const std::vector<Token>& words, size_t at, uint16_t& domain) const {
    const std::string_view text = At(words, at).text;
    if (text == "-") return absl::OkStatus();  // a static one
    int number = 0;
    if (!text.starts_with('d') || !absl::SimpleAtoi(std::string(text.substr(1)), &number) ||
        number < 0 || number >= Call::kNoDomain)
      return Expected("a domain such as d0", words, at);
    domain = static_cast<uint16_t>(number);
    return absl::OkStatus();
  }

  // Reads the field at word `at`, which then is the one behind it.
  absl::Status ReadField(Field field, const Names& n, const std::vector<Token>& words, size_t& at,
                         Call& call) const {
    switch (field) {
      case Field::kNone:
        return absl::OkStatus();
      case Field::kDomain:
        return ReadDomain(words, at++, call.domain);
      case Field::kDriver:
        return ReadName(words, at++, n.drivers, "a driver", false, call.driver);
      case Field::kTable:
        return ReadName(words, at++, n.tables, "a table", true, call.table);
      case Field::kInstance:
        return ReadName(words, at++, n.instances, "an instance", false, call.instance);
      case Field::kDevice:
        return ReadName(words, at++, n.devices, "a device", false, call.device);
      case Field::kDeviceIfSaid:
        return ReadName(words, at++, n.devices, "a device", true, call.device);
      case Field::kPages:
        return ReadPages(words, at++, call.pages);
      case Field::kPins:
        return ReadAmount(words, at, "a number of pins", "pinned", call.pins);
      case Field::kLocked:
        return ReadAmount(words, at, "a number of pages", "locked", call.locked);
      case Field::kErrorIfNoDomain:
        if (call.domain != Call::kNoDomain) return absl::OkStatus();
        [[fallthrough]];
      case Field::kError:
        return ReadResult(words, at, call.error);
    }
    return absl::OkStatus();
  }

  absl::Status ReadCall(const Case& c, const std::vector<Token>& words, Trace& trace) const {
    if (trace.steps.empty()) return Expected("op 1", words, 0);
    const auto* form = std::ranges::find(kCallForms, words[0].text, &CallForm::word);
    if (form == kCallForms.end()) return Expected("a call, oops, crash, an op or end", words, 0);
    Call call{.kind = form->kind};
    size_t at = 1;
    for (Field field : form->fields)
      if (absl::Status s = ReadField(field, c.names, words, at, call); !s.ok()) return s;
    if (absl::Status s = NoMore(words, at); !s.ok()) return s;
    trace.calls.push_back(call);
    trace.steps.back().calls_end = static_cast<uint32_t>(trace.calls.size());
    return absl::OkStatus();
  }

  absl::Status ReadSets(const Case& c, const std::vector<Token>& words,
                        std::array<DeviceId, kMaxDevices>& first) const {
    DeviceId head = kNoId;
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i].text == "|") {
        head = kNoId;
        continue;
      }
      uint8_t dev = kNoId;
      if (absl::Status s = ReadName(words, i, c.names.devices, "a device", false, dev); !s.ok())
        return s;
      if (first[dev] != kNoId) return Expected("each device once", words, i);
      if (head != kNoId && head > dev) return Expected("devices in the case's order", words, i);
      if (head == kNoId) head = dev;
      first[dev] = head;
    }
    return absl::OkStatus();
  }

  absl::Status ReadCount(const std::vector<Token>& words, int& count) const {
    if (!absl::SimpleAtoi(std::string(At(words, 1).text), &count) || count < 0)
      return Expected("a number", words, 1);
    return NoMore(words, 2);
  }

  // "dev0 d3 | dev2 -", or of owner_cnt "dev0 1 owned | dev2 0"; each group once.
  absl::Status ReadGroups(const Case& c, const std::vector<Token>& words, int16_t GroupEnd::* field,
                          Trace& trace) const {
    const bool counts = field == &GroupEnd::owner_cnt;
    size_t at = 1;
    for (DeviceId head = 0; head < c.topology.devices_count; ++head) {
      if (trace.group[head] != head) continue;
      if (at > 1) {
        if (At(words, at).text != "|") return Expected("|", words, at);
        ++at;
      }
      if (At(words, at).text != c.names.devices[head])
        return Expected(c.names.devices[head], words, at);
      GroupEnd& group = trace.groups[head];
      const std::string_view value = At(words, at + 1).text;
      int number = -1;
      const bool none = !counts && value == "-";
      const std::string digits(counts || !value.starts_with('d') ? value : value.substr(1));
      if (!none && (!absl::SimpleAtoi(digits, &number) || number < 0 || number > 0x7fff))
        return Expected(counts ? "a number" : "a domain such as d0", words, at + 1);
      group.*field = static_cast<int16_t>(number);
      at += 2;
      if (!counts || At(words, at).text != "owned") continue;
      group.owned = true;
      ++at;
    }
    return NoMore(words, at);
  }

  absl::Status ReadEnd(const Case& c, Trace& trace) {
    bool there = false;  // the line before
    for (const auto& [word, need] : kEndLines) {
      if (need == Need::kWithTheLast && !there) continue;
      const bool end = AtEnd();
      const std::vector<Token> words = Words();
      there = !end && words[0].text == word;
      if (!there && need != Need::kMaybe) return Expected(word, words, 0);
      if (!there) continue;
      if (absl::Status s = ReadEndLine(c, words, trace); !s.ok()) return s;
      ++line_;
    }
    return absl::OkStatus();
  }

  absl::Status ReadEndLine(const Case& c, const std::vector<Token>& words, Trace& trace) const {
    const std::string_view word = words[0].text;
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
