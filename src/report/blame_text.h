// SPDX-License-Identifier: Apache-2.0
//
// Whether a violation is a patch's, in print.
#pragma once

#include <string>

#include "src/report/blame.h"
#include "src/report/json_parts.h"

namespace iommucheck::report {

// All about the change of an answer, in a few lines; empty where it has none.
std::string ChangeText(const Answer& answer);
// The first two of these: the verdict on the kernel without the patch, proved or not, and whose the
// violation is.
std::string BeforeText(const KernelSpec& before, const std::string& verdict, Verdict after_is,
                       Verdict before_is, bool proved);

// Adds the change, and the assumptions that were not made, to an answer's JSON.
void AddChange(const Answer& answer, Json& out);

}  // namespace iommucheck::report
