// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "absl/strings/str_format.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsControl(unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }

std::string ByteName(char c) {
  return absl::StrFormat("byte 0x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
}

// The length of the UTF-8 sequence at the beginning of `text`; 0: there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  // Overlong forms, surrogates, and code points above U+10FFFF.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

class Lexer {
 public:
  Lexer(std::string_view text, std::string_view file) : text_(text) { source_.file = file; }

  absl::StatusOr<Source> Run() {
    if (text_.size() > kMaxCaseBytes)
      return Mismatch(source_.file, {1, 1, {}}, absl::StrFormat("at most %d bytes", kMaxCaseBytes),
                      absl::StrFormat("%d", text_.size()));
    for (std::string_view line : SplitLines(text_)) {
      ++line_;
      source_.end = At(line.size());
      if (absl::Status s = ReadLine(line); !s.ok()) return s;
    }
    return std::move(source_);
  }

 private:
  [[nodiscard]] Place At(size_t offset) const { return {line_, static_cast<int>(offset) + 1, {}}; }

  absl::Status ReadLine(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t hash = line.find('#');
    const std::string_view code = line.substr(0, hash);
    if (hash != std::string_view::npos)
      if (absl::Status s = CheckComment(line, hash + 1); !s.ok()) return s;
    for (size_t i = 0; i < code.size(); ++i)
      if ((code[i] < 0x20 || code[i] > 0x7e) && code[i] != '\t')
        return Mismatch(source_.file, At(i), "printable ASCII", ByteName(code[i]));

    std::vector<Word> words = Split(code);
    if (!words.empty()) {
      AddStatement(std::move(words));
    } else if (hash != std::string_view::npos) {
      AddComment(line.substr(hash + 1));
    } else {
      has_comment_ = false;
    }
    return absl::OkStatus();
  }

  absl::Status CheckComment(std::string_view line, size_t from) {
    const auto bad = FindBadCommentByte(TrimCommentLine(line.substr(from)));
    if (!bad) return absl::OkStatus();
    return Mismatch(source_.file, At(from + *bad), "UTF-8 without control characters",
                    ByteName(line[from + *bad]));
  }

  std::vector<Word> Split(std::string_view code) {
    std::vector<Word> words;
    size_t i = 0;
    while (true) {
      while (i < code.size() && IsBlank(code[i])) ++i;
      if (i == code.size()) return words;
      const size_t begin = i;
      while (i < code.size() && !IsBlank(code[i])) ++i;
      words.push_back({code.substr(begin, i - begin), At(begin)});
    }
  }

  void AddStatement(std::vector<Word> words) {
    Statement statement;
    const Word& last = words.back();
    statement.end = last.Part(last.text.size()).place;
    statement.words = std::move(words);
    if (has_comment_) statement.comment = std::move(comment_);
    has_comment_ = false;
    source_.statements.push_back(std::move(statement));
  }

  void AddComment(std::string_view line) {
    line = TrimCommentLine(line);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (source_.statements.empty()) {
      if (has_head_) source_.comment += '\n';
      source_.comment += line;
      has_head_ = true;
      return;
    }
    if (!has_comment_) comment_.clear();
    if (has_comment_) comment_ += '\n';
    comment_ += line;
    has_comment_ = true;
  }

  std::string_view text_;
  Source source_;
  int line_ = 0;
  bool has_head_ = false;
  bool has_comment_ = false;
  std::string comment_;  // of the next statement
};

}  // namespace

Word Word::Part(size_t from, size_t length) const {
  Word part{text.substr(from, length), place};
  part.place.column += static_cast<int>(from);
  return part;
}

absl::Status Mismatch(std::string_view file, const Place& place, std::string_view expected,
                      std::string_view found) {
  const std::string where = place.pointer.empty()
                                ? absl::StrFormat("%s:%d:%d", file, place.line, place.column)
                                : absl::StrFormat("%s: %s", file, place.pointer);
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: expected %s, found %s", where, expected, found));
}

std::string_view TrimCommentLine(std::string_view line) {
  const size_t last = line.find_last_not_of(" \t\r");
  return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

std::optional<size_t> FindBadCommentByte(std::string_view line) {
  size_t i = 0;
  while (i < line.size()) {
    const size_t length = Utf8Length(line.substr(i));
    if (length == 0 || IsControl(static_cast<unsigned char>(line[i]))) return i;
    i += length;
  }
  return std::nullopt;
}

absl::StatusOr<Source> LexText(std::string_view text, std::string_view file) {
  return Lexer(text, file).Run();
}

}  // namespace iommucheck
