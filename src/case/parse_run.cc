// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_format.h"
#include "model/state.h"
#include "src/case/parser.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

constexpr std::string_view kFaultForms =
    "attach:DEVICE:ERRNO[:COUNT|:all], alloc:N, probe:DEVICE:ERRNO, malloc:N, map:N:ERRNO, "
    "pin:N:ERRNO or attach-call:N:ERRNO";

bool IsCount(std::string_view text) {
  return text == "all" ||
         (!text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }));
}

// Device names have ':' in them, so that faults are read from the right.
struct Halves {
  Word left;
  Word right;
};
std::optional<Halves> SplitAtLastColon(const Word& word) {
  const size_t colon = word.text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return Halves{word.Part(0, colon), word.Part(colon + 1)};
}

std::vector<std::string> PropertyNames() {
  std::vector<std::string> names;
  for (Property property : kProperties) names.emplace_back(PropertyName(property));
  return names;
}

std::vector<std::string> AssumptionNames() {
  std::vector<std::string> names;
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption) names.emplace_back(info.id);
  return names;
}

}  // namespace

bool Parser::ReadOp(OpKind kind) {
  const Place& place = statement_->words.front().place;
  if (case_.ops.size() >= kMaxCaseOps)
    return FailAt(place, absl::StrFormat("at most %d ops", kMaxCaseOps), "one more");
  CaseOp op;
  op.op.kind = kind;
  op.comment = statement_->comment;
  op.line = {place.line};
  if (!ReadOperands(op.op) || !ReadOutcome(op)) return false;
  if (const absl::Status status = Validate(op.op, case_.topology); !status.ok())
    return FailAt(place, "a valid op", std::string(status.message()));
  case_.ops.push_back(std::move(op));
  return true;
}

bool Parser::ReadOperands(Op& op) {
  if (!ReadFirstOperand(op) || !ReadSecondOperand(op)) return false;
  if (HasPages(op.kind)) {
    const auto pages = Take("pages as FIRST+COUNT");
    if (!pages || !ReadPages(*pages, '+', kPages, op.at.first, op.at.count)) return false;
  }
  if (op.kind != OpKind::kMap) return true;
  const auto vaddr = TakeNumber("a page of user memory", 0, kLastPage);
  op.vaddr = static_cast<uint8_t>(vaddr.value_or(0));
  return vaddr.has_value();
}

bool Parser::ReadFirstOperand(Op& op) {
  const auto set = [](uint8_t& operand, std::optional<int> value) {
    operand = static_cast<uint8_t>(value.value_or(0));
    return value.has_value();
  };
  switch (OperandOf(op.kind)) {
    case Operand::kInstance:
      return set(op.a, TakeReference("instance", case_.names.instances));
    case Operand::kDevice:
      return set(op.a, TakeReference("device", case_.names.devices));
    case Operand::kContainer:
      return set(op.a, TakeContainer());
    case Operand::kGroup:
      break;
  }
  return set(op.a, TakeNumber("the number of a group", 0, kMaxGroups - 1));
}

bool Parser::ReadSecondOperand(Op& op) {
  std::optional<uint8_t> b = 0;
  if (op.kind == OpKind::kSetContainer) b = TakeContainer();
  if (op.kind == OpKind::kAttachPasid) b = TakeReference("device", case_.names.devices);
  if (op.kind == OpKind::kSetIommu && More()) {
    const auto type = FindIommuType(Peek().text);
    if (type) ++next_;
    b = static_cast<uint8_t>(type.value_or(IommuType::kType1v2));
  }
  op.b = b.value_or(0);
  return b.has_value();
}

std::optional<uint8_t> Parser::TakeContainer() {
  const std::string expected = absl::StrFormat("a container (c0 to c%d)", kMaxContainers - 1);
  const auto word = Take(expected);
  if (!word) return std::nullopt;
  for (uint8_t c = 0; c < kMaxContainers; ++c)
    if (word->text == absl::StrFormat("c%d", c)) return c;
  Fail(*word, expected);
  return std::nullopt;
}

