// SPDX-License-Identifier: Apache-2.0
//
// One line of a trace file, split into words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "model/op.h"

namespace iommucheck::conform {

// Words count from 0; those after the last are empty. The functions that read a word return
// InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WORD", if it is something else. All
// texts must outlive this.
class TraceWords {
 public:
  // The line with this number, counted from 0; after the last line, "the end".
  TraceWords(std::string_view file, const std::vector<std::string_view>& lines, size_t line);

  [[nodiscard]] size_t size() const { return words_.size(); }
  [[nodiscard]] std::string_view line() const { return line_; }
  [[nodiscard]] std::string_view operator[](size_t i) const {
    return i < words_.size() ? words_[i].text : std::string_view();
  }
  // The offset of the word in the line.
  [[nodiscard]] size_t Offset(size_t i) const {
    return i < words_.size() ? words_[i].at : line_.size();
  }

  [[nodiscard]] absl::Status Expected(std::string_view what, size_t i) const;
  // OK if there are exactly `count` words.
  [[nodiscard]] absl::Status NoMore(size_t count) const;

  // A number from 0 to `most`.
  absl::Status ReadNumber(size_t i, const char* what, int most, int& number) const;
  absl::Status ReadPages(size_t i, Pages& pages) const;       // 3, or 0-3
  absl::Status ReadDomain(size_t i, uint16_t& domain) const;  // d0; `-` leaves `domain` as it is
  absl::Status ReadError(size_t i, int& error) const;         // 0, or -EBUSY
  absl::Status ReadName(size_t i, const std::vector<std::string>& names, const char* what,
                        uint8_t& id) const;  // one of the names
  // These read two words, and set `i` to the next.
  absl::Status ReadResult(size_t& i, int16_t& error) const;  // "= -EBUSY"
  absl::Status ReadAmount(size_t& i, const char* what, std::string_view unit,
                          uint16_t& amount) const;  // "4 pinned"

 private:
  struct Word {
    std::string_view text;
    size_t at;
  };
  std::string_view file_;
  size_t number_;
  bool past_the_last_;
  std::string_view line_;
  std::vector<Word> words_;
};

}  // namespace iommucheck::conform
