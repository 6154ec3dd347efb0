// SPDX-License-Identifier: Apache-2.0
#include "src/report/survey_data.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "src/case/spelling.h"

namespace iommucheck::embedded {
// NOLINTBEGIN(readability-identifier-naming): named after its file
extern const std::string_view debian_systems_csv;
extern const std::string_view debian_systems_csv_stem;  // "debian-7.2"
// NOLINTEND(readability-identifier-naming)
}  // namespace iommucheck::embedded

namespace iommucheck::report {
namespace {

constexpr std::string_view kTotal = "# device trees: ";
constexpr std::string_view kHead = "machine,model,kernel,drivers,buses,answer,patched";
constexpr auto kEntryColumns = std::to_array<std::string SurveyEntry::*>(
    {&SurveyEntry::machine, &SurveyEntry::model, &SurveyEntry::kernel, &SurveyEntry::drivers,
     &SurveyEntry::buses, &SurveyEntry::answer, &SurveyEntry::patched});

absl::Status Bad(std::string_view file, size_t line, size_t column, std::string_view expected,
                 const std::string& found) {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s:%d:%d: expected %s, found %s", file, line, column, expected, found));
}

// The cells of a line; nullopt, and the column, where a quote is not closed or text follows one.
std::optional<std::vector<std::string>> CellsOf(std::string_view line, size_t& column) {
  std::vector<std::string> cells;
  for (size_t at = 0;;) {
    std::string cell;
    if (at < line.size() && line[at] == '"') {
      column = at + 1;
      for (++at;; ++at) {
        if (at >= line.size()) return std::nullopt;
        if (line[at] == '"' && (at + 1 >= line.size() || line[at + 1] != '"')) break;
        if (line[at] == '"') ++at;
        cell += line[at];
      }
      ++at;
      column = at + 1;
      if (at < line.size() && line[at] != ',') return std::nullopt;
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      cell = line.substr(at, end - at);
      at = end;
    }
    cells.push_back(std::move(cell));
    if (at >= line.size()) return cells;
    ++at;
  }
}

std::string NameOf(const SurveyEntry& entry) {
  return entry.model.empty() ? entry.machine : absl::StrCat(entry.machine, " (", entry.model, ")");
}

std::string WordsOf(const SurveyEntry& entry) {
  return absl::StrCat(entry.drivers, entry.buses.empty() ? "" : ", ", entry.buses, ": ",
                      entry.answer, ", patched: ", entry.patched);
}

}  // namespace

std::string CsvCell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::vector<std::string> ServingDrivers(const SurveyEntry& entry) {
  std::set<std::string> drivers;
  for (const absl::string_view part : absl::StrSplit(entry.buses, ' ', absl::SkipEmpty()))
    drivers.insert(std::string(part.substr(0, part.find(':'))));
  return {drivers.begin(), drivers.end()};
}

SurveyData DataOf(const std::vector<SurveyRow>& rows) {
  SurveyData data{.machines = rows.size(), .entries = {}};
  for (const SurveyRow& row : rows)
    for (const SurveyVerdict& v : row.verdicts)
      if (!v.drivers.empty() || v.verdict == "error")
        data.entries.push_back({.machine = Printable(row.name),
                                .model = row.model,
                                .kernel = v.kernel,
                                .drivers = v.drivers,
                                .buses = row.buses,
                                .answer = v.verdict,
                                .patched = v.patched.empty() ? v.verdict : v.patched});
  std::ranges::sort(data.entries);
  return data;
}

std::string PrintSurveyData(const SurveyData& data) {
  std::string out =
      absl::StrCat(std::string(kTotal), data.machines, "\n", std::string(kHead), "\n");
  for (const SurveyEntry& entry : data.entries)
    for (const auto column : kEntryColumns)
      absl::StrAppend(&out, CsvCell(entry.*column), column == kEntryColumns.back() ? "\n" : ",");
  return out;
}

absl::StatusOr<SurveyData> ParseSurveyData(std::string_view text, std::string_view file) {
  SurveyData data;
  const std::vector<std::string> lines =
      absl::StrSplit(absl::string_view(text.data(), text.size()), '\n');
  const std::string& total = lines.front();
  const char* const end = total.data() + total.size();
  const bool begins = total.starts_with(kTotal);
  const auto [stop, error] =
      std::from_chars(total.data() + (begins ? kTotal.size() : 0), end, data.machines);
  if (!begins || error != std::errc() || stop != end)
    return Bad(file, 1, 1, absl::StrCat("'", std::string(kTotal), "' and a number"), Quote(total));
  if (lines.size() < 2 || lines[1] != kHead)
    return Bad(file, 2, 1, absl::StrCat("'", std::string(kHead), "'"),
               lines.size() < 2 ? "the end" : Quote(lines[1]));
  if (!lines.back().empty())
    return Bad(file, lines.size(), lines.back().size() + 1, "an end of line", "the end");
  for (size_t n = 2; n + 1 < lines.size(); ++n) {
    size_t column = 1;
    const auto cells = CellsOf(lines[n], column);
    if (!cells) return Bad(file, n + 1, column, "a cell that is closed by a quote", "none");
    if (cells->size() != kEntryColumns.size())
      return Bad(file, n + 1, 1, absl::StrCat(kEntryColumns.size(), " cells"),
                 absl::StrCat(cells->size()));
    SurveyEntry entry;
    for (size_t c = 0; c < kEntryColumns.size(); ++c) entry.*kEntryColumns[c] = (*cells)[c];
    data.entries.push_back(std::move(entry));
  }
  std::ranges::sort(data.entries);
  return data;
}

std::vector<std::string> SurveyChanges(const SurveyData& before, const SurveyData& after) {
  std::vector<SurveyEntry> gone;
  std::vector<SurveyEntry> come;
  std::ranges::set_difference(before.entries, after.entries, std::back_inserter(gone));
  std::ranges::set_difference(after.entries, before.entries, std::back_inserter(come));
  std::vector<std::string> changes;
  if (before.machines != after.machines)
    changes.push_back(
        absl::StrFormat("%d device trees, %d before", after.machines, before.machines));
  for (const SurveyEntry& entry : gone) {
    const auto same = std::ranges::find_if(come, [&](const SurveyEntry& other) {
      return other.machine == entry.machine && other.kernel == entry.kernel;
    });
    if (same == come.end()) {
      changes.push_back(absl::StrFormat("vanished: %s: %s", NameOf(entry), WordsOf(entry)));
      continue;
    }
    changes.push_back(absl::StrFormat("changed: %s: %s; before: %s%s", NameOf(*same),
                                      WordsOf(*same), WordsOf(entry),
                                      same->model == entry.model ? "" : ", " + entry.model));
    come.erase(same);
  }
  for (const SurveyEntry& entry : come)
    changes.push_back(absl::StrFormat("appeared: %s: %s", NameOf(entry), WordsOf(entry)));
  return changes;
}

const SurveyData& KnownMachines() {
  static const auto* const data = new SurveyData(
      ParseSurveyData(embedded::debian_systems_csv, "the newest of data/systems").value());
  return *data;
}

std::string KnownRelease() {
  return std::string(embedded::debian_systems_csv_stem.substr(std::string_view("debian-").size()));
}

std::vector<const SurveyEntry*> BoardsWith(const std::string& a, const std::string& b) {
  std::vector<const SurveyEntry*> boards;
  for (const SurveyEntry& entry : KnownMachines().entries) {
    const std::vector<std::string> drivers = ServingDrivers(entry);
    if (std::ranges::count(drivers, a) != 0 && std::ranges::count(drivers, b) != 0)
      boards.push_back(&entry);
  }
  return boards;
}

}  // namespace iommucheck::report
