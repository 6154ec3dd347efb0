// SPDX-License-Identifier: Apache-2.0
//
// Notes on cases that their authors may not have meant: the case is valid, but it plays as another
// machine than it looks like.
#pragma once

#include <string>
#include <vector>

#include "src/case/case.h"

namespace iommucheck {

// One sentence each. Up to and including 6.0, a driver serves no device if it claims no bus, or
// none that has a device behind it; there is a note if the case registers such a driver.
std::vector<std::string> NotesOf(const Case& c);

}  // namespace iommucheck
