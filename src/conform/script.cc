// SPDX-License-Identifier: Apache-2.0
#include "src/conform/script.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck::conform {
namespace {

int Id(uint8_t id) { return id == kNoId ? -1 : int{id}; }

// Slot 0 of a bus is left to the host bridge, as everywhere.
constexpr int kPciSlots = 31;
constexpr int kFunctions = 8;

// Device and function numbers: a slot of its own for each isolated function, the functions of a
// slot without isolation together.
absl::StatusOr<std::vector<int>> Devfns(const Topology& t) {
  std::vector<int> devfns(t.devices_count, 0);
  std::array<int, 256> slot_of{};
  std::array<int, 256> functions{};
  int slots = 0;
  for (int i = 0; i < t.devices_count; ++i) {
    const Device& d = t.devices[i];
    if (d.bus != Bus::kPci) continue;
    int& slot = slot_of[d.slot];
    if (d.slot == 0 || slot == 0) slot = ++slots;
    const int function = d.slot == 0 ? 0 : functions[d.slot]++;
    if (slots > kPciSlots || function >= kFunctions)
      return absl::FailedPreconditionError("it has more pci functions than a bus");
    devfns[i] = slot * kFunctions + function;
  }
  return devfns;
}

absl::Status Playable(const Case& c) {
  const Topology& t = c.topology;
  if (c.ops.empty()) return absl::FailedPreconditionError("no op is possible");
  for (int i = 0; i < t.devices_count; ++i)
    if (t.devices[i].bus != Bus::kPlatform && t.devices[i].bus != Bus::kPci)
      return absl::FailedPreconditionError(
          absl::StrFormat("x86 kernels have no bus %s", BusName(t.devices[i].bus)));
  for (int i = 0; i < t.devices_count; ++i)
    if (t.devices[i].bus == Bus::kPlatform && t.devices[i].slot != 0)
      return absl::FailedPreconditionError(
          "the driver that is played gives each platform device a group of its own");
  for (const CaseOp& op : c.ops) {
    if (op.op.kind != OpKind::kRegister) continue;
    const Firmware firmware = t.drivers[t.instances[op.op.a].driver].firmware;
    if (firmware != Firmware::kAny && t.firmware != Firmware::kAny && firmware != t.firmware)
      return absl::FailedPreconditionError(
          "a driver of other firmware is told apart before the code that is played");
  }
  return absl::OkStatus();
}

std::string MachineLines(const Topology& t, const std::vector<int>& devfns) {
  std::string text;
  for (DriverId i = 0; i < t.drivers_count; ++i) {
    const Driver& d = t.drivers[i];
    absl::StrAppend(&text, absl::StrFormat("driver %d %d %d %d %d %d %d %d %d\n", t.ops_address(i),
                                           d.table, t.table_address(d.table), d.coherent,
                                           d.default_domains, d.same_instance, d.refuses_foreign,
                                           d.instance_groups, d.accepts_foreign));
  }
  for (InstanceId n = 0; n < t.instances_count; ++n) {
    const Instance& i = t.instances[n];
    absl::StrAppend(&text, absl::StrFormat("instance %d %d %d %d %d\n", i.driver, i.fwnode, i.table,
                                           t.table_address(i.table), i.enforces_coherency));
  }
  for (DeviceId n = 0; n < t.devices_count; ++n) {
    const Device& d = t.devices[n];
    absl::StrAppend(&text, absl::StrFormat("device %d %d %d %d %d %d %d\n", d.bus == Bus::kPci,
                                           devfns[n], d.slot != 0, Id(d.alias), !d.absent,
                                           Id(d.masters[0]), Id(d.masters[1])));
  }
  return text;
}

std::string FaultLine(const Fault& f) {
  switch (f.kind) {
    case Fault::Kind::kNone:
      return "";
    case Fault::Kind::kAttach:
      return absl::StrFormat("fail-attach %d %d %d\n", f.target, f.count, f.error);
    case Fault::Kind::kAlloc:
      return absl::StrFormat("fail-alloc %d 1 %d\n", f.target, f.error);
    case Fault::Kind::kProbe:
      return absl::StrFormat("fail-probe %d 1 %d\n", f.target, f.error);
    case Fault::Kind::kMalloc:
    case Fault::Kind::kMap:
    case Fault::Kind::kPin:
    case Fault::Kind::kAttachCall:
      break;  // a machine cannot make these fail
  }
  return "";
}

class RecordParser {
 public:
  RecordParser(std::string_view text, std::string_view file,
               const std::function<const Case*(std::string_view)>& find)
      : lines_(SplitLines(text)), file_(file), find_(find) {}

  absl::StatusOr<Record> Run() {
    for (; line_ < lines_.size(); ++line_) {
      // The last line of a machine that died may be cut.
      const absl::Status s = ReadLine();
      if (!s.ok() && line_ + 1 < lines_.size()) return s;
    }
    return std::move(record_);
  }

