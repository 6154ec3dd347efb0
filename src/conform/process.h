// SPDX-License-Identifier: Apache-2.0
//
// Work in a separate process that may crash: the data that it sent before, its output, and how it
// died.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"

namespace iommucheck::conform {

// Held while RunApart() forks. Threads beside those that call it hold it while they work, or a child
// waits for ever for what they were in the middle of, such as the first use of a static variable.
std::mutex& Forking();

struct ProcessEnd {
  std::string sent;   // to the file descriptor, to the last byte before the death
  std::string said;   // on standard error
  std::string death;  // "" or how it died, such as "signal 6 (SIGABRT)" or "exit status 2"
};
// Forks, and calls `work` in the child with the file descriptor to send to. A child that takes a
// minute of CPU time is ended; it leaves no core file. The child exits when `work` returns, without
// running destructors. Errors: no process could be made.
absl::StatusOr<ProcessEnd> RunApart(const std::function<void(int fd)>& work);

}  // namespace iommucheck::conform
