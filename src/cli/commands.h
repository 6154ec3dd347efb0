// SPDX-License-Identifier: Apache-2.0
//
// The subcommands: each adds itself to the command line and sets an exit status.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/case/verdict.h"
#include "src/cli/output.h"
#include "src/report/claim.h"
#include "src/report/results.h"
#include "src/smt/query.h"
#include "src/tool/progress.h"

namespace iommucheck::import {
struct Sources;
}

namespace iommucheck::cli {

using tool::Progress;

// The exit status that every command keeps to.
enum Exit : int {
  kOk = 0,        // holds, or done
  kViolated = 1,  // violated, or an outcome differs from the one written down
  kUsage = 2,
  kUnknown = 3,  // a budget is spent
  kWrong = 4,    // iommucheck is wrong: its judges disagree
  kBadInput = 5,
};

int ExitOf(Verdict verdict);

// --json and --require, the same for every command that gives a verdict.
struct AnswerOptions {
  bool json = false;
  std::string require;  // "proof", or empty

  void AddTo(CLI::App& command);
  // The exit status of a verdict: where a proof is required, what holds up to a bound is unknown.
  [[nodiscard]] int ExitOf(Verdict verdict, bool proved) const;
};

// --format and --kernel-source, the same for every command that checks many things.
struct FormatOptions {
  std::string form = "text";
  std::string tree;  // of a kernel, whose lines SARIF names

  // `json` is the command's other way to print.
  void AddTo(CLI::App& command, CLI::Option& json);
  // Whether a form other than text was asked for.
  [[nodiscard]] bool given() const { return form != "text"; }
  // Precondition: given().
  void Print(std::string_view command, std::vector<report::CheckResult> results) const;
};

// Where a command leaves its exit status; what it could not do is said on standard error.
struct Session {
  int exit = kOk;
  // Prints the error and sets its exit status.
  void Fail(const absl::Status& status);
};

using AddCommand = void(CLI::App& app, Session& session);
AddCommand AddQuery, AddGuards, AddDiff, AddCheckCertificate, AddExplore, AddMerge, AddReplay,
    AddMinimize, AddJudge, AddCheck, AddSurvey, AddPairs, AddConform, AddKernels, AddProperties,
    AddConvert, AddSnapshot, AddExport, AddReport, AddReview, AddTour, AddDescribe;

// What --kernel takes for every kernel, where a command prints one table of them.
inline constexpr std::string_view kAllKernels = "all";

// --kernel, --drop, --add, the same for every command that has them.
struct KernelOptions {
  std::string version;
  std::vector<std::string> drop;
  std::vector<std::string> add;

  void AddTo(CLI::App& command, bool required);
  // --drop and --add alone, with these texts.
  void AddPatchTo(CLI::App& command, const std::string& drops, const std::string& adds);
  // A kernel whose patch is encoded, and any. `may_drop` is that of MakeKernel().
  [[nodiscard]] absl::StatusOr<KernelSpec> Parse(RuleSet may_drop = {}) const;
  [[nodiscard]] absl::StatusOr<KernelSpec> ParseWhole(RuleSet may_drop = {}) const;
  // This kernel with --drop and --add, where no other is given.
  [[nodiscard]] absl::StatusOr<KernelSpec> Patched(const KernelSpec& kernel,
                                                   RuleSet may_drop = {}) const;
};

// The argument of a command that names a property.
void AddProperty(CLI::App& command, std::string& property);
// What AddProperty() has read. Precondition: the command line was parsed.
Property PropertyOf(const std::string& name);
// --devices, --steps, --budget; what `bounds` holds is the default.
void AddBounds(CLI::App& command, smt::Bounds& bounds);
// --timeout, for commands that may take long. The result so far is printed then.
void AddTimeout(CLI::App& command);
void AddBudget(CLI::App& command, uint64_t& budget);

// --acpi, --dtb and --lspci of a command that reads a system.
void AddSources(CLI::App& command, import::Sources& sources);

// CASE, --property and --out of a command about one violation of a case.
struct ViolationOptions {
  std::string path;
  std::string property;  // "": the one that the case is about
  std::string out;       // "": standard output
};
// `about`: what the property is to the command.
void AddViolation(CLI::App& command, ViolationOptions& o, const std::string& about);

// "-" is standard input. Errors: InvalidArgument, "PATH: why".
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);
// A case that was found, as a file, which says by which command.
std::string FoundCase(Case c);
// Writes the case that was found into the file in place of that of an earlier answer, which goes
// also where none was found. "": no file is asked for. Errors: OutOfRange.
absl::Status WriteFound(const std::string& path, Verdict verdict, const Case& found);
// The command that shows this file; "" where there is none.
std::string ReplayOf(const std::string& path, Verdict verdict);
// The files with these extensions in files and folders, sorted; a file named is taken whatever its
// extension.
absl::StatusOr<std::vector<std::string>> FindFiles(const std::vector<std::string>& paths,
                                                   const std::vector<std::string>& extensions);
// A case in text, or in JSON where the name ends in .json.
absl::StatusOr<Case> ReadCase(const std::string& path);
absl::StatusOr<report::Claim> ReadClaim(const std::string& path);
// The property of that name, which the run of the case violates; "": the one that the case is about.
// Errors: InvalidArgument, "PATH: expected .., found ..", where the run violates none such.
absl::StatusOr<Property> ViolatedIn(const Case& c, const Run& run, const std::string& property,
                                    const std::string& path);
// The name of the file without folder and extension, as a word that the shell and make take as it is.
std::string ProgramName(const std::string& path);

}  // namespace iommucheck::cli
