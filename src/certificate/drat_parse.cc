// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>

#include "absl/strings/str_format.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/certificate/drat.h"

namespace iommucheck::certificate {
namespace {

struct Token {
  std::string_view text;  // empty: the end of the file
  Place place;
};

// Words between blanks. Lines that begin with 'c' are comments.
class Tokens {
 public:
  Tokens(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  Token Next() {
    SkipBlanks();
    const size_t begin = at_;
    while (at_ < text_.size() && !IsBlank(text_[at_])) ++at_;
    return {text_.substr(begin, at_ - begin), PlaceOf(begin)};
  }

  [[nodiscard]] absl::Status Expected(const std::string& what, const Token& found) const {
    return Mismatch(file_, found.place, what,
                    found.text.empty() ? "end of file" : Quote(found.text));
  }

  absl::StatusOr<int> Number(int lowest, int highest, const std::string& what) {
    return NumberOf(Next(), lowest, highest, what);
  }
  [[nodiscard]] absl::StatusOr<int> NumberOf(const Token& token, int lowest, int highest,
                                             const std::string& what) const {
    int value = 0;
    const char* end = token.text.data() + token.text.size();
    const auto [rest, error] = std::from_chars(token.text.data(), end, value);
    if (error == std::errc() && rest == end && lowest <= value && value <= highest) return value;
    return Expected(absl::StrFormat("%s, %d to %d", what, lowest, highest), token);
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  [[nodiscard]] Place PlaceOf(size_t at) const {
    Place place;
    place.line = line_;
    place.column = static_cast<int>(at - line_begin_) + 1;
    return place;
  }
  void SkipBlanks() {
    while (at_ < text_.size()) {
      const bool comment = at_ == line_begin_ && text_[at_] == 'c';
      if (comment) at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size() || !IsBlank(text_[at_])) return;
      if (text_[at_++] != '\n') continue;
      ++line_;
      line_begin_ = at_;
    }
  }

  std::string_view text_;
  std::string_view file_;
  size_t at_ = 0;
  int line_ = 1;
  size_t line_begin_ = 0;
};

// Reads literals up to a 0; `token` is the first of them.
absl::Status ReadClause(Tokens& tokens, Token token, int variables, ClauseList& clauses) {
  while (true) {
    const absl::StatusOr<int> literal =
        tokens.NumberOf(token, -variables, variables, "a literal or 0");
    if (!literal.ok()) return literal.status();
    if (*literal == 0) break;
    clauses.Add(*literal);
    token = tokens.Next();
  }
  clauses.EndClause();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Formula> ParseDimacs(std::string_view text, std::string_view file) {
  Tokens tokens(text, file);
  for (const char* head : {"p", "cnf"})
    if (const Token token = tokens.Next(); token.text != head)
      return tokens.Expected("\"p cnf VARIABLES CLAUSES\"", token);
  const absl::StatusOr<int> variables = tokens.Number(0, kMaxVariables, "the number of variables");
  if (!variables.ok()) return variables.status();
  const absl::StatusOr<int> clauses =
      tokens.Number(0, std::numeric_limits<int>::max(), "the number of clauses");
  if (!clauses.ok()) return clauses.status();
  Formula formula{.variables = *variables, .clauses = {}};
  for (int i = 0; i < *clauses; ++i)
    if (absl::Status s = ReadClause(tokens, tokens.Next(), *variables, formula.clauses); !s.ok())
      return s;
  if (const Token token = tokens.Next(); !token.text.empty())
    return tokens.Expected(absl::StrFormat("no more than %d clauses", *clauses), token);
  return formula;
}

absl::StatusOr<DratProof> ParseDrat(std::string_view text, std::string_view file, int variables) {
  Tokens tokens(text, file);
  DratProof proof;
  for (Token token = tokens.Next(); !token.text.empty(); token = tokens.Next()) {
    const bool deletes = token.text == "d";
    proof.steps.push_back({.deletes = deletes, .line = token.place.line});
    if (deletes) token = tokens.Next();
    if (absl::Status s = ReadClause(tokens, token, variables, proof.clauses); !s.ok()) return s;
  }
  return proof;
}

}  // namespace iommucheck::certificate
