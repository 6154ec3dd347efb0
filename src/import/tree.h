// SPDX-License-Identifier: Apache-2.0
//
// A readable tree of files and symbolic links: a folder, or a tar in memory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace iommucheck::import {

// Paths are relative to the tree's root, without '.', '..', or a '/' at either end; the root is "".
// The methods expect paths without links in their folders, as Resolve() returns them, and never
// follow a link.
class Tree {
 public:
  enum class Kind : uint8_t { kNone, kFile, kFolder, kLink };

  virtual ~Tree() = default;
  [[nodiscard]] virtual Kind KindOf(const std::string& path) const = 0;
  // The names in a folder, with numbers in them sorted by value; empty if there is no such folder,
  // nullopt if it cannot be read completely.
  [[nodiscard]] virtual std::optional<std::vector<std::string>> List(
      const std::string& path) const = 0;
  [[nodiscard]] virtual std::optional<std::string> ReadLink(const std::string& path) const = 0;
  // nullopt if there is no such file, or it cannot be read.
  [[nodiscard]] virtual std::optional<std::string> ReadFile(const std::string& path) const = 0;
};

// Opens a folder; its files are read on demand.
std::unique_ptr<Tree> OpenFolder(const std::string& path);
// Opens a tar, plain or compressed (gzip, xz, zstd, bzip2), within the limits of import.h. It is
// read to its end, and checksums are checked. Errors: InvalidArgument "expected WHAT, found WHAT".
absl::StatusOr<std::unique_ptr<Tree>> OpenTar(std::string_view bytes);
// Whether the bytes begin like one of these compressed forms.
bool IsPacked(std::string_view bytes);

// Follows all links in `path`. nullopt if it leads nowhere or out of the tree; InvalidArgument if
// links form a cycle.
absl::StatusOr<std::optional<std::string>> Resolve(const Tree& tree, std::string_view path);

// The path of `name` in `folder`; the last name of a path; the path without its last name.
std::string Join(std::string_view folder, std::string_view name);
std::string BaseName(std::string_view path);
std::string FolderOf(std::string_view path);

// Compares names, with runs of digits by value: "dmar2" before "dmar10".
bool NaturalLess(std::string_view a, std::string_view b);

}  // namespace iommucheck::import
