// SPDX-License-Identifier: Apache-2.0
#include "fuzz/detectors.h"

#include <dlfcn.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "fuzz/any_cases.h"
#include "fuzz/kernel_checks.h"
#include "kernel/mutate/mutant.h"
#include "src/case/kernel.h"
#include "src/conform/machine_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);  // kernel_ioctl.cc

namespace iommucheck::fuzzing {
namespace {

// A wild pointer inside of malloc() leaves its lock taken, and the next call waits for ever: seconds.
constexpr unsigned kWait = 60;
// An input that takes longer than this, by CPU time, does not end: they take microseconds.
constexpr itimerval kLimit = {.it_interval = {}, .it_value = {.tv_sec = 2, .tv_usec = 0}};

// Seeds of neighbouring inputs must not give similar words.
uint64_t SeedOf(uint64_t seed, uint32_t input) {
  return draw::Words(seed * 0x100000000U + input).Next();
}

const char* NameOf(ModelAndKernel::Verdict verdict) {
  switch (verdict) {
    case ModelAndKernel::Verdict::kAgree:
      return "";
    case ModelAndKernel::Verdict::kCrossDriver:
      return "cross-driver";
    case ModelAndKernel::Verdict::kDiffer:
      return "differs";
    case ModelAndKernel::Verdict::kLeak:
      return "leaks";
    case ModelAndKernel::Verdict::kOops:
      return "oops";
  }
  return "";
}

}  // namespace

Detectors::Detectors(const GivenCases& given, uint64_t seed)
    : given_(given), seed_(seed), both_(ModelAndKernel::OpenOrExit("kernel.so", true)) {
  TakeCorpus();
}

size_t Detectors::count_of_checks() const { return CountOfChecks(both_.loaded().real()); }

// As conform --as-built does: without assumptions, and without the cases that cannot be played.
void Detectors::TakeCorpus() {
  for (const auto& [name, given] : given_.cases) {
    Case c = given;
    c.kernel = conform::WithoutAssumptions(conform::WithAssumptionsOf(both_.kernel(), c.kernel));
    DecodedCase decoded{.kernel = c.kernel,
                        .topology = c.topology,
                        .ops_count = static_cast<int>(c.ops.size()),
                        .ops = {}};
    if (c.ops.size() > decoded.ops.size() || !both_.loaded().WhyNot(c).empty()) continue;
    std::ranges::copy(OpsOf(c), decoded.ops.begin());
    corpus_.push_back(decoded);
  }
}

DecodedCase Detectors::DrawnCase(uint32_t input, bool any_assumptions) {
  draw::Words words(SeedOf(seed_, input));
  constexpr draw::Shape kShape{.ops = 36, .scope = draw::Scope::kInProcess};
  DecodedCase c = DrawCase(words, kShape);
  if (!any_assumptions) return c;
  c.kernel.version = both_.kernel().version;
  const RuleSet rules = ProfileOf(c.kernel.version).rules;
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption && words.OneIn(3))
      (rules.has(info.rule) ? c.kernel.dropped : c.kernel.added).add(info.rule);
  return c;
}

ModelAndKernel::Verdict Detectors::PlayCase(Detector detector, uint32_t input) {
  // Those of random cases differ where the model's oops is an undefined result, not a wild pointer.
  both_.PlayOopses(detector == Detector::kCorpus);
  if (detector == Detector::kCorpus) return both_.Play(corpus_[input]);
  switch (input % 5) {
    case 0:
      return both_.Play(AnyCases(SeedOf(seed_, input)).Next());
    case 1:
      return both_.Play(Mutator(given_.inputs, SeedOf(seed_, input)).Next());
    default:
      return both_.Play(DrawnCase(input, input % 5 == 2));
  }
}

std::string Detectors::Play(Detector detector, uint32_t input) {
  setitimer(ITIMER_PROF, &kLimit, nullptr);
  alarm(kWait);
  if (detector == Detector::kIoctl) {
    static const std::vector<Bytes> kNone;
    const Bytes bytes = Mutator(kNone, SeedOf(seed_, input)).Next();
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    return "";
  }
  // The input before may have ended at a wild pointer.
  if (both_.lockstep().spent() && !both_.loaded().Open().ok()) return "cannot be loaded again";
  if (detector == Detector::kChecks) {
    const harness& real = both_.loaded().real();
    if (LackedByCheck(real, input) != nullptr) return "";
    return RunCheck(real, input).empty() ? "" : NameOfCheck(real, input);
  }
  verdict_ = PlayCase(detector, input);
  return NameOf(verdict_);
}

std::span<unsigned char> Detectors::reached() {
  const std::string path =
      std::string(std::getenv("IOMMUCHECK_KERNEL_BUILD")) + "/" + IOMMUCHECK_LIBRARY;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const places = library == nullptr ? nullptr : dlsym(library, "harness_reached");
  if (places == nullptr) {
    std::fprintf(stderr, "%s: expected a build with mutants\n", path.c_str());
    std::exit(2);
  }
  // Others have it loaded, and it must go when they close it.
  dlclose(library);
  return {static_cast<unsigned char*>(places), HARNESS_MUTANTS};
}

}  // namespace iommucheck::fuzzing
