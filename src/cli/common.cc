// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/cli/commands.h"
#include "src/cli/usage.h"

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
  switch (verdict) {
    case Verdict::kHolds:
      return kOk;
    case Verdict::kViolated:
      return kViolated;
    case Verdict::kUnknown:
      return kUnknown;
  }
  return kWrong;
}

void RequireOption::AddTo(CLI::App& command) {
  command
      .add_option("--require", what,
                  "proof: exit status 3 where there is none up to a bound, and no proof")
      ->type_name("proof")
      ->check(CLI::IsMember({"proof"}));
}

int RequireOption::ExitOf(Verdict verdict, bool proved) const {
  const bool bound = verdict == Verdict::kHolds && !proved;
  return bound && !what.empty() ? kUnknown : cli::ExitOf(verdict);
}

void Session::Fail(const absl::Status& status) {
  exit = ExitOf(status);
  const char* head = exit == kWrong ? "iommucheck is wrong (please report): " : "";
  std::cerr << "iommucheck: " << head << status.message() << "\n";
}

void KernelOptions::AddTo(CLI::App& command, bool required) {
  auto* option = command.add_option(
      "--kernel", version, "kernel profile, such as v6.0, or v6.0,-RULE,+RULE with a patch");
  if (required) option->required();
  command.add_option("--drop", drop, "a rule that the patch takes away")
      ->type_name("RULE")
      ->allow_extra_args(false);
  command.add_option("--add", add, "a rule or assumption that it adds")
      ->type_name("RULE")
      ->allow_extra_args(false);
}

absl::StatusOr<KernelSpec> KernelOptions::Parse() const {
  absl::StatusOr<KernelSpec> kernel = ParseWhole();
  if (!kernel.ok()) return kernel;
  if (const absl::Status s = CheckEncoded(*kernel); !s.ok())
    return absl::OutOfRangeError(s.message());
  return kernel;
}

absl::StatusOr<KernelSpec> KernelOptions::Patched(const KernelSpec& kernel) const {
  KernelOptions all = *this;
  all.version = std::string(VersionName(kernel.version));
  for (const std::string& id : RuleIds(kernel.dropped)) all.drop.push_back(id);
  for (const std::string& id : RuleIds(kernel.added)) all.add.push_back(id);
  return all.Parse();
}

absl::StatusOr<KernelSpec> KernelOptions::ParseWhole() const {
  absl::StatusOr<KernelSpec> kernel = ParseKernel(version, drop, add);
  // On the command line a wrong name is wrong usage.
  if (!kernel.ok()) return absl::OutOfRangeError(kernel.status().message());
  return kernel;
}

void AddProperty(CLI::App& command, std::string& property) {
  std::vector<std::string> names;
  for (Property p : kEncodedProperties) names.emplace_back(PropertyName(p));
  const auto is_encoded = [](const std::string& name) -> std::string {
    const std::optional<Property> found = FindProperty(name);
    if (!found || IsEncoded(*found)) return "";
    return absl::StrCat(name, " is not encoded: replay and judge look for it, and what the ",
                        "generators in props/ draw is held to it");
  };
  command.add_option("PROPERTY", property, "no-cross-driver-attach or no-cross-driver-reuse")
      ->required()
      ->check(CLI::Validator(is_encoded, ""))
      ->check(OneOf("no-cross-driver-attach or no-cross-driver-reuse", names));
}

void AddBounds(CLI::App& command, smt::Bounds& bounds) {
  command.add_option("--devices", bounds.devices, "devices to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundDevices));
  command.add_option("--steps", bounds.steps, "steps to go up to")
      ->capture_default_str()
      ->check(CLI::Range(1, smt::kMaxBoundSteps));
  command.add_option("--budget", bounds.budget, "solver resources to spend; 0: no limit");
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(path, ": cannot be made: ", error.message()));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  std::ifstream file;
  if (path != "-") {
    if (std::filesystem::is_directory(path)) return Bad(path, "expected a file, found a folder");
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
  if (text.size() > max_bytes)
    return Bad(path, absl::StrFormat("expected at most %d bytes, found more", max_bytes));
  return text;
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  std::error_code error;
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
      std::filesystem::remove(temporary, error);
      return absl::OutOfRangeError(absl::StrCat(path, ": cannot be written: ", strerror(errno)));
    }
  }
  std::filesystem::rename(temporary, path, error);
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  return absl::OutOfRangeError(absl::StrCat(path, ": cannot be written: ", error.message()));
}

absl::StatusOr<std::vector<std::string>> FindFiles(const std::vector<std::string>& paths,
                                                   const std::vector<std::string>& extensions) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file() &&
          std::ranges::find(extensions, entry.path().extension().string()) != extensions.end())
        files.push_back(entry.path());
  }
  if (files.empty())
    return Bad(paths.front(),
               absl::StrCat("expected ", absl::StrJoin(extensions, " or "), " files, found none"));
  std::ranges::sort(files);
  return files;
}

absl::StatusOr<Case> ReadCase(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxCaseBytes);
  if (!text.ok()) return text.status();
  return path.ends_with(".json") ? CaseFromJson(*text, path) : ParseCase(*text, path);
}

void Progress(const std::string& text) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::cerr << "\r\033[K" << text << std::flush;
}

}  // namespace iommucheck::cli
