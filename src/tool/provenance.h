// SPDX-License-Identifier: Apache-2.0
//
// Which iommucheck this is and how it was called: what every report names, so that it can be had
// again.
#pragma once

#include <string>
#include <string_view>

namespace iommucheck::tool {

// "0.1.0"
std::string_view Version();

// 12 hex digits of the commit, with a + where the build has changes of its own; "unknown" where it
// was not built from a checkout.
std::string_view Commit();

// "iommucheck 0.1.0", which files that claim a verdict carry.
std::string Release();

// Both: "iommucheck 0.1.0 (d04f127f0e5a)", for what has no command line of its own.
std::string Build();

// To be called once, before what follows. The program is called iommucheck, wherever it lies.
void SetCommandLine(int argc, const char* const* argv);

// As a shell takes it: arguments with other than plain characters are quoted, and bytes that a
// terminal would act on are written out. Empty where nobody set it.
std::string CommandLine();

}  // namespace iommucheck::tool
