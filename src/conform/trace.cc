// SPDX-License-Identifier: Apache-2.0
#include "src/conform/trace.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

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

// The ranges of a set of pages, lowest first.
std::vector<Pages> RangesOf(uint64_t pages) {
  std::vector<Pages> ranges;
  for (int first = 0; first < kPages; ++first) {
    const int count = std::countr_one(pages >> first);
    if (count == 0) continue;
    ranges.push_back({static_cast<uint8_t>(first), static_cast<uint8_t>(count)});
    first += count;
  }
  return ranges;
}

std::string CallText(const Case& c, const Call& call) {
  const std::string domain = DomainName(call.domain);
  const std::string& device = NameOf(c.names.devices, call.device);
  switch (call.kind) {
    case Call::Kind::kProbe:
      return absl::StrCat("probe ", device, " ", NameOf(c.names.instances, call.instance));
    case Call::Kind::kAlloc:
      return absl::StrCat("alloc ", domain, " ", NameOf(c.names.drivers, call.driver), " ",
                          NameOf(c.names.tables, call.table), " ", device,
                          call.error == 0 ? "" : absl::StrCat(" = ", Error(call.error)));
    case Call::Kind::kAttach:
      return absl::StrCat("attach ", domain, " ", device, " = ", Error(call.error));
    case Call::Kind::kDetach:
      return absl::StrCat("detach ", domain, " ", device);
    case Call::Kind::kFree:
      return absl::StrCat("free ", domain);
    case Call::Kind::kRelease:
      return absl::StrCat("release ", device);
    case Call::Kind::kMap:
      return absl::StrCat("map ", domain, " ", PagesText(call.pages));
    case Call::Kind::kUnmap:
      return absl::StrCat("unmap ", domain, " ", PagesText(call.pages));
    case Call::Kind::kCookie:
      return absl::StrCat("cookie ", domain);
    case Call::Kind::kHeld:
      return absl::StrCat("held ", call.pins, " pinned ", call.locked, " locked");
    case Call::Kind::kOops:
      return "oops";
    case Call::Kind::kCrash:
      return "crash";
  }
  return "";
}

// Only who sees mappings has these.
bool IsOfMappings(const Call& call) {
  return call.kind >= Call::Kind::kMap && call.kind <= Call::Kind::kHeld;
}

std::vector<Call> WithoutMappings(std::span<const Call> calls) {
  std::vector<Call> kept(calls.begin(), calls.end());
  std::erase_if(kept, IsOfMappings);
  return kept;
}

bool SameOrNotSaid(uint8_t a, uint8_t b) { return a == b || a == kNoId || b == kNoId; }

bool Same(const Call& a, const Call& b) {
  if (a.kind != b.kind || a.driver != b.driver || a.instance != b.instance ||
      a.domain != b.domain || a.error != b.error || a.pages != b.pages || a.pins != b.pins ||
      a.locked != b.locked)
    return false;
  if (a.kind != Call::Kind::kAlloc) return a.device == b.device;
  return SameOrNotSaid(a.table, b.table) && SameOrNotSaid(a.device, b.device);
}

// "a b | c": the sets of devices of which each names its first.
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

bool SameCount(const std::optional<int>& a, const std::optional<int>& b) {
  return !a || !b || *a == *b;
}

// --- lines, as both the printer and the columns show them ---

struct Line {
  size_t step;
  std::string text;
  const Call* call = nullptr;  // nullptr: an op, or the end
};

std::string MappedText(const std::vector<Mapped>& mapped) {
  std::string text;
  for (const Mapped& m : mapped) {
    absl::StrAppend(&text, text.empty() ? "" : " | ", DomainName(m.domain));
    for (Pages range : RangesOf(m.pages)) absl::StrAppend(&text, " ", PagesText(range));
  }
  return text;
}

// "dev0 d3 | dev2 -": of each group by its first device.
std::string ByGroup(const Case& c, const Trace& trace,
                    const std::function<std::string(const GroupEnd&)>& text_of) {
  std::string text;
  for (DeviceId head = 0; head < c.topology.devices_count; ++head)
    if (trace.group[head] == head)
      absl::StrAppend(&text, text.empty() ? "" : " | ", c.names.devices[head], " ",
                      text_of(trace.groups[head]));
  return text;
}