bool Parser::ReadOutcome(CaseOp& op) {
  size_t faults = 0;
  while (More()) {
    const Word word = *Take("a fault");
    if (word.text == "->") {
      const std::string_view expected = "ok or an errno such as -EBUSY";
      const auto name = Take(expected);
      if (!name) return false;
      op.expected = FindErrno(name->text);
      return op.expected || Fail(*name, expected, ErrnoNames());
    }
    constexpr std::string_view kFail = "fail=";
    if (!word.text.starts_with(kFail)) {
      if (!ReadFlag(word, op.op)) return false;
      continue;
    }
    if (faults == kMaxFaults)
      return FailAt(word.place, absl::StrFormat("at most %d faults", kMaxFaults), "one more");
    if (!ReadFault(word.Part(kFail.size()), op.op.faults[faults++])) return false;
  }
  return true;
}

bool Parser::ReadFlag(const Word& word, Op& op) {
  const auto flags = OpFlags(op.kind);
  const auto flag = std::ranges::find(flags, word.text, &OpFlag::word);
  if (flag == flags.end()) {
    std::string expected;
    std::vector<std::string> close_to;
    if (op.kind == OpKind::kSetIommu) close_to = IommuTypeNames();
    for (const OpFlag& f : flags) close_to.emplace_back(f.word);
    for (const std::string& name : close_to) expected += Quote(name) + ", ";
    return Fail(word, expected + "'fail=', '->' or end of line", close_to);
  }
  if ((op.flags & flag->bit) != 0)
    return FailAt(word.place, "each flag once", Quote(word.text) + " again");
  op.flags |= flag->bit;
  return true;
}

bool Parser::ReadFault(const Word& text, Fault& fault) {
  const size_t colon = text.text.find(':');
  if (colon == std::string_view::npos) return Fail(text, kFaultForms);
  const Word kind = text.Part(0, colon);
  const Word rest = text.Part(colon + 1);
  if (kind.text == "attach") return ReadAttachFault(rest, fault);
  if (kind.text == "probe") {
    fault.kind = Fault::Kind::kProbe;
    return ReadDeviceAndErrno(rest, fault);
  }
  if (kind.text == "map" || kind.text == "pin" || kind.text == "attach-call") {
    fault.kind = kind.text == "map"   ? Fault::Kind::kMap
                 : kind.text == "pin" ? Fault::Kind::kPin
                                      : Fault::Kind::kAttachCall;
    return ReadNthAndErrno(rest, fault);
  }
  if (kind.text != "alloc" && kind.text != "malloc")
    return Fail(kind, kFaultForms,
                std::vector<std::string>{"attach", "alloc", "probe", "malloc", "map", "pin",
                                         "attach-call"});
  fault.kind = kind.text == "alloc" ? Fault::Kind::kAlloc : Fault::Kind::kMalloc;
  fault.error = kAllocError;
  return ReadByte(rest, "the number of an allocation", 1, 255, fault.target);
}

bool Parser::ReadAttachFault(const Word& text, Fault& fault) {
  fault.kind = Fault::Kind::kAttach;
  const auto halves = SplitAtLastColon(text);
  if (!halves || !IsCount(halves->right.text)) return ReadDeviceAndErrno(text, fault);
  if (halves->right.text == "all") {
    fault.count = kEveryAttach;
  } else {
    const auto count = Number(halves->right, "a count", 1, kEveryAttach - 1);
    if (!count) return false;
    fault.count = static_cast<uint8_t>(*count);
  }
  return ReadDeviceAndErrno(halves->left, fault);
}

bool Parser::ReadDeviceAndErrno(const Word& text, Fault& fault) {
  const auto halves = SplitAtLastColon(text);
  if (!halves) return Fail(text, "DEVICE:ERRNO");
  const auto device = Reference(halves->left, "device", case_.names.devices);
  if (!device) return false;
  fault.target = *device;
  return ReadErrno(halves->right, fault.error);
}

