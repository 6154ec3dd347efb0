// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/cli/usage.h"
#include "src/import/import.h"
#include "src/report/minimized.h"
#include "src/report/text.h"
#include "src/tool/progress.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

absl::Status Bad(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", why));
}

int ExitOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
      return kBadInput;
    case absl::StatusCode::kOutOfRange:
      return kUsage;
    case absl::StatusCode::kResourceExhausted:
      return kUnknown;
    default:
      return kWrong;
  }
}

}  // namespace

int ExitOf(Verdict verdict) {
  if (verdict == Verdict::kHolds) return kOk;
  return verdict == Verdict::kViolated ? kViolated : kUnknown;
}

void AnswerOptions::AddTo(CLI::App& command) {
  command.add_flag("--json", json, "one JSON object");
  command
      .add_option("--require", require,
                  "proof: exit status 3 where there is none up to a bound, and no proof")
      ->type_name("proof")
      ->check(CLI::IsMember({"proof"}));
}

int AnswerOptions::ExitOf(Verdict verdict, bool proved) const {
  const bool bound = verdict == Verdict::kHolds && !proved;
  return bound && !require.empty() ? kUnknown : cli::ExitOf(verdict);
}

void FormatOptions::AddTo(CLI::App& command, CLI::Option& json) {
  const std::vector<std::string> names(report::kResultFormNames.begin(),
                                       report::kResultFormNames.end());
  auto* format = command
                     .add_option("--format", form,
                                 "text, junit (XML, for CI), ktap (the kernel's test runners), or "
                                 "sarif (code scanning)")
                     ->type_name("FORM")
                     ->check(OneOf("a form", names));
  format->excludes(&json);
  command.add_option("--kernel-source", tree, "a kernel tree, whose lines sarif names")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory)
      ->needs(format);
}

void FormatOptions::Print(std::string_view command,
                          std::vector<report::CheckResult> results) const {
  if (!tree.empty()) report::FindLines(tree, results);
  const auto at = std::ranges::find(report::kResultFormNames, form);
  std::cout << report::ResultsText(
      static_cast<report::ResultForm>(at - report::kResultFormNames.begin()), command, results);
}

void Session::Fail(const absl::Status& status) {
  tool::Progress("");
  exit = ExitOf(status);
  // On one line, unless it shows both sides of a disagreement.
  const std::string message(status.message());
  if (exit != kWrong) {
    std::cerr << "iommucheck: " << Printable(message) << "\n";
    return;
  }
  std::cerr << "iommucheck: iommucheck is wrong (please report): ";
  for (const std::string_view line : SplitLines(message)) std::cerr << Printable(line) << "\n";
}

void KernelOptions::AddTo(CLI::App& command, bool required) {
  auto* option = command.add_option(
      "--kernel", version,
      "kernel profile, such as v6.0, or v6.0,-RULE,+RULE with a patch; or a release, as uname -r\n"
      "prints it");
  if (required) option->required();
  AddPatchTo(command, "a rule that the patch takes away", "a rule or assumption that it adds");
}

void KernelOptions::AddPatchTo(CLI::App& command, const std::string& drops,
                               const std::string& adds) {
  command.add_option("--drop", drop, drops)->type_name("RULE")->allow_extra_args(false);
  command.add_option("--add", add, adds)->type_name("RULE")->allow_extra_args(false);
}

absl::StatusOr<KernelSpec> KernelOptions::Parse(RuleSet may_drop) const {
  absl::StatusOr<KernelSpec> kernel = ParseWhole(may_drop);
  if (!kernel.ok()) return kernel;
  if (const absl::Status s = CheckEncoded(*kernel); !s.ok())
    return absl::OutOfRangeError(s.message());
  return kernel;
}

absl::StatusOr<KernelSpec> KernelOptions::Patched(const KernelSpec& kernel,
                                                  RuleSet may_drop) const {
  KernelOptions all = *this;
  all.version = std::string(VersionName(kernel.version));
  for (const std::string& id : RuleIds(kernel.dropped)) all.drop.push_back(id);
  for (const std::string& id : RuleIds(kernel.added)) all.add.push_back(id);
  return all.Parse(may_drop);
}

