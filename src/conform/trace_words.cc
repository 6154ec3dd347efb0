// SPDX-License-Identifier: Apache-2.0
#include "src/conform/trace_words.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "src/case/case.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {
namespace {

std::optional<int> FindNumber(std::string_view text) {
  int number = 0;
  if (!absl::SimpleAtoi(std::string(text), &number)) return std::nullopt;
  return number;
}

}  // namespace

TraceWords::TraceWords(std::string_view file, const std::vector<std::string_view>& lines,
                       size_t line)
    : file_(file), number_(line), past_the_last_(line >= lines.size()) {
  if (!past_the_last_) line_ = lines[line];
  for (size_t i = 0; i < line_.size();) {
    const size_t end = std::min(line_.find_first_of(" \t\r", i), line_.size());
    if (end > i) words_.push_back({line_.substr(i, end - i), i});
    i = end + 1;
  }
}

absl::Status TraceWords::Expected(std::string_view what, size_t i) const {
  return Mismatch(file_, {static_cast<int>(number_) + 1, static_cast<int>(Offset(i)) + 1, {}}, what,
                  past_the_last_ ? "the end" : Quote((*this)[i]));
}

absl::Status TraceWords::NoMore(size_t count) const {
  return size() > count ? Expected("the end of the line", count) : absl::OkStatus();
}

absl::Status TraceWords::ReadNumber(size_t i, const char* what, int most, int& number) const {
  const std::optional<int> found = FindNumber((*this)[i]);
  if (!found || *found < 0 || *found > most) return Expected(what, i);
  number = *found;
  return absl::OkStatus();
}

absl::Status TraceWords::ReadPages(size_t i, Pages& pages) const {
  const std::string_view text = (*this)[i];
  const size_t dash = text.find('-');
  const std::optional<int> first = FindNumber(text.substr(0, dash));
  const std::optional<int> last =
      dash == std::string_view::npos ? first : FindNumber(text.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first || *last >= kPages)
    return Expected("pages such as 0-3", i);
  pages = {static_cast<uint8_t>(*first), static_cast<uint8_t>(*last - *first + 1)};
  return absl::OkStatus();
}

absl::Status TraceWords::ReadDomain(size_t i, uint16_t& domain) const {
  const std::string_view text = (*this)[i];
  if (text == "-") return absl::OkStatus();
  const std::optional<int> number =
      text.starts_with('d') ? FindNumber(text.substr(1)) : std::nullopt;
  if (!number || *number < 0 || *number >= Call::kNoDomain)
    return Expected("a domain such as d0", i);
  domain = static_cast<uint16_t>(*number);
  return absl::OkStatus();
}

absl::Status TraceWords::ReadError(size_t i, int& error) const {
  const std::string_view text = (*this)[i];
  const auto found = text == "0" ? std::optional(0) : text == "ok" ? std::nullopt : FindErrno(text);
  if (!found) return Expected("0 or an errno such as -EBUSY", i);
  error = *found;
  return absl::OkStatus();
}

absl::Status TraceWords::ReadName(size_t i, const std::vector<std::string>& names, const char* what,
                                  uint8_t& id) const {
  const auto it = std::ranges::find(names, (*this)[i]);
  if (it == names.end()) return Expected(absl::StrCat(what, " of the case"), i);
  id = static_cast<uint8_t>(it - names.begin());
  return absl::OkStatus();
}

absl::Status TraceWords::ReadResult(size_t& i, int16_t& error) const {
  if ((*this)[i] != "=") return Expected("=", i);
  int value = 0;
  if (absl::Status s = ReadError(i + 1, value); !s.ok()) return s;
  error = static_cast<int16_t>(value);
  i += 2;
  return absl::OkStatus();
}

absl::Status TraceWords::ReadAmount(size_t& i, const char* what, std::string_view unit,
                                    uint16_t& amount) const {
  int number = 0;
  if (absl::Status s = ReadNumber(i, what, 0xffff, number); !s.ok()) return s;
  if ((*this)[i + 1] != unit) return Expected(unit, i + 1);
  amount = static_cast<uint16_t>(number);
  i += 2;
  return absl::OkStatus();
}

}  // namespace iommucheck::conform
