// SPDX-License-Identifier: Apache-2.0
//
//   kernel_mutants [--cases=N] [--rounds=N] [--most=N] [--seed=S] [--jobs=N] [--function=NAME]...
//                  [--equivalent=FILE] [--beyond=FILE] [--list] [--killed] CASE|FOLDER...
//
// How good is the comparison with real code: runs each mutant of a build of kernel/mutate/build.sh
// and counts those that somebody notices. A first run without a mutant, which nobody may notice,
// says which inputs reach which mutant; then each mutant is played on the inputs that reach it, up
// to --most=N for each detector, until one is noticed. --list prints the mutants and runs none;
// --killed also prints those that were noticed, and by whom.
//
// Exit status: 0, 1 if the kernel's own code is noticed or a FILE (fuzz/verdicts.h) is wrong, 2 usage.
// Environment: IOMMUCHECK_KERNEL_BUILD, the build.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "fuzz/cases.h"
#include "fuzz/detectors.h"
#include "fuzz/mutator.h"
#include "fuzz/options.h"
#include "fuzz/verdicts.h"
#include "kernel/mutate/mutant.h"
#include "src/conform/process.h"

namespace {

using iommucheck::conform::ProcessEnd;
using iommucheck::conform::RunApart;
using iommucheck::fuzzing::ConsumePrefix;
using iommucheck::fuzzing::Detector;
using iommucheck::fuzzing::Detectors;
using iommucheck::fuzzing::GivenCases;
using iommucheck::fuzzing::kDetectorNames;
using iommucheck::fuzzing::kDetectors;
using iommucheck::fuzzing::MutantVerdict;
using iommucheck::mutate::Die;

struct Options {
  uint64_t cases = 60000;
  uint64_t rounds = 200000;
  uint64_t most = 1500;
  uint64_t seed = 1;
  uint64_t jobs = 2;
  std::vector<std::string> functions;
  std::string equivalent;
  std::string beyond;
  bool list = false;
  bool killed = false;
  GivenCases given;
  std::string build;
};

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

Detector At(size_t detector) { return static_cast<Detector>(detector); }

// By detector and mutant: the inputs that reach it.
using Reach = std::array<std::vector<std::vector<uint32_t>>, kDetectors>;

// A process of its own that plays one mutant, or none. The process may die.
ProcessEnd Apart(const std::function<void(std::FILE*)>& play) {
  auto end = RunApart([&](int fd) {
    std::FILE* const out = fdopen(fd, "w");
    // A mutant that allocates for ever must not take the machine's memory.
    const rlimit most = {rlim_t{4} << 30, rlim_t{4} << 30};
    setrlimit(RLIMIT_AS, &most);
    play(out);
    std::fflush(out);
  });
  if (!end.ok()) Die(std::string(end.status().message()));
  return *std::move(end);
}

// Plays all inputs of some detectors on the kernel's own code. Prints a line for each input that
// reaches places: "detector input place...".
void FindReach(const Options& o, std::span<const Detector> which, Reach& reach) {
  const ProcessEnd end = Apart([&](std::FILE* out) {
    Detectors detectors(o.given, o.seed);
    // Each input can notice the code that runs when the library is loaded.
    std::vector<unsigned char> loaded(Detectors::reached().begin(), Detectors::reached().end());
    std::vector<uint64_t> times(HARNESS_MUTANTS);
    for (const Detector detector : which) {
      const uint64_t counts[] = {detectors.corpus_size(), detectors.count_of_checks(), o.cases,
                                 o.rounds};
      std::ranges::fill(times, 0);
      for (uint32_t input = 0; input < counts[static_cast<size_t>(detector)]; ++input) {
        std::ranges::copy(loaded, Detectors::reached().begin());
        const std::string how = detectors.Play(detector, input);
        if (!how.empty()) {
          std::fputs(detectors.Report().c_str(), stderr);
          std::exit(1);
        }
        const std::span<unsigned char> places = Detectors::reached();
        for (size_t place = 0; place < places.size(); ++place)
          if (places[place] != 0 && times[place]++ < o.most)
            absl::FPrintF(out, "%d %d %d\n", static_cast<int>(detector), input, place);
      }
    }
  });
  if (!end.death.empty())
    Die(absl::StrCat("the kernel's own code dies: ", end.death, "\n", end.said));
  for (const std::string& line : Lines(end.sent)) {
    size_t detector = 0;
    uint32_t input = 0;
    size_t place = 0;
    if (std::sscanf(line.c_str(), "%zu %u %zu", &detector, &input, &place) != 3)
      Die(absl::StrCat("the kernel's own code is noticed: ", line));
    reach[detector][place].push_back(input);
  }
}

// The line of what kernel_ioctl, or the harness, said before the process died.
std::string SaidBefore(const ProcessEnd& end) {
  for (const std::string& said : Lines(end.said)) {
    std::string_view line = said;
    if (ConsumePrefix(line, "SUMMARY: iommucheck: kernel_ioctl: ")) return std::string(line);
    if (ConsumePrefix(line, "kernel harness: ")) return absl::StrCat("stops: ", std::string(line));
  }
  const bool hangs = absl::StrContains(end.death, "PROF") || absl::StrContains(end.death, "ALRM");
  return hangs ? "hang" : absl::StrCat("crash: ", end.death);
}

void PlayMutant(const Options& o, const Reach& reach, MutantVerdict& verdict) {
  const unsigned number = verdict.mutant.number;
  const ProcessEnd end = Apart([&](std::FILE* out) {
    setenv("IOMMUCHECK_MUTANT", std::to_string(number).c_str(), 1);
    absl::FPrintF(out, "%s\n", kDetectorNames[0]);
    std::fflush(out);
    Detectors detectors(o.given, o.seed);
    for (size_t detector = 0; detector < kDetectors; ++detector) {
      absl::FPrintF(out, "%s\n", kDetectorNames[detector]);
      std::fflush(out);
      for (const uint32_t input : reach[detector][number]) {
        const std::string how = detectors.Play(At(detector), input);
        if (how.empty()) continue;
        absl::FPrintF(out, "!%s\n", how);
        return;
      }
    }
  });
  for (const std::string& sent : Lines(end.sent)) {
    std::string_view line = sent;
    if (ConsumePrefix(line, "!"))
      verdict.how = line;
    else
      verdict.detector = line;
  }
  if (!end.death.empty()) verdict.how = SaidBefore(end);
  verdict.kind =
      verdict.how.empty() ? MutantVerdict::Kind::kSurvived : MutantVerdict::Kind::kKilled;
}

void PlayMutants(const Options& o, const Reach& reach, std::vector<MutantVerdict>& verdicts) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> workers;
  workers.reserve(o.jobs);
  for (uint64_t job = 0; job < o.jobs; ++job) {
    workers.emplace_back([&] {
      for (size_t i = next++; i < verdicts.size(); i = next++) {
        MutantVerdict& v = verdicts[i];
        if (i % 500 == 0) absl::FPrintF(stderr, "mutant %d of %d\n", i, verdicts.size());
        if (!v.chosen) continue;
        const bool reached = std::ranges::any_of(
            reach, [&](const auto& inputs) { return !inputs[v.mutant.number].empty(); });
        if (reached)
          PlayMutant(o, reach, v);
        else
          v.kind = MutantVerdict::Kind::kNotReached;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
}

void Choose(const Options& o, std::vector<MutantVerdict>& verdicts) {
  if (o.functions.empty()) return;
  for (const std::string& name : o.functions)
    if (std::ranges::none_of(verdicts, [&](const auto& v) { return v.mutant.function == name; }))
      Die(absl::StrCat("no mutant is in a function '", name, "'"));
  for (MutantVerdict& v : verdicts)
    v.chosen = std::ranges::find(o.functions, v.mutant.function) != o.functions.end();
}

// The name of the tree, as kernel/build.sh was given it, without the version.
std::string TreeOf(const std::string& build) {
  std::string name = build.substr(build.find_last_of('/') + 1);
  return name.substr(0, name.find('+'));
}

int Run(const Options& o) {
  size_t left_out = 0;
  std::vector<MutantVerdict> verdicts = iommucheck::fuzzing::VerdictsOf(
      iommucheck::mutate::ReadMutants(o.build + "/overlay/mutants.json"), left_out);
  Choose(o, verdicts);
  if (o.list) {
    for (const MutantVerdict& v : verdicts)
      if (v.chosen) PrintMutant("", v);
    return 0;
  }
  Reach reach;
  for (auto& inputs : reach) inputs.resize(HARNESS_MUTANTS);
  constexpr std::array kCaseDetectors = {Detector::kCorpus, Detector::kChecks, Detector::kCases};
  constexpr std::array kOther = {Detector::kIoctl};
  std::thread other([&] { FindReach(o, kOther, reach); });
  FindReach(o, kCaseDetectors, reach);
  other.join();
  PlayMutants(o, reach, verdicts);

  std::vector<std::string> wrong;
  if (!o.equivalent.empty()) wrong = TakeEquivalent(o.equivalent, TreeOf(o.build), verdicts);
  if (o.killed)
    for (const MutantVerdict& v : verdicts)
      if (v.chosen && v.kind == MutantVerdict::Kind::kKilled)
        PrintMutant(absl::StrCat("killed by ", v.detector, ", ", v.how, ": "), v);
  if (!o.beyond.empty()) {
    const std::vector<std::string> more = TakeBeyond(o.beyond, TreeOf(o.build), verdicts);
    wrong.insert(wrong.end(), more.begin(), more.end());
  }
  PrintVerdicts(verdicts);
  absl::PrintF("%d mutants do not compile and are left out\n", left_out);
  for (const std::string& line : wrong) absl::PrintF("wrong: %s\n", line);
  return wrong.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (const auto status = iommucheck::fuzzing::ReadOptions(
          argc, argv,
          {{"cases", &o.cases},
           {"rounds", &o.rounds},
           {"most", &o.most},
           {"seed", &o.seed},
           {"jobs", &o.jobs},
           {"function", &o.functions},
           {"equivalent", &o.equivalent},
           {"beyond", &o.beyond},
           {"list", &o.list},
           {"killed", &o.killed}},
          "cases",
          [&](const std::string& path) { return iommucheck::fuzzing::ReadCases(path, o.given); }))
    return *status;
  const char* const build = std::getenv("IOMMUCHECK_KERNEL_BUILD");
  if (build == nullptr) Die("IOMMUCHECK_KERNEL_BUILD: expected a build with mutants");
  o.build = build;
  return Run(o);
}
