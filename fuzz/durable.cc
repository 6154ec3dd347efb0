// SPDX-License-Identifier: Apache-2.0
#include "fuzz/durable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace iommucheck::fuzzing {
namespace {

bool WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

std::string SyncFolder(const std::string& folder) {
  const int opened = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return absl::StrCat(folder, ": ", strerror(errno));
  const bool ok = fsync(opened) == 0;
  const int error = errno;
  close(opened);
  return ok ? "" : absl::StrCat(folder, ": ", strerror(error));
}

std::string WriteDurably(const std::string& path, std::string_view bytes) {
  // Nobody takes a name with a leading dot for a finding, or for a part of one.
  std::string temporary = absl::StrCat(FolderOf(path), "/.new-XXXXXX");
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return absl::StrCat(path, ": ", strerror(errno));
  constexpr mode_t kMode = 0644;
  bool ok = fchmod(file, kMode) == 0 && WriteAll(file, bytes) && fsync(file) == 0;
  int error = errno;
  if (close(file) != 0 && ok) {
    ok = false;
    error = errno;
  }
  if (ok && std::rename(temporary.c_str(), path.c_str()) != 0) {
    ok = false;
    error = errno;
  }
  if (ok) return SyncFolder(FolderOf(path));
  unlink(temporary.c_str());
  return absl::StrCat(path, ": ", strerror(error));
}

std::string HashOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
}

}  // namespace iommucheck::fuzzing
