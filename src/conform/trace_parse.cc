// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/conform/trace_text.h"

namespace iommucheck::conform {
namespace {

constexpr int kMost = std::numeric_limits<int>::max();
constexpr int kMostDomains = std::numeric_limits<int16_t>::max();

std::optional<int> FindNumber(std::string_view text) {
  int number = 0;
  if (!absl::SimpleAtoi(std::string(text), &number)) return std::nullopt;
  return number;
}

// Reads a text word by word; lines without words do not count. A function that returns a bool
// returns false if something else is there, and status() is then the error: "FILE:LINE:COLUMN:
// expected WHAT, found WORD". The text must outlive this.
class WordReader {
 public:
  WordReader(std::string_view text, std::string_view file) : lines_(SplitLines(text)), file_(file) {
    FindLine();
  }

  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] bool AtEnd() const { return line_ == lines_.size(); }
  // Whether no line comes after this one, not even an empty one.
  [[nodiscard]] bool InLastLine() const { return line_ + 1 >= lines_.size(); }
  // The next word of the line; "" after the last.
  [[nodiscard]] std::string_view word() const {
    return rest_.substr(0, rest_.find_first_of(kBlank));
  }
  // All words that are left of the line.
  [[nodiscard]] std::string_view rest() const { return rest_; }

  void Skip(size_t count) {
    rest_.remove_prefix(count);
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlank), rest_.size()));
  }
  void SkipWord() { Skip(word().size()); }
  void SkipRest() { Skip(rest_.size()); }

  // The next word is not WHAT: false.
  bool Expected(std::string_view what) {
    const size_t column = AtEnd() ? 0 : lines_[line_].size() - rest_.size();
    status_ = Mismatch(file_, {static_cast<int>(line_) + 1, static_cast<int>(column) + 1, {}}, what,
                       AtEnd() ? "the end" : Quote(word()));
    return false;
  }

  bool Read(std::string_view wanted) {
    if (word() != wanted) return Expected(wanted);
    SkipWord();
    return true;
  }
  // The end of the line; the next word is then that of the next line.
  bool ReadEndOfLine() {
    if (!rest_.empty()) return Expected("the end of the line");
    ++line_;
    FindLine();
    return true;
  }
  bool ReadNumber(std::string_view what, int least, int most, int& number) {
    const std::optional<int> found = FindNumber(word());
    if (!found || *found < least || *found > most) return Expected(what);
    number = *found;
    SkipWord();
    return true;
  }
  // 3, or 0-3
  bool ReadPages(Pages& pages) {
    const size_t dash = word().find('-');
    const std::optional<int> first = FindNumber(word().substr(0, dash));
    const std::optional<int> last =
        dash == std::string_view::npos ? first : FindNumber(word().substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kPages)
      return Expected("pages such as 0-3");
    pages = {static_cast<uint8_t>(*first), static_cast<uint8_t>(*last - *first + 1)};
    SkipWord();
    return true;
  }
  // d0; `-`: -1
  bool ReadDomain(int& domain) {
    const std::optional<int> number = word() == "-"             ? -1
                                      : word().starts_with('d') ? FindNumber(word().substr(1))
                                                                : std::nullopt;
    if (!number || *number > kMostDomains || (*number < 0 && word() != "-"))
      return Expected("a domain such as d0");
    domain = *number;
    SkipWord();
    return true;
  }
  // 0, or -EBUSY
  bool ReadError(int& error) {
    const std::optional<int> found = word() == "0"    ? 0
                                     : word() == "ok" ? std::nullopt
                                                      : FindErrno(word());
    if (!found) return Expected("0 or an errno such as -EBUSY");
    error = *found;
    SkipWord();
    return true;
  }
  // One of the names; does not go on to the next word.
  bool FindName(const std::vector<std::string>& names, std::string_view what, uint8_t& id) {
    const auto it = std::ranges::find(names, word());
    if (it == names.end()) return Expected(absl::StrCat(std::string(what), " of the case"));
    id = static_cast<uint8_t>(it - names.begin());
    return true;
  }
  bool ReadName(const std::vector<std::string>& names, std::string_view what, uint8_t& id) {
    if (!FindName(names, what, id)) return false;
    SkipWord();
    return true;
  }

 private:
  static constexpr std::string_view kBlank = " \t\r";

  // Goes on to the next line that has words, unless this one has.
  void FindLine() {
    for (; !AtEnd() && rest_.empty(); line_ += rest_.empty() ? 1 : 0) {
      rest_ = lines_[line_];
      Skip(0);
    }
  }

  std::vector<std::string_view> lines_;
  std::string_view file_;
  size_t line_ = 0;
  std::string_view rest_;  // from the next word on
  absl::Status status_;
};

