// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "absl/strings/str_format.h"
#include "src/case/parser.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

constexpr std::array<std::string_view, 7> kMachineKeywords = {
    "kernel", "firmware", "settings", "table", "driver", "instance", "device"};

std::string WithArticle(std::string_view kind) {
  return absl::StrFormat("%s %s", kind.starts_with('i') ? "an" : "a", kind);
}

std::vector<std::string> OpNames() {
  std::vector<std::string> names;
  for (const OpInfo& op : AllOps()) names.emplace_back(op.word);
  return names;
}

}  // namespace

absl::StatusOr<Case> Parser::Run() {
  case_.comment = source_.comment;
  for (const Statement& statement : source_.statements) {
    statement_ = &statement;
    next_ = 0;
    if (!ReadStatement()) return status_;
  }
  if (!section_) {
    FailAt(source_.end, ExpectedStatements(), "end of file");
    return status_;
  }
  if (!LinkAddresses() || !LinkAliases()) return status_;
  return std::move(case_);
}

bool Parser::ReadStatement() {
  const Word head = statement_->words[next_++];
  return EnterSection(head) && ReadSection(*section_, head) && TakeEnd();
}

bool Parser::EnterSection(const Word& head) {
  std::optional<Section> section;
  const auto* keyword = std::ranges::find(kMachineKeywords, head.text);
  if (keyword != kMachineKeywords.end())
    section = static_cast<Section>(keyword - kMachineKeywords.begin());
  else if (FindOp(head.text))
    section = Section::kOp;
  else if (head.text == "expect")
    section = Section::kExpect;

  const bool once = section && *section <= Section::kSettings;
  const bool in_order =
      section && (section_ ? *section > *section_ || (*section == *section_ && !once)
                           : *section == Section::kKernel);
  if (!in_order) {
    std::vector<std::string> close_to;
    if (!section) {
      close_to = OpNames();
      close_to.insert(close_to.end(), kMachineKeywords.begin(), kMachineKeywords.end());
      close_to.emplace_back("expect");
    }
    return Fail(head, ExpectedStatements(), close_to);
  }
  if (section_ == Section::kDriver && section != section_ && !LinkAddresses()) return false;
  if (section_ == Section::kDevice && section != section_ && !LinkAliases()) return false;
  section_ = section;
  return true;
}

bool Parser::ReadSection(Section section, const Word& head) {
  switch (section) {
    case Section::kKernel:
      return ReadKernel();
    case Section::kFirmware:
      return ReadFirmware();
    case Section::kSettings:
      return ReadSettings();
    case Section::kTable:
      return ReadTable();
    case Section::kDriver:
      return ReadDriver();
    case Section::kInstance:
      return ReadInstance();
    case Section::kDevice:
      return ReadDevice();
    case Section::kOp:
      return ReadOp(*FindOp(head.text));
    case Section::kExpect:
      return ReadExpectation();
  }
  return false;
}

std::string Parser::ExpectedStatements() const {
  if (!section_) return "'kernel'";
  if (*section_ == Section::kExpect) return "'expect'";
  std::string expected;
  const bool repeats = *section_ > Section::kSettings;
  for (size_t i = static_cast<size_t>(*section_) + (repeats ? 0 : 1); i < kMachineKeywords.size();
       ++i)
    expected += absl::StrFormat("'%s', ", kMachineKeywords[i]);
  if (expected.empty()) return "an op or 'expect'";
  expected.resize(expected.size() - 2);
  return expected + ", an op or 'expect'";
}

bool Parser::FailAt(const Place& place, std::string_view expected, std::string_view found) {
  status_ = Mismatch(source_.file, place, expected, found);
  return false;
}

bool Parser::Fail(const Word& word, std::string_view expected, Candidates close_to) {
  const std::string found = word.text.empty() ? "nothing" : Quote(word.text);
  return FailAt(word.place, expected, found + DidYouMean(word.text, close_to));
}

std::optional<Word> Parser::Take(std::string_view expected) {
  if (More()) return statement_->words[next_++];
  FailAt(statement_->end, expected, "end of line");
  return std::nullopt;
}

