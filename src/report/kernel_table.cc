// SPDX-License-Identifier: Apache-2.0
#include "src/report/kernel_table.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/spelling.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

constexpr size_t kMaxHead = 36;

// Kernels that are alike in every row.
struct Column {
  std::vector<std::string> head;  // lines
  size_t kernel = 0;              // the first of them
  size_t width = 0;
};

// "v5.10.y", "to v6.0", "v6.8": a line for each end of a run of neighbours.
std::vector<std::string> HeadOf(const std::vector<std::string>& kernels,
                                const std::vector<size_t>& which) {
  std::vector<std::string> lines;
  for (size_t first = 0; first < which.size();) {
    size_t last = first;
    while (last + 1 < which.size() && which[last + 1] == which[last] + 1) ++last;
    lines.push_back(kernels[which[first]]);
    if (last > first) lines.push_back((last > first + 1 ? "to " : "") + kernels[which[last]]);
    first = last + 1;
  }
  return lines;
}

std::vector<Column> ColumnsOf(const KernelTable& table) {
  std::vector<std::vector<size_t>> alike;
  for (size_t k = 0; k < table.kernels.size(); ++k) {
    const auto same = std::ranges::find_if(alike, [&](const std::vector<size_t>& column) {
      return std::ranges::all_of(table.rows, [&](const KernelTable::Row& row) {
        return row.cells[k] == row.cells[column.front()];
      });
    });
    if (same == alike.end())
      alike.push_back({k});
    else
      same->push_back(k);
  }
  std::vector<Column> columns;
  for (const std::vector<size_t>& which : alike) {
    Column column{.head = HeadOf(table.kernels, which), .kernel = which.front()};
    for (const std::string& line : column.head) column.width = std::max(column.width, line.size());
    for (const KernelTable::Row& row : table.rows)
      column.width = std::max(column.width, row.cells[column.kernel].size());
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string TrimmedLine(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// The columns from `first` up to and without `last`.
std::string PartText(const KernelTable& table, const std::vector<Column>& columns, size_t first,
                     size_t last, size_t head_width, bool below) {
  std::string out;
  size_t head_lines = 0;
  for (size_t c = first; c < last; ++c) head_lines = std::max(head_lines, columns[c].head.size());
  for (size_t n = 0; n < head_lines; ++n) {
    std::string line(head_width, ' ');
    for (size_t c = first; c < last; ++c)
      absl::StrAppendFormat(&line, "  %-*s", columns[c].width,
                            n < columns[c].head.size() ? columns[c].head[n] : "");
    out += TrimmedLine(line);
  }
  for (const KernelTable::Row& row : table.rows) {
    std::string line = (row.differs() ? "* " : "  ") + row.head;
    if (line.size() > head_width) {
      const std::string mark = line.substr(0, 2);
      std::string lines = Indented(2, Printable(row.head));
      lines.replace(0, 2, mark);
      out += lines;
      line.clear();
    }
    line.resize(head_width, ' ');
    for (size_t c = first; c < last; ++c)
      absl::StrAppendFormat(&line, "  %-*s", columns[c].width, row.cells[columns[c].kernel]);
    out += TrimmedLine(line);
    if (!below) continue;
    for (const std::string& text : row.below) out += Indented(6, text);
  }
  return out;
}

}  // namespace

bool KernelTable::Row::differs() const {
  return std::ranges::any_of(cells, [&](const std::string& cell) { return cell != cells.front(); });
}

std::string KernelTableText(const KernelTable& table) {
  if (table.kernels.empty()) return "";
  size_t head_width = 0;
  for (const KernelTable::Row& row : table.rows) {
    assert(row.cells.size() == table.kernels.size());
    const size_t width = row.head.size() + 2;
    if (width <= kMaxHead) head_width = std::max(head_width, width);
  }
  const std::vector<Column> columns = ColumnsOf(table);
  std::string out;
  for (size_t first = 0; first < columns.size();) {
    size_t width = head_width;
    size_t last = first;
    while (last < columns.size() &&
           (last == first || width + 2 + columns[last].width <= static_cast<size_t>(kColumns)))
      width += 2 + columns[last++].width;
    if (!out.empty()) out += "\n";
    out += PartText(table, columns, first, last, head_width, last == columns.size());
    first = last;
  }
  return out;
}

}  // namespace iommucheck::report
