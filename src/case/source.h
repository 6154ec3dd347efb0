// SPDX-License-Identifier: Apache-2.0
//
// A case as statements of words with their places. Text and JSON are both turned into this, so that
// one parser checks both and gives the same errors for both.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck {

struct Place {
  int line = 0;
  int column = 0;       // 1-based, in bytes
  std::string pointer;  // in JSON, instead of line and column
};

struct Word {
  std::string_view text;
  Place place;
  // The bytes from `from` on, with their own place.
  [[nodiscard]] Word Part(size_t from, size_t length = std::string_view::npos) const;
};

struct Statement {
  std::vector<Word> words;  // at least one
  Place end;                // one past the last word
  std::string comment;      // the comment lines directly above it
};

struct Source {
  std::string file;
  std::string comment;  // the comment lines before the first statement
  std::vector<Statement> statements;
  Place end;
  std::deque<std::string> storage;  // holds words that are not part of the input
};

// "FILE:LINE:COLUMN: expected WHAT, found WHAT", or "FILE: /json/pointer: ...".
absl::Status Mismatch(std::string_view file, const Place& place, std::string_view expected,
                      std::string_view found);

// The text of a comment line as a case keeps it: without '#' and without blanks at its end.
std::string_view TrimCommentLine(std::string_view line);
// The offset of the first byte that a comment line may not have: a control character, or no UTF-8.
std::optional<size_t> FindBadCommentByte(std::string_view line);

absl::StatusOr<Source> LexText(std::string_view text, std::string_view file);
absl::StatusOr<Case> ParseSource(const Source& source);

}  // namespace iommucheck
