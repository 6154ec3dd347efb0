// SPDX-License-Identifier: Apache-2.0
//
// What a patch changes: unified diffs, and the C functions that their hunks are in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace iommucheck::review {

struct Hunk {
  int old_line = 0;  // of the first line before and after the patch, from 1
  int new_line = 0;
  std::string heading;             // the text after the second @@
  std::vector<std::string> lines;  // each with its ' ', '-' or '+'
  friend bool operator==(const Hunk&, const Hunk&) = default;
};

struct FileChange {
  std::string file;  // its path in the tree, after the patch
  std::vector<Hunk> hunks;
};

// One patch, or several together.
struct Changes {
  struct Patch {
    std::string sha256;
    std::string name;
  };
  // What kernel/overlay.sh writes before the diff: lines `patch SHA256 NAME`, `not-built FILE`.
  std::vector<Patch> patches;
  std::vector<std::string> not_built;  // files of the patch that the harness is not built from
  std::vector<FileChange> files;
};

// Reads a unified diff; text before a file's `---` line is skipped, so that a mail will do, if it is
// not encoded. A file that is removed has the path that it had. Errors: InvalidArgument,
// "FILE:LINE:COLUMN: expected .., found ..".
absl::StatusOr<Changes> ParseChanges(std::string_view text, std::string_view file);

// A line that the patch adds, or the place of lines that it takes away.
struct ChangedLine {
  int line = 0;          // after the patch; of a place: the line that follows it
  bool removed = false;  // a place
  std::string text;      // of the line; of a place: the first line that is gone
};
// In order. Lines that are blank, or a comment as a whole, are no code and left out.
std::vector<ChangedLine> ChangedLines(const FileChange& change);

// A function's definition in C in the kernel's style: its body begins with `{` and ends with `}` in
// the first column.
struct Function {
  std::string name;
  int first = 0;  // the line of its name
  int last = 0;
};
std::vector<Function> FunctionsOf(std::string_view text);

// The functions that the hunks take away as a whole, from a diff without context.
std::vector<std::string> FunctionsGone(const FileChange& change);

// The functions that the hunks are in, without the source: by the headings of hunks and by the lines
// that they show. A guess: a heading may name the function before.
std::vector<std::string> FunctionsNear(const FileChange& change);

}  // namespace iommucheck::review
