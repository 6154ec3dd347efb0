// SPDX-License-Identifier: Apache-2.0
//
// Asks everything that answers questions the same random ones: query (a bound, a proof), explore,
// guards, diff, query --on, check's search, certificates. If one says violated, none says holds.
// Kernels of every profile with rules dropped and added, both properties, machines of one or two
// devices. IOMMUCHECK_QUESTIONS sets another number of questions than the default of 500.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/explore/search.h"
#include "src/guards/guards.h"
#include "src/report/certificate.h"
#include "src/report/diff.h"
#include "src/report/machine.h"
#include "src/report/text.h"

namespace iommucheck {
namespace {

constexpr int kQuestions = 500;
// The questions are split into shares, so that two processors have work.
constexpr int kShares = 10;

int QuestionsOfAShare() {
  const char* asked = std::getenv("IOMMUCHECK_QUESTIONS");
  return (asked == nullptr ? kQuestions : std::atoi(asked)) / kShares;
}

struct Size {
  int devices = 0;
  int steps = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

// One answer: violated, with the size of a smallest case; none up to the bounds; or holds.
struct Said {
  std::string who;
  Verdict verdict = Verdict::kUnknown;
  Size size{};  // kViolated
  bool every_size = false;
};

std::ostream& operator<<(std::ostream& out, const Said& said) {
  out << said.who << ": ";
  if (said.verdict == Verdict::kUnknown) return out << "unknown";
  if (said.verdict == Verdict::kHolds) return out << (said.every_size ? "holds" : "none");
  return out << "violated, " << said.size.devices << " devices, " << said.size.steps << " steps";
}

Size SizeOf(const Case& c) {
  return {.devices = c.topology.devices_count, .steps = static_cast<int>(c.ops.size())};
}

class Questions : public testing::TestWithParam<int> {
 protected:
  void Ask();
  void AskAboutMachines(const report::Question& q, const std::vector<Said>& said,
                        const std::optional<Case>& found);
  Said Explore(const report::Question& q, std::optional<Case>& found) const;
  [[nodiscard]] Said Guards(const report::Question& q) const;
  [[nodiscard]] Said Diff(const report::Question& q) const;
  void Certificate(const report::Question& q) const;

