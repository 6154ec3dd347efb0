// SPDX-License-Identifier: Apache-2.0
//
// Which iommucheck this is and how it was called. Every report names both, so that it can be
// reproduced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace iommucheck::tool {

// "0.1.0"
std::string_view Version();

// 12 hex digits of the commit, with a + if the build has uncommitted changes; "unknown" if it was
// not built from a checkout.
std::string_view Commit();

// "iommucheck 0.1.0"; files that claim a verdict carry it.
std::string Release();

// Version and commit: "iommucheck 0.1.0 (d04f127f0e5a)", for output without a command line.
std::string Build();

// Identifies a model and its encodings: 16 hex digits of a hash of all sources in model/,
// src/case/, src/explore/, src/prove/ and src/smt/, made when iommucheck is built
// (cmake/ModelHash.cmake). Files that claim a verdict carry it, and are trusted only if it is the
// same.
std::string_view ModelHash();

// Call this once, before CommandLine(). The program is named so, wherever it is installed.
void SetCommandLine(int argc, const char* const* argv, std::string_view program = "iommucheck");

// In a form that a shell accepts: arguments with special characters are quoted, and bytes that a
// terminal would act on are escaped. Empty if nobody set it.
std::string CommandLine();

// The folder of what is installed beside the program, such as the corpus; "" where it runs from the
// folder that it was built in.
std::string InstalledData();

// A sentence that every report of this run must carry, such as that a kernel has no profile of its
// own. The same sentence again is not added.
void AddNote(std::string note);
const std::vector<std::string>& Notes();

}  // namespace iommucheck::tool
