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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using iommucheck::fuzzing::Bytes;
using iommucheck::fuzzing::Mutator;
using iommucheck::fuzzing::Option;

int Usage(const char* program, const std::string& what) {
  std::fprintf(stderr, "%s: %s\nusage: %s [--rounds=N] [--seed=S] [FILE|FOLDER]...\n", program,
               what.c_str(), program);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t rounds = 0;
  uint64_t seed = 1;
  std::vector<Bytes> inputs;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (const auto n = Option(argument, "--rounds=")) {
      rounds = *n;
    } else if (const auto s = Option(argument, "--seed=")) {
      seed = *s;
    } else if (argument.starts_with("--")) {
      return Usage(argv[0], "no such option: " + argument);
    } else {
      std::string unread;
      if (!iommucheck::fuzzing::ReadInputs(argument, inputs, unread))
        return Usage(argv[0], "cannot read " + unread);
    }
  }
  for (const Bytes& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  Mutator mutator(inputs, seed);
  for (uint64_t n = 0; n < rounds; ++n) {
    const Bytes& input = mutator.Next();
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("ran %zu files and %llu generated inputs\n", inputs.size(),
              static_cast<unsigned long long>(rounds));
  return 0;
}
