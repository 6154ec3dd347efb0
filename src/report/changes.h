// SPDX-License-Identifier: Apache-2.0
//
// The changes that a step made, in the kernel's terms.
#pragma once

#include <string>
#include <vector>

#include "src/report/text.h"

namespace iommucheck::report {

// A line for each change of any member of the state, but for what another line says already (a
// device that is where its group is, a list in the order in which its entries came) and for
// bounds and counts that follow from the rest. A change that the op implies (`op`, nullptr where it
// failed) is listed only if the step changed nothing else. Changes of devices that are not shown
// are left out.
std::vector<std::string> Changes(const Case& c, const State& before, const State& after,
                                 const Op* op = nullptr, const Shown& shown = {});

}  // namespace iommucheck::report
