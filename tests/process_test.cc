// SPDX-License-Identifier: Apache-2.0
#include "src/conform/process.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "gtest/gtest.h"

namespace iommucheck::conform {
namespace {

void Send(int fd, const std::string& text) {
  if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(1);
}

ProcessEnd Apart(const std::function<void(int fd)>& work) { return RunApart(work).value(); }

TEST(RunApart, GivesWhatTheProcessSentAndSaid) {
  const std::string much(1 << 20, 'x');  // more than a pipe holds
  const ProcessEnd end = Apart([&much](int fd) {
    std::fputs("said\n", stderr);
    Send(fd, much);
  });
  EXPECT_EQ(end.sent, much);
  EXPECT_EQ(end.said, "said\n");
  EXPECT_EQ(end.death, "");
}

TEST(RunApart, NamesWhatTheProcessDiedOf) {
  const ProcessEnd aborted = Apart([](int fd) {
    Send(fd, "before");
    std::abort();
  });
  EXPECT_EQ(aborted.sent, "before");
  EXPECT_EQ(aborted.death, "signal 6 (SIGABRT)");
  EXPECT_EQ(Apart([](int) { _exit(7); }).death, "exit status 7");
}

TEST(RunApart, LeavesTheCallersMemoryAlone) {
  int here = 1;
  Apart([&here](int) { here = 2; });
  EXPECT_EQ(here, 1);
}

}  // namespace
}  // namespace iommucheck::conform
