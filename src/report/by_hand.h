// SPDX-License-Identifier: Apache-2.0
//
// A run as an admin takes it: lines of a shell where there is a file of sysfs for the op, and the
// system call in a comment where it is a program's.
#pragma once

#include <string>
#include <vector>

#include "src/case/case.h"

namespace iommucheck::report {

// One or two lines for each op; what happens at boot, before anything else, in one comment.
std::vector<std::string> ByHand(const Case& c);

// The same in lines that fit into a report, four blanks in front.
std::string ByHandText(const Case& c);

}  // namespace iommucheck::report
