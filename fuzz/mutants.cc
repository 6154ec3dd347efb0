// SPDX-License-Identifier: Apache-2.0
//
//   mutants [--executions=N] [--seed=S] [--kernel=VERSION] CASE|FOLDER...
//
// The mutation score: of each kernel, drops one rule after another and looks who notices. A rule is
// noticed where a run violates a property that the same run of the whole kernel does not.
//
//   properties  runs of the given cases, played on every kernel
//   fuzzer      inputs made from these cases and from nothing, by fixed seed, up to N for a kernel
//
// Rules that nobody can notice are listed with the reason; any other that goes unnoticed is an error.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/mutator.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/step.h"
#include "src/case/bytes.h"
#include "src/case/case.h"
#include "src/case/repair.h"

namespace iommucheck {
namespace {

using fuzzing::Bytes;
using fuzzing::Mutator;
using fuzzing::Option;

using PropertySet = uint64_t;
static_assert(kPropertyCount <= 64);

// What no run can tell, on any kernel that has it.
struct Unnoticeable {
  Rule rule;
  std::string_view why;
};
constexpr std::array kUnnoticeable = {
    Unnoticeable{Rule::kCoreDeferUnset,
                 "only a race has a driver bind before its group's default domain is there"},
    Unnoticeable{Rule::kType1NoDuplicate,
                 "a group that a container has is refused before type1 is asked"},
};

std::string_view WhyUnnoticeable(Rule rule) {
  const auto* it = std::ranges::find(kUnnoticeable, rule, &Unnoticeable::rule);
  return it == kUnnoticeable.end() ? std::string_view() : it->why;
}

// A run of a kernel: the properties that it violates. Ops that cannot be taken are left out.
class Player {
 public:
  PropertySet Violated(const KernelProfile& kernel, const Topology& topology,
                       std::span<const Op> ops) {
    if (BrokenAssumption(topology, kernel.rules)) return 0;
    PropertySet violated = 0;
    State state = InitialState(topology);
    for (const Op& op : ops) {
      before_ = state;
      const StepResult result = Step(kernel, topology, op, state, events_);
      if (result.outcome != Outcome::kDone) continue;
      const StepView view{topology, op, result, before_, state, events_};
      for (Property p : kProperties)
        if (FindViolation(p, view)) violated |= PropertySet{1} << static_cast<unsigned>(p);
    }
    return violated;
  }

 private:
  State before_{};
  std::vector<Event> events_;
};

// What a rule of a kernel has been noticed by.
struct Noticed {
  std::string by_case;            // the first case, or none
  std::optional<Property> of;     // the first property
  uint64_t executions = 0;        // of the fuzzer; 0: not noticed
};

class Kernel {
 public:
  explicit Kernel(KernelVersion version) : whole_(ProfileOf(version)) {
    for (const RuleInfo& info : AllRules())
      if (info.kind != RuleKind::kAssumption && whole_.has(info.rule)) noticed_[info.rule];
  }

  void Give(const std::string& name, const Case& c) {
    std::vector<Op> ops;
    for (const CaseOp& op : c.ops) ops.push_back(op.op);
    const RuleSet assumptions = AssumptionsOf(c);
    ForEachNotice(c.topology, ops, assumptions,
                  [](const Noticed& n) { return !n.by_case.empty(); },
                  [&](Noticed& n, Property p) {
                    n.by_case = name;
                    if (!n.of) n.of = p;
                  });
  }

  // False once every rule has been noticed.
  bool Fuzz(const DecodedCase& c, uint64_t execution) {
    bool left = false;
    for (const auto& [rule, n] : noticed_)
      left |= n.executions == 0 && WhyUnnoticeable(rule).empty();
    if (!left) return false;
    ForEachNotice(c.topology, std::span(c.ops).first(static_cast<size_t>(c.ops_count)),
                  whole_.rules, [](const Noticed& n) { return n.executions != 0; },
                  [&](Noticed& n, Property p) {
                    n.executions = execution;
                    if (!n.of) n.of = p;
                  });
    return true;
  }

  [[nodiscard]] const std::map<Rule, Noticed>& noticed() const { return noticed_; }
  [[nodiscard]] const KernelProfile& whole() const { return whole_; }

 private:
  // A case's own assumptions go with its machine.
  [[nodiscard]] RuleSet AssumptionsOf(const Case& c) const {
    RuleSet rules = whole_.rules;
    for (const RuleInfo& info : AllRules()) {
      if (info.kind != RuleKind::kAssumption) continue;
      if (c.kernel.dropped.has(info.rule)) rules.drop(info.rule);
      if (c.kernel.added.has(info.rule)) rules.add(info.rule);
    }
    return rules;
  }

