// SPDX-License-Identifier: Apache-2.0
//
// What a case says and its author may not have meant: nothing is wrong with it, but it plays as
// another machine than it looks like.
#pragma once

#include <string>
#include <vector>

#include "src/case/case.h"

namespace iommucheck {

// One sentence each. Up to 6.0: a driver that the case registers and that claims no bus, or none
// that a device behind it is on, serves no device.
std::vector<std::string> NotesOf(const Case& c);

}  // namespace iommucheck
