// SPDX-License-Identifier: Apache-2.0
#include "fuzz/findings.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fuzz/durable.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/case/smaller.h"
#include "src/case/spelling.h"
#include "src/case/variants.h"

namespace iommucheck::fuzzing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

absl::StatusOr<std::string> Read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return absl::NotFoundError(path.string() + ": cannot be read");
  return text;
}

absl::Status Durably(const fs::path& path, const std::string& bytes) {
  const std::string wrong = WriteDurably(path.string(), bytes);
  return wrong.empty() ? absl::OkStatus() : absl::OutOfRangeError(wrong);
}

// The part of the line in parentheses of the pattern; "" if no line has it. The first such line
// counts.
std::string Found(std::string_view text, const char* pattern) {
  const std::regex regex(pattern);
  for (const absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    std::smatch match;
    const std::string one(line.substr(0, 4096));  // a regex takes stack by the length
    if (std::regex_search(one, match, regex)) return match[1];
  }
  return "";
}

// The case in a report of a violated property.
std::string CaseText(std::string_view text) {
  const size_t from = text.find("\nkernel v");
  const size_t end = text.find("\nreplay:");
  if (from == text.npos || end == text.npos || end < from) return "";
  return std::string(text.substr(from + 1, end - from));
}

std::string Today() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
}

// A mail: a subject, what is wrong, the run, how to see it again, the report as it came.
std::string Mail(const Reported& r, const std::string& target, const std::string& id,
                 const std::optional<Case>& smallest, const std::string& report) {
  std::string mail = absl::StrCat("Subject: [iommucheck] ", r.what, "\n\nFinding ", id,
                                  " of the fuzz target ", target, ".\n");
  if (!r.kernel.empty()) absl::StrAppend(&mail, "Kernel: ", r.kernel, "\n");
  if (smallest && r.property)
    absl::StrAppend(
        &mail, "\n", std::string(PropertySentence(*r.property)),
        "\nThis run violates it; nothing in it can be left out:\n\n", PrintCase(*smallest),
        "\nSave it as x.case: `iommucheck replay x.case` shows the run, and `iommucheck "
        "judge\nx.case` fails until it is mended.\n");
  absl::StrAppend(&mail,
                  "\nThe file `input` beside this one is the target's input as it was found.\n"
                  "\n--- the target's report ---\n",
                  report);
  return mail;
}

json Entry(const Reported& r, const std::string& target, const std::string& id,
           const std::optional<Case>& smallest, const std::string& report) {
  json entry = {{"id", id},
                {"target", target},
                {"what", r.what},
                {"kernel", r.kernel},
                {"first", Today()},
                {"times", 1},
                {"tool", Found(report, "^tool: +(.*)$")},
                {"command", Found(report, "^command: (.*)$")}};
  if (r.property) entry["property"] = std::string(PropertyName(*r.property));
  if (smallest) {
    entry["steps"] = smallest->ops.size();
    entry["devices"] = smallest->topology.devices_count;
  }
  return entry;
}

// The entry of a finding; an error if its folder is damaged.
absl::StatusOr<json> ReadEntry(const fs::path& finding) {
  const auto text = Read(finding / "finding.json");
  if (!text.ok()) return text.status();
  json entry = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!entry.is_object() || !entry.contains("id") || !entry.contains("what") ||
      !entry.contains("times") || !entry["times"].is_number_unsigned())
    return absl::InvalidArgumentError((finding / "finding.json").string() + ": is no finding");
  return entry;
}

absl::Status WriteFinding(const fs::path& folder, const json& entry, const std::string& mail,
                          const std::string& input, const std::optional<Case>& smallest) {
  const fs::path temporary = folder.parent_path() / (".new-" + folder.filename().string());
  std::error_code failed;
  fs::remove_all(temporary, failed);  // of a run that was killed
  if (!fs::create_directories(temporary, failed))
    return absl::OutOfRangeError(temporary.string() + ": " + failed.message());
  absl::Status status = Durably(temporary / "input", input);
  if (status.ok()) status = Durably(temporary / "report.txt", mail);
  if (status.ok() && smallest) status = Durably(temporary / "smallest.case", PrintCase(*smallest));
  if (status.ok()) status = Durably(temporary / "finding.json", entry.dump(2) + "\n");
  if (status.ok()) {
    fs::remove_all(folder, failed);  // only a damaged one is still there
    fs::rename(temporary, folder, failed);
    if (failed) return absl::OutOfRangeError(folder.string() + ": " + failed.message());
    const std::string wrong = SyncFolder(folder.parent_path().string());
    if (!wrong.empty()) return absl::OutOfRangeError(wrong);
  }
  return status;
}

