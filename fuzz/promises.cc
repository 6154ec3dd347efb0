// SPDX-License-Identifier: Apache-2.0
//
//   promises [--runs=N] [--seed=S] [--kernel=VERSION]
//
// Plays N random runs of each kernel, whole and under the assumptions of each of its promises, and
// looks at each step whether a promise is broken. Promises with the same assumptions share their
// runs. The runs have the seeds S to S+N-1, and are the same everywhere. Prints the first run that
// breaks a promise as a case, and ends with 1 then.
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "fuzz/options.h"
#include "model/profiles.h"
#include "model/properties.h"
#include "src/case/bytes.h"
#include "src/case/case.h"
#include "src/draw/draw.h"

namespace iommucheck {
namespace {

using Promised = std::vector<const Promise*>;

// The promises of a kernel, by what they assume.
std::vector<Promised> PromisesOf(KernelVersion version) {
  std::map<std::pair<std::vector<Rule>, FaultSet>, Promised> together;
  for (const Promise& p : Promises())
    if (p.version == version)
      together[{{p.assumptions.begin(), p.assumptions.end()}, p.without}].push_back(&p);
  std::vector<Promised> sets;
  sets.reserve(together.size());
  for (auto& [assumed, promises] : together) sets.push_back(std::move(promises));
  return sets;
}

struct Broken {
  const Promise* promise = nullptr;
  std::string why;
  int at = 0;  // op, from 1 on
};

// Plays promises with the same assumptions.
class Runs {
 public:
  explicit Runs(const Promised& promises) : promises_(promises) {
    const Promise& first = *promises.front();
    spec_.version = first.version;
    kernel_ = ProfileOf(first.version);
    for (Rule rule : first.assumptions) {
      if (!kernel_.has(rule)) spec_.added.add(rule);
      kernel_.rules.add(rule);
    }
    shape_ = {.scope = draw::Scope::kWhole, .without = first.without};
  }

  void Play(uint64_t seed) {
    draw::Words words(seed);
    Broken broken;
    int at = 0;
    DecodedCase run = draw::DrawRun(words, kernel_, shape_, [&](const StepView& step) {
      ++at;
      if (broken.promise != nullptr) return;
      for (const Promise* p : promises_)
        if (const auto found = FindViolation(p->property, step))
          broken = {.promise = p, .why = std::string(found->why), .at = at};
    });
    if (broken.promise == nullptr) return;
    if (++broken_[broken.promise] > 1) return;
    run.ops_count = static_cast<uint8_t>(broken.at);
    Case c = ToCase(run);
    c.kernel = spec_;
    c.expectations.push_back({.kind = Expectation::Kind::kViolated,
                              .property = broken.promise->property,
                              .at = broken.at});
    absl::PrintF("# seed %d breaks %s: %s\n%s\n", seed, PropertyName(broken.promise->property),
                 broken.why, PrintCase(c));
  }

  [[nodiscard]] const std::map<const Promise*, uint64_t>& broken() const { return broken_; }

 private:
  const Promised& promises_;
  KernelSpec spec_;
  KernelProfile kernel_;
  draw::Shape shape_;
  std::map<const Promise*, uint64_t> broken_;  // and in how many runs
};

int Main(int argc, char** argv) {
  uint64_t runs = 100'000;
  uint64_t seed = 0;
  std::string name;
  if (const auto status = fuzzing::ReadOptions(
          argc, argv, {{"runs", &runs}, {"seed", &seed}, {"kernel", &name}}, "",
          [](const std::string& other) { return "expected an option, found '" + other + "'"; }))
    return *status;
  const std::optional<KernelVersion> only = FindVersion(name);
  if (!name.empty() && !only) {
    absl::FPrintF(stderr, "no such kernel: %s\n", name);
    return 2;
  }
  uint64_t broken = 0;
  for (const KernelVersion version : kKernelVersions) {
    if (only && version != *only) continue;
    const std::vector<Promised> sets = PromisesOf(version);
    size_t promises = 0;
    for (const Promised& set : sets) {
      Runs of(set);
      for (uint64_t n = 0; n < runs; ++n) of.Play(seed + n);
      promises += set.size();
      for (const auto& [promise, times] : of.broken()) {
        absl::PrintF("%s breaks %s in %d runs\n", VersionName(version),
                     PropertyName(promise->property), times);
        ++broken;
      }
    }
    absl::PrintF("%-8s %d promises, %d runs of each, under %d sets of assumptions\n",
                 VersionName(version), promises, runs, sets.size());
    std::fflush(stdout);
  }
  absl::PrintF("%d promises broken, seeds %d to %d\n", broken, seed,
               seed + (runs == 0 ? 0 : runs - 1));
  return broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace iommucheck

int main(int argc, char** argv) { return iommucheck::Main(argc, argv); }
