// SPDX-License-Identifier: Apache-2.0
#include "src/cli/colour.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace iommucheck::cli {
namespace {

constexpr std::string_view kBad = "\033[1;31m";   // bold red
constexpr std::string_view kGood = "\033[1;32m";  // bold green
constexpr std::string_view kOpen = "\033[1;33m";  // bold yellow: a bound, or unknown
constexpr std::string_view kPlain = "\033[0m";

// In a line that begins with `begins`, what first reads `shown` after that; if it is empty, the
// beginning itself; kLine: the line.
struct Row {
  std::string_view begins;
  std::string_view shown;
  std::string_view colour;
};
constexpr std::string_view kLine = "\n";
constexpr std::array kRows = {
    // For grep: VerdictLine() of src/report, and the reply of a review.
    Row{"Verdict ", " violated ", kBad},
    Row{"Verdict ", " holds ", kGood},
    Row{"Verdict ", " none ", kOpen},
    Row{"Verdict ", " unknown ", kOpen},
    Row{"Review worse ", "", kBad},
    Row{"Review none ", "", kGood},
    Row{"Review ", "", kOpen},
    // For people.
    Row{"affected", "", kBad},
    Row{"not affected", "", kGood},
    Row{"unknown because", "", kOpen},
    Row{"none up to", "", kOpen},
    Row{"verdict   holds", "", kGood},
    Row{"verdict   none", "", kOpen},
    Row{"verdict   unknown", "", kOpen},
    Row{"", "VIOLATED", kBad},
    Row{"    ! ", kLine, kBad},
    Row{"!   ", kLine, kBad},
};

}  // namespace

bool WantsColour(std::string_view when) {
  if (when != "auto") return when == "always";
  const char* const none = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && (none == nullptr || *none == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

std::string Coloured(std::string_view line) {
  for (const Row& row : kRows) {
    if (!line.starts_with(row.begins)) continue;
    size_t at = 0;
    size_t size = line.size();
    if (row.shown.empty()) {
      size = row.begins.size();
    } else if (row.shown != kLine) {
      at = line.find(row.shown, row.begins.size());
      size = row.shown.size();
    }
    if (at == std::string_view::npos) continue;
    const std::string text(line);
    return absl::StrCat(text.substr(0, at), std::string(row.colour), text.substr(at, size),
                        std::string(kPlain), text.substr(at + size));
  }
  return std::string(line);
}

ColouredLines::ColouredLines(std::ostream& stream) : stream_(stream), below_(stream.rdbuf(this)) {}

ColouredLines::~ColouredLines() {
  Write(false);
  stream_.rdbuf(below_);
}

bool ColouredLines::Write(bool whole) {
  const std::string text = whole ? Coloured(line_) + "\n" : line_;
  line_.clear();
  const auto size = static_cast<std::streamsize>(text.size());
  return below_->sputn(text.data(), size) == size;
}

ColouredLines::int_type ColouredLines::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  const char letter = traits_type::to_char_type(c);
  return xsputn(&letter, 1) == 1 ? c : traits_type::eof();
}

std::streamsize ColouredLines::xsputn(const char* text, std::streamsize size) {
  std::string_view left(text, static_cast<size_t>(size));
  for (size_t end; (end = left.find('\n')) != std::string_view::npos; left.remove_prefix(end + 1)) {
    line_ += left.substr(0, end);
    if (!Write(true)) return 0;
  }
  line_ += left;
  return size;
}

int ColouredLines::sync() { return Write(false) && below_->pubsync() == 0 ? 0 : -1; }

}  // namespace iommucheck::cli
