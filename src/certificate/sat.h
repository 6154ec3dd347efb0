// SPDX-License-Identifier: Apache-2.0
//
// The SAT solver that writes proofs. The only part that includes CaDiCaL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/smt/cnf.h"

namespace iommucheck::certificate {

struct SatAnswer {
  enum class Kind : uint8_t { kSat, kUnsat, kUnknown };
  Kind kind = Kind::kUnknown;  // kUnknown: the conflicts are used up
  std::string drat;            // kUnsat: the proof, in text
  std::vector<bool> model;     // kSat: by variable, from 1
};

// With at most so many conflicts; 0: no limit.
SatAnswer SolveCnf(const smt::Cnf& cnf, uint64_t conflicts);

}  // namespace iommucheck::certificate
