// SPDX-License-Identifier: Apache-2.0
#include "src/conform/record.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck::conform {
namespace {

class RecordParser {
 public:
  RecordParser(std::string_view text, std::string_view file,
               const std::function<const Case*(std::string_view)>& find)
      : lines_(SplitLines(text)), file_(file), find_(find) {}

  absl::StatusOr<Record> Run() {
    for (; line_ < lines_.size(); ++line_) {
      // A machine that died may have cut off its last line.
      absl::Status s = ReadLine();
      if (!s.ok() && line_ + 1 < lines_.size()) return s;
    }
    return std::move(record_);
  }

 private:
  [[nodiscard]] absl::Status Expected(std::string_view what) const {
    return Mismatch(file_, {static_cast<int>(line_) + 1, 1, {}}, what, Quote(lines_[line_]));
  }

  // The numbers after the first word; nothing unless there are `count` of them.
  [[nodiscard]] std::optional<std::vector<int>> Numbers(size_t count) const {
    std::vector<int> numbers;
    std::string_view rest = lines_[line_];
    for (size_t at = rest.find(' '); at != std::string_view::npos; at = rest.find(' ')) {
      rest.remove_prefix(at + 1);
      int number = 0;
      if (std::from_chars(rest.data(), rest.data() + rest.size(), number).ec != std::errc())
        return std::nullopt;
      numbers.push_back(number);
    }
    if (numbers.size() != count) return std::nullopt;
    return numbers;
  }

  absl::Status Begin(std::string_view name) {
    case_ = find_(name);
    if (case_ == nullptr) return Expected("the name of a case");
    name_ = name;
    trace_.Clear();
    in_op_ = false;
    functions_.clear();
    groups_.assign(case_->topology.devices_count, -1);
    domains_.assign(case_->topology.devices_count, -1);
    return absl::OkStatus();
  }

  void Finish() {
    const auto of = [](const std::vector<int>& values) {
      return [&values](int dev) { return values[static_cast<size_t>(dev)]; };
    };
    SetSharing(case_->topology.devices_count, of(groups_), of(domains_), trace_);
    record_.entries.push_back({name_, trace_});
    record_.functions.push_back(functions_);
    case_ = nullptr;
  }

  // The machine is unusable after an oops, so the end of the trace is empty.
  void FinishOops() {
    trace_.steps.push_back({.error = -EFAULT});
    trace_.calls.push_back({.kind = Call::Kind::kOops});
    trace_.steps.back().calls_end = static_cast<uint32_t>(trace_.calls.size());
    trace_.domains = trace_.warns = 0;
    Finish();
  }

  absl::Status ReadLine() {
    const std::string_view line = lines_[line_];
    const std::string_view word = line.substr(0, line.find(' '));
    const std::string_view rest = word.size() == line.size() ? "" : line.substr(word.size() + 1);
    if (line.empty() || word == "stop") return absl::OkStatus();
    if (word == "done") {
      record_.done = true;
      return absl::OkStatus();
    }
    if (word == "case") return Begin(rest);
    if (case_ == nullptr) return Expected("case, stop or done");
    if (word == "op") {
      if (trace_.steps.size() == case_->ops.size())
        return Expected("end: the case has no more ops");
      in_op_ = true;
      return absl::OkStatus();
    }
    if (word == "end") return Finish(), absl::OkStatus();
    if (word == "oops") return FinishOops(), absl::OkStatus();
    if (word == "rip" || word == "warn") {
      functions_.emplace_back(rest);
      if (word == "warn") ++trace_.warns;
      return absl::OkStatus();
    }
    return ReadNumbers(word);
  }

