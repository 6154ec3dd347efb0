// SPDX-License-Identifier: Apache-2.0
#include "src/review/changes.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/case/spelling.h"

namespace iommucheck::review {
namespace {

constexpr size_t kNone = std::string_view::npos;

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines =
      absl::StrSplit(absl::string_view(text.data(), text.size()), '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (std::string& line : lines)
    if (line.ends_with('\r')) line.pop_back();
  return lines;
}

// "-12,3" or "+12": the line and the count; nothing if it is neither.
struct Range {
  int line = 0;
  int count = 1;
};
std::optional<Range> RangeOf(std::string_view word, char sign) {
  if (word.empty() || word[0] != sign) return std::nullopt;
  Range range;
  const char* const end = word.data() + word.size();
  auto [stop, error] = std::from_chars(word.data() + 1, end, range.line);
  if (error != std::errc() || range.line < 0) return std::nullopt;
  if (stop == end) return range;
  if (*stop != ',') return std::nullopt;
  const auto [last, wrong] = std::from_chars(stop + 1, end, range.count);
  return wrong == std::errc() && last == end && range.count >= 0 ? std::optional(range)
                                                                 : std::nullopt;
}

// "b/drivers/x.c\t2024.." without the first part.
std::string PathOf(std::string_view name) {
  name = name.substr(0, name.find('\t'));
  if (name == "/dev/null") return "";
  const size_t slash = name.find('/');
  return std::string(slash == kNone ? name : name.substr(slash + 1));
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view file) : lines_(Lines(text)), file_(file) {}

  absl::StatusOr<Changes> Read() {
    while (at_ < lines_.size()) {
      const std::string& line = lines_[at_];
      const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
      if (changes_.files.empty() && words[0] == "patch" && words.size() == 3 &&
          words[1].size() == 64) {
        changes_.patches.push_back({words[1], words[2]});
      } else if (changes_.files.empty() && words[0] == "not-built" && words.size() == 2) {
        changes_.not_built.push_back(words[1]);
      } else if (line.starts_with("--- ") && at_ + 2 < lines_.size() &&
                 lines_[at_ + 1].starts_with("+++ ") && lines_[at_ + 2].starts_with("@@ ")) {
        if (absl::Status s = File(); !s.ok()) return s;
        continue;
      }
      ++at_;
    }
    return changes_;
  }

 private:
  absl::Status Bad(const std::string& expected) const {
    const std::string found = at_ < lines_.size() ? Quote(lines_[at_]) : "the end";
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d:1: expected %s, found %s", file_, at_ + 1, expected, found));
  }

  absl::Status File() {
    FileChange& change = changes_.files.emplace_back();
    change.file = PathOf(std::string_view(lines_[at_ + 1]).substr(4));
    if (change.file.empty()) change.file = PathOf(std::string_view(lines_[at_]).substr(4));
    at_ += 2;
    while (at_ < lines_.size() && lines_[at_].starts_with("@@ "))
      if (absl::Status s = TakeHunk(change); !s.ok()) return s;
    return absl::OkStatus();
  }

  absl::Status TakeHunk(FileChange& change) {
    const std::vector<std::string> words = absl::StrSplit(lines_[at_], absl::MaxSplits(' ', 4));
    std::optional<Range> before;
    std::optional<Range> after;
    if (words.size() >= 4 && words[3] == "@@") {
      before = RangeOf(words[1], '-');
      after = RangeOf(words[2], '+');
    }
    if (!before || !after) return Bad("@@ -LINE,COUNT +LINE,COUNT @@");
    Hunk hunk{.old_line = before->line,
              .new_line = after->line,
              .heading = words.size() > 4 ? words[4] : "",
              .lines = {}};
    // Of a range without lines, diff names the line before it.
    if (before->count == 0) ++hunk.old_line;
    if (after->count == 0) ++hunk.new_line;
    ++at_;
    while (before->count > 0 || after->count > 0) {
      if (at_ == lines_.size()) return Bad("the rest of a hunk");
      // Some mailers take the blank of an empty line away.
      const std::string line = lines_[at_].empty() ? " " : lines_[at_];
      const bool none = line[0] == '\\';  // "\ No newline at end of file"
      if (!none && line[0] != ' ' && line[0] != '-' && line[0] != '+')
        return Bad("a line of a hunk, which begins with a blank, - or +");
      if (line[0] == ' ' || line[0] == '-') --before->count;
      if (line[0] == ' ' || line[0] == '+') --after->count;
      if (before->count < 0 || after->count < 0) return Bad("as many lines as the hunk says");
      if (!none) hunk.lines.push_back(line);
      ++at_;
    }
    if (at_ < lines_.size() && lines_[at_].starts_with('\\')) ++at_;
    change.hunks.push_back(std::move(hunk));
    return absl::OkStatus();
  }

