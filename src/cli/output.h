// SPDX-License-Identifier: Apache-2.0
//
// Output of commands: standard output, and files that are written whole or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace iommucheck::cli {

// Before any other file is opened: a standard stream that the caller closed stays closed, and its
// number is not given to a file.
void KeepStandardStreams();

// Flushes standard output. Errors: OutOfRange, "standard output: cannot be written: why".
absl::Status FlushOutput();

// Before the work, so that an answer is not lost to a mistyped name: whether `path` can be written,
// which is a regular file that may be written, or nothing, in a folder that is there. Nothing is
// changed. "": no file is asked for. Errors: OutOfRange, "PATH: cannot be written: why".
absl::Status CanWriteFile(const std::string& path);
// CanWriteFile() for a folder, which is made when the first file is written.
absl::Status CanWriteFolder(const std::string& path);

// Removes the files of an earlier answer, the file or the files in the folder: their first line is
// a comment of this iommucheck or another. To be called once there is an answer, before it is
// written. No other file is touched. "": no file is asked for. Errors: OutOfRange.
inline constexpr std::string_view kCaseComment = "# ";
inline constexpr std::string_view kSmt2Comment = "; ";
absl::Status RemoveOurs(const std::string& path, std::string_view comment);

struct NamedText {
  std::string name;
  std::string text;
};
// An answer of several files: removes the files of an earlier answer, as above, if they have names
// that the command gives (regular expression `names`), then makes the folder and the folders above
// it where there is a file to write, and writes them in this order. "": no folder is asked for.
// Errors: OutOfRange.
absl::Status WriteFolder(const std::string& folder, std::string_view comment,
                         const std::string& names, const std::vector<NamedText>& files);

// Written whole, or not at all: to a temporary in the same folder, then renamed. Replaces nothing
// but regular files that are not read-only. Errors: OutOfRange, "PATH: cannot be written:
// why".
absl::Status WriteFile(const std::string& path, const std::string& text);

}  // namespace iommucheck::cli