class TraceParser {
 public:
  TraceParser(std::string_view text, std::string_view file, const Cases& cases)
      : in_(text, file), cases_(cases) {}

  absl::StatusOr<TraceFile> Run() {
    TraceFile out;
    bool ok = ReadHeader(out);
    while (ok && !in_.AtEnd()) ok = ReadCase(out.entries.emplace_back());
    if (!ok) return in_.status();
    return out;
  }

 private:
  bool ReadHeader(TraceFile& out) {
    if (!in_.Read("trace")) return false;
    if (in_.word() != "1") return in_.Expected("version 1");
    in_.SkipWord();
    if (!in_.ReadEndOfLine() || !in_.Read("kernel")) return false;
    if (in_.word().empty()) return in_.Expected("what gave the trace");
    out.kernel = in_.rest();
    in_.SkipRest();
    return in_.ReadEndOfLine();
  }

  bool ReadCase(TraceFile::Entry& entry) {
    if (!in_.Read("case")) return false;
    const auto found = cases_.find(in_.word());
    if (found == cases_.end()) return in_.Expected("the name of a case");
    const Case& c = found->second;
    entry.name = found->first;
    in_.SkipWord();
    return in_.ReadEndOfLine() && ReadTrace(c, entry.trace);
  }

 protected:
  // From op 1 to the last line of the end.
  bool ReadTrace(const Case& c, Trace& trace) {
    while (in_.word() != "end") {
      if (in_.AtEnd()) return in_.Expected("an op, a call or end");
      const bool is_op = absl::ascii_isdigit(static_cast<unsigned char>(in_.word()[0]));
      if (!(is_op ? ReadOp(c, trace) : ReadCall(c, trace))) return false;
    }
    in_.SkipWord();
    return in_.ReadEndOfLine() && ReadEnd(c, trace);
  }

  WordReader in_;
  const Cases& cases_;

 private:
  bool ReadOp(const Case& c, Trace& trace) {
    const size_t number = trace.steps.size();
    if (number == c.ops.size()) return in_.Expected("end: the case has no more ops");
    if (in_.word() != absl::StrCat(number + 1))
      return in_.Expected(absl::StrCat("op ", number + 1));
    in_.SkipWord();
    const std::string op = PrintOp(c.ops[number].op, c.names);
    if (!in_.rest().starts_with(op + " = "))
      return in_.Expected(absl::StrCat("'", op, "' and = with an errno"));
    in_.Skip(op.size() + 3);
    trace.steps.push_back({.calls_end = static_cast<uint32_t>(trace.calls.size())});
    return in_.ReadError(trace.steps.back().error) && in_.ReadEndOfLine();
  }

  bool ReadCall(const Case& c, Trace& trace) {
    if (trace.steps.empty()) return in_.Expected("op 1");
    const auto* form = std::ranges::find(kCallForms, in_.word(), &CallForm::word);
    if (form == kCallForms.end()) return in_.Expected("a call, oops, crash, an op or end");
    in_.SkipWord();
    Call call{.kind = form->kind};
    for (Field field : form->fields)
      if (!ReadField(field, c.names, call)) return false;
    trace.calls.push_back(call);
    trace.steps.back().calls_end = static_cast<uint32_t>(trace.calls.size());
    return in_.ReadEndOfLine();
  }

  bool ReadField(Field field, const Names& n, Call& call) {
    int number = 0;
    switch (field) {
      case Field::kNone:
        return true;
      case Field::kDomain:
        if (!in_.ReadDomain(number)) return false;
        call.domain = static_cast<uint16_t>(number);  // of -1: kNoDomain
        return true;
      case Field::kDriver:
        return in_.ReadName(n.drivers, "a driver", call.driver);
      case Field::kTable:
        return IsUnknown() || in_.ReadName(n.tables, "a table", call.table);
      case Field::kInstance:
        return in_.ReadName(n.instances, "an instance", call.instance);
      case Field::kDeviceIfSaid:
        if (IsUnknown()) return true;
        [[fallthrough]];
      case Field::kDevice:
        return in_.ReadName(n.devices, "a device", call.device);
      case Field::kPages:
        return in_.ReadPages(call.pages);
      case Field::kPins:
        return ReadAmount("a number of pins", "pinned", call.pins);
      case Field::kLocked:
        return ReadAmount("a number of pages", "locked", call.locked);
      case Field::kErrorIfNoDomain:
        if (call.domain != Call::kNoDomain) return true;
        [[fallthrough]];
      case Field::kError:
        if (!in_.Read("=") || !in_.ReadError(number)) return false;
        call.error = static_cast<int16_t>(number);
        return true;
    }
    return true;
  }