  report::Question Draw();
  size_t Below(size_t n) { return random_() % n; }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  std::vector<Case> machines_;  // machines of found cases
  std::map<std::string, int> answers_;
};

report::Question Questions::Draw() {
  report::Question q;
  // Most drawn questions are not answered by a case; from 6.8 on, a group of two drivers is one.
  if (Below(10) == 0) {
    q.kernel.version = Below(2) == 0 ? KernelVersion::kV6_12 : KernelVersion::kV7_1;
    q.property = Property::kNoCrossDriverAttach;
    q.bounds = {.devices = 2, .steps = 3};
    return q;
  }
  const KernelVersion version = kKernelVersions[Below(kKernelVersions.size())];
  q.kernel.version = version;
  q.property = kEncodedProperties[Below(kEncodedProperties.size())];
  for (size_t changes = Below(4); changes > 0; --changes) {
    const Rule rule = EncodedRuleInfos()[Below(EncodedRuleInfos().size())].rule;
    (ProfileOf(version).has(rule) ? q.kernel.dropped : q.kernel.added).add(rule);
  }
  const bool attach = q.property == Property::kNoCrossDriverAttach;
  // With bus slots there are so many machines of two devices that the explorer takes seconds.
  const bool slots = ProfileOf(version).era == Era::kBusSlots;
  // A map of guards for reuse takes seconds on two devices.
  q.bounds.devices = !slots && Below(attach ? 2 : 6) == 0 ? 2 : 1;
  q.bounds.steps = attach ? static_cast<int>(2 + Below(2)) : 5;
  return q;
}

Said Questions::Explore(const report::Question& q, std::optional<Case>& found) const {
  explore::Progress progress;
  progress.question = {.property = q.property,
                       .kernel = q.kernel,
                       .scope = {.devices = q.bounds.devices, .steps = q.bounds.steps}};
  const explore::ScopeAnswer answer = explore::SearchScope(progress, {});
  Said said{.who = "explore", .verdict = answer.verdict};
  if (answer.verdict == Verdict::kViolated) {
    said.size = SizeOf(answer.found);
    found = answer.found;
  }
  return said;
}

// The map covers all kernels between this one and the one without any rule.
Said Questions::Guards(const report::Question& q) const {
  guards::Question question{.property = q.property, .kernel = q.kernel, .bounds = q.bounds};
  question.bounded = true;
  const guards::Map map = guards::FindGuards(question).value();
  Said said{.who = "guards"};
  if (!map.complete) return said;
  const RuleSet rules = ProfileOf(q.kernel).rules & map.universe;
  for (const guards::Sufficient& set : map.sufficient)
    if (rules.has_all(set.rules)) said = {.who = said.who, .verdict = Verdict::kHolds};
  for (const guards::Removal& removal : map.removals) {
    if (rules.has_any(removal.rules)) continue;
    EXPECT_NE(said.verdict, Verdict::kHolds) << "a removal and a sufficient set are both there";
    said.verdict = Verdict::kViolated;
    // The map's smallest case may be on a kernel without more rules, so its size is only a bound.
    said.size = {};
  }
  return said;
}

// Compares with the unpatched kernel. The answer about this kernel alone must be the same, and if
// it holds, there is no case that only this kernel allows.
Said Questions::Diff(const report::Question& q) const {
  report::DiffQuestion question{.property = q.property,
                                .kernels = {KernelSpec{.version = q.kernel.version}, q.kernel},
                                .bounds = q.bounds,
                                .bounded = true};
  const report::Diff diff = report::AskDiff(question).value();
  Said said{.who = "diff"};
  if (diff.same_rules) return {.who = "", .verdict = Verdict::kUnknown};
  const report::Answer& alone = *diff.alone[1];
  said.verdict = alone.result.verdict;
  if (said.verdict == Verdict::kViolated) said.size = SizeOf(alone.result.found);
  const report::Direction& only = diff.directions[1];
  if (only.verdict == Verdict::kViolated) {
    EXPECT_EQ(said.verdict, Verdict::kViolated);
    EXPECT_LE(said.size.steps, static_cast<int>(only.result.found.ops.size()));
  }
  // If only this kernel violates the property, there are cases that only it allows.
  if (said.verdict == Verdict::kViolated && diff.alone[0]->result.verdict == Verdict::kHolds) {
    EXPECT_EQ(only.verdict, Verdict::kViolated);
  }
  return said;
}

void Questions::Certificate(const report::Question& q) const {
  const certificate::Certificate certificate = certificate::Certify({.property = q.property,
                                                                     .kernel = q.kernel,
                                                                     .devices = q.bounds.devices,
                                                                     .steps = q.bounds.steps},
                                                                    0)
                                                   .value();
  const auto read = [&](const std::string& path) -> absl::StatusOr<std::string> {
    for (const certificate::File& file : certificate.files)
      if (path == "D/" + file.name) return file.text;
    return absl::InvalidArgumentError(path);
  };
  const certificate::Checked checked = certificate::CheckCertificate("D", read).value();
  EXPECT_EQ(checked.failure, "");
}

// Asks about the machines of found cases, with the solver and with check's exhaustive search.
void Questions::AskAboutMachines(const report::Question& q, const std::vector<Said>& said,
                                 const std::optional<Case>& found) {
  if (found) machines_.push_back(*found);
  if (machines_.empty()) return;
  report::MachineQuestion question{.property = q.property,
                                   .path = "machine",
                                   .machine = found ? *found : machines_[Below(machines_.size())],
                                   .assumptions = {},
                                   .bounds = q.bounds};
  question.machine.kernel = q.kernel;
  const report::MachineAnswer answer = report::AskOnMachine(question).value();
  const smt::QueryResult& on = answer.result.query;
  const explore::ExploreResult searched =
      explore::ExploreMachine(question.machine, q.property, q.bounds.steps, explore::kMaxStates);
  SCOPED_TRACE(PrintCase(question.machine));
  EXPECT_NE(on.verdict, Verdict::kUnknown) << on.reason;
  EXPECT_EQ(on.verdict == Verdict::kViolated, searched.verdict == Verdict::kViolated);
  if (on.verdict == Verdict::kViolated && searched.verdict == Verdict::kViolated) {
    EXPECT_EQ(on.found.ops.size(), searched.found.ops.size());
  }
  for (const Said& s : said) {
    if (s.every_size) {
      EXPECT_NE(on.verdict, Verdict::kViolated) << s;
    }
    if (found && s.verdict == Verdict::kViolated && s.size.steps != 0) {
      EXPECT_EQ(on.verdict, Verdict::kViolated) << s;
      EXPECT_EQ(static_cast<int>(on.found.ops.size()), s.size.steps) << s;
    }
  }
  answers_[on.verdict == Verdict::kViolated   ? "machine violated"
           : report::HoldsForEveryRun(answer) ? "machine holds"
                                              : "machine none"]++;
}

void Questions::Ask() {
  report::Question q = Draw();
  SCOPED_TRACE(report::KernelName(q.kernel) + ": " + std::string(PropertyName(q.property)) + ", " +
               std::to_string(q.bounds.devices) + " devices, " + std::to_string(q.bounds.steps) +
               " steps");
  std::vector<Said> said;
  std::optional<Case> found;
  for (const bool bounded : {true, false}) {
    q.bounded = bounded;
    const report::Answer answer = report::Ask(q).value();
    said.push_back({.who = bounded ? "query --bounded" : "query",
                    .verdict = answer.result.verdict,
                    .every_size = report::HoldsForEverySize(answer)});
    if (answer.result.verdict == Verdict::kViolated) {
      found = answer.result.found;
      said.back().size = SizeOf(*found);
    }
  }
  said.push_back(Explore(q, found));
  said.push_back(Guards(q));
  if (const Said diff = Diff(q); !diff.who.empty()) said.push_back(diff);
  const Said& first = said.front();
  for (const Said& s : said) {
    EXPECT_NE(s.verdict, Verdict::kUnknown) << s;
    EXPECT_EQ(s.verdict, first.verdict) << first << "\n" << s;
    if (s.verdict == Verdict::kViolated && s.size.steps != 0) {
      EXPECT_EQ(s.size, first.size) << s;
    }
  }
  AskAboutMachines(q, said, found);
  if (first.verdict == Verdict::kHolds) Certificate(q);
  answers_[said[1].verdict == Verdict::kViolated ? "violated"
           : said[1].every_size                  ? "holds"
                                                 : "none"]++;
}

TEST_P(Questions, HaveOneAnswer) {
  const int questions = QuestionsOfAShare();
  for (int n = 0; n < questions && !HasFatalFailure(); ++n) Ask();
  std::string counts;
  for (const auto& [answer, count] : answers_)
    counts += answer + " " + std::to_string(count) + ", ";
  std::printf("%d questions: %s\n", questions, counts.c_str());
  // If all answers were the same, the test would show little.
  for (const char* answer : {"violated", "holds", "none", "machine violated"})
    EXPECT_GT(answers_[answer], 0) << answer;
}

INSTANTIATE_TEST_SUITE_P(Shares, Questions, testing::Range(1, kShares + 1));

}  // namespace
}  // namespace iommucheck