bool Parser::ReadNthAndErrno(const Word& text, Fault& fault) {
  const auto halves = SplitAtLastColon(text);
  if (!halves) return Fail(text, "N:ERRNO");
  return ReadByte(halves->left, "the number of a call", 1, 255, fault.target) &&
         ReadErrno(halves->right, fault.error);
}

bool Parser::ReadExpectation() {
  using enum Expectation::Kind;
  const std::string_view expected = "violated, holds, outside, device or group";
  const auto what = Take(expected);
  if (!what) return false;
  Expectation e;
  e.line = {what->place.line};
  bool read = false;
  if (what->text == "violated") {
    e.kind = kViolated;
    read = TakeProperty(e);
    if (read && More()) {
      if (!TakeKeyword("at")) return false;
      const auto at = TakeNumber("the number of an op", 1, static_cast<int>(case_.ops.size()));
      read = at.has_value();
      e.at = at.value_or(0);
    }
  } else if (what->text == "holds") {
    e.kind = kHolds;
    read = TakeProperty(e);
  } else if (what->text == "outside") {
    e.kind = kOutside;
    read = TakeAssumption(e);
  } else if (what->text == "device") {
    read = ReadExpectedDevice(e);
  } else if (what->text == "group") {
    read = ReadExpectedGroup(e);
  } else {
    return Fail(*what, expected,
                std::vector<std::string>{"violated", "holds", "outside", "device", "group"});
  }
  if (read) case_.expectations.push_back(e);
  return read;
}

bool Parser::ReadExpectedDevice(Expectation& e) {
  const auto device = TakeReference("device", case_.names.devices);
  if (!device) return false;
  e.a = *device;
  const std::string_view expected = "driver or domain";
  const auto what = Take(expected);
  if (!what) return false;
  if (what->text != "driver" && what->text != "domain")
    return Fail(*what, expected, std::vector<std::string>{"driver", "domain"});
  e.kind =
      what->text == "driver" ? Expectation::Kind::kDeviceDriver : Expectation::Kind::kDeviceDomain;
  return TakeDriverOrNone(e);
}

bool Parser::ReadExpectedGroup(Expectation& e) {
  const auto group = TakeNumber("the number of a group", 0, kMaxGroups - 1);
  if (!group) return false;
  e.a = static_cast<uint8_t>(*group);
  const std::string_view expected = "shares, apart or domain";
  const auto what = Take(expected);
  if (!what) return false;
  if (what->text == "domain") {
    e.kind = Expectation::Kind::kGroupDomain;
    return TakeDriverOrNone(e);
  }
  if (what->text != "shares" && what->text != "apart")
    return Fail(*what, expected, std::vector<std::string>{"shares", "apart", "domain"});
  e.kind = what->text == "shares" ? Expectation::Kind::kShares : Expectation::Kind::kApart;
  const auto other = TakeNumber("the number of a group", 0, kMaxGroups - 1);
  e.b = static_cast<uint8_t>(other.value_or(0));
  return other.has_value();
}

bool Parser::TakeProperty(Expectation& e) {
  const auto word = Take("the name of a property");
  if (!word) return false;
  const auto property = FindProperty(word->text);
  e.property = property.value_or(Property{});
  return property || Fail(*word, "the name of a property", PropertyNames());
}

bool Parser::TakeAssumption(Expectation& e) {
  const auto word = Take("the id of an assumption");
  if (!word) return false;
  const auto rule = FindRule(word->text);
  e.rule = rule.value_or(Rule{});
  return (rule && InfoOf(*rule).kind == RuleKind::kAssumption) ||
         Fail(*word, "the id of an assumption", AssumptionNames());
}

bool Parser::TakeDriverOrNone(Expectation& e) {
  const auto word = Take("the name of a driver or none");
  if (!word) return false;
  if (word->text == "none") return true;
  const auto driver = Reference(*word, "driver", case_.names.drivers);
  e.b = driver.value_or(kNoId);
  return driver.has_value();
}

}  // namespace iommucheck