std::string NumberText(int domain) { return domain < 0 ? "-" : absl::StrCat("d", domain); }

// Without what the other cannot have.
void AddEndLines(const Case& c, const Trace& trace, const Trace& other, std::vector<Line>& lines) {
  const size_t at = trace.steps.size();
  lines.push_back({at, "end"});
  lines.push_back({at, Labelled("  groups", Sets(c, trace.group, 1))});
  lines.push_back({at, Labelled("  share", Sets(c, trace.share, 2))});
  lines.push_back({at, absl::StrFormat("  domains %d", trace.domains)});
  lines.push_back({at, absl::StrFormat("  warns %d", trace.warns)});
  if (trace.pins && other.pins) lines.push_back({at, absl::StrFormat("  pins %d", *trace.pins)});
  if (trace.mappings && other.mappings)
    lines.push_back({at, absl::StrFormat("  mappings %d", *trace.mappings)});
  if (trace.has_mapped && other.has_mapped)
    lines.push_back({at, Labelled("  mapped", MappedText(trace.mapped))});
  if (!trace.has_groups || !other.has_groups) return;
  const auto add = [&](std::string_view label, const auto& text_of) {
    lines.push_back({at, Labelled(label, ByGroup(c, trace, text_of))});
  };
  add("  domain", [](const GroupEnd& g) { return NumberText(g.domain); });
  add("  default_domain", [](const GroupEnd& g) { return NumberText(g.default_domain); });
  add("  owner_cnt",
      [](const GroupEnd& g) { return absl::StrCat(g.owner_cnt, g.owned ? " owned" : ""); });
}

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

bool SameLine(const Line& a, const Line& b) {
  return a.call && b.call ? Same(*a.call, *b.call) : a.text == b.text;
}

constexpr int kColumn = 36;  // two of them, a mark and a bar are 75

// By words, where they are short enough.
std::vector<std::string> Wrap(std::string text) {
  std::vector<std::string> rows;
  while (text.size() > kColumn) {
    const size_t indent = rows.empty() ? text.find_first_not_of(' ') : 4;
    size_t at = text.rfind(' ', kColumn);
    if (at == std::string::npos || at <= indent) at = kColumn;
    rows.push_back(text.substr(0, at));
    text = "    " + text.substr(text[at] == ' ' ? at + 1 : at);
  }
  rows.push_back(std::move(text));
  return rows;
}

void AddRow(const char* mark, const std::string& left, const std::string& right,
            std::string& text) {
  const std::vector<std::string> l = Wrap(left);
  const std::vector<std::string> r = Wrap(right);
  for (size_t i = 0; i < std::max(l.size(), r.size()); ++i)
    absl::StrAppend(&text, absl::StrFormat("%s%-*s|%s\n", mark, kColumn, i < l.size() ? l[i] : "",
                                           i < r.size() ? r[i] : ""));
}