  // Reads `-`, if it is there.
  bool IsUnknown() {
    const bool unknown = in_.word() == "-";
    if (unknown) in_.SkipWord();
    return unknown;
  }

  // "4 pinned"
  bool ReadAmount(std::string_view what, std::string_view unit, uint16_t& amount) {
    int number = 0;
    if (!in_.ReadNumber(what, 0, 0xffff, number) || !in_.Read(unit)) return false;
    amount = static_cast<uint16_t>(number);
    return true;
  }

  bool ReadEnd(const Case& c, Trace& trace) {
    if (!in_.Read("groups") || !ReadSets(c, trace.group)) return false;
    if (!in_.Read("share") || !ReadSets(c, trace.share)) return false;
    if (!in_.Read("domains") || !ReadCount(trace.domains)) return false;
    if (!in_.Read("warns") || !ReadCount(trace.warns)) return false;
    trace.has_mapped = in_.word() == "mapped";
    if (trace.has_mapped && !ReadMapped(trace.mapped)) return false;
    trace.has_groups = in_.word() == "domain";
    return !trace.has_groups ||
           (in_.Read("domain") && ReadGroups(c, &GroupEnd::domain, trace) &&
            in_.Read("default_domain") && ReadGroups(c, &GroupEnd::default_domain, trace) &&
            in_.Read("owner_cnt") && ReadGroups(c, &GroupEnd::owner_cnt, trace));
  }

  bool ReadCount(int& count) {
    return in_.ReadNumber("a number", 0, kMost, count) && in_.ReadEndOfLine();
  }

  // "dev0 dev1 | dev2"
  bool ReadSets(const Case& c, std::array<DeviceId, kMaxDevices>& first) {
    DeviceId head = kNoId;
    for (; !in_.word().empty(); in_.SkipWord()) {
      if (in_.word() == "|") {
        head = kNoId;
        continue;
      }
      DeviceId dev = kNoId;
      if (!in_.FindName(c.names.devices, "a device", dev)) return false;
      if (first[dev] != kNoId) return in_.Expected("each device once");
      if (head != kNoId && head > dev) return in_.Expected("devices in the case's order");
      if (head == kNoId) head = dev;
      first[dev] = head;
    }
    return in_.ReadEndOfLine();
  }

  // "mapped d1 0-3 7 | d4 0"
  bool ReadMapped(std::vector<Mapped>& mapped) {
    for (in_.SkipWord(); !in_.word().empty();) {
      int domain = 0;
      if (!in_.ReadDomain(domain)) return false;
      Mapped& m = mapped.emplace_back(Mapped{.domain = static_cast<uint16_t>(domain)});
      while (!in_.word().empty() && in_.word() != "|") {
        Pages pages;
        if (!in_.ReadPages(pages)) return false;
        m.pages |= MaskOf(pages);
      }
      in_.SkipWord();
    }
    return in_.ReadEndOfLine();
  }

  // "dev0 d3 | dev2 -", or for owner_cnt "dev0 1 owned | dev2 0"; each group once.
  bool ReadGroups(const Case& c, int16_t GroupEnd::* field, Trace& trace) {
    const bool counts = field == &GroupEnd::owner_cnt;
    bool first = true;
    for (DeviceId head = 0; head < c.topology.devices_count; ++head) {
      if (trace.group[head] != head) continue;
      if (!std::exchange(first, false) && !in_.Read("|")) return false;
      if (!in_.Read(c.names.devices[head])) return false;
      GroupEnd& group = trace.groups[head];
      int number = 0;
      if (!(counts ? in_.ReadNumber("a number", 0, kMostDomains, number) : in_.ReadDomain(number)))
        return false;
      group.*field = static_cast<int16_t>(number);
      if (!counts || in_.word() != "owned") continue;
      group.owned = true;
      in_.SkipWord();
    }
    return in_.ReadEndOfLine();
  }
};