  std::vector<std::string> lines_;
  std::string file_;
  size_t at_ = 0;
  Changes changes_;
};

bool IsCode(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t");
  const std::string_view text = first == kNone ? "" : line.substr(first);
  return !text.empty() && !text.starts_with("/*") && !text.starts_with("*/") &&
         !text.starts_with("* ") && text != "*" && !text.starts_with("//");
}

bool IsNameChar(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// "static int iommu_x(struct y *z," -> "iommu_x"; "" if the line defines no function.
std::string NameIn(std::string_view line) {
  if (line.empty() || !IsNameChar(line[0]) || line.ends_with(';') || line.starts_with("typedef "))
    return "";
  const size_t open = line.find('(');
  if (open == kNone || line.find('=') < open) return "";
  size_t first = open;
  while (first > 0 && IsNameChar(line[first - 1])) --first;
  return std::string(line.substr(first, open - first));
}

}  // namespace

absl::StatusOr<Changes> ParseChanges(std::string_view text, std::string_view file) {
  return Reader(text, file).Read();
}

std::vector<ChangedLine> ChangedLines(const FileChange& change) {
  std::vector<ChangedLine> changed;
  for (const Hunk& hunk : change.hunks) {
    int line = hunk.new_line;
    // Lines that are replaced show as those that replace them.
    std::optional<ChangedLine> gone;
    const auto close = [&] {
      if (gone) changed.push_back(*std::exchange(gone, std::nullopt));
    };
    for (const std::string& text : hunk.lines) {
      const std::string rest = text.substr(1);
      if (text[0] == '-') {
        if (!gone && IsCode(rest)) gone = ChangedLine{.line = line, .removed = true, .text = rest};
        continue;
      }
      if (text[0] == '+' && IsCode(rest)) {
        gone.reset();
        changed.push_back({.line = line, .text = rest});
      } else if (text[0] == ' ') {
        close();
      }
      ++line;
    }
    close();
  }
  return changed;
}

std::vector<Function> FunctionsOf(std::string_view text) {
  const std::vector<std::string> lines = Lines(text);
  std::vector<Function> functions;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] != "{") continue;
    Function function;
    // The name is in a line above, in the first column; parameters may take several lines.
    const int top = std::max(0, static_cast<int>(i) - 8);
    for (int up = static_cast<int>(i) - 1; up >= top && !lines[up].empty() && lines[up][0] != '}';
         --up) {
      function.name = NameIn(lines[up]);
      function.first = up + 1;
      if (!function.name.empty()) break;
    }
    size_t end = i;
    while (end < lines.size() && !lines[end].starts_with('}')) ++end;
    function.last = static_cast<int>(end) + 1;
    if (!function.name.empty()) functions.push_back(function);
    i = end;
  }
  return functions;
}

std::vector<std::string> FunctionsGone(const FileChange& change) {
  std::vector<std::string> names;
  for (const Hunk& hunk : change.hunks) {
    std::string before;
    int lines = 0;
    for (const std::string& line : hunk.lines) {
      if (line[0] != '-') continue;
      absl::StrAppend(&before, line.substr(1), "\n");
      ++lines;
    }
    for (const Function& function : FunctionsOf(before))
      if (function.last <= lines) names.push_back(function.name);
  }
  return names;
}

std::vector<std::string> FunctionsNear(const FileChange& change) {
  std::vector<std::string> names;
  for (const Hunk& hunk : change.hunks) {
    std::string current = NameIn(hunk.heading);
    for (const std::string& line : hunk.lines) {
      const std::string name = NameIn(std::string_view(line).substr(1));
      if (!name.empty()) current = name;
      if (line[0] == ' ' || current.empty() || !IsCode(line.substr(1))) continue;
      if (std::ranges::find(names, current) == names.end()) names.push_back(current);
    }
  }
  return names;
}

}  // namespace iommucheck::review
