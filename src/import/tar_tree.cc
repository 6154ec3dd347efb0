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
#include "absl/strings/str_split.h"
#include "src/import/import.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

constexpr size_t kMaxPathBytes = 4096;
constexpr size_t kBlock = 512;
constexpr char kTar[] = "a tar, plain or compressed (gzip, xz, zstd, bzip2)";
constexpr char kWholeTar[] = "a whole tar";
// The first bytes of compressed files.
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kXzMagic = {"\xfd\x37zXZ\0", 6};
constexpr std::string_view kMagics[] = {kGzipMagic, kXzMagic, "\x28\xb5\x2f\xfd", "BZh"};

absl::Status Invalid(const std::string& expected, const std::string& found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found ", found));
}

absl::Status CheckUnpacked(size_t bytes, size_t most) {
  if (bytes <= most) return absl::OkStatus();
  return Invalid(absl::StrCat("at most ", most, " bytes unpacked"), "more");
}

// Makes "sys/x" of "./sys/x/" and "/sys/x"; refuses paths that leave the tar.
absl::Status CleanPath(const std::string& raw, std::string& path) {
  if (raw.size() > kMaxPathBytes) return Invalid("names that are not longer than 4096", "one");
  const std::vector<std::string> names = absl::StrSplit(raw, '/');
  for (const std::string& name : names) {
    if (name == "..") return Invalid("names without '..'", raw);
    if (!name.empty() && name != ".") path = Join(path, name);
  }
  return absl::OkStatus();
}

// An archive of libarchive that reads bytes in memory.
using Archive = std::unique_ptr<archive, int (*)(archive*)>;

std::string ErrorOf(const Archive& in) {
  const char* text = archive_error_string(in.get());
  return text == nullptr ? "something else" : text;
}

// Appends the content of the entry, as long as there are not more than `most` bytes, `others` of
// them of other entries. It reads the bytes that there are, not the size that the header claims: a
// header alone must not allocate memory.
absl::Status ReadContent(const Archive& in, size_t others, size_t most, std::string& text) {
  std::array<char, 16384> buffer{};
  for (;;) {
    const la_ssize_t n = archive_read_data(in.get(), buffer.data(), buffer.size());
    if (n == 0) return absl::OkStatus();
    if (n < 0) return Invalid(kWholeTar, ErrorOf(in));
    text.append(buffer.data(), static_cast<size_t>(n));
    if (absl::Status s = CheckUnpacked(others + text.size(), most); !s.ok()) return s;
  }
}

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

  // Adds all entries of a tar that is not compressed.
  absl::Status Read(std::string_view bytes) {
    const Archive in(archive_read_new(), archive_read_free);
    archive_read_support_format_tar(in.get());
    archive_entry* entry = nullptr;
    int result = archive_read_open_memory(in.get(), bytes.data(), bytes.size());
    while (result == ARCHIVE_OK) {
      result = archive_read_next_header(in.get(), &entry);
      if (result == ARCHIVE_OK)
        if (absl::Status status = ReadEntry(in, entry); !status.ok()) return status;
    }
    if (result != ARCHIVE_EOF) return Invalid(kTar, ErrorOf(in));
    if (archive_file_count(in.get()) == 0) return Invalid("a tar with files", "none");
    // libarchive does not require the zero blocks in which a tar ends.
    if (bytes.size() % kBlock != 0 ||
        bytes.substr(bytes.size() - kBlock).find_first_not_of('\0') != std::string_view::npos)
      return Invalid(kWholeTar, "no end");
    return absl::OkStatus();
  }

 private:
  struct Node {
    Kind kind = Kind::kNone;
    std::string text;             // content of a file, or target of a link
    std::set<std::string> names;  // in a folder
  };

  absl::Status ReadEntry(const Archive& in, archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) return Invalid("an entry with a name", "none");
    std::string path;
    if (absl::Status status = CleanPath(raw, path); !status.ok()) return status;
    if (archive_entry_hardlink(entry) != nullptr) return Invalid("no hard links", path);
    std::string text;
    auto kind = Kind::kFile;
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        kind = Kind::kFolder;
        break;
      case AE_IFLNK:
        kind = Kind::kLink;
        if (const char* target = archive_entry_symlink(entry)) text = target;
        break;
      case AE_IFREG:
        if (absl::Status s = ReadContent(in, bytes_, kMaxSnapshotBytes, text); !s.ok()) return s;
        break;
      default:
        return absl::OkStatus();  // pipes and device nodes have no content
    }
    if (!Add(path, kind, std::move(text)))
      return Invalid("each name once", absl::StrCat("two different kinds of ", path));
    if (nodes_.size() > static_cast<size_t>(kMaxSnapshotEntries))
      return Invalid(absl::StrCat("at most ", kMaxSnapshotEntries, " entries"), "more");
    return CheckUnpacked(bytes_, kMaxSnapshotBytes);
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

// By zlib: libarchive does not check the checksum.
absl::StatusOr<std::string> Gunzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return Invalid(kWholeTar, "no memory to unpack it");
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
    if (absl::Status s = CheckUnpacked(text.size(), kMaxStreamBytes); !s.ok()) return s;
    if (result == Z_STREAM_END) {
      const std::string_view rest = bytes.substr(bytes.size() - stream.avail_in);
      if (rest.find_first_not_of('\0') == std::string_view::npos) return text;
      if (!rest.starts_with(kGzipMagic))
        return Invalid(kWholeTar, "bytes after the end of its gzip");
      inflateReset(&stream);  // adjacent members make one file
    } else if (result == Z_BUF_ERROR && stream.avail_in == 0) {
      return Invalid(kWholeTar, "no end of its gzip");
    } else if (result != Z_OK) {
      return Invalid(kWholeTar, absl::StrCat("a gzip with an error: ",
                                             stream.msg == nullptr ? "" : stream.msg));
    }
  }
}

// Unpacks the formats that libarchive can unpack and check.
absl::StatusOr<std::string> Unpack(std::string_view bytes) {
  const Archive in(archive_read_new(), archive_read_free);
  archive_read_support_format_raw(in.get());
  archive_read_support_filter_xz(in.get());
  archive_read_support_filter_zstd(in.get());
  archive_read_support_filter_bzip2(in.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_memory(in.get(), bytes.data(), bytes.size()) != ARCHIVE_OK ||
      archive_read_next_header(in.get(), &entry) != ARCHIVE_OK)
    return Invalid(kWholeTar, ErrorOf(in));
  std::string text;
  if (absl::Status s = ReadContent(in, 0, kMaxStreamBytes, text); !s.ok()) return s;
  return text;
}

}  // namespace

bool IsPacked(std::string_view bytes) {
  return std::ranges::any_of(kMagics, [&](auto magic) { return bytes.starts_with(magic); });
}

absl::StatusOr<std::unique_ptr<Tree>> OpenTar(std::string_view bytes) {
  std::string unpacked;
  if (IsPacked(bytes)) {
    absl::StatusOr<std::string> text =
        bytes.starts_with(kGzipMagic) ? Gunzip(bytes) : Unpack(bytes);
    if (!text.ok()) return text.status();
    unpacked = *std::move(text);
    bytes = unpacked;
  }
  auto tree = std::make_unique<TarTree>();
  if (absl::Status status = tree->Read(bytes); !status.ok()) return status;
  return tree;
}

}  // namespace iommucheck::import
