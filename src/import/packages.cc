// SPDX-License-Identifier: Apache-2.0
#include "src/import/packages.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/case/spelling.h"
#include "src/import/device_tree.h"

namespace iommucheck::import {
namespace {

namespace fs = std::filesystem;

// A package of a kernel has 120 MB.
constexpr uintmax_t kMaxPackageBytes = uintmax_t{1} << 30U;

using Take = std::function<void(std::string name, std::string bytes)>;
using Archive = std::unique_ptr<archive, int (*)(archive*)>;

absl::Status Bad(const std::string& path, const std::string& expected, const std::string& found) {
  return absl::InvalidArgumentError(
      Printable(absl::StrCat(path, ": expected ", expected, ", found ", found)));
}

std::string ErrorOf(const Archive& in) {
  const char* text = archive_error_string(in.get());
  return text == nullptr ? "something else" : text;
}

absl::StatusOr<std::string> ReadBytes(const std::string& path) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error) return Bad(path, "a file", error.message());
  if (size > kMaxPackageBytes)
    return Bad(path, absl::StrCat("at most ", kMaxPackageBytes, " bytes"), absl::StrCat(size));
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) return Bad(path, "a file", "no bytes to read");
  return std::move(bytes).str();
}

// The content of the entry; nullopt: it has more than `most` bytes, or cannot be read.
std::optional<std::string> ContentOf(const Archive& in, size_t most) {
  std::string bytes;
  std::array<char, 65536> buffer{};
  for (;;) {
    const la_ssize_t n = archive_read_data(in.get(), buffer.data(), buffer.size());
    if (n == 0) return bytes;
    if (n < 0 || bytes.size() + static_cast<size_t>(n) > most) return std::nullopt;
    bytes.append(buffer.data(), static_cast<size_t>(n));
  }
}

// Goes through the entries of an archive that `wanted` names.
absl::Status ForEachEntry(const std::string& path, std::string_view bytes, bool ar, size_t most,
                          const std::function<bool(const std::string&)>& wanted, const Take& take) {
  const Archive in(archive_read_new(), archive_read_free);
  archive_read_support_filter_all(in.get());
  if (ar)
    archive_read_support_format_ar(in.get());
  else
    archive_read_support_format_tar(in.get());
  const char* what = ar ? "a Debian package" : "a whole tar";
  if (archive_read_open_memory(in.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    return Bad(path, what, ErrorOf(in));
  archive_entry* entry = nullptr;
  for (;;) {
    const int result = archive_read_next_header(in.get(), &entry);
    if (result == ARCHIVE_EOF) return absl::OkStatus();
    if (result != ARCHIVE_OK) return Bad(path, what, ErrorOf(in));
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || archive_entry_filetype(entry) != AE_IFREG || !wanted(name)) continue;
    std::optional<std::string> content = ContentOf(in, most);
    if (!content) return Bad(path, what, absl::StrCat(name, " that cannot be read whole"));
    take(name, *std::move(content));
  }
}

bool IsDtbName(const std::string& name) { return name.ends_with(".dtb"); }

absl::Status FromFile(const std::string& path, const Take& take) {
  absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (!bytes.ok()) return bytes.status();
  if (IsDeviceTree(*bytes) || IsDtbName(path)) {
    take(path, *std::move(bytes));
    return absl::OkStatus();
  }
  if (!bytes->starts_with("!<arch>\n"))
    return ForEachEntry(path, *bytes, false, kMaxDeviceTreeBytes, IsDtbName, take);
  std::string data;
  absl::Status status = ForEachEntry(
      path, *bytes, true, kMaxPackageBytes,
      [](const std::string& name) { return name.starts_with("data.tar"); },
      [&](const std::string&, std::string content) { data = std::move(content); });
  if (status.ok() && data.empty()) status = Bad(path, "a Debian package", "no data.tar in it");
  if (!status.ok()) return status;
  bytes->clear();
  return ForEachEntry(path, data, false, kMaxDeviceTreeBytes, IsDtbName, take);
}

}  // namespace

absl::Status ForEachDeviceTree(const std::string& path, const Take& take) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return FromFile(path, take);
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error))
    if (it->is_regular_file(error) &&
        (IsDtbName(it->path().string()) || it->path().extension() == ".deb"))
      files.push_back(it->path().string());
  if (error) return Bad(path, "a folder that can be read", error.message());
  std::ranges::sort(files);
  for (const std::string& file : files)
    if (absl::Status status = FromFile(file, take); !status.ok()) return status;
  return absl::OkStatus();
}

}  // namespace iommucheck::import
