// SPDX-License-Identifier: Apache-2.0
//
// What a command writes: standard output, and files that are there whole or not at all.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace iommucheck::cli {

// Before any other file is opened: a standard stream that the caller closed stays closed, and its
// number is not given to a file.
void KeepStandardStreams();

// Flushes standard output. Errors: OutOfRange, "standard output: cannot be written: why".
absl::Status FlushOutput();

// Before the work, so that an answer is not lost to a mistyped name: whether `path` can be written,
// which is a regular file that may be written, or nothing, in a folder that is there. What is there
// of an earlier question is removed. "": no file is asked for. Errors: OutOfRange, "PATH: why".
absl::Status PrepareFile(const std::string& path);

// The same of a folder, which is made when the first file is written. `ours`: whether a file of
// that name is what the command writes, and so of an earlier question.
absl::Status PrepareFolder(const std::string& path,
                           const std::function<bool(const std::string& name)>& ours);

// With those above it. Errors: OutOfRange.
absl::Status MakeFolder(const std::string& path);

// Written whole, or not at all: to a temporary in the same folder, then renamed. Never replaces
// what is no regular file, nor one that is read-only. Errors: OutOfRange, "PATH: cannot be written:
// why".
absl::Status WriteFile(const std::string& path, const std::string& text);

}  // namespace iommucheck::cli
