// SPDX-License-Identifier: Apache-2.0
//
// A check as SMT-LIB2, for other solvers.
#pragma once

#include <string>
#include <vector>

#include "src/smt/inputs.h"

namespace iommucheck::smt {

// The asserted bits and the assumptions as one satisfiability problem.
std::string ToSmt2(const Inputs& inputs, const std::vector<Bit>& asserted,
                   const std::vector<Bit>& assumptions);

}  // namespace iommucheck::smt
