// SPDX-License-Identifier: Apache-2.0
#include "src/conform/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigabbrev_np()
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "absl/strings/str_format.h"

namespace iommucheck::conform {
namespace {

// Reads both to their ends.
std::array<std::string, 2> ReadBoth(const std::array<int, 2>& fds) {
  std::array<std::string, 2> texts;
  std::array<pollfd, 2> open = {{{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (poll(open.data(), open.size(), -1) < 0 && errno != EINTR) break;
    for (size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      std::array<char, 4096> buffer;
      const ssize_t count = read(open[i].fd, buffer.data(), buffer.size());
      if (count > 0) texts[i].append(buffer.data(), static_cast<size_t>(count));
      if (count == 0 || (count < 0 && errno != EINTR)) open[i].fd = -1;
    }
  }
  return texts;
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
  for (int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU, SIGPIPE})
    std::signal(signal, SIG_DFL);
}

}  // namespace

absl::StatusOr<ProcessEnd> RunApart(const std::function<void(int fd)>& work) {
  std::array<int, 2> sent{};
  std::array<int, 2> said{};
  if (pipe2(sent.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  if (pipe2(said.data(), O_CLOEXEC) != 0) {
    absl::Status failed = absl::ErrnoToStatus(errno, "pipe");
    close(sent[0]);
    close(sent[1]);
    return failed;
  }
  const pid_t child = fork();
  if (child == 0) {
    LimitThisProcess();
    dup2(said[1], STDERR_FILENO);
    work(sent[1]);
    _exit(0);
  }
  const int no_child = errno;
  close(sent[1]);
  close(said[1]);
  const std::array<std::string, 2> texts =
      child < 0 ? std::array<std::string, 2>{} : ReadBoth({sent[0], said[0]});
  close(sent[0]);
  close(said[0]);
  if (child < 0) return absl::ErrnoToStatus(no_child, "fork");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return ProcessEnd{texts[0], texts[1], status == 0 ? "" : DeathText(status)};
}

}  // namespace iommucheck::conform
