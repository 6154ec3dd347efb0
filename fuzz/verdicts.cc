// SPDX-License-Identifier: Apache-2.0
#include "fuzz/verdicts.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <sstream>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::fuzzing {
namespace {

using Kind = MutantVerdict::Kind;

// Counts of mutants by kind of verdict.
struct Tally {
  std::array<int, 4> of{};
  int beyond = 0;  // of those that are not reached
  void Add(const MutantVerdict& v) {
    ++of[static_cast<size_t>(v.kind)];
    beyond += v.beyond ? 1 : 0;
  }
  [[nodiscard]] int Of(Kind kind) const { return of[static_cast<size_t>(kind)]; }
  [[nodiscard]] int all() const { return of[0] + of[1] + of[2] + of[3]; }
  // Of those that can be noticed; -1: there is none.
  [[nodiscard]] std::string Percent(int left_out) const {
    const int counted = all() - Of(Kind::kEquivalent) - left_out;
    return counted == 0 ? "-" : absl::StrCat(100 * Of(Kind::kKilled) / counted, "%");
  }
};

// The last score is without the functions that nothing can reach.
void PrintRow(std::string_view name, const Tally& tally) {
  absl::PrintF("%-42s %5d %6d %8d %11d %10d %6d %5s %7s\n", std::string(name.substr(0, 42)),
               tally.all(), tally.Of(Kind::kKilled), tally.Of(Kind::kSurvived),
               tally.Of(Kind::kNotReached), tally.Of(Kind::kEquivalent), tally.beyond,
               tally.Percent(0), tally.Percent(tally.beyond));
}

using KeyOf = std::function<std::string(const MutantVerdict&)>;

// A row for each value of the key, in the order in which they first come.
void PrintTable(const std::vector<MutantVerdict>& verdicts, std::string_view name,
                const KeyOf& key) {
  std::vector<std::string> order;
  std::map<std::string, Tally> tallies;
  for (const MutantVerdict& v : verdicts) {
    if (!v.chosen) continue;
    const auto [it, added] = tallies.try_emplace(key(v));
    if (added) order.push_back(it->first);
    it->second.Add(v);
  }
  absl::PrintF("%-42s %5s %6s %8s %11s %10s %6s %5s %7s\n", std::string(name), "all", "killed",
               "survived", "not reached", "equivalent", "beyond", "score", "without");
  for (const std::string& row : order) PrintRow(row, tallies[row]);
  absl::PrintF("\n");
}

void PrintDetectors(const std::vector<MutantVerdict>& verdicts) {
  std::map<std::string, int> counts;
  for (const MutantVerdict& v : verdicts)
    if (v.chosen && v.kind == Kind::kKilled) ++counts[v.detector + ": " + v.how];
  absl::PrintF("killed by\n");
  for (const auto& [how, count] : counts) absl::PrintF("  %5d %s\n", count, how);
  absl::PrintF("\n");
}

}  // namespace

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::vector<MutantVerdict> VerdictsOf(const std::vector<mutate::Mutant>& mutants,
                                      size_t& left_out) {
  std::vector<MutantVerdict> verdicts;
  std::map<std::string, int> seen;
  left_out = 0;
  for (const mutate::Mutant& mutant : mutants) {
    if (!mutant.compiles) {
      ++left_out;
      continue;
    }
    std::string text = TextOf(mutant);
    const int times = ++seen[text];
    if (times > 1) absl::StrAppend(&text, " #", times);
    verdicts.push_back({.mutant = mutant, .text = text});
  }
  return verdicts;
}

std::vector<std::string> TakeEquivalent(const std::string& path, const std::string& tree,
                                        std::vector<MutantVerdict>& verdicts) {
  std::vector<std::string> wrong;
  std::istringstream in(mutate::ReadFile(path));
  bool ours = false;
  MutantVerdict* last = nullptr;
  for (std::string line; std::getline(in, line);) {
    std::string_view text = line;
    if (ConsumePrefix(text, "tree ")) {
      ours = text == tree;
    } else if (ConsumePrefix(text, "mutant ")) {
      last = nullptr;
      if (!ours) continue;
      const auto it = std::ranges::find(verdicts, text, &MutantVerdict::text);
      if (it == verdicts.end())
        wrong.push_back(absl::StrCat("no such mutant: ", std::string(text)));
      else
        last = &*it;
    } else if (ConsumePrefix(text, "why ")) {
      if (last == nullptr || !last->chosen) continue;
      if (last->kind == Kind::kKilled)
        wrong.push_back(absl::StrCat("it was noticed (", last->detector, ": ", last->how,
                                     "), so it is not equivalent: ", last->text));
      else
        last->kind = Kind::kEquivalent;
      last->why = text;
    } else if (!text.empty() && !text.starts_with('#')) {
      wrong.push_back(absl::StrCat("expected 'tree', 'mutant', 'why' or '#', found: ", line));
    }
  }
  return wrong;
}

std::vector<std::string> TakeBeyond(const std::string& path, const std::string& tree,
                                    std::vector<MutantVerdict>& verdicts) {
  std::vector<std::string> wrong;
  std::istringstream in(mutate::ReadFile(path));
  bool ours = false;
  for (std::string line; std::getline(in, line);) {
    std::string_view text = line;
    if (ConsumePrefix(text, "tree ")) {
      ours = text == tree;
    } else if (ConsumePrefix(text, "function ")) {
      if (!ours) continue;
      bool found = false;
      for (MutantVerdict& v : verdicts) {
        if (v.mutant.function != text) continue;
        found = true;
        v.beyond = v.kind == Kind::kNotReached;
        if (v.chosen && !v.beyond && v.kind != Kind::kEquivalent)
          wrong.push_back(absl::StrCat("it was reached: ", v.text));
      }
      if (!found) wrong.push_back(absl::StrCat("no mutant is in the function ", std::string(text)));
    } else if (!text.starts_with("why ") && !text.empty() && !text.starts_with('#')) {
      wrong.push_back(absl::StrCat("expected 'tree', 'function', 'why' or '#', found: ", line));
    }
  }
  return wrong;
}

void PrintMutant(const std::string& what, const MutantVerdict& verdict) {
  absl::PrintF("%s%s:%d %s\n", what, verdict.mutant.file, verdict.mutant.line, verdict.text);
}

void PrintVerdicts(const std::vector<MutantVerdict>& verdicts) {
  PrintTable(verdicts, "function", [](const MutantVerdict& v) { return v.mutant.function; });
  PrintTable(verdicts, "kind", [](const MutantVerdict& v) { return v.mutant.kind; });
  PrintDetectors(verdicts);
  for (const auto& [kind, title] :
       {std::pair(Kind::kSurvived, "survived"), std::pair(Kind::kNotReached, "not reached")}) {
    absl::PrintF("%s\n", title);
    for (const MutantVerdict& v : verdicts)
      if (v.chosen && v.kind == kind) PrintMutant("  ", v);
    absl::PrintF("\n");
  }
  PrintTable(verdicts, "file", [](const MutantVerdict& v) { return v.mutant.file; });
  PrintTable(verdicts, "", [](const MutantVerdict&) { return std::string("all"); });
}

}  // namespace iommucheck::fuzzing