absl::StatusOr<KernelSpec> KernelOptions::ParseWhole(RuleSet may_drop) const {
  const std::optional<AskedAs> asked = AskAs(version);
  absl::StatusOr<KernelSpec> kernel =
      ParseKernel(asked ? asked->word : version, drop, add, may_drop);
  if (asked && kernel.ok()) tool::AddNote(asked->note);
  // On the command line a wrong name is wrong usage.
  if (!kernel.ok()) return absl::OutOfRangeError(kernel.status().message());
  return kernel;
}

void AddProperty(CLI::App& command, std::string& property) {
  std::vector<std::string> names;
  names.reserve(kEncodedProperties.size());
  for (Property p : kEncodedProperties) names.emplace_back(PropertyName(p));
  const auto is_encoded = [](const std::string& name) -> std::string {
    const std::optional<Property> found = FindProperty(name);
    if (!found || IsEncoded(*found)) return "";
    return absl::StrCat(name, " is not encoded: replay and judge look for it, and what the ",
                        "generators in props/ draw is held to it");
  };
  command.add_option("PROPERTY", property, AnEncodedProperty())
      ->required()
      ->check(CLI::Validator(is_encoded, ""))
      ->check(OneOf(AnEncodedProperty(), names));
}

Property PropertyOf(const std::string& name) {
  const std::optional<Property> found = FindProperty(name);
  assert(found);
  return *found;
}

void AddBounds(CLI::App& command, smt::Bounds& bounds) {
  command.add_option("--devices", bounds.devices, "devices to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundDevices));
  command.add_option("--steps", bounds.steps, "steps to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundSteps));
  AddBudget(command, bounds.budget);
}

void AddBudget(CLI::App& command, uint64_t& budget) {
  // CLI11 takes -1 for the largest number.
  const auto is_number = [](const std::string& text) -> std::string {
    uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && stop == end) return "";
    return absl::StrFormat("expected 0 to %d, found %s", std::numeric_limits<uint64_t>::max(),
                           Quote(text));
  };
  command.add_option("--budget", budget, "solver resources to spend; 0: no limit")
      ->check(CLI::Validator(is_number, "NUMBER"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const tool::Waiting waiting;
  std::ifstream file;
  if (path != "-") {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
      const std::filesystem::directory_iterator list(path, error);
      return Bad(path, error ? absl::StrCat("cannot be read: ", error.message())
                             : "expected a file, found a folder");
    }
    file.open(path, std::ios::binary);
    if (!file) return Bad(path, absl::StrCat("cannot be read: ", strerror(errno)));
  }
  std::istream& in = path == "-" ? std::cin : file;
  std::string text;
  std::vector<char> buffer(std::min(max_bytes + 1, size_t{1} << 20U));
  while (text.size() <= max_bytes && in.good()) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    text.append(buffer.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) return Bad(path, "cannot be read");
  if (text.size() > max_bytes)
    return Bad(path, absl::StrFormat("expected at most %d bytes, found more", max_bytes));
  return text;
}

namespace {

// The files in a folder and its subfolders, without following links to folders. A folder that
// cannot be listed is named itself, so that the reader of the files says why.
void FindIn(const std::string& folder, const std::vector<std::string>& extensions,
            std::vector<std::string>& files) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code none;
    const bool is_link = entry->is_symlink(none);
    if (!is_link && entry->is_directory(none)) {
      FindIn(entry->path().string(), extensions, files);
      continue;
    }
    // A link that leads nowhere is named, too: the reader of the file says so.
    if (!entry->is_regular_file(none) && !is_link) continue;
    if (std::ranges::find(extensions, entry->path().extension().string()) != extensions.end())
      files.push_back(entry->path().string());
  }
  if (error) files.push_back(folder);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindFiles(const std::vector<std::string>& paths,
                                                   const std::vector<std::string>& extensions) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error))
      FindIn(path, extensions, files);
    else
      files.push_back(path);
  }
  if (files.empty())
    return Bad(paths.front(),
               absl::StrCat("expected ", absl::StrJoin(extensions, " or "), " files, found none"));
  std::ranges::sort(files);
  return files;
}

