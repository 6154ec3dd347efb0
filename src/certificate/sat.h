// SPDX-License-Identifier: Apache-2.0
//
// The SAT solver that writes proofs. Only its implementation includes CaDiCaL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/smt/cnf.h"

namespace iommucheck::certificate {

struct SatAnswer {
  enum class Kind : uint8_t { kSat, kUnsat, kUnknown };
  Kind kind = Kind::kUnknown;  // kUnknown: the limit of conflicts was reached
  std::string drat;            // kUnsat: the proof, as text
  std::vector<bool> model;     // kSat: by variable, from 1
};

// Gives up after `conflicts` conflicts; 0: no limit.
SatAnswer SolveCnf(const smt::Cnf& cnf, uint64_t conflicts);

}  // namespace iommucheck::certificate
