// SPDX-License-Identifier: Apache-2.0
//
// One line on standard error that says what a command does and knows so far, with the seconds it
// has run. Only where that is a terminal, and only after the first second.
#pragma once

#include <string>

namespace iommucheck::tool {

// Replaces the line; "" takes it away, which a command does before it prints. From any thread.
void Progress(const std::string& text);

// Draws the line again where it is time to. Called now and then by the thread that watches signals.
void RefreshProgress();

}  // namespace iommucheck::tool
