// SPDX-License-Identifier: Apache-2.0
//
// How a command is ended early: the first SIGINT, SIGTERM or SIGHUP, or --timeout, ends the current
// check, and the command prints its results so far, as "unknown". A second signal ends the process
// at once. Code that works for long asks Stopped() between parts, and interrupts libraries that
// cannot ask. An interrupted part proves nothing: no lemma is broken, no case is absent.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>

namespace iommucheck::tool {

// Handles SIGINT, SIGTERM and SIGHUP for all threads; a signal that the caller ignores stays
// ignored. Must be called first in main(), before there are other threads.
void WatchSignals();

// Stops after this time, unless it is called again with 0.
void StopAfter(std::chrono::milliseconds time);

[[nodiscard]] bool Stopped();

// For example "interrupted by SIGINT"; empty if nobody stopped it.
[[nodiscard]] std::string StopReason();

// Ends work that is too deep to ask Stopped(); the code that started the work catches it.
struct Interrupted : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};
inline void ThrowIfStopped() {
  if (Stopped()) throw Interrupted();
}

// While this object lives, another thread calls `interrupt` when the command is stopped, and again
// from time to time, since the first call may have come before there was something to interrupt.
class Interruptible {
 public:
  explicit Interruptible(std::function<void()> interrupt);
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible();

 private:
  std::function<void()> interrupt_;
};

// While this object lives, nothing is known yet, and the input, from a pipe, may never come. So a
// stop ends the process, with a line and exit status 3.
class Waiting {
 public:
  Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting();
};

}  // namespace iommucheck::tool
