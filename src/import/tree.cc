// SPDX-License-Identifier: Apache-2.0
#include "src/import/tree.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "src/import/import.h"

namespace iommucheck::import {
namespace {

namespace fs = std::filesystem;

// The number of links that the kernel follows in one path (MAXSYMLINKS).
constexpr int kMaxLinks = 40;
// All files that we read are short: lines, and ACPI tables of a few pages.
constexpr size_t kMaxFileBytes = size_t{1} << 20;

class FolderTree : public Tree {
 public:
  explicit FolderTree(fs::path root) : root_(std::move(root)) {}

  [[nodiscard]] Kind KindOf(const std::string& path) const override {
    std::error_code error;
    switch (fs::symlink_status(root_ / path, error).type()) {
      case fs::file_type::regular:
        return Kind::kFile;
      case fs::file_type::directory:
        return Kind::kFolder;
      case fs::file_type::symlink:
        return path.empty() ? Kind::kFolder : Kind::kLink;
      default:
        return Kind::kNone;
    }
  }

  [[nodiscard]] std::optional<std::vector<std::string>> List(
      const std::string& path) const override {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(root_ / path, error), end; !error && it != end;
         it.increment(error)) {
      if (names.size() >= static_cast<size_t>(kMaxSnapshotEntries)) return std::nullopt;
      names.push_back(it->path().filename().string());
    }
    const bool no_folder =
        error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
    if (error && !no_folder) return std::nullopt;
    std::ranges::sort(names, NaturalLess);
    return names;
  }

  [[nodiscard]] std::optional<std::string> ReadLink(const std::string& path) const override {
    std::error_code error;
    const fs::path target = fs::read_symlink(root_ / path, error);
    if (error) return std::nullopt;
    return target.string();
  }

  // sysfs files claim a size of 4096 bytes, so the text is whatever can be read.
  [[nodiscard]] std::optional<std::string> ReadFile(const std::string& path) const override {
    if (KindOf(path) != Kind::kFile) return std::nullopt;
    std::ifstream in(root_ / path, std::ios::binary);
    if (!in) return std::nullopt;
    std::string text(kMaxFileBytes, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return std::nullopt;
    text.resize(static_cast<size_t>(in.gcount()));
    return text;
  }

 private:
  fs::path root_;
};

// Pushes the names of a path onto `pending`, the last name first.
void PushNames(const std::string& path, std::vector<std::string>& pending) {
  const std::vector<std::string> names = absl::StrSplit(path, '/');
  pending.insert(pending.end(), names.rbegin(), names.rend());
}

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// Removes the digits at the beginning of `text`, and returns them without leading zeros.
std::string_view TakeNumber(std::string_view& text) {
  size_t end = 0;
  while (end < text.size() && IsDigit(text[end])) ++end;
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

}  // namespace

std::unique_ptr<Tree> OpenFolder(const std::string& path) {
  return std::make_unique<FolderTree>(fs::path(path));
}

absl::StatusOr<std::optional<std::string>> Resolve(const Tree& tree, std::string_view path) {
  std::vector<std::string> pending;
  PushNames(std::string(path), pending);
  std::string done;
  int links = 0;
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (done.empty()) return std::optional<std::string>();
      done = FolderOf(done);
      continue;
    }
    std::string next = Join(done, name);
    const Tree::Kind kind = tree.KindOf(next);
    if (kind == Tree::Kind::kNone) return std::optional<std::string>();
    if (kind != Tree::Kind::kLink) {
      done = std::move(next);
      continue;
    }
    if (++links > kMaxLinks)
      return absl::InvalidArgumentError(
          absl::StrCat("expected links that end, found a cycle at ", next));
    const std::optional<std::string> target = tree.ReadLink(next);
    if (!target || target->starts_with('/')) return std::optional<std::string>();
    PushNames(*target, pending);
  }
  return std::optional(done);
}

std::string Join(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty()) path += '/';
  return path += name;
}

std::string BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

bool NaturalLess(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (IsDigit(a.front()) && IsDigit(b.front())) {
      const std::string_view x = TakeNumber(a);
      const std::string_view y = TakeNumber(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;
}

}  // namespace iommucheck::import
