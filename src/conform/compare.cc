// SPDX-License-Identifier: Apache-2.0
#include "src/conform/compare.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <ranges>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/conform/trace_text.h"

namespace iommucheck::conform {
namespace {

bool Same(const Call& a, Call b) {
  if (a.kind == Call::Kind::kAlloc) {
    if (a.table == kNoId || b.table == kNoId) b.table = a.table;
    if (a.device == kNoId || b.device == kNoId) b.device = a.device;
  }
  return a == b;
}

bool SameLine(const Line& a, const Line& b) {
  return a.call && b.call ? Same(*a.call, *b.call) : a.text == b.text;
}

constexpr int kColumn = 36;  // two columns, a mark and a bar make 75

// Wraps between words, if these are short enough.
std::vector<std::string> Wrap(std::string text) {
  std::vector<std::string> rows;
  while (text.size() > kColumn) {
    const size_t indent = rows.empty() ? text.find_first_not_of(' ') : 4;
    size_t at = text.rfind(' ', kColumn);
    if (at == std::string::npos || at <= indent) at = kColumn;
    rows.push_back(text.substr(0, at));
    text = "    " + text.substr(text[at] == ' ' ? at + 1 : at);
  }
  rows.push_back(std::move(text));
  return rows;
}

void AddRow(const char* mark, const std::string& left, const std::string& right,
            std::string& text) {
  const std::vector<std::string> l = Wrap(left);
  const std::vector<std::string> r = Wrap(right);
  for (size_t i = 0; i < std::max(l.size(), r.size()); ++i)
    absl::StrAppend(&text, absl::StrFormat("%s%-*s|%s\n", mark, kColumn, i < l.size() ? l[i] : "",
                                           i < r.size() ? r[i] : ""));
}

}  // namespace

bool Agree(const Trace& a, const Trace& b) {
  if (a.has_mapped != b.has_mapped) {
    // The slow way: only one of the traces can have lines about mappings, so leave these out.
    const auto kept = std::views::filter(std::not_fn(IsOfMappings));
    if (a.steps.size() != b.steps.size()) return false;
    for (size_t i = 0; i < a.steps.size(); ++i)
      if (a.steps[i].error != b.steps[i].error ||
          !std::ranges::equal(a.CallsOf(i) | kept, b.CallsOf(i) | kept, Same))
        return false;
  } else if (a.steps != b.steps || !std::ranges::equal(a.calls, b.calls, Same) ||
             a.mapped != b.mapped) {
    return false;
  }
  return a.group == b.group && a.share == b.share && a.domains == b.domains && a.warns == b.warns &&
         (!a.has_groups || !b.has_groups || a.groups == b.groups);
}

bool SameStep(const Trace& a, const Trace& b, size_t step) {
  return step < a.steps.size() && step < b.steps.size() &&
         a.steps[step].error == b.steps[step].error &&
         std::ranges::equal(a.CallsOf(step), b.CallsOf(step), Same);
}

Comparison Compare(const Case& c, const Trace& a, std::string_view a_name, const Trace& b,
                   std::string_view b_name) {
  Comparison result;
  std::vector<Line> left = LinesOf(c, a, b);
  std::vector<Line> right = LinesOf(c, b, a);
  const size_t common = std::min(left.size(), right.size());
  while (result.prefix < common && SameLine(left[result.prefix], right[result.prefix]))
    ++result.prefix;
  result.agree = result.prefix == left.size() && result.prefix == right.size();
  result.step = a.steps.size();
  if (!result.agree) {
    // If a trace has ended here, the other's next line decides which op differs.
    for (const std::vector<Line>* lines : {&left, &right})
      if (result.prefix < lines->size())
        result.step = std::min(result.step, (*lines)[result.prefix].step);
  }
  const Line none{};
  AddRow("  ", std::string(a_name), std::string(b_name), result.text);
  for (size_t i = 0; i <= result.prefix; ++i) {
    if (i >= left.size() && i >= right.size()) break;
    const Line& l = i < left.size() ? left[i] : none;
    const Line& r = i < right.size() ? right[i] : none;
    AddRow(i < result.prefix ? "  " : "! ", l.text, r.text, result.text);
    if (i < result.prefix) continue;
    result.a_line = l.text;
    result.b_line = r.text;
  }
  return result;
}

}  // namespace iommucheck::conform
