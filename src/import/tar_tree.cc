// SPDX-License-Identifier: Apache-2.0
//
// Snapshots: a tar is read whole into memory, within bounds, and never unpacked to disk.
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "src/import/import.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

constexpr size_t kMaxPathBytes = 4096;
constexpr size_t kBlock = 512;

class TarTree : public Tree {
 public:
  TarTree() { nodes_[""].kind = Kind::kFolder; }

  [[nodiscard]] Kind KindOf(const std::string& path) const override {
    const auto it = nodes_.find(path);
    return it == nodes_.end() ? Kind::kNone : it->second.kind;
  }

  [[nodiscard]] std::vector<std::string> List(const std::string& path) const override {
    const auto it = nodes_.find(path);
    if (it == nodes_.end() || it->second.kind != Kind::kFolder) return {};
    std::vector<std::string> names(it->second.names.begin(), it->second.names.end());
    std::ranges::sort(names, NaturalLess);
    return names;
  }

  [[nodiscard]] std::optional<std::string> ReadLink(const std::string& path) const override {
    return TextOf(path, Kind::kLink);
  }
  [[nodiscard]] std::optional<std::string> ReadFile(const std::string& path) const override {
    return TextOf(path, Kind::kFile);
  }

  // Adds an entry and the folders above it. False: something else has the name already.
  bool Add(const std::string& path, Kind kind, std::string text) {
    if (!path.empty() && !AddFolders(path)) return false;
    const auto [it, is_new] = nodes_.try_emplace(path);
    if (!is_new && it->second.kind != kind) return false;
    if (is_new) bytes_ += path.size();
    bytes_ += text.size();
    it->second.kind = kind;
    it->second.text = std::move(text);
    return true;
  }

  [[nodiscard]] size_t entries() const { return nodes_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  struct Node {
    Kind kind = Kind::kNone;
    std::string text;             // of a file, or where a link points
    std::set<std::string> names;  // in a folder
  };

  bool AddFolders(const std::string& path) {
    for (std::string child = path; !child.empty();) {
      const std::string folder = FolderOf(child);
      const auto [it, is_new] = nodes_.try_emplace(folder);
      if (is_new) {
        it->second.kind = Kind::kFolder;
        bytes_ += folder.size();
      }
      if (it->second.kind != Kind::kFolder) return false;
      it->second.names.insert(BaseName(child));
      if (!is_new) break;  // the folders above it are there already
      child = folder;
    }
    return true;
  }

  [[nodiscard]] std::optional<std::string> TextOf(const std::string& path, Kind kind) const {
    const auto it = nodes_.find(path);
    if (it == nodes_.end() || it->second.kind != kind) return std::nullopt;
    return it->second.text;
  }

  std::map<std::string, Node> nodes_;
  size_t bytes_ = 0;
};

class Reader {
 public:
  Reader(std::string_view bytes, const std::string& name) : name_(name) {
    archive_read_support_format_tar(archive_.get());
    archive_read_support_filter_gzip(archive_.get());
    opened_ = archive_read_open_memory(archive_.get(), bytes.data(), bytes.size()) == ARCHIVE_OK;
  }

  absl::StatusOr<std::unique_ptr<Tree>> Read() {
    if (!opened_) return Invalid("a tar, plain or gzipped", LibraryError());
    auto tree = std::make_unique<TarTree>();
    archive_entry* entry = nullptr;
    for (;;) {
      const int result = archive_read_next_header(archive_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK) return Invalid("a tar, plain or gzipped", LibraryError());
      if (absl::Status status = ReadEntry(entry, *tree); !status.ok()) return status;
    }
    if (archive_file_count(archive_.get()) == 0) return Invalid("a tar with files", "none");
    return std::unique_ptr<Tree>(std::move(tree));
  }

