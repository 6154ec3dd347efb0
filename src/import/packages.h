// SPDX-License-Identifier: Apache-2.0
//
// Many device trees at once: those in folders, in packages of Debian's and in tars.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace iommucheck::import {

// Calls `take` with the name and the bytes of each file "*.dtb" in a folder and below, in a Debian
// package, in a tar (also compressed), or with the file itself, in the order of names in a folder
// and of members in an archive. Errors: InvalidArgument, "PATH: expected WHAT, found WHAT".
absl::Status ForEachDeviceTree(
    const std::string& path, const std::function<void(std::string name, std::string bytes)>& take);

}  // namespace iommucheck::import
