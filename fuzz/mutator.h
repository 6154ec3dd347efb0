// SPDX-License-Identifier: Apache-2.0
//
// Inputs for targets without a fuzzing engine: the same arguments give the same ones everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace iommucheck::fuzzing {

using Bytes = std::vector<uint8_t>;

// Adds the file, or those below the folder in the order of their names, so that a seed means the
// same everywhere. False, and its name, if one cannot be read.
bool ReadInputs(const std::filesystem::path& path, std::vector<Bytes>& inputs, std::string& unread);

// Inputs made from the given ones. Only the generator's own words are used: what the distributions
// of <random> make of them differs between libraries.
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

// The number of "--name=N", if the argument is that; `prefix` is "--name=".
std::optional<uint64_t> Option(std::string_view argument, std::string_view prefix);

}  // namespace iommucheck::fuzzing
