// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/state.h"
#include "src/case/parser.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

// "attach:DEVICE:ERRNO[:COUNT|:all], alloc:N, .. or attach-call:N:ERRNO"
std::string FaultForms() {
  std::string text;
  for (const FaultInfo& fault : AllFaults()) {
    if (!text.empty()) text += &fault == &AllFaults().back() ? " or " : ", ";
    absl::StrAppend(&text, std::string(fault.word), fault.of_device ? ":DEVICE" : ":N",
                    fault.has_errno ? ":ERRNO" : "", fault.has_count ? "[:COUNT|:all]" : "");
  }
  return text;
}

bool IsCount(std::string_view text) {
  return text == "all" ||
         (!text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }));
}

// Device names contain ':', so faults are split from the right.
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
  const OpInfo& info = InfoOf(op.kind);
  if (!ReadOperand(info.a, op.a) || !ReadOperand(info.b, op.b)) return false;
  if (info.is(OpInfo::kHasPages)) {
    const auto pages = Take("pages as FIRST+COUNT");
    if (!pages || !ReadPages(*pages, '+', kPages, op.at.first, op.at.count)) return false;
  }
  if (!info.is(OpInfo::kHasVaddr)) return true;
  const auto vaddr = TakeNumber("a page of user memory", 0, kLastPage);
  op.vaddr = static_cast<uint8_t>(vaddr.value_or(0));
  return vaddr.has_value();
}

bool Parser::ReadOperand(Operand operand, uint8_t& out) {
  const auto set = [&out](std::optional<int> value) {
    out = static_cast<uint8_t>(value.value_or(0));
    return value.has_value();
  };
  switch (operand) {
    case Operand::kNone:
      return true;
    case Operand::kInstance:
      return set(TakeReference("instance", case_.names.instances));
    case Operand::kDevice:
      return set(TakeReference("device", case_.names.devices));
    case Operand::kContainer:
      return set(TakeContainer());
    case Operand::kGroup:
      return set(TakeNumber("the number of a group", 0, kMaxGroups - 1));
    case Operand::kIommuType:  // may be left out
      if (const auto* type = More() ? std::ranges::find(kIommuTypeNames, Peek().text) : nullptr;
          type != nullptr && type != kIommuTypeNames.end()) {
        out = static_cast<uint8_t>(type - kIommuTypeNames.begin());
        ++next_;
      }
      return true;
  }
  return false;
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
  const auto flags = InfoOf(op.kind).flags;
  const auto flag = std::ranges::find(flags, word.text, &OpFlag::word);
  if (flag == flags.end()) {
    std::string expected;
    std::vector<std::string> close_to;
    if (InfoOf(op.kind).b == Operand::kIommuType)
      close_to.assign(kIommuTypeNames.begin(), kIommuTypeNames.end());
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
  if (colon == std::string_view::npos) return Fail(text, FaultForms());
  const Word word = text.Part(0, colon);
  const auto info = std::ranges::find(AllFaults(), word.text, &FaultInfo::word);
  if (info == AllFaults().end()) {
    std::vector<std::string> words;
    for (const FaultInfo& known : AllFaults()) words.emplace_back(known.word);
    return Fail(word, FaultForms(), words);
  }
  fault.kind = info->kind;
  Word rest = text.Part(colon + 1);
  if (info->has_count && !ReadCount(rest, fault.count)) return false;
  fault.error = kAllocError;
  if (info->has_errno) {
    const auto halves = SplitAtLastColon(rest);
    if (!halves) return Fail(rest, info->of_device ? "DEVICE:ERRNO" : "N:ERRNO");
    if (!ReadTarget(*info, halves->left, fault.target)) return false;
    return ReadErrno(halves->right, fault.error);
  }
  return ReadTarget(*info, rest, fault.target);
}

// Removes a count from the end of the text, if there is one.
bool Parser::ReadCount(Word& text, uint8_t& out) {
  const auto halves = SplitAtLastColon(text);
  if (!halves || !IsCount(halves->right.text)) return true;
  text = halves->left;
  if (halves->right.text == "all") {
    out = kEveryAttach;
    return true;
  }
  return ReadByte(halves->right, "a count", 1, kEveryAttach - 1, out);
}

bool Parser::ReadTarget(const FaultInfo& info, const Word& word, uint8_t& out) {
  if (!info.of_device)
    return ReadByte(word, absl::StrCat("the number of ", std::string(info.of)), 1, 255, out);
  const auto device = Reference(word, "device", case_.names.devices);
  out = device.value_or(0);
  return device.has_value();
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
