// SPDX-License-Identifier: Apache-2.0
//
// What a command checked, one record for each, in the forms that other tools read: JUnit XML (CI
// servers), KTAP (the kernel's test runners) and SARIF 2.1.0 (code scanning).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/properties.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/case/verdict.h"

namespace iommucheck::report {

// A function of a kernel tree.
struct KernelPlace {
  std::string file;  // from the top of the tree
  std::string function;
  std::string why;  // the rule that it is about, and what that does
  int line = 0;     // of its definition; 0: not looked up
};

struct CheckResult {
  enum class Outcome : uint8_t {
    kPass,
    kFail,   // checked, and not as it should be
    kError,  // could not be checked, or to no end: an input that cannot be read, a spent budget
    kSkip,   // not meant to be checked here
  };
  std::string name;
  Outcome outcome = Outcome::kPass;
  std::string kind{};     // sort of failure, in one word: a property, "errno", "unreadable"
  std::string message{};  // why it is no pass: a sentence
  std::string detail{};   // more about it: lines
  std::string file{};
  int line = 0;                       // 1-based; 0: the whole file
  std::vector<KernelPlace> kernel{};  // that the failure is about
  std::vector<CheckResult> parts{};   // what it consists of; kFail if one of them is
};

// The functions that the rules are in; assumptions are in none.
std::vector<KernelPlace> PlacesOf(const std::vector<Rule>& rules);

// Of a question to the solver: it passes where the property holds, or nothing was found up to the
// bounds. `line` is the verdict line, `report` the text of the answer, and `found` the case if it is
// violated.
CheckResult VerdictResult(Property property, Verdict verdict, const std::string& line,
                          const std::string& report, const KernelSpec& kernel, const Case& found);

enum class ResultForm : uint8_t { kText, kJunit, kKtap, kSarif };
inline constexpr std::array<std::string_view, 4> kResultFormNames = {"text", "junit", "ktap",
                                                                     "sarif"};

// `command`: the command that checked, "judge". Precondition: not kText, which each command has of
// its own.
std::string ResultsText(ResultForm form, std::string_view command,
                        const std::vector<CheckResult>& results);

// Looks up the lines of the functions in the kernel tree; those that are not there stay 0.
void FindLines(const std::string& tree, std::vector<CheckResult>& results);

}  // namespace iommucheck::report
