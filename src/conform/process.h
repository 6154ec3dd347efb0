// SPDX-License-Identifier: Apache-2.0
//
// Work in a process of its own, which it may end: what it sent before, what it printed, and what it
// died of.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace iommucheck::conform {

struct ProcessEnd {
  std::string sent;   // to the file descriptor, to the last byte before the death
  std::string said;   // on standard error
  std::string death;  // "" or what it died of, such as "signal 6 (SIGABRT)" or "exit status 2"
};
// Forks, and calls `work` in the child with the file descriptor to send to. A child that takes a
// minute of CPU time is ended; it leaves no core file. When `work` returns the child is gone: no
// destructor runs there. Errors: no process can be had.
absl::StatusOr<ProcessEnd> RunApart(const std::function<void(int fd)>& work);

}  // namespace iommucheck::conform
