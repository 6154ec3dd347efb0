// SPDX-License-Identifier: Apache-2.0
#include "src/cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <regex>

#include "absl/strings/str_cat.h"

namespace iommucheck::cli {
namespace {

namespace fs = std::filesystem;

absl::Status Cannot(const std::string& path, const std::string& why) {
  return absl::OutOfRangeError(absl::StrCat(path, ": cannot be written: ", why));
}

// Why a file of this name may not be replaced.
std::optional<std::string> WhyNotReplace(const std::string& path) {
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0)
    return errno == ENOENT ? std::nullopt : std::optional<std::string>(strerror(errno));
  if (S_ISLNK(found.st_mode)) return "expected a file, found a symbolic link";
  if (S_ISDIR(found.st_mode)) return "expected a file, found a folder";
  if (!S_ISREG(found.st_mode)) return "expected a regular file, found a device, pipe or socket";
  constexpr mode_t kWritable = S_IWUSR | S_IWGRP | S_IWOTH;
  // Root may write to what nobody is meant to.
  if ((found.st_mode & kWritable) == 0) return "the file is read-only";
  // Another run may have taken it away meanwhile.
  if (access(path.c_str(), W_OK) != 0 && errno != ENOENT) return strerror(errno);
  return std::nullopt;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

absl::Status CanMakeFilesIn(const std::string& path, const std::string& folder) {
  struct stat found{};
  if (stat(folder.c_str(), &found) != 0) return Cannot(path, strerror(errno));
  if (!S_ISDIR(found.st_mode)) return Cannot(path, strerror(ENOTDIR));
  if (access(folder.c_str(), W_OK | X_OK) != 0) return Cannot(path, strerror(errno));
  return absl::OkStatus();
}

// False, with errno set, if not all of it could be written.
bool WriteAll(int file, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(file, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

// The mode of a new file. mkostemp() lets only the owner read, whatever the umask allows.
mode_t UsualMode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

void KeepStandardStreams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    // Opened for reading if the stream is for writing, and vice versa: its use is still an error.
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      if (open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
}

absl::Status FlushOutput() {
  std::cout.flush();
  if (std::cout.good()) return absl::OkStatus();
  // It may have failed long ago. Another write shows whether the reason is still there.
  const bool works_again = write(STDOUT_FILENO, "\n", 1) == 1;
  return Cannot("standard output", works_again ? "some of it is lost" : strerror(errno));
}

absl::Status CanWriteFile(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  if (path == "-") return Cannot(path, "expected the name of a file");
  if (const auto why = WhyNotReplace(path)) return Cannot(path, *why);
  return CanMakeFilesIn(path, FolderOf(path));
}

absl::Status CanWriteFolder(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  if (fs::exists(path, error)) return CanMakeFilesIn(path, path);
  if (error) return Cannot(path, error.message());
  // The folders above it are made, too: the first that is there must take a new one.
  std::string above = FolderOf(fs::path(path + "/").parent_path().string());
  while (!fs::exists(above, error) && !error && FolderOf(above) != above) above = FolderOf(above);
  return CanMakeFilesIn(path, above);
}

absl::Status RemoveOurs(const std::string& path, std::string_view comment) {
  if (path.empty()) return absl::OkStatus();
  // A pipe or device is not ours, and is not opened.
  if (WhyNotReplace(path)) return absl::OkStatus();
  const std::string start = absl::StrCat(std::string(comment), "iommucheck ");
  std::string begins(start.size(), '\0');
  {
    std::ifstream in(path, std::ios::binary);
    if (!in.read(begins.data(), static_cast<std::streamsize>(begins.size())))
      return absl::OkStatus();
  }
  if (begins != start) return absl::OkStatus();
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Cannot(path, strerror(errno));
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  if (const auto why = WhyNotReplace(path)) return Cannot(path, *why);
  // A name that nobody can guess, made by this process, so that two runs or a link that somebody
  // laid do not meet it.
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return Cannot(path, strerror(errno));
  bool ok = WriteAll(file, text) && fchmod(file, UsualMode()) == 0;
  int error = errno;
  if (close(file) != 0 && ok) {
    ok = false;
    error = errno;
  }
  if (ok && rename(temporary.c_str(), path.c_str()) != 0) {
    ok = false;
    error = errno;
  }
  if (ok) return absl::OkStatus();
  unlink(temporary.c_str());
  return Cannot(path, strerror(error));
}

absl::Status WriteFolder(const std::string& folder, std::string_view comment,
                         const std::string& names, const std::vector<NamedText>& files) {
  if (folder.empty()) return absl::OkStatus();
  const std::regex is_name(names);
  std::error_code error;
  if (fs::exists(folder, error))
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
      if (std::regex_match(at->path().filename().string(), is_name))
        if (absl::Status s = RemoveOurs(at->path().string(), comment); !s.ok()) return s;
  if (error) return Cannot(folder, error.message());
  if (files.empty()) return absl::OkStatus();
  fs::create_directories(folder, error);
  if (error)
    return absl::OutOfRangeError(absl::StrCat(folder, ": cannot be made: ", error.message()));
  for (const NamedText& file : files)
    if (absl::Status s = WriteFile(absl::StrCat(folder, "/", file.name), file.text); !s.ok())
      return s;
  return absl::OkStatus();
}

}  // namespace iommucheck::cli
