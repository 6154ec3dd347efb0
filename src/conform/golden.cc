// SPDX-License-Identifier: Apache-2.0
#include "src/conform/golden.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/conform/machine_rules.h"
#include "src/conform/model_trace.h"

namespace iommucheck::conform {
namespace {

absl::Status Add(const std::string& name, std::string_view text, const std::string& file,
                 Cases& cases) {
  absl::StatusOr<Case> c = ParseCase(text, file);
  if (!c.ok()) return c.status();
  if (!cases.try_emplace(name, *std::move(c)).second)
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": expected one case ", name, ", found two"));
  return absl::OkStatus();
}

// Reads cases, each after a line "=== NAME".
absl::Status AddMany(std::string_view text, const std::string& file, Cases& cases) {
  constexpr std::string_view kMark = "=== ";
  if (!text.starts_with(kMark))
    return absl::InvalidArgumentError(absl::StrCat(file, ":1:1: expected === and a name"));
  while (!text.empty()) {
    const size_t line = std::min(text.find('\n'), text.size());
    const std::string name(text.substr(kMark.size(), line - kMark.size()));
    const size_t next = text.find("\n=== ", line);
    const size_t end = next == std::string_view::npos ? text.size() : next + 1;
    absl::Status s = Add(name, text.substr(line, end - line), absl::StrCat(file, " ", name), cases);
    if (!s.ok()) return s;
    text.remove_prefix(end);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Cases> ReadCases(const std::vector<std::string>& paths) {
  Cases cases;
  for (const std::string& path : paths) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
    const std::filesystem::path name(path);
    absl::Status s = name.extension() == ".cases"
                         ? AddMany(text.str(), path, cases)
                         : Add(name.stem().string(), text.str(), path, cases);
    if (!s.ok()) return s;
  }
  return cases;
}

Case AsPlayed(const Case& c, KernelVersion version) {
  Case played = c;
  played.comment.clear();
  played.expectations.clear();
  for (CaseOp& op : played.ops) {
    op.comment.clear();
    op.expected.reset();
  }
  played.kernel = WithoutAssumptions({.version = version, .dropped = {}, .added = {}});
  played.ops.resize(TraceOf(played).steps.size());
  return played;
}

Cases AsPlayed(const Cases& cases, KernelVersion version) {
  Cases played;
  for (const auto& [name, c] : cases) played.emplace(name, AsPlayed(c, version));
  return played;
}

std::vector<Difference> CompareTraces(const TraceFile& recorded, const Cases& cases,
                                      std::string_view other_name,
                                      const std::function<Trace(const Case&)>& trace_of) {
  std::vector<Difference> differences;
  for (const TraceFile::Entry& entry : recorded.entries) {
    const Case& c = cases.find(entry.name)->second;
    const Trace other = trace_of(c);
    if (Agree(entry.trace, other)) continue;
    differences.push_back(
        {entry.name, Compare(c, entry.trace, recorded.kernel, other, other_name)});
  }
  return differences;
}

}  // namespace iommucheck::conform