  template <typename Known, typename Notice>
  void ForEachNotice(const Topology& topology, std::span<const Op> ops, const RuleSet& rules,
                     Known known, Notice notice) {
    KernelProfile kernel = whole_;
    kernel.rules = rules;
    std::optional<PropertySet> whole;
    for (auto& [rule, n] : noticed_) {
      if (known(n) || !WhyUnnoticeable(rule).empty()) continue;
      if (!whole) whole = player_.Violated(kernel, topology, ops);
      KernelProfile mutant = kernel;
      mutant.rules.drop(rule);
      const PropertySet fresh = player_.Violated(mutant, topology, ops) & ~*whole;
      if (fresh != 0) notice(n, kProperties[static_cast<size_t>(std::countr_zero(fresh))]);
    }
  }

  KernelProfile whole_;
  std::map<Rule, Noticed> noticed_;
  Player player_;
};

struct Given {
  std::vector<std::pair<std::string, Case>> cases;
  std::vector<Bytes> inputs;
};

bool Read(const std::filesystem::path& path, Given& given) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  absl::StatusOr<Case> c = ParseCase(text, path.string());
  if (!in || !c.ok()) return false;
  if (const auto bytes = EncodeBytes(*c); bytes.ok()) given.inputs.push_back(*bytes);
  given.cases.emplace_back(path.filename().string(), std::move(*c));
  return true;
}

bool ReadAll(const std::filesystem::path& path, Given& given) {
  if (!std::filesystem::is_directory(path)) return Read(path, given);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  std::ranges::sort(files);
  return std::ranges::all_of(files, [&](const auto& file) { return Read(file, given); });
}

struct Score {
  int rules = 0;
  int unnoticeable = 0;
  int by_properties = 0;
  int by_fuzzer = 0;
};

void Print(const Kernel& kernel, Score& score) {
  std::printf("%s\n", std::string(VersionName(kernel.whole().version)).c_str());
  for (const auto& [rule, n] : kernel.noticed()) {
    const std::string id(InfoOf(rule).id);
    ++score.rules;
    if (const std::string why(WhyUnnoticeable(rule)); !why.empty()) {
      ++score.unnoticeable;
      std::printf("  %-26s nobody can: %s\n", id.c_str(), why.c_str());
      continue;
    }
    if (n.of) ++score.by_properties;
    if (n.executions != 0) ++score.by_fuzzer;
    const std::string property = n.of ? std::string(PropertyName(*n.of)) : "UNNOTICED";
    const std::string fuzzer = n.executions == 0 ? "-" : std::to_string(n.executions);
    std::printf("  %-26s %-34s fuzzer %s%s%s\n", id.c_str(), property.c_str(), fuzzer.c_str(),
                n.by_case.empty() ? "" : ", ", n.by_case.c_str());
  }
}

int Usage(const std::string& what) {
  std::fprintf(stderr,
               "mutants: %s\nusage: mutants [--executions=N] [--seed=S] [--kernel=VERSION] "
               "CASE|FOLDER...\n",
               what.c_str());
  return 2;
}

}  // namespace

int Main(const std::vector<std::string>& arguments) {
  uint64_t executions = 100'000;
  uint64_t seed = 1;
  std::optional<KernelVersion> only;
  Given given;
  for (const std::string& argument : arguments) {
    if (const auto n = Option(argument, "--executions=")) {
      executions = *n;
    } else if (const auto s = Option(argument, "--seed=")) {
      seed = *s;
    } else if (argument.starts_with("--kernel=")) {
      only = FindVersion(std::string_view(argument).substr(9));
      if (!only) return Usage("no such kernel: " + argument.substr(9));
    } else if (argument.starts_with("--")) {
      return Usage("no such option: " + argument);
    } else if (!ReadAll(argument, given)) {
      return Usage("cannot read " + argument);
    }
  }

  Score score;
  DecodedCase decoded;
  for (KernelVersion version : kKernelVersions) {
    if (only && *only != version) continue;
    Kernel kernel(version);
    for (const auto& [name, c] : given.cases) kernel.Give(name, c);
    Mutator derived(given.inputs, seed);
    bool left = !given.inputs.empty();
    for (uint64_t n = 1; left && n <= executions; ++n) {
      DecodeBytes(derived.Next(), decoded);
      Repair(decoded.topology, kernel.whole().rules);
      left = kernel.Fuzz(decoded, n);
    }
    Print(kernel, score);
  }
  const int can = score.rules - score.unnoticeable;
  std::printf("%d rules of kernels, %d that nobody can notice\n", score.rules, score.unnoticeable);
  std::printf("properties notice %d of %d, the fuzzer %d within %llu executions a kernel, seed %llu\n",
              score.by_properties, can, score.by_fuzzer,
              static_cast<unsigned long long>(executions), static_cast<unsigned long long>(seed));
  return score.by_properties == can ? 0 : 1;
}

}  // namespace iommucheck

int main(int argc, char** argv) {
  return iommucheck::Main(std::vector<std::string>(argv + 1, argv + argc));
}