 private:
  absl::Status Invalid(std::string_view expected, std::string_view found) const {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": expected ", std::string(expected), ", found ", std::string(found)));
  }

  [[nodiscard]] std::string LibraryError() const {
    const char* text = archive_error_string(archive_.get());
    return text == nullptr ? "something else" : text;
  }

  absl::Status ReadEntry(archive_entry* entry, TarTree& tree) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) return Invalid("an entry with a name", "none");
    std::string path;
    if (absl::Status status = CleanPath(raw, path); !status.ok()) return status;
    if (archive_entry_hardlink(entry) != nullptr) return Invalid("no hard links", path);
    std::string text;
    auto kind = Tree::Kind::kNone;
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        kind = Tree::Kind::kFolder;
        break;
      case AE_IFLNK: {
        kind = Tree::Kind::kLink;
        const char* target = archive_entry_symlink(entry);
        text = target == nullptr ? "" : target;
        break;
      }
      case AE_IFREG:
        kind = Tree::Kind::kFile;
        if (absl::Status status = ReadText(tree.bytes(), text); !status.ok()) return status;
        break;
      default:
        return absl::OkStatus();  // pipes and device nodes say nothing
    }
    if (!tree.Add(path, kind, std::move(text)))
      return Invalid("each name once", absl::StrCat("two different kinds of ", path));
    if (tree.entries() > static_cast<size_t>(kMaxSnapshotEntries))
      return Invalid(absl::StrCat("at most ", kMaxSnapshotEntries, " entries"), "more");
    return CheckBytes(tree.bytes());
  }

  // "./sys/x/" is "sys/x"; what points out of the tar is refused.
  absl::Status CleanPath(std::string_view raw, std::string& path) {
    if (raw.size() > kMaxPathBytes) return Invalid("names that are not longer than 4096", "one");
    if (raw.starts_with('/')) return Invalid("relative names", raw);
    while (!raw.empty()) {
      const size_t slash = raw.find('/');
      const std::string_view name = raw.substr(0, slash);
      if (name == "..") return Invalid("names without '..'", raw);
      if (!name.empty() && name != ".") path = Join(path, name);
      raw.remove_prefix(slash == std::string_view::npos ? raw.size() : slash + 1);
    }
    return absl::OkStatus();
  }

  absl::Status CheckBytes(size_t bytes) const {
    if (bytes <= kMaxSnapshotBytes) return absl::OkStatus();
    return Invalid(absl::StrCat("at most ", kMaxSnapshotBytes, " bytes unpacked"), "more");
  }

  // Reads what there is, not what the header announces, so that a header cannot claim memory.
  absl::Status ReadText(size_t so_far, std::string& text) {
    std::array<char, 16384> buffer{};
    for (;;) {
      const la_ssize_t n = archive_read_data(archive_.get(), buffer.data(), buffer.size());
      if (n == 0) return absl::OkStatus();
      if (n < 0) return Invalid("a whole tar", LibraryError());
      text.append(buffer.data(), static_cast<size_t>(n));
      if (absl::Status status = CheckBytes(so_far + text.size()); !status.ok()) return status;
    }
  }

  struct Free {
    void operator()(archive* a) const { archive_read_free(a); }
  };
  const std::string& name_;
  std::unique_ptr<archive, Free> archive_{archive_read_new()};
  bool opened_ = false;
};

// A gzip stream knows its end. A plain tar ends in zero blocks, and libarchive does not insist.
bool EndsLikeATar(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b")) return true;
  return bytes.size() >= kBlock && bytes.size() % kBlock == 0 &&
         bytes.substr(bytes.size() - kBlock).find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tree>> OpenTar(std::string_view bytes, const std::string& name) {
  absl::StatusOr<std::unique_ptr<Tree>> tree = Reader(bytes, name).Read();
  if (tree.ok() && !EndsLikeATar(bytes))
    return absl::InvalidArgumentError(absl::StrCat(name, ": expected a whole tar, found no end"));
  return tree;
}

}  // namespace iommucheck::import
