// SPDX-License-Identifier: Apache-2.0
#include "src/conform/process.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigabbrev_np()
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "absl/strings/str_format.h"

namespace iommucheck::conform {
namespace {

constinit std::mutex forking;

// Closes the file.
std::string TakeText(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  lseek(fd, 0, SEEK_SET);
  for (ssize_t count = 0; (count = read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<size_t>(count));
  close(fd);
  return text;
}

std::string DeathText(int status) {
  if (!WIFSIGNALED(status)) return absl::StrFormat("exit status %d", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* name = sigabbrev_np(signal);
  return absl::StrFormat("signal %d (SIG%s)", signal, name == nullptr ? "?" : name);
}

// A process that loops or allocates for ever then ends as if it had crashed.
void LimitThisProcess() {
  const rlimit none = {0, 0};
  const rlimit minute = {60, 60};
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_CPU, &minute);
  for (int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU})
    std::signal(signal, SIG_DFL);
}

}  // namespace

std::mutex& Forking() { return forking; }

absl::StatusOr<ProcessEnd> RunApart(const std::function<void(int fd)>& work) {
  const int sent = memfd_create("sent", MFD_CLOEXEC);
  const int said = memfd_create("said", MFD_CLOEXEC);
  pid_t child = -1;
  int no_child = errno;
  if (sent >= 0 && said >= 0) {
    const std::scoped_lock hold(forking);
    child = fork();
    no_child = errno;
  }
  if (child == 0) {
    LimitThisProcess();
    dup2(said, STDERR_FILENO);
    work(sent);
    _exit(0);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  ProcessEnd end{TakeText(sent), TakeText(said), status == 0 ? "" : DeathText(status)};
  if (child < 0) return absl::ErrnoToStatus(no_child, "a process of its own");
  return end;
}

}  // namespace iommucheck::conform
