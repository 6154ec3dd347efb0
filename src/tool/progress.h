// SPDX-License-Identifier: Apache-2.0
//
// One line on standard error: what a command does and has found so far, with the seconds it has
// run. It appears only on a terminal, and only after the first second.
#pragma once

#include <string>

namespace iommucheck::tool {

// Replaces the line. "" removes it, which a command does before it prints. May be called from any
// thread.
void Progress(const std::string& text);

// Draws the line again if it is due. The thread that watches signals calls this from time to time.
void RefreshProgress();

}  // namespace iommucheck::tool
