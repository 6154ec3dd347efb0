// SPDX-License-Identifier: Apache-2.0
//
// A main for targets that are built without a fuzzing engine.
//
//   TARGET [--rounds=N] [--seed=S] [FILE|FOLDER]...
//
// Runs the target on each file once, then on N inputs made by mutating these: half of them by the
// target's own mutator, if it has one. The same arguments give the same inputs everywhere.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "fuzz/mutator.h"
#include "fuzz/options.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// A target need not have these.
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                                                size_t max_size, unsigned seed);

namespace {

using namespace iommucheck::fuzzing;

constexpr size_t kMaxSize = 4096;

// An input by the target's own mutator, from one of the given ones.
void MutateByTarget(const Bytes& from, std::mt19937_64& words, Bytes& input) {
  input = from;
  size_t size = std::min(input.size(), kMaxSize);
  input.resize(kMaxSize);
  for (uint64_t more = 1 + words() % 8; more > 0; --more)
    size = LLVMFuzzerCustomMutator(input.data(), size, kMaxSize, static_cast<unsigned>(words()));
  input.resize(size);
}

}  // namespace

int main(int argc, char** argv) {
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  uint64_t rounds = 0;
  uint64_t seed = 1;
  std::vector<Bytes> inputs;
  if (const auto status =
          ReadOptions(argc, argv, {{"rounds", &rounds}, {"seed", &seed}}, "files",
                      [&](const std::string& path) { return ReadInputs(path, inputs); }))
    return *status;
  for (const Bytes& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  Mutator mutator(inputs, seed);
  std::mt19937_64 words(seed);
  Bytes by_target;
  for (uint64_t n = 0; n < rounds; ++n) {
    const bool own = LLVMFuzzerCustomMutator != nullptr && !inputs.empty() && n % 2 == 0;
    if (own) MutateByTarget(inputs[words() % inputs.size()], words, by_target);
    const Bytes& input = own ? by_target : mutator.Next();
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("ran %zu files and %s generated inputs\n", inputs.size(),
              std::to_string(rounds).c_str());
  return 0;
}
