// SPDX-License-Identifier: Apache-2.0
//
// How a command is ended early: the first SIGINT, SIGTERM or SIGHUP, or --timeout, ends the check
// that runs, and the command prints what it knows, as "unknown". A second signal ends the process
// at once. Whoever works for long asks Stopped() between parts, and lets a library that does not
// ask be interrupted. What was interrupted shows nothing: no lemma is broken, no case is absent.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>

namespace iommucheck::tool {

// Takes SIGINT, SIGTERM and SIGHUP for all threads; a signal that the caller ignores stays ignored.
// To be called first in main(), before there are other threads.
void WatchSignals();

// Stops after so long, unless it is called again with 0.
void StopAfter(std::chrono::milliseconds time);

[[nodiscard]] bool Stopped();

// Such as "interrupted by SIGINT"; empty where nobody stopped it.
[[nodiscard]] std::string StopReason();

// What ends work that is too deep to ask Stopped(): whoever started the work catches it.
struct Interrupted : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};
inline void ThrowIfStopped() {
  if (Stopped()) throw Interrupted();
}

// While it lives, `interrupt` is called from another thread when the command is stopped, and again
// every now and then, for it may have come before there was something to interrupt.
class Interruptible {
 public:
  explicit Interruptible(std::function<void()> interrupt);
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible();

 private:
  std::function<void()> interrupt_;
};

// While it lives nothing is known yet, and what is waited for may never come: input from a pipe. A
// stop ends the process then, with a line and exit status 3.
class Waiting {
 public:
  Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting();
};

}  // namespace iommucheck::tool
