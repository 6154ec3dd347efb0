// SPDX-License-Identifier: Apache-2.0
//
// Snapshots: a tar is read whole into memory, within bounds, and never unpacked to disk.
#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

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
constexpr std::string_view kTar = "a tar, plain or compressed (gzip, xz, zstd, bzip2)";
// The first bytes of compressed files.
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::array<std::string_view, 4> kMagics = {kGzipMagic,
                                                     std::string_view("\xfd"
                                                                      "7zXZ\0",
                                                                      6),
                                                     "\x28\xb5\x2f\xfd", "BZh"};

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

class TarTree : public Tree {
 public:
  TarTree() { nodes_[""].kind = Kind::kFolder; }

  [[nodiscard]] Kind KindOf(const std::string& path) const override {
    const auto it = nodes_.find(path);
    return it == nodes_.end() ? Kind::kNone : it->second.kind;
  }

  [[nodiscard]] std::optional<std::vector<std::string>> List(
      const std::string& path) const override {
    const auto it = nodes_.find(path);
    if (it == nodes_.end() || it->second.kind != Kind::kFolder) return std::vector<std::string>();
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

  // Adds an entry and the folders above it. False: the name is taken by an entry of another kind.
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
    std::string text;             // content of a file, or target of a link
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
      if (!is_new) break;  // the folders above it exist already
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
    opened_ = archive_read_open_memory(archive_.get(), bytes.data(), bytes.size()) == ARCHIVE_OK;
  }

  absl::StatusOr<std::unique_ptr<Tree>> Read() {
    if (!opened_) return Invalid(kTar, LibraryError());
    auto tree = std::make_unique<TarTree>();
    archive_entry* entry = nullptr;
    for (;;) {
      const int result = archive_read_next_header(archive_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK) return Invalid(kTar, LibraryError());
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
        return absl::OkStatus();  // pipes and device nodes have no content
    }
    if (!tree.Add(path, kind, std::move(text)))
      return Invalid("each name once", absl::StrCat("two different kinds of ", path));
    if (tree.entries() > static_cast<size_t>(kMaxSnapshotEntries))
      return Invalid(absl::StrCat("at most ", kMaxSnapshotEntries, " entries"), "more");
    return CheckBytes(tree.bytes());
  }

  // Makes "sys/x" of "./sys/x/" and "/sys/x"; refuses paths that leave the tar.
  absl::Status CleanPath(std::string_view raw, std::string& path) {
    if (raw.size() > kMaxPathBytes) return Invalid("names that are not longer than 4096", "one");
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

  // Reads the bytes that there are, not the size that the header claims: a header alone must not
  // allocate memory.
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

  const std::string& name_;
  std::unique_ptr<archive, FreeArchive> archive_{archive_read_new()};
  bool opened_ = false;
};

// Whether the bytes end in the zero blocks of a tar, which libarchive does not require.
bool EndsLikeATar(std::string_view bytes) {
  return bytes.size() >= kBlock && bytes.size() % kBlock == 0 &&
         bytes.substr(bytes.size() - kBlock).find_first_not_of('\0') == std::string_view::npos;
}

absl::Status NotWhole(const std::string& name, std::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": expected a whole tar, found ", std::string(found)));
}

absl::Status TooLarge(const std::string& name) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": expected at most ", kMaxStreamBytes, " bytes unpacked, found more"));
}

// By zlib: libarchive does not check the checksum.
absl::StatusOr<std::string> Gunzip(std::string_view bytes, const std::string& name) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return NotWhole(name, "no memory to unpack it");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  // zlib's interface is not const, but it does not write to its input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    const int result = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer.data(), buffer.size() - stream.avail_out);
    if (text.size() > kMaxStreamBytes) return TooLarge(name);
    if (result == Z_STREAM_END) {
      const std::string_view rest = bytes.substr(bytes.size() - stream.avail_in);
      if (rest.find_first_not_of('\0') == std::string_view::npos) return text;
      if (!rest.starts_with(kGzipMagic)) return NotWhole(name, "bytes after the end of its gzip");
      inflateReset(&stream);  // adjacent members make one file
    } else if (result == Z_BUF_ERROR && stream.avail_in == 0) {
      return NotWhole(name, "no end of its gzip");
    } else if (result != Z_OK) {
      return NotWhole(
          name, absl::StrCat("a gzip with an error: ", stream.msg == nullptr ? "" : stream.msg));
    }
  }
}

// Unpacks the formats that libarchive can unpack and check.
absl::StatusOr<std::string> Unpack(std::string_view bytes, const std::string& name) {
  const std::unique_ptr<archive, FreeArchive> in(archive_read_new());
  archive_read_support_format_raw(in.get());
  archive_read_support_filter_xz(in.get());
  archive_read_support_filter_zstd(in.get());
  archive_read_support_filter_bzip2(in.get());
  archive_entry* entry = nullptr;
  std::string text;
  std::array<char, 65536> buffer{};
  la_ssize_t n = ARCHIVE_FATAL;
  if (archive_read_open_memory(in.get(), bytes.data(), bytes.size()) == ARCHIVE_OK &&
      archive_read_next_header(in.get(), &entry) == ARCHIVE_OK)
    while ((n = archive_read_data(in.get(), buffer.data(), buffer.size())) > 0) {
      text.append(buffer.data(), static_cast<size_t>(n));
      if (text.size() > kMaxStreamBytes) return TooLarge(name);
    }
  if (n == 0) return text;
  const char* why = archive_error_string(in.get());
  return NotWhole(name, why == nullptr ? "bytes that do not unpack" : why);
}

absl::StatusOr<std::unique_ptr<Tree>> OpenPlainTar(std::string_view bytes,
                                                   const std::string& name) {
  absl::StatusOr<std::unique_ptr<Tree>> tree = Reader(bytes, name).Read();
  if (tree.ok() && !EndsLikeATar(bytes)) return NotWhole(name, "no end");
  return tree;
}

}  // namespace

bool IsPacked(std::string_view bytes) {
  return std::ranges::any_of(kMagics, [&](auto magic) { return bytes.starts_with(magic); });
}

absl::StatusOr<std::unique_ptr<Tree>> OpenTar(std::string_view bytes, const std::string& name) {
  if (!IsPacked(bytes)) return OpenPlainTar(bytes, name);
  const absl::StatusOr<std::string> text =
      bytes.starts_with(kGzipMagic) ? Gunzip(bytes, name) : Unpack(bytes, name);
  if (!text.ok()) return text.status();
  return OpenPlainTar(*text, name);
}

}  // namespace iommucheck::import
