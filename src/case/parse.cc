// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "absl/strings/str_format.h"
#include "src/case/parser.h"

namespace iommucheck {
namespace {

std::string WithArticle(std::string_view kind) {
  return absl::StrFormat("%s %s", kind.starts_with('i') ? "an" : "a", kind);
}

}  // namespace

absl::StatusOr<Case> Parser::Run() {
  case_.comment = source_.comment;
  for (const Statement& statement : source_.statements) {
    statement_ = &statement;
    next_ = 0;
    if (!ReadStatement()) return status_;
  }
  if (section_ == nullptr) {
    FailAt(source_.end, ExpectedStatements(), "end of file");
    return status_;
  }
  if (!LinkAddresses() || !LinkDevices()) return status_;
  return std::move(case_);
}

const std::array<Parser::Section, 9> Parser::kSections = {{
    {"kernel", &Parser::ReadKernel, false},
    {"firmware", &Parser::ReadFirmware, false},
    {"settings", &Parser::ReadSettings, false},
    {"table", &Parser::ReadTable, true},
    {"driver", &Parser::ReadDriver, true},
    {"instance", &Parser::ReadInstance, true},
    {"device", &Parser::ReadDevice, true},
    {"", &Parser::ReadOp, true},
    {"expect", &Parser::ReadExpectation, true},
}};

bool Parser::ReadStatement() {
  const Word& head = Next();
  return EnterSection(head) && (this->*section_->read)() && TakeEnd();
}

bool Parser::EnterSection(const Word& head) {
  const auto* const section = std::ranges::find_if(kSections, [&](const Section& s) {
    return s.keyword.empty() ? FindOp(head.text).has_value() : s.keyword == head.text;
  });
  const bool known = section != kSections.end();
  const bool in_order = section_ == nullptr
                            ? section == kSections.begin()
                            : section > section_ || (section == section_ && section->repeats);
  if (!known || !in_order) {
    std::vector<std::string> close_to;
    if (!known) {
      close_to = NamesOf(AllOps(), &OpInfo::word);
      for (const Section& s : kSections) close_to.emplace_back(s.keyword);
    }
    return Fail(head, ExpectedStatements(), close_to);
  }
  if (section != section_ && (!LinkAddresses() || !LinkDevices())) return false;
  section_ = section;
  return true;
}

std::string Parser::ExpectedStatements() const {
  if (section_ == nullptr) return "'kernel'";
  if (section_->keyword == "expect") return "'expect'";
  std::string expected;
  for (const Section* s = section_->repeats ? section_ : section_ + 1; !s->keyword.empty(); ++s)
    expected += absl::StrFormat("'%s', ", s->keyword);
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
  if (More()) return Next();
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

std::optional<Word> Parser::TakeNewName(std::string_view kind, Candidates names, int capacity) {
  const std::string expected = "a name for " + WithArticle(kind);
  auto word = Take(expected);
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

bool Parser::ReadOneOf(const Word& word, std::string_view expected, Candidates names,
                       uint8_t& index) {
  const auto it = std::ranges::find(names, word.text);
  if (it == names.end()) return Fail(word, expected, names);
  index = static_cast<uint8_t>(it - names.begin());
  return true;
}

bool Parser::TakeOneOf(std::string_view expected, Candidates names, uint8_t& index) {
  const auto word = Take(expected);
  return word && ReadOneOf(*word, expected, names, index);
}

bool Parser::ReadReference(const Word& word, std::string_view kind, Candidates names,
                           uint8_t& index) {
  return ReadOneOf(word, "the name of " + WithArticle(kind), names, index);
}

bool Parser::TakeReference(std::string_view kind, Candidates names, uint8_t& index) {
  return TakeOneOf("the name of " + WithArticle(kind), names, index);
}

bool Parser::ReadNumber(const Word& word, std::string_view kind, int low, int high, int& number) {
  const char* const begin = word.text.data();
  const char* const end = begin + word.text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  const bool plain = error == std::errc() && stop == end && !word.text.starts_with('-');
  return (plain && number >= low && number <= high) ||
         Fail(word, absl::StrFormat("%s (%d to %d)", kind, low, high));
}

bool Parser::TakeNumber(std::string_view kind, int low, int high, int& number) {
  const auto word = Take(absl::StrFormat("%s (%d to %d)", kind, low, high));
  return word && ReadNumber(*word, kind, low, high, number);
}

bool Parser::ReadByte(const Word& word, std::string_view kind, int low, int high, uint8_t& number) {
  int read = 0;
  if (!ReadNumber(word, kind, low, high, read)) return false;
  number = static_cast<uint8_t>(read);
  return true;
}

bool Parser::TakeByte(std::string_view kind, int low, int high, uint8_t& number) {
  int read = 0;
  if (!TakeNumber(kind, low, high, read)) return false;
  number = static_cast<uint8_t>(read);
  return true;
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
