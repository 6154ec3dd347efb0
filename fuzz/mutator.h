// SPDX-License-Identifier: Apache-2.0
//
// Makes inputs for targets without a fuzzing engine: the same arguments give the same inputs
// everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace iommucheck::fuzzing {

using Bytes = std::vector<uint8_t>;

// Adds the file, or the files below the folder in the order of their names, so that a seed gives
// the same inputs everywhere. Returns what is wrong, or "".
std::string ReadInputs(const std::filesystem::path& path, std::vector<Bytes>& inputs);

// Makes inputs from the given ones. It uses only the raw numbers of the generator, since the
// distributions of <random> differ between libraries.
class Mutator {
 public:
  Mutator(const std::vector<Bytes>& inputs, uint64_t seed) : inputs_(inputs), words_(seed) {}

  const Bytes& Next();

 private:
  size_t Below(size_t limit) { return static_cast<size_t>(words_() % limit); }
  size_t Place() { return Below(current_.size() + 1); }
  const Bytes& AnyInput();
  void MutateOnce();
  void Erase();
  void Insert();
  void Splice();

  const std::vector<Bytes>& inputs_;
  std::mt19937_64 words_;
  Bytes current_;
};

}  // namespace iommucheck::fuzzing
