// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/state.h"
#include "src/case/parser.h"

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

}  // namespace

bool Parser::ReadOp() {
  const auto& [word, place] = statement_->words.front();
  if (case_.ops.size() >= kMaxCaseOps)
    return FailAt(place, absl::StrFormat("at most %d ops", kMaxCaseOps), "one more");
  CaseOp op;
  op.op.kind = FindOp(word).value_or(OpKind{});
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
  return TakeByte("a page of user memory", 0, kLastPage, op.vaddr);
}

bool Parser::ReadOperand(Operand operand, uint8_t& out) {
  switch (operand) {
    case Operand::kNone:
      return true;
    case Operand::kInstance:
      return TakeReference("instance", case_.names.instances, out);
    case Operand::kDevice:
      return TakeReference("device", case_.names.devices, out);
    case Operand::kContainer:
      return TakeContainer(out);
    case Operand::kGroup:
      return TakeByte("the number of a group", 0, kMaxGroups - 1, out);
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

bool Parser::TakeContainer(uint8_t& out) {
  const std::string expected = absl::StrFormat("a container (c0 to c%d)", kMaxContainers - 1);
  const auto word = Take(expected);
  if (!word) return false;
  for (out = 0; out < kMaxContainers; ++out)
    if (word->text == absl::StrFormat("c%d", out)) return true;
  return Fail(*word, expected);
}

bool Parser::ReadOutcome(CaseOp& op) {
  size_t faults = 0;
  while (More()) {
    const Word& word = Next();
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
    std::vector<std::string> close_to = NamesOf(flags, &OpFlag::word);
    if (InfoOf(op.kind).b == Operand::kIommuType)
      close_to.insert(close_to.begin(), kIommuTypeNames.begin(), kIommuTypeNames.end());
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
  uint8_t index = 0;
  if (!ReadOneOf(text.Part(0, colon), FaultForms(), NamesOf(AllFaults(), &FaultInfo::word), index))
    return false;
  const FaultInfo& info = AllFaults()[index];
  fault.kind = info.kind;
  Word rest = text.Part(colon + 1);
  if (info.has_count && !ReadCount(rest, fault.count)) return false;
  fault.error = kAllocError;
  if (!info.has_errno) return ReadTarget(info, rest, fault.target);
  const auto halves = SplitAtLastColon(rest);
  if (!halves) return Fail(rest, info.of_device ? "DEVICE:ERRNO" : "N:ERRNO");
  return ReadTarget(info, halves->left, fault.target) && ReadErrno(halves->right, fault.error);
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
  return ReadReference(word, "device", case_.names.devices, out);
}

bool Parser::ReadExpectation() {
  // Kinds with the same subject are told apart by their verbs.
  std::vector<std::string> subjects = NamesOf(AllExpectations(), &ExpectationInfo::subject);
  subjects.erase(std::ranges::unique(subjects).begin(), subjects.end());
  Expectation e;
  e.line = {statement_->words.front().place.line};
  uint8_t subject = 0;
  if (!TakeOneOf(OneOf(subjects), subjects, subject)) return false;
  std::vector<ExpectationInfo> infos;
  std::ranges::copy_if(AllExpectations(), std::back_inserter(infos),
                       [&](const ExpectationInfo& i) { return i.subject == subjects[subject]; });
  if (!ReadAbout(infos.front().about, e)) return false;
  const std::vector<std::string> verbs = NamesOf(infos, &ExpectationInfo::verb);
  uint8_t verb = 0;
  if (!verbs.front().empty() && !TakeOneOf(OneOf(verbs), verbs, verb)) return false;
  e.kind = infos[verb].kind;
  if (!ReadObject(infos[verb].object, e)) return false;
  if (e.kind == Expectation::Kind::kViolated && More() &&
      (!TakeKeyword("at") ||
       !TakeNumber("the number of an op", 1, static_cast<int>(case_.ops.size()), e.at)))
    return false;
  case_.expectations.push_back(e);
  return true;
}

bool Parser::ReadAbout(ExpectationInfo::About about, Expectation& e) {
  uint8_t index = 0;
  switch (about) {
    case ExpectationInfo::About::kProperty:
      if (!TakeOneOf("the name of a property", NamesOf(kProperties, PropertyName), index))
        return false;
      e.property = kProperties[index];
      return true;
    case ExpectationInfo::About::kAssumption: {
      std::vector<RuleInfo> assumptions;
      std::ranges::copy_if(AllRules(), std::back_inserter(assumptions),
                           [](const RuleInfo& info) { return info.kind == RuleKind::kAssumption; });
      if (!TakeOneOf("the id of an assumption", NamesOf(assumptions, &RuleInfo::id), index))
        return false;
      e.rule = assumptions[index].rule;
      return true;
    }
    case ExpectationInfo::About::kDevice:
      return TakeReference("device", case_.names.devices, e.a);
    case ExpectationInfo::About::kGroup:
      return TakeByte("the number of a group", 0, kMaxGroups - 1, e.a);
  }
  return false;
}

bool Parser::ReadObject(ExpectationInfo::Object object, Expectation& e) {
  switch (object) {
    case ExpectationInfo::Object::kNone:
      return true;
    case ExpectationInfo::Object::kDriver: {
      const auto word = Take("the name of a driver or none");
      if (!word) return false;
      return word->text == "none" || ReadReference(*word, "driver", case_.names.drivers, e.b);
    }
    case ExpectationInfo::Object::kGroup:
      return TakeByte("the number of a group", 0, kMaxGroups - 1, e.b);
  }
  return false;
}

}  // namespace iommucheck
