// SPDX-License-Identifier: Apache-2.0
//
// The parts that the forms of a picture share.
#pragma once

#include <string>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

// A case without ops as the machine boots: all IOMMUs register, and all devices are configured.
Case Booted(Case c);
// "v6.0, after 5 steps: no-cross-driver-reuse violated at step 5"
std::string TitleOf(const Case& c, const Run& run, size_t steps);
// The machine after so many steps, for graphviz. Precondition: the run has them.
std::string DotAt(const Case& c, const Run& run, size_t steps);

}  // namespace iommucheck::report