class AnswersParser : TraceParser {
 public:
  using TraceParser::TraceParser;

  absl::StatusOr<Answers> Run() {
    bool ok = in_.Read("answers") && in_.Read("1") && in_.ReadEndOfLine();
    while (ok && in_.word() == "kernel") ok = ReadKernel();
    while (ok && in_.word() == "case") ok = ReadCase();
    ok = ok && (in_.word() == "done" || in_.Expected("case or done"));
    if (ok) in_.SkipWord();
    ok = ok && in_.ReadEndOfLine() && (in_.AtEnd() || in_.Expected("nothing after done"));
    if (!ok) return in_.status();
    return std::move(answers_);
  }

 private:
  bool ReadVersion(KernelVersion& version) {
    const std::optional<KernelVersion> found = FindVersion(in_.word());
    if (!found) return in_.Expected("the name of a kernel");
    version = *found;
    in_.SkipWord();
    return true;
  }

  bool ReadKernel() {
    in_.SkipWord();
    KernelVersion version{};
    if (answers_.kernels.contains(FindVersion(in_.word()).value_or(version)))
      return in_.Expected("each kernel once");
    if (!ReadVersion(version)) return false;
    if (in_.word().empty()) return in_.Expected("the build that answered");
    answers_.kernels[version] = in_.rest();
    in_.SkipRest();
    return in_.ReadEndOfLine();
  }

  bool ReadCase() {
    in_.SkipWord();
    const auto found = cases_.find(in_.word());
    if (found == cases_.end()) return in_.Expected("the name of a case");
    Answers::Of& of = answers_.cases[found->first];
    if (!of.empty()) return in_.Expected("each case once");
    in_.SkipWord();
    if (!in_.ReadEndOfLine()) return false;
    do {
      if (!ReadAnswer(found->second, of)) return false;
    } while (in_.word() == "of");
    return true;
  }

  // "of v5.15 v5.18", then the trace.
  bool ReadAnswer(const Case& c, Answers::Of& of) {
    std::vector<KernelVersion> versions;
    if (!in_.Read("of")) return false;
    do {
      const bool answered = of.contains(FindVersion(in_.word()).value_or(KernelVersion{}));
      if (!ReadVersion(versions.emplace_back())) return false;
      if (answered || !answers_.kernels.contains(versions.back()))
        return in_.Expected("kernels of the first lines, each once, before this");
    } while (!in_.word().empty());
    Trace trace;
    if (!in_.ReadEndOfLine() || !ReadTrace(c, trace)) return false;
    for (const KernelVersion version : versions) of[version] = trace;
    return true;
  }

  Answers answers_;
};

class RecordParser {
 public:
  RecordParser(std::string_view text, std::string_view file, const Cases& cases)
      : in_(text, file), cases_(cases) {}

  absl::StatusOr<Record> Run() {
    bool ok = true;
    while (ok && !in_.AtEnd()) ok = ReadLine();
    // A machine that died may have cut off its last line.
    if (!ok && !in_.InLastLine()) return in_.status();
    return std::move(record_);
  }

 private:
  bool ReadLine() {
    const std::string_view word = in_.word();
    if (word == "stop" || word == "done") return SkipLine();
    if (word == "case") return ReadCase();
    if (case_ == nullptr) return in_.Expected("case, stop or done");
    if (word == "op") return ReadOp();
    if (word == "result") return ReadResult();
    if (word == "warn" || word == "rip") return ReadFunction();
    if (word == "group") return ReadGroup();
    if (word == "domains") return ReadDomains();
    if (word == "end") return ReadEnd();
    if (word == "oops") return ReadOops();
    return ReadCall();
  }

  bool SkipLine() {
    in_.SkipRest();
    return in_.ReadEndOfLine();
  }

  bool ReadCase() {
    in_.SkipWord();
    const auto found = cases_.find(in_.rest());
    if (found == cases_.end()) return in_.Expected("the name of a case");
    case_ = &found->second;
    entry_ = {.name = found->first, .trace = {}};
    devices_.assign(case_->topology.devices_count, {});
    in_op_ = false;
    return SkipLine();
  }

