// SPDX-License-Identifier: Apache-2.0
//
//   kernel_cases [--cases=N] [--seed=S] [--show=N] [FILE|FOLDER]...
//
// Plays each input and then N random cases in the model and in real kernel code, without a fuzzing
// engine and without sanitizers. Half of the random cases are new, half are made from the inputs.
// The same arguments give the same cases everywhere. Counts the differences, and shows the first
// ones. The environment is that of fuzz/model_and_kernel.h.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "fuzz/any_cases.h"
#include "fuzz/model_and_kernel.h"
#include "fuzz/mutator.h"
#include "fuzz/options.h"
#include "src/draw/draw.h"

namespace {

using iommucheck::fuzzing::AnyCases;
using iommucheck::fuzzing::Bytes;
using iommucheck::fuzzing::ModelAndKernel;
using iommucheck::fuzzing::Mutator;

struct Count {
  uint64_t cases = 0;
  std::array<uint64_t, iommucheck::kOpKindCount> ops{};  // by kind
  uint64_t before_oops = 0;
  std::map<std::string_view, uint64_t> findings;
  uint64_t wrong = 0;
};

// False if the kernel code cannot be loaded again after a failure.
template <typename Input>
bool PlayAndCount(ModelAndKernel& both, const Input& input, uint64_t show, Count& count) {
  const ModelAndKernel::Verdict verdict = both.Play(input);
  ++count.cases;
  for (const iommucheck::Op& op : both.lockstep().ops()) ++count.ops[static_cast<size_t>(op.kind)];
  count.before_oops += both.lockstep().ended_before_oops() ? 1 : 0;
  if (both.lockstep().finding() != nullptr) ++count.findings[both.lockstep().finding()];
  if (verdict == ModelAndKernel::Verdict::kAgree) return true;
  if (count.wrong++ < show) std::printf("%s\n", both.Report(verdict).c_str());
  return both.loaded().Open().ok();
}

void PrintOps(const Count& count) {
  absl::PrintF("ops          %d\n",
               std::accumulate(count.ops.begin(), count.ops.end(), uint64_t{0}));
  std::string never;
  for (size_t kind = 0; kind < count.ops.size(); ++kind) {
    const std::string name(InfoOf(static_cast<iommucheck::OpKind>(kind)).word);
    if (count.ops[kind] == 0)
      never += ' ' + name;
    else
      absl::PrintF("  %-15s %d\n", name, count.ops[kind]);
  }
  absl::PrintF("never played%s\n", never);
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t cases = 0;
  uint64_t seed = 1;
  uint64_t show = 1;
  std::vector<Bytes> inputs;
  if (const auto status = iommucheck::fuzzing::ReadOptions(
          argc, argv, {{"cases", &cases}, {"seed", &seed}, {"show", &show}}, "inputs",
          [&](const std::string& path) { return iommucheck::fuzzing::ReadInputs(path, inputs); }))
    return *status;
  ModelAndKernel& both = ModelAndKernel::OpenOrExit("kernel.so", /*catch_oops=*/true);
  ReportDeaths(both);

  Count count;
  const auto start = std::chrono::steady_clock::now();
  AnyCases fresh(seed);
  Mutator derived(inputs, seed);
  const iommucheck::draw::Shape shape{.ops = 36, .scope = iommucheck::draw::Scope::kInProcess};
  iommucheck::draw::Words words(seed);
  bool sound = true;
  for (size_t i = 0; sound && i < inputs.size(); ++i)
    sound = PlayAndCount(both, inputs[i], show, count);
  for (uint64_t n = 0; sound && n < cases; ++n)
    sound = n % 4 < 2    ? PlayAndCount(both, DrawCase(words, shape), show, count)
            : n % 4 == 2 ? PlayAndCount(both, fresh.Next(), show, count)
                         : PlayAndCount(both, derived.Next(), show, count);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;

  absl::PrintF("build        %s\n", both.loaded().name());
  absl::PrintF("cases        %d, of them %d given, seed %d\n", count.cases, inputs.size(), seed);
  PrintOps(count);
  absl::PrintF("ended early  %d, before an op that the model says no kernel survives\n",
               count.before_oops);
  for (const auto& [finding, times] : count.findings)
    absl::PrintF("ended early  %d, at \"%s\"\n", times, finding);
  absl::PrintF("rate         %.0f cases/s\n", static_cast<double>(count.cases) / taken.count());
  absl::PrintF("divergences  %d\n", count.wrong);
  if (!sound) absl::PrintF("stopped: the kernel code cannot be loaded again\n");
  return sound && count.wrong == 0 ? 0 : 1;
}