  absl::Status ReadNumbers(std::string_view word) {
    if (word == "result") {
      const auto n = Numbers(1);
      if (!n || !in_op_) return Expected("an op, or its errno");
      in_op_ = false;
      trace_.steps.push_back(
          {.error = (*n)[0], .calls_end = static_cast<uint32_t>(trace_.calls.size())});
      return absl::OkStatus();
    }
    if (word == "group") {
      const auto n = Numbers(3);
      if (!n || !IsDevice((*n)[0])) return Expected("a device, a group and a domain");
      groups_[static_cast<size_t>((*n)[0])] = (*n)[1];
      domains_[static_cast<size_t>((*n)[0])] = (*n)[2];
      return absl::OkStatus();
    }
    if (word == "domains") {
      const auto n = Numbers(1);
      if (!n) return Expected("a number of domains");
      trace_.domains = (*n)[0];
      return absl::OkStatus();
    }
    return ReadCall(word);
  }

  [[nodiscard]] bool IsDevice(int n) const { return n >= 0 && n < case_->topology.devices_count; }

  absl::Status ReadCall(std::string_view word) {
    for (const CallForm& form : kCallForms) {
      if (form.word != word || form.kind > Call::Kind::kRelease) continue;
      const auto fields =
          std::span(form.fields)
              .first(form.fields.size() - std::ranges::count(form.fields, Field::kNone));
      const auto n = Numbers(fields.size());
      if (!n) return Expected(absl::StrFormat("%d numbers", fields.size()));
      if (!in_op_ && trace_.steps.empty()) return Expected("an op");
      AddCall(form.kind, fields, *n);
      return Names(trace_.calls.back()) ? absl::OkStatus() : Expected("what the case has");
    }
    return Expected("a call, result, warn, end or oops");
  }

  // Whether the case has everything that the call names.
  [[nodiscard]] bool Names(const Call& call) const {
    const Topology& t = case_->topology;
    const auto there = [](uint8_t id, int count) { return id == kNoId || id < count; };
    return there(call.device, t.devices_count) && there(call.instance, t.instances_count) &&
           there(call.driver, t.drivers_count) && there(call.table, t.tables_count);
  }

  void AddCall(Call::Kind kind, std::span<const Field> fields, const std::vector<int>& n) {
    const auto id = [](int value) {
      return static_cast<uint8_t>(value < 0 ? kNoId : std::min(value, kNoId - 1));
    };
    Call call{.kind = kind};
    for (size_t i = 0; i < fields.size(); ++i) {
      switch (fields[i]) {
        case Field::kDomain:
          call.domain = n[i] < 0 ? Call::kNoDomain : static_cast<uint16_t>(n[i]);
          break;
        case Field::kDriver:
          call.driver = id(n[i]);
          break;
        case Field::kTable:
          call.table = id(n[i]);
          break;
        case Field::kInstance:
          call.instance = id(n[i]);
          break;
        case Field::kDevice:
        case Field::kDeviceIfSaid:
          call.device = id(n[i]);
          break;
        case Field::kError:
        case Field::kErrorIfNoDomain:
          call.error = static_cast<int16_t>(n[i]);
          break;
        case Field::kNone:
        case Field::kPages:
        case Field::kPins:
        case Field::kLocked:
          break;  // the module reports no calls with these
      }
    }
    trace_.calls.push_back(call);
    // The calls of an op come before its result only if it has not returned yet.
    if (!in_op_) trace_.steps.back().calls_end = static_cast<uint32_t>(trace_.calls.size());
  }

  std::vector<std::string_view> lines_;
  std::string file_;
  const std::function<const Case*(std::string_view)>& find_;
  size_t line_ = 0;
  Record record_;
  const Case* case_ = nullptr;  // the case that is being read
  bool in_op_ = false;          // an op has begun, and its result has not come yet
  std::string name_;
  Trace trace_;
  std::vector<std::string> functions_;
  std::vector<int> groups_;
  std::vector<int> domains_;
};

}  // namespace

absl::StatusOr<Record> ParseRecord(std::string_view text, std::string_view file,
                                   const std::function<const Case*(std::string_view)>& find) {
  return RecordParser(text, file, find).Run();
}

}  // namespace iommucheck::conform