bool Parser::TakeKeyword(std::string_view keyword) {
  const std::string expected = Quote(keyword);
  const auto word = Take(expected);
  if (!word) return false;
  return word->text == keyword || Fail(*word, expected, std::vector{std::string(keyword)});
}

bool Parser::TakeEnd() { return !More() || Fail(Peek(), "end of line"); }

std::optional<Word> Parser::TakeNewName(std::string_view kind,
                                        const std::vector<std::string>& names, int capacity) {
  const std::string expected = "a name for " + WithArticle(kind);
  const auto word = Take(expected);
  if (!word) return std::nullopt;
  if (!IsName(word->text)) {
    Fail(*word, absl::StrFormat("%s, 1 to %d of A-Z a-z 0-9 _ . : + -", expected, kMaxNameLength));
    return std::nullopt;
  }
  if (std::ranges::find(names, word->text) != names.end()) {
    Fail(*word, absl::StrFormat("a name that no other %s has", kind));
    return std::nullopt;
  }
  if (names.size() >= static_cast<size_t>(capacity)) {
    FailAt(word->place, absl::StrFormat("at most %d %ss", capacity, kind), "one more");
    return std::nullopt;
  }
  return word;
}

std::optional<uint8_t> Parser::TakeReference(std::string_view kind,
                                             const std::vector<std::string>& names) {
  const auto word = Take("the name of " + WithArticle(kind));
  if (!word) return std::nullopt;
  return Reference(*word, kind, names);
}

std::optional<uint8_t> Parser::Reference(const Word& word, std::string_view kind,
                                         const std::vector<std::string>& names) {
  const auto it = std::ranges::find(names, word.text);
  if (it != names.end()) return static_cast<uint8_t>(it - names.begin());
  Fail(word, "the name of " + WithArticle(kind), names);
  return std::nullopt;
}

std::optional<int> Parser::TakeNumber(std::string_view kind, int low, int high) {
  const auto word = Take(absl::StrFormat("%s (%d to %d)", kind, low, high));
  if (!word) return std::nullopt;
  return Number(*word, kind, low, high);
}

std::optional<int> Parser::Number(const Word& word, std::string_view kind, int low, int high) {
  int number = 0;
  const char* end = word.text.data() + word.text.size();
  const auto [stop, error] = std::from_chars(word.text.data(), end, number);
  const bool plain = error == std::errc() && stop == end && !word.text.starts_with('-');
  if (plain && number >= low && number <= high) return number;
  Fail(word, absl::StrFormat("%s (%d to %d)", kind, low, high));
  return std::nullopt;
}

bool Parser::ReadByte(const Word& word, std::string_view kind, int low, int high, uint8_t& out) {
  const auto number = Number(word, kind, low, high);
  out = static_cast<uint8_t>(number.value_or(0));
  return number.has_value();
}

bool Parser::ReadPages(const Word& word, char sign, int most, uint8_t& first, uint8_t& second) {
  const size_t at = word.text.find(sign);
  if (at == std::string_view::npos)
    return Fail(word, sign == '+' ? "pages as FIRST+COUNT" : "pages as FIRST-LAST");
  return ReadByte(word.Part(0, at), "a page", 0, kLastPage, first) &&
         ReadByte(word.Part(at + 1), sign == '+' ? "a count of pages" : "a page", 0, most, second);
}

bool Parser::ReadErrno(const Word& word, uint8_t& error) {
  const auto found = FindErrno("-" + std::string(word.text));
  // The model stores it in a byte.
  if (!found || *found < -255)
    return Fail(word, "an errno from 1 to 255 such as EINVAL", FaultErrnoNames());
  error = static_cast<uint8_t>(-*found);
  return true;
}

absl::StatusOr<Case> ParseSource(const Source& source) { return Parser(source).Run(); }

absl::StatusOr<Case> ParseCase(std::string_view text, std::string_view file) {
  const auto source = LexText(text, file);
  if (!source.ok()) return source.status();
  return ParseSource(*source);
}

}  // namespace iommucheck
