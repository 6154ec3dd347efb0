// SPDX-License-Identifier: Apache-2.0
//
// A main for targets that are built without a fuzzing engine.
//
//   TARGET [--rounds=N] [--seed=S] [FILE|FOLDER]...
//
// Runs the target on each file once, then on N inputs made by mutating these. The same arguments
// give the same inputs everywhere.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "fuzz/mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// A target need not have one.
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);

int main(int argc, char** argv) {
  using namespace iommucheck::fuzzing;
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  uint64_t rounds = 0;
  uint64_t seed = 1;
  std::vector<Bytes> inputs;
  if (!ReadArguments(argc, argv, {{"rounds", rounds}, {"seed", seed}},
                     [&](const std::string& path) { return ReadInputs(path, inputs); }))
    return 2;
  for (const Bytes& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  Mutator mutator(inputs, seed);
  for (uint64_t n = 0; n < rounds; ++n) {
    const Bytes& input = mutator.Next();
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("ran %zu files and %s generated inputs\n", inputs.size(),
              std::to_string(rounds).c_str());
  return 0;
}