 private:
  [[nodiscard]] absl::Status Expected(std::string_view what) const {
    return Mismatch(file_, {static_cast<int>(line_) + 1, 1, {}}, what, Quote(lines_[line_]));
  }

  // The numbers behind the first word; as many as there must be, or nothing.
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

  // The machine is of no use any more, so the end of an oops is empty.
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
    using enum Call::Kind;
    struct Form {
      std::string_view word;
      Call::Kind kind;
      size_t numbers;
    };
    static constexpr std::array kForms = {
        Form{"probe", kProbe, 2}, Form{"alloc", kAlloc, 5},     Form{"attach", kAttach, 3},
        Form{"free", kFree, 1},   Form{"release", kRelease, 1}, Form{"detach", kDetach, 2},
    };
    for (const Form& form : kForms) {
      if (form.word != word) continue;
      const auto n = Numbers(form.numbers);
      if (!n) return Expected(absl::StrFormat("%d numbers", form.numbers));
      if (!in_op_ && trace_.steps.empty()) return Expected("an op");
      AddCall(form.kind, *n);
      return Names(trace_.calls.back()) ? absl::OkStatus() : Expected("what the case has");
    }
    return Expected("a call, result, warn, end or oops");
  }

  // Whether all that the call names is there, or not named.
  [[nodiscard]] bool Names(const Call& call) const {
    const Topology& t = case_->topology;
    const auto there = [](uint8_t id, int count) { return id == kNoId || id < count; };
    return there(call.device, t.devices_count) && there(call.instance, t.instances_count) &&
           there(call.driver, t.drivers_count) && there(call.table, t.tables_count);
  }

  void AddCall(Call::Kind kind, const std::vector<int>& n) {
    const auto id = [](int value) {
      return static_cast<uint8_t>(value < 0 ? kNoId : std::min(value, kNoId - 1));
    };
    const auto domain = [](int value) {
      return value < 0 ? Call::kNoDomain : static_cast<uint16_t>(value);
    };
    Call call{.kind = kind};
    switch (kind) {
      case Call::Kind::kProbe:
        call.device = id(n[0]);
        call.instance = id(n[1]);
        break;
      case Call::Kind::kAlloc:
        call.domain = domain(n[0]);
        call.driver = id(n[1]);
        call.table = id(n[2]);
        call.device = id(n[3]);
        call.error = static_cast<int16_t>(n[4]);
        break;
      case Call::Kind::kAttach:
        call.error = static_cast<int16_t>(n[2]);
        [[fallthrough]];
      case Call::Kind::kDetach:
        call.device = id(n[1]);
        [[fallthrough]];
      case Call::Kind::kFree:
        call.domain = domain(n[0]);
        break;
      case Call::Kind::kRelease:
        call.device = id(n[0]);
        break;
      case Call::Kind::kMap:
      case Call::Kind::kUnmap:
      case Call::Kind::kCookie:
      case Call::Kind::kHeld:
      case Call::Kind::kOops:
      case Call::Kind::kCrash:
        break;
    }
    trace_.calls.push_back(call);
    // What an op called comes behind its result, unless it never came back.
    if (!in_op_) trace_.steps.back().calls_end = static_cast<uint32_t>(trace_.calls.size());
  }

  std::vector<std::string_view> lines_;
  std::string file_;
  const std::function<const Case*(std::string_view)>& find_;
  size_t line_ = 0;
  Record record_;
  const Case* case_ = nullptr;  // being read
  bool in_op_ = false;          // whose result has not come
  std::string name_;
  Trace trace_;
  std::vector<std::string> functions_;
  std::vector<int> groups_;
  std::vector<int> domains_;
};

}  // namespace

absl::StatusOr<std::string> PrintScript(const Case& c, std::string_view name) {
  if (absl::Status s = Playable(c); !s.ok()) return s;
  const absl::StatusOr<std::vector<int>> devfns = Devfns(c.topology);
  if (!devfns.ok()) return devfns.status();
  std::string text = absl::StrFormat("case %s\n", name);
  absl::StrAppend(&text, MachineLines(c.topology, *devfns), "boot\n");
  for (const CaseOp& op : c.ops) {
    for (const Fault& fault : op.op.faults) absl::StrAppend(&text, FaultLine(fault));
    absl::StrAppend(&text, absl::StrFormat("%s %d", InfoOf(op.op.kind).word, op.op.a));
    if (op.op.kind == OpKind::kSetContainer) absl::StrAppend(&text, " ", op.op.b);
    text += "\n";
  }
  text += "end\n";
  return text;
}

absl::StatusOr<Record> ParseRecord(std::string_view text, std::string_view file,
                                   const std::function<const Case*(std::string_view)>& find) {
  return RecordParser(text, file, find).Run();
}

}  // namespace iommucheck::conform