std::string FoundCase(Case c) {
  const std::string mark = absl::StrCat(report::ToolName(), "\n", tool::CommandLine());
  c.comment = c.comment.empty() ? mark : absl::StrCat(mark, "\n", c.comment);
  return PrintCase(c);
}

absl::Status WriteFound(const std::string& path, Verdict verdict, const Case& found) {
  absl::Status removed = RemoveOurs(path, kCaseComment);
  if (!removed.ok() || path.empty() || verdict != Verdict::kViolated) return removed;
  return WriteFile(path, FoundCase(found));
}

std::string ReplayOf(const std::string& path, Verdict verdict) {
  return path.empty() || verdict != Verdict::kViolated ? "" : "replay -v " + path;
}

absl::StatusOr<Case> ReadCase(const std::string& path) {
  const bool json = path.ends_with(".json");
  absl::StatusOr<std::string> text = ReadFile(path, json ? kMaxCaseJsonBytes : kMaxCaseBytes);
  if (!text.ok()) return text.status();
  return json ? CaseFromJson(*text, path) : ParseCase(*text, path);
}

absl::StatusOr<report::Claim> ReadClaim(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxCaseBytes);
  return text.ok() ? report::ParseClaim(*text, path) : text.status();
}

void AddSources(CLI::App& command, import::Sources& sources) {
  command.add_option("--acpi", sources.acpi,
                     "the machine's ACPI tables: a table, acpidump's text, or a folder of tables");
  command.add_option("--dtb", sources.dtb, "the machine's device tree, in any form");
  command.add_option("--lspci", sources.lspci,
                     "the text of `lspci -vvnn` or `lspci -xxxx` of the machine");
}

void AddTimeout(CLI::App& command) {
  constexpr double kMost = 1e7;  // seconds, some 115 days
  const auto stop_after = [](const std::string& text) {
    const size_t digits = text.find_first_not_of("0123456789.");
    const std::string unit = digits == std::string::npos ? "s" : text.substr(digits);
    const double of_unit = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
    double number = 0;
    const char* const end = text.data() + std::min(digits, text.size());
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const double seconds = number * of_unit;
    if (error != std::errc() || stop != end || seconds < 0.001 || seconds > kMost)
      throw CLI::ValidationError(
          "--timeout", "expected a time such as 30s, 10m or 2h, up to 2777h, found " + Quote(text));
    tool::StopAfter(std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
  };
  command
      .add_option_function<std::string>(
          "--timeout", stop_after, "stop after this time and say what is known, such as 30s or 10m")
      ->type_name("TIME");
}

void AddViolation(CLI::App& command, ViolationOptions& o, const std::string& about) {
  command.add_option("CASE", o.path, "case file; - for standard input")->required();
  command.add_option("--property", o.property, about + "; default: the one that the case is about")
      ->check(OneOf("a property", NamesOf(kProperties, PropertyName)));
  command.add_option("--out", o.out, "file to write instead of standard output");
}

absl::StatusOr<Property> ViolatedIn(const Case& c, const Run& run, const std::string& property,
                                    const std::string& path) {
  const std::optional<Property> found =
      property.empty() ? report::ViolatedProperty(c, run) : FindProperty(property);
  if (found && run.of(*found).at != 0) return *found;
  return Bad(path,
             absl::StrCat("expected a case that violates ",
                          property.empty() ? "a property" : property, ", found one that does not",
                          run.outside ? ": it is outside of an assumption" : ""));
}

std::string ProgramName(const std::string& path) {
  std::string name = path == "-" ? "case" : std::filesystem::path(path).stem().string();
  for (char& c : name)
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.') c = '_';
  return name;
}

}  // namespace iommucheck::cli
