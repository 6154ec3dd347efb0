// SPDX-License-Identifier: Apache-2.0
//
// Random cases about mappings and pins of type1, and about users of devices: few kinds of machines,
// which are set up first, and many ops on them. Bytes in the form of src/case/bytes.h make any
// machine, and rarely one on which a mapping succeeds.
#pragma once

#include <cstdint>
#include <random>

#include "model/rules.h"
#include "src/case/bytes.h"

namespace iommucheck::fuzzing {

class Type1Cases {
 public:
  explicit Type1Cases(uint64_t seed) : words_(seed) {}

  // The caller sets the kernel. Valid until the next call.
  const DecodedCase& Next();

 private:
  uint8_t Below(int limit) { return static_cast<uint8_t>(words_() % static_cast<unsigned>(limit)); }
  bool OneIn(int n) { return Below(n) == 0; }
  void MakeMachine();
  void MakeInstance(Instance& instance);
  void MakeDevice(Device& device);
  void SetUp();
  void Add(OpKind kind, int a, int b = 0);
  Pages AnyPages();
  Fault AnyFault();
  Op AnyOp();

  std::mt19937_64 words_;
  DecodedCase case_;
};

}  // namespace iommucheck::fuzzing
