// SPDX-License-Identifier: Apache-2.0
//
// Files that are there whole or not at all, whatever is killed and whenever the power goes.
#pragma once

#include <string>
#include <string_view>

namespace iommucheck::fuzzing {

// Writes the file under another name in its folder, waits for the disk, and renames it. Returns why
// it could not, or "". Then there is no file in part, and an older one is as it was.
std::string WriteDurably(const std::string& path, std::string_view bytes);

// Makes the names in a folder as durable as its files. Returns why it could not, or "".
std::string SyncFolder(const std::string& folder);

// 16 hex digits that the bytes give, to name a file by.
std::string HashOf(std::string_view bytes);

}  // namespace iommucheck::fuzzing