// Returns whether the finding is new.
absl::StatusOr<bool> TakeOne(const fs::path& findings, const std::string& target,
                             const fs::path& input_path) {
  const fs::path text_path = fs::path(input_path).replace_extension(".txt");
  const auto input = Read(input_path);
  if (!input.ok()) return input.status();
  const auto report = Read(text_path);
  if (!report.ok()) return report.status();
  const Reported r = ReadReport(*report);
  std::optional<Case> smallest;
  if (r.found && r.property) smallest = SmallestOf(*r.found, *r.property);
  const std::string id = HashOf(absl::StrCat(target, "\n", KeyOf(r, smallest))).substr(0, 12);
  const fs::path folder = findings / id;
  auto known = ReadEntry(folder);
  absl::Status status;
  if (known.ok()) {
    (*known)["times"] = known->at("times").get<uint64_t>() + 1;
    status = Durably(folder / "finding.json", known->dump(2) + "\n");
  } else {
    status = WriteFinding(folder, Entry(r, target, id, smallest, *report),
                          Mail(r, target, id, smallest, *report), *input, smallest);
  }
  if (!status.ok()) return status;
  fs::remove(input_path);
  fs::remove(text_path);
  return !known.ok();
}

}  // namespace

Reported ReadReport(std::string_view text) {
  Reported r;
  r.what = Found(text, "^[^ ]+: [^ ]+:[0-9]+: Assertion `(.*)' failed\\.$");
  if (r.what.empty()) r.what = Found(text, "SUMMARY: (.*)$");
  if (r.what.empty()) r.what = "an input that ended the target, and did not when it was run again";
  r.kernel = Found(text, "^[^:]+: [^:]*:? ?on (v[0-9][^,]*( without [a-z0-9_., ]*)?), in ");
  const std::string violated = Found(text, "^violated: ([a-z0-9-]+): ");
  if (violated.empty()) return r;
  const auto property = FindProperty(violated);
  auto found = ParseCase(CaseText(text), "report");
  if (!property || !found.ok() || Play(*found).of(*property).at == 0) return r;
  r.property = property;
  r.found = *std::move(found);
  return r;
}

Case SmallestOf(const Case& found, Property property) {
  Case given = found;
  given.expectations.clear();
  // Where one machine leads to very many smaller ones, the smallest so far is small enough.
  constexpr auto kPatience = std::chrono::seconds(20);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  Case smallest =
      Minimized(given, property, [end] { return std::chrono::steady_clock::now() > end; });
  for (Expectation& e : smallest.expectations)
    if (e.kind == Expectation::Kind::kViolated)
      e = {.kind = Expectation::Kind::kHolds, .property = e.property};
  return smallest;
}

std::string KeyOf(const Reported& reported, const std::optional<Case>& smallest) {
  std::string key = absl::StrCat(reported.what, "\n", reported.kernel, "\n");
  if (!smallest || !reported.property) return key;
  const auto is_plain = [](const CaseOp& op) {
    return IsEncoded(op.op) && op.op.faults[0].kind == Fault::Kind::kNone;
  };
  // Variants() cannot say which of its steps a fault strikes, and plays every
  // order of steps and of devices: 720 times 6 of them here, and hundreds of times as many for two
  // steps more.
  constexpr size_t kFewSteps = 6;
  constexpr int kFewDevices = 3;
  if (smallest->ops.size() > kFewSteps || smallest->topology.devices_count > kFewDevices ||
      !IsEncoded(smallest->topology) || !std::ranges::all_of(smallest->ops, is_plain))
    return key + Shape(*smallest);
  return key + std::ranges::min(Variants(*smallest, *reported.property));
}

absl::StatusOr<int> TakeInbox(const std::string& dir, const std::string& target) {
  const fs::path findings = fs::path(dir) / "findings";
  std::error_code failed;
  fs::create_directories(findings, failed);
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(fs::path(dir) / target / "inbox", failed))
    if (entry.path().extension() == ".input" && entry.path().filename().string().front() != '.')
      inputs.push_back(entry.path());
  if (failed)
    return absl::NotFoundError(absl::StrCat(dir, "/", target, "/inbox: ", failed.message()));
  std::ranges::sort(inputs);
  int fresh = 0;
  absl::Status status;
  for (const fs::path& input : inputs) {
    const auto taken = TakeOne(findings, target, input);
    if (taken.ok())
      fresh += *taken ? 1 : 0;
    else
      status = taken.status();
  }
  if (!status.ok()) return status;
  return fresh;
}

absl::Status WriteIndex(const std::string& dir) {
  const fs::path findings = fs::path(dir) / "findings";
  std::error_code failed;
  fs::create_directories(findings, failed);
  std::vector<json> entries;
  for (const auto& found : fs::directory_iterator(findings, failed)) {
    const std::string name = found.path().filename().string();
    if (!found.is_directory() || name.front() == '.') continue;
    const auto entry = ReadEntry(found.path());
    entries.push_back(entry.ok() ? *entry
                                 : json{{"id", name},
                                        {"what", "damaged"},
                                        {"times", 0},
                                        {"why", std::string(entry.status().message())}});
  }
  if (failed) return absl::NotFoundError(absl::StrCat(findings.string(), ": ", failed.message()));
  std::ranges::sort(entries, {}, [](const json& e) {
    return std::pair(e.value("first", ""), e.value("id", ""));
  });
  std::string lines;
  for (const json& entry : entries) lines += entry.dump() + "\n";
  const auto old = Read(findings / "index.jsonl");
  if (old.ok() && *old == lines) return absl::OkStatus();
  return Durably(findings / "index.jsonl", lines);
}

}  // namespace iommucheck::fuzzing
