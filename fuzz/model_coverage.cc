// SPDX-License-Identifier: Apache-2.0
//
//   model_coverage [--executions=N] [--seed=S] CASE|FOLDER...
//
// Coverage in terms of the model: the results of each op and of each rule, on any kernel, in the
// given cases and in inputs made from them.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "fuzz/cases.h"
#include "fuzz/mutator.h"
#include "fuzz/options.h"
#include "fuzz/silent_checks.h"
#include "model/rules.h"
#include "model/step.h"
#include "src/case/bytes.h"
#include "src/case/case.h"
#include "src/case/repair.h"

namespace iommucheck {
namespace {

using fuzzing::GivenCases;
using fuzzing::Mutator;

class Coverage {
 public:
  void Play(const KernelProfile& kernel, const Topology& topology, std::span<const Op> ops) {
    if (BrokenAssumption(topology, kernel.rules)) return;
    State state = InitialState(topology);
    for (const Op& op : ops) {
      const StepResult result = Step(kernel, topology, op, state, events_);
      if (result.outcome != Outcome::kDone) continue;
      Outcomes& outcomes = ops_[op.kind];
      (IsGiven(topology, op, result.error) ? outcomes.given : outcomes.own).insert(result.error);
      for (const Event& e : events_)
        if (e.kind == Event::Kind::kRefused) rules_[e.rule].insert(-int{e.error});
    }
  }

  // Returns how many checks never refused.
  [[nodiscard]] int Print() const {
    std::printf("what each op came to\n");
    for (const auto& [kind, outcomes] : ops_) {
      std::printf("  %-26s %s", std::string(InfoOf(kind).word).c_str(),
                  Names(outcomes.own).c_str());
      if (!outcomes.given.empty())
        std::printf(", and %zu errnos of drivers and failed calls", outcomes.given.size());
      std::printf("\n");
    }
    std::printf("what each check said\n");
    int silent = 0;
    for (const RuleInfo& info : AllRules()) {
      if (info.kind != RuleKind::kCheck) continue;
      const auto at = rules_.find(info.rule);
      silent += at == rules_.end() && fuzzing::WhySilent(info.rule).empty() ? 1 : 0;
      std::printf("  %-26s %s\n", std::string(info.id).c_str(),
                  at == rules_.end() ? "nothing" : Names(at->second).c_str());
    }
    std::printf("%d checks said nothing\n", silent);
    return silent;
  }

 private:
  struct Outcomes {
    std::set<int> own;
    std::set<int> given;  // errnos of the machine's drivers, or of a fault of the op
  };

  static bool IsGiven(const Topology& topology, const Op& op, int error) {
    const auto failed = [&](const Fault& f) { return f.error != 0 && -int{f.error} == error; };
    const auto says = [&](const Driver& d) {
      return d.mismatch_errno != 0 && -int{d.mismatch_errno} == error;
    };
    return std::ranges::any_of(op.faults, failed) || std::ranges::any_of(topology.drivers, says);
  }

  static std::string Names(const std::set<int>& errors) {
    std::string text;
    for (int error : errors) text += (text.empty() ? "" : " ") + ErrnoName(error);
    return text;
  }

  std::map<OpKind, Outcomes> ops_;
  std::map<Rule, std::set<int>> rules_;
  std::vector<Event> events_;
};

int Main(int argc, char** argv) {
  uint64_t executions = 200'000;
  uint64_t seed = 1;
  GivenCases given;
  if (const auto status = fuzzing::ReadOptions(
          argc, argv, {{"executions", &executions}, {"seed", &seed}}, "cases",
          [&](const std::string& path) { return fuzzing::ReadCases(path, given); }))
    return *status;
  Coverage coverage;
  for (const auto& [name, c] : given.cases)
    coverage.Play(ProfileOf(c.kernel), c.topology, fuzzing::OpsOf(c));
  Mutator derived(given.inputs, seed);
  DecodedCase decoded;
  for (uint64_t n = 0; n < executions && !given.inputs.empty(); ++n) {
    DecodeBytes(derived.Next(), decoded);
    const KernelProfile kernel = ProfileOf(decoded.kernel);
    Repair(decoded.topology, kernel.rules);
    coverage.Play(kernel, decoded.topology,
                  std::span(decoded.ops).first(static_cast<size_t>(decoded.ops_count)));
  }
  return coverage.Print() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace iommucheck

int main(int argc, char** argv) { return iommucheck::Main(argc, argv); }