// --- parser ---

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
  absl::Status ReadHeld(const std::vector<Token>& words, Call& call) const {
    int pins = 0;
    int locked = 0;
    if (!absl::SimpleAtoi(std::string(At(words, 1).text), &pins) || pins < 0 || pins > 0xffff)
      return Expected("a number of pins", words, 1);
    if (At(words, 2).text != "pinned") return Expected("pinned", words, 2);
    if (!absl::SimpleAtoi(std::string(At(words, 3).text), &locked) || locked < 0 || locked > 0xffff)
      return Expected("a number of pages", words, 3);
    if (At(words, 4).text != "locked") return Expected("locked", words, 4);
    call.pins = static_cast<uint16_t>(pins);
    call.locked = static_cast<uint16_t>(locked);
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
  // The errno behind "=" at word `at`, and nothing behind.
  absl::Status ReadResult(const std::vector<Token>& words, size_t at, int16_t& error) const {
    if (At(words, at).text != "=") return Expected("=", words, at);
    int value = 0;
    if (absl::Status s = ReadError(words, at + 1, value); !s.ok()) return s;
    error = static_cast<int16_t>(value);
    return NoMore(words, at + 2);
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

  absl::Status ReadCall(const Case& c, const std::vector<Token>& words, Trace& trace) const {
    if (trace.steps.empty()) return Expected("op 1", words, 0);
    const std::string_view word = words[0].text;
    const Names& n = c.names;
    Call call;
    absl::Status s;
    size_t count = 2;
    const auto device = [&](size_t at, bool optional) {
      if (s.ok()) s = ReadName(words, at, n.devices, "a device", optional, call.device);
    };
    const auto domain = [&](size_t at) {
      if (s.ok()) s = ReadDomain(words, at, call.domain);
    };
    if (word == "probe") {
      call.kind = Call::Kind::kProbe;
      device(1, false);
      if (s.ok()) s = ReadName(words, 2, n.instances, "an instance", false, call.instance);
      count = 3;
    } else if (word == "alloc") {
      call.kind = Call::Kind::kAlloc;
      const bool failed = At(words, 1).text == "-";
      if (!failed) domain(1);
      if (s.ok()) s = ReadName(words, 2, n.drivers, "a driver", false, call.driver);
      if (s.ok()) s = ReadName(words, 3, n.tables, "a table", true, call.table);
      device(4, true);
      if (failed && s.ok()) s = ReadResult(words, 5, call.error);
      count = failed ? 7 : 5;
    } else if (word == "attach") {
      call.kind = Call::Kind::kAttach;
      domain(1);
      device(2, false);
      if (s.ok()) s = ReadResult(words, 3, call.error);
      count = 5;
    } else if (word == "detach") {
      call.kind = Call::Kind::kDetach;
      domain(1);
      device(2, false);
      count = 3;
    } else if (word == "free") {
      call.kind = Call::Kind::kFree;
      domain(1);
    } else if (word == "release") {
      call.kind = Call::Kind::kRelease;
      device(1, false);
    } else if (word == "map" || word == "unmap") {
      call.kind = word == "map" ? Call::Kind::kMap : Call::Kind::kUnmap;
      domain(1);
      if (s.ok()) s = ReadPages(words, 2, call.pages);
      count = 3;
    } else if (word == "cookie") {
      call.kind = Call::Kind::kCookie;
      domain(1);
    } else if (word == "held") {
      call.kind = Call::Kind::kHeld;
      s = ReadHeld(words, call);
      count = 5;
    } else if (word == "oops" || word == "crash") {
      call.kind = word == "oops" ? Call::Kind::kOops : Call::Kind::kCrash;
      count = 1;
    } else {
      return Expected("a call, oops, crash, an op or end", words, 0);
    }
    if (s.ok()) s = NoMore(words, count);
    if (!s.ok()) return s;
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

  // The four that are always there, in their order, then those that may be.
  absl::Status ReadEnd(const Case& c, Trace& trace) {
    int pins = 0;
    int mappings = 0;
    const auto line = [&](std::string_view word, bool optional,
                          const std::function<absl::Status(const std::vector<Token>&)>& read) {
      const bool end = AtEnd();
      const std::vector<Token> words = Words();
      if (end || words[0].text != word)
        return optional ? absl::NotFoundError("") : Expected(word, words, 0);
      absl::Status s = read(words);
      if (s.ok()) ++line_;
      return s;
    };
    const auto into = [this](int& count) {
      return [this, &count](const std::vector<Token>& words) { return ReadCount(words, count); };
    };
    absl::Status s =
        line("groups", false, [&](const auto& w) { return ReadSets(c, w, trace.group); });
    if (s.ok())
      s = line("share", false, [&](const auto& w) { return ReadSets(c, w, trace.share); });
    if (s.ok()) s = line("domains", false, into(trace.domains));
    if (s.ok()) s = line("warns", false, into(trace.warns));
    if (!s.ok()) return s;
    s = line("pins", true, into(pins));
    if (s.ok()) trace.pins = pins;
    if (!s.ok() && !absl::IsNotFound(s)) return s;
    s = line("mappings", true, into(mappings));
    if (s.ok()) trace.mappings = mappings;
    if (!s.ok() && !absl::IsNotFound(s)) return s;
    s = line("mapped", true, [&](const auto& w) { return ReadMapped(w, trace.mapped); });
    trace.has_mapped = s.ok();
    if (!s.ok() && !absl::IsNotFound(s)) return s;
    const auto of_groups = [&](int16_t GroupEnd::* field) {
      return [this, &c, &trace, field](const auto& w) { return ReadGroups(c, w, field, trace); };
    };
    s = line("domain", true, of_groups(&GroupEnd::domain));
    trace.has_groups = s.ok();
    if (absl::IsNotFound(s)) return absl::OkStatus();
    if (s.ok()) s = line("default_domain", false, of_groups(&GroupEnd::default_domain));
    if (s.ok()) s = line("owner_cnt", false, of_groups(&GroupEnd::owner_cnt));
    return s;
  }

  std::vector<std::string_view> lines_;
  std::string file_;
  const std::function<const Case*(std::string_view)>& find_;
  size_t line_ = 0;
};

}  // namespace

void Trace::Clear() {
  steps.clear();
  calls.clear();
  group.fill(kNoId);
  share.fill(kNoId);
  domains = 0;
  warns = 0;
  pins.reset();
  mappings.reset();
  has_mapped = false;
  mapped.clear();
  has_groups = false;
  groups.fill({});
}

std::span<const Call> Trace::CallsOf(size_t step) const {
  const size_t begin = step == 0 ? 0 : steps[step - 1].calls_end;
  return std::span(calls).subspan(begin, steps[step].calls_end - begin);
}

// What goes on where the call before it in the step ended is one with it.
void TraceBuilder::AddPages(Call::Kind kind, DomainId domain, uint64_t pages) {
  for (int first = 0; first < kPages; ++first) {
    const int count = std::countr_one(pages >> first);
    if (count == 0) continue;
    Call* const last = trace_.calls.size() > step_calls_ ? &trace_.calls.back() : nullptr;
    if (last != nullptr && last->kind == kind && last->domain == number_[domain] &&
        last->pages.first + last->pages.count == first)
      last->pages.count = static_cast<uint8_t>(last->pages.count + count);
    else
      trace_.calls.push_back({.kind = kind,
                              .domain = number_[domain],
                              .pages = {static_cast<uint8_t>(first), static_cast<uint8_t>(count)}});
    first += count;
  }
}

void TraceBuilder::AddHeld(const State& after) {
  if (after.pins == pins_ && after.locked_vm == locked_) return;
  pins_ = static_cast<uint16_t>(after.pins);
  locked_ = static_cast<uint16_t>(after.locked_vm);
  trace_.calls.push_back({.kind = Call::Kind::kHeld, .pins = pins_, .locked = locked_});
}

void TraceBuilder::Step(const StepResult& result, std::span<const Event> events,
                        const State& after) {
  using enum Event::Kind;
  step_calls_ = static_cast<uint32_t>(trace_.calls.size());
  for (const Event& e : events) {
    Call call{.device = e.device, .error = static_cast<int16_t>(-int{e.error})};
    if (e.domain != kNoId) call.domain = number_[e.domain];
    switch (e.kind) {
      case kProbe:
        call.kind = Call::Kind::kProbe;
        call.instance = e.instance;
        break;
      case kRelease:
        call.kind = Call::Kind::kRelease;
        break;
      case kAlloc:
        call.kind = Call::Kind::kAlloc;
        call.driver = e.driver;
        call.table = e.table;
        if (e.error != 0) break;
        call.domain = number_[e.domain] = allocated_++;
        mapped_[e.domain] = 0;
        ++trace_.domains;
        break;
      case kFree:
        call.kind = Call::Kind::kFree;
        --trace_.domains;
        // To 6.1 what is freed may be used. From then on the next with the id may be a static
        // domain, which nobody allocates.
        if (era_ == Era::kFwnode) number_[e.domain] = Call::kNoDomain;
        break;
      case kAttachDev:
        call.kind = Call::Kind::kAttach;
        break;
      case kDetachDev:
        call.kind = Call::Kind::kDetach;
        break;
      case kOops:
        // The op and what it was to do next end here, whatever the model goes on with.
        trace_.calls.push_back({.kind = Call::Kind::kOops});
        trace_.steps.push_back({-EFAULT, static_cast<uint32_t>(trace_.calls.size())});
        return;
      case kWarn:
        ++trace_.warns;
        continue;
      case kMap:
        if (e.error != 0) continue;
        mapped_[e.domain] |= MaskOf(e.pages);
        AddPages(Call::Kind::kMap, e.domain, MaskOf(e.pages));
        continue;
      case kUnmap:
        AddPages(Call::Kind::kUnmap, e.domain, mapped_[e.domain] & MaskOf(e.pages));
        mapped_[e.domain] &= ~MaskOf(e.pages);
        continue;
      case kMsiCookie:
        call.kind = Call::Kind::kCookie;
        call.error = 0;
        break;
      case kAttachGroup:
      case kRefused:
      case kWait:
      case kPin:
      case kUnpin:
      case kAttachPasid:
        continue;
    }
    trace_.calls.push_back(call);
  }
  AddHeld(after);
  trace_.steps.push_back({result.error, static_cast<uint32_t>(trace_.calls.size())});
}

void TraceBuilder::End(const Topology& topology, const State& state) {
  if (trace_.oops()) {
    trace_.domains = trace_.warns = 0;
    trace_.has_mapped = trace_.has_groups = true;
    return;
  }
  const auto number = [](uint8_t id) { return id == kNoId ? -1 : int{id}; };
  const auto group_of = [&](int dev) { return number(state.devices[dev].group); };
  const auto domain_of = [&](int dev) {
    // What a group still points at, though it is freed, is no domain any more.
    const DomainId domain = state.groups[state.devices[dev].group].domain;
    if (domain == kNoId || state.domains[domain].type == DomainType::kFreed) return -1;
    // ABSTRACTION: a driver's static domain is one object, and of the model one a group.
    return state.domains[domain].ownerless ? -1 : int{domain};
  };
  trace_.has_mapped = true;
  for (DomainId d = 0; d < state.domains_end; ++d)
    if (const DomainType type = state.domains[d].type;
        type != DomainType::kFree && type != DomainType::kFreed && state.mapped[d] != 0)
      trace_.mapped.push_back({number_[d], state.mapped[d]});
  std::ranges::sort(trace_.mapped, {}, &Mapped::domain);
  SetSharing(topology.devices_count, group_of, domain_of, trace_);
  trace_.has_groups = true;
  const auto end_of = [&](int dev) {
    const GroupState& g = state.groups[state.devices[dev].group];
    const auto number_of = [&](DomainId domain) {
      const bool none = domain == kNoId || state.domains[domain].type == DomainType::kFreed ||
                        state.domains[domain].ownerless;
      return static_cast<int16_t>(none ? -1 : int{number_[domain]});
    };
    // The owner is counted, too.
    return GroupEnd{.domain = number_of(g.domain),
                    .default_domain = number_of(g.default_domain),
                    .owner_cnt = static_cast<int16_t>(g.kernel_users + (g.owner ? 1 : 0)),
                    .owned = g.owner};
  };
  SetGroups(topology.devices_count, end_of, trace_);
}

void SetGroups(int devices, const std::function<GroupEnd(int)>& end_of, Trace& trace) {
  for (int dev = 0; dev < devices; ++dev)
    if (trace.group[dev] == dev) trace.groups[dev] = end_of(dev);
}

void SetSharing(int devices, const std::function<int(int)>& group_of,
                const std::function<int(int)>& domain_of, Trace& trace) {
  std::array<int, kMaxDevices> group{};
  std::array<int, kMaxDevices> domain{};
  for (int dev = 0; dev < devices; ++dev) {
    group[dev] = group_of(dev);
    domain[dev] = group[dev] < 0 ? -1 : domain_of(dev);
  }
  const auto first = [devices](const std::array<int, kMaxDevices>& of, int value) {
    return static_cast<DeviceId>(std::find(of.begin(), of.begin() + devices, value) - of.begin());
  };
  for (int dev = 0; dev < devices; ++dev) {
    if (group[dev] >= 0) trace.group[dev] = first(group, group[dev]);
    if (domain[dev] < 0) continue;
    // A domain that one group is on is not shared, whatever the group's size.
    bool shared = false;
    for (int other = 0; other < devices; ++other)
      shared |= domain[other] == domain[dev] && group[other] != group[dev];
    if (shared) trace.share[dev] = first(domain, domain[dev]);
  }
}

Trace TraceOf(const Case& c) { return TraceOf(c, Play(c)); }

Trace TraceOf(const Case& c, const Run& run) {
  Trace trace;
  TraceBuilder builder(trace, ProfileOf(c.kernel).era);
  const State* last = &run.initial;
  for (const PlayedStep& step : run.steps) {
    if (step.result.outcome != Outcome::kDone) break;
    builder.Step(step.result, step.events, step.after);
    last = &step.after;
    if (trace.oops()) break;
  }
  builder.End(c.topology, *last);
  return trace;
}

std::string PrintTraceHeader(std::string_view kernel) {
  return absl::StrFormat("trace 1\nkernel %s\n", kernel);
}

std::string PrintTrace(const Case& c, const Trace& trace, std::string_view name) {
  std::string text = absl::StrFormat("case %s\n", name);
  for (const std::string& line : TraceLines(c, trace)) absl::StrAppend(&text, line, "\n");
  return text;
}

std::vector<std::string> TraceLines(const Case& c, const Trace& trace) {
  std::vector<std::string> lines;
  for (Line& line : LinesOf(c, trace, trace)) lines.push_back(std::move(line.text));
  return lines;
}

bool Agree(const Trace& a, const Trace& b) {
  if (a.has_mapped != b.has_mapped) {
    // The slow way: lines, of which one column has some that the other cannot have.
    const auto steps = [](const Trace& t) { return t.steps.size(); };
    if (steps(a) != steps(b)) return false;
    for (size_t i = 0; i < steps(a); ++i) {
      if (a.steps[i].error != b.steps[i].error) return false;
      const std::vector<Call> left = WithoutMappings(a.CallsOf(i));
      if (!std::ranges::equal(left, WithoutMappings(b.CallsOf(i)), Same)) return false;
    }
  } else if (a.steps != b.steps || !std::ranges::equal(a.calls, b.calls, Same) ||
             a.mapped != b.mapped) {
    return false;
  }
  return a.group == b.group && a.share == b.share && a.domains == b.domains && a.warns == b.warns &&
         SameCount(a.pins, b.pins) && SameCount(a.mappings, b.mappings) &&
         (!a.has_groups || !b.has_groups || a.groups == b.groups);
}

Comparison Compare(const Case& c, const Trace& a, std::string_view a_name, const Trace& b,
                   std::string_view b_name) {
  Comparison result;
  std::vector<Line> left = LinesOf(c, a, b);
  std::vector<Line> right = LinesOf(c, b, a);
  const size_t common = std::min(left.size(), right.size());
  while (result.prefix < common && SameLine(left[result.prefix], right[result.prefix]))
    ++result.prefix;
  result.agree = result.prefix == left.size() && result.prefix == right.size();
  result.step = a.steps.size();
  if (!result.agree) {
    // The first line that only one of them has belongs to the earlier op.
    for (const std::vector<Line>* lines : {&left, &right})
      if (result.prefix < lines->size())
        result.step = std::min(result.step, (*lines)[result.prefix].step);
  }
  const Line none{};
  AddRow("  ", std::string(a_name), std::string(b_name), result.text);
  for (size_t i = 0; i <= result.prefix; ++i) {
    if (i >= left.size() && i >= right.size()) break;
    const Line& l = i < left.size() ? left[i] : none;
    const Line& r = i < right.size() ? right[i] : none;
    AddRow(i < result.prefix ? "  " : "! ", l.text, r.text, result.text);
    if (i < result.prefix) continue;
    result.a_line = l.text;
    result.b_line = r.text;
  }
  return result;
}

absl::StatusOr<TraceFile> ParseTraces(std::string_view text, std::string_view file,
                                      const std::function<const Case*(std::string_view)>& find) {
  return TraceParser(text, file, find).Run();
}

}  // namespace iommucheck::conform
