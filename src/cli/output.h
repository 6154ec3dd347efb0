// SPDX-License-Identifier: Apache-2.0
//
// What a command writes: standard output, and files that are there whole or not at all.
#pragma once

#include <functional>
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
// The same of a folder, which is made when the first file is written.
absl::Status CanWriteFolder(const std::string& path);

// When there is an answer, before what there is to write of it: the file, or those in the folder,
// that an earlier answer left there, and that say so in their first line, a comment of this
// iommucheck or another. No other file is touched. "": no file is asked for. Errors: OutOfRange.
inline constexpr std::string_view kCaseComment = "# ";
inline constexpr std::string_view kSmt2Comment = "; ";
absl::Status RemoveOurs(const std::string& path, std::string_view comment);

struct NamedText {
  std::string name;
  std::string text;
};
// An answer of several files: takes away what an earlier one left in the folder, as above and of
// names that the command gives (`is_name`), then makes the folder where there is a file to write,
// and writes them in this order. Errors: OutOfRange.
absl::Status WriteFolder(const std::string& folder, std::string_view comment,
                         const std::function<bool(const std::string& name)>& is_name,
                         const std::vector<NamedText>& files);

// With those above it. Errors: OutOfRange.
absl::Status MakeFolder(const std::string& path);

// Written whole, or not at all: to a temporary in the same folder, then renamed. Never replaces
// what is no regular file, nor one that is read-only. Errors: OutOfRange, "PATH: cannot be written:
// why".
absl::Status WriteFile(const std::string& path, const std::string& text);

}  // namespace iommucheck::cli
