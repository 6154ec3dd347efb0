// SPDX-License-Identifier: Apache-2.0
//
// A patch, from what it changes to a verdict: both kernels on the same cases, the rules that explain
// how they differ, and what the solver says with these rules.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/report/answer.h"
#include "src/review/both.h"
#include "src/review/changes.h"
#include "src/review/explain.h"

namespace iommucheck::review {

struct Question {
  std::string before;  // folders of ./dev kernel
  std::string after;
  size_t patches_before = 0;  // that `before` has: those before this one in a series
  std::string changes;        // the file that kernel/overlay.sh wrote, for messages
  Changes patch;              // and what is in it
  std::string lines;          // kernel/lines.sh; "": nobody counts lines
  std::vector<Case> corpus;   // cases of any kernel
  Both::Random random;
  uint64_t budget = 0;         // of the solver, for each question; 0: no limit
  bool every_profile = false;  // ask about every profile that has the rules
};

// A function that the patch changes.
struct Touched {
  std::string file;
  std::string function;             // "": outside of functions
  size_t code = 0;                  // changed lines of code, and places of lines that are gone
  std::vector<ChangedLine> missed;  // those of them that no case reached
  bool gone = false;                // the patch takes the whole function away
};

// A question to the solver, with the assumptions with which the profile promises the property.
struct Asked {
  report::Answer answer;  // with its change
  bool promised = false;
  [[nodiscard]] const report::Change& change() const;
};

// A rule of a function that the patch changes, and that the patch may take away for all that the cases
// tell: the model without it does the same in each. Its loss may matter elsewhere, and the solver says
// whether.
struct UnseenRule {
  Rule rule{};
  std::vector<Asked> asked;  // about the kernel without it; empty: the solver does not know it
  // The solver has a run that only the loss allows, which the builds cannot play: why.
  std::string unplayable;
};

// A promise of the profile that a played case breaks with the patch and keeps without it, as the
// model says with the rules that explain the patch.
struct Broken {
  Property property{};
  Case smallest;
};

struct Review {
  enum class Verdict : uint8_t {
    kNone,     // no case differs, and none that could not be played would be worse
    kChanged,  // some do, rules explain it, and nothing that is asked or promised is worse for it
    kWorse,
    kUnknown,
  };
  static constexpr std::array kVerdictNames = {"none", "changed", "worse", "unknown"};

  Question question;
  std::string tree;  // as the build names it
  KernelVersion version{};
  std::string note;    // where the tree's release has no profile of its own
  size_t corpus = 0;   // cases played
  size_t skipped = 0;  // that the build cannot play
  Both::Count random;
  bool stopped = false;
  // The kinds, worst first, each by its smallest case; of the rest, the text alone.
  std::vector<Difference> differences;
  std::vector<Difference> more;
  std::vector<Touched> touched;
  bool lines_known = false;
  std::vector<UnseenRule> unseen;          // where no case differs
  std::optional<Explanation> explanation;  // where cases differ
  std::vector<Asked> asked;
  std::vector<Asked> elsewhere;  // about other profiles
  size_t judged = 0;             // played cases in which all promises were looked for
  std::vector<Broken> broken;
  Verdict verdict = Verdict::kUnknown;
  std::string why;  // of the verdict, a sentence

  [[nodiscard]] const char* verdict_name() const {
    return kVerdictNames[static_cast<size_t>(verdict)];
  }
  // The kernel after the patch, if rules explain it.
  [[nodiscard]] std::optional<KernelSpec> kernel() const;
  [[nodiscard]] size_t code_lines() const;
  [[nodiscard]] size_t missed_lines() const;
};

// Errors: those of the builds, and InvalidArgument.
absl::StatusOr<Review> Ask(const Question& question);

// The rules whose functions a patch touches, each alone taken away from the kernel: a guess, for those
// who have no kernel tree.
struct Guess {
  Rule rule{};
  std::string file;
  std::string function;
  std::vector<Asked> asked;
};
absl::StatusOr<std::vector<Guess>> GuessRules(const Changes& patch, KernelVersion version,
                                              uint64_t budget);

}  // namespace iommucheck::review