  bool ReadOp() {
    if (trace_.steps.size() == case_->ops.size())
      return in_.Expected("end: the case has no more ops");
    trace_.steps.push_back({.calls_end = static_cast<uint32_t>(trace_.calls.size())});
    in_op_ = true;
    return SkipLine();
  }

  bool ReadResult() {
    if (!in_op_) return in_.Expected("an op");
    in_op_ = false;
    in_.SkipWord();
    return in_.ReadNumber("an errno", -kMost, kMost, trace_.steps.back().error) &&
           in_.ReadEndOfLine();
  }

  bool ReadFunction() {
    if (in_.word() == "warn") ++trace_.warns;
    in_.SkipWord();
    ++record_.functions[std::string(in_.rest())];
    return SkipLine();
  }

  bool ReadGroup() {
    in_.SkipWord();
    int dev = 0;
    int group = 0;
    int domain = 0;
    if (!in_.ReadNumber("a device", 0, case_->topology.devices_count - 1, dev) ||
        !in_.ReadNumber("a group", -1, kMost, group) ||
        !in_.ReadNumber("a domain", -1, kMostDomains, domain))
      return false;
    devices_[static_cast<size_t>(dev)] = {group, {.domain = static_cast<int16_t>(domain)}};
    return in_.ReadEndOfLine();
  }

  bool ReadDomains() {
    in_.SkipWord();
    return in_.ReadNumber("a number of domains", 0, kMost, trace_.domains) && in_.ReadEndOfLine();
  }

  // The calls of an op come before its result and after it.
  bool ReadCall() {
    const auto* form = std::ranges::find(kCallForms, in_.word(), &CallForm::word);
    if (form == kCallForms.end() || form->kind > Call::Kind::kRelease)
      return in_.Expected("a call, result, warn, end or oops");
    if (trace_.steps.empty()) return in_.Expected("an op");
    in_.SkipWord();
    // In the order of note_call() in kernel/qemu/module.c; -1: none.
    const Topology& t = case_->topology;
    const std::array most = {kMostDomains, t.drivers_count - 1, t.tables_count - 1,
                             t.instances_count - 1, t.devices_count - 1};
    std::array<int, most.size()> numbers{};
    for (size_t i = 0; i < most.size(); ++i)
      if (!in_.ReadNumber("what the case has", -1, most[i], numbers[i])) return false;
    int error = 0;
    if (!in_.ReadNumber("an errno", -kMost, 0, error)) return false;
    const auto [domain, driver, table, instance, device] = numbers;
    const auto id = [](int number) { return static_cast<uint8_t>(number); };  // of -1: kNoId
    trace_.calls.push_back({.kind = form->kind,
                            .driver = id(driver),
                            .table = id(table),
                            .instance = id(instance),
                            .device = id(device),
                            .domain = static_cast<uint16_t>(domain),
                            .error = static_cast<int16_t>(error)});
    trace_.steps.back().calls_end = static_cast<uint32_t>(trace_.calls.size());
    return in_.ReadEndOfLine();
  }

  // The machine is unusable after an oops, so the end of the trace is empty.
  bool ReadOops() {
    if (!in_op_) trace_.steps.emplace_back();
    trace_.calls.push_back({.kind = Call::Kind::kOops});
    trace_.steps.back() = {-EFAULT, static_cast<uint32_t>(trace_.calls.size())};
    trace_.domains = trace_.warns = 0;
    return ReadEnd();
  }

  bool ReadEnd() {
    SetGroups(devices_, trace_);
    record_.entries.push_back(std::move(entry_));
    case_ = nullptr;
    return SkipLine();
  }

  WordReader in_;
  const Cases& cases_;
  Record record_;
  const Case* case_ = nullptr;  // the case that is being read
  TraceFile::Entry entry_;
  Trace& trace_ = entry_.trace;
  std::vector<DeviceEnd> devices_;
  bool in_op_ = false;  // an op has begun, and its result has not come yet
};

}  // namespace

absl::StatusOr<TraceFile> ParseTraces(std::string_view text, std::string_view file,
                                      const Cases& cases) {
  return TraceParser(text, file, cases).Run();
}

absl::StatusOr<Answers> ParseAnswers(std::string_view text, std::string_view file,
                                     const Cases& cases) {
  return AnswersParser(text, file, cases).Run();
}

absl::StatusOr<Record> ParseRecord(std::string_view text, std::string_view file,
                                   const Cases& cases) {
  return RecordParser(text, file, cases).Run();
}

}  // namespace iommucheck::conform
