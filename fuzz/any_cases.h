// SPDX-License-Identifier: Apache-2.0
//
// Random bytes that decode to a machine and ops of any kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "fuzz/mutator.h"
#include "model/rules.h"

namespace iommucheck::fuzzing {

// Cases with any machine, in the form of src/case/bytes.h. It uses only the raw numbers of the
// generator, since the distributions of <random> differ between libraries.
class AnyCases {
 public:
  explicit AnyCases(uint64_t seed) : words_(seed) {}

  const Bytes& Next();

 private:
  size_t Below(size_t limit) { return static_cast<size_t>(words_() % limit); }
  uint8_t Byte();
  RuleSet AnyAssumptions();

  std::mt19937_64 words_;
  Bytes current_;
};

}  // namespace iommucheck::fuzzing
