// SPDX-License-Identifier: Apache-2.0
#include "src/tool/stop.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "src/tool/fork.h"
#include "src/tool/progress.h"

namespace iommucheck::tool {
namespace {

using Clock = std::chrono::steady_clock;
// timeout(1) sends a signal to its child and to the child's process group: two signals mean one.
constexpr auto kOneSignal = std::chrono::milliseconds(250);
constexpr timespec kTick{.tv_sec = 0, .tv_nsec = 50'000'000};

struct Watch {
  std::atomic<bool> stopped = false;
  std::atomic<int> waiting = 0;
  std::mutex mutex;  // guards the members below
  std::string reason;
  std::optional<Clock::time_point> deadline;
  std::string deadline_reason;
  std::vector<std::function<void()>*> interrupts;
};

// Never destroyed: the thread that watches outlives main().
Watch& TheWatch() {
  static Watch& watch = *new Watch;
  return watch;
}

void StopLocked(Watch& watch, std::string reason) {
  if (watch.stopped) return;
  watch.reason = std::move(reason);
  watch.stopped = true;
}

const char* NameOf(int signal) {
  return signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" : "SIGHUP";
}

// Ends the process as if nobody handled the signal.
void DieOf(int signal) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  std::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  raise(signal);
}

[[noreturn]] void EndUnknown(const std::string& reason) {
  const std::string line = "iommucheck: unknown: " + reason + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  constexpr int kUnknown = 3;
  _exit(kUnknown);
}

[[noreturn]] void WatchFor(sigset_t signals) {
  Watch& watch = TheWatch();
  std::optional<Clock::time_point> first;
  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &kTick);
    if (signal > 0 && first && Clock::now() - *first > kOneSignal) DieOf(signal);
    if (signal > 0 && !first) first = Clock::now();
    RefreshProgress();
    const std::scoped_lock lock(watch.mutex);
    if (signal > 0) StopLocked(watch, std::string("interrupted by ") + NameOf(signal));
    if (watch.deadline && Clock::now() >= *watch.deadline) StopLocked(watch, watch.deadline_reason);
    if (!watch.stopped) continue;
    if (watch.waiting > 0) EndUnknown(watch.reason);
    for (std::function<void()>* interrupt : watch.interrupts) (*interrupt)();
  }
}

bool IsIgnored(int signal) {
  struct sigaction now{};
  return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

void WatchSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (!IsIgnored(signal)) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  try {
    std::thread(WatchFor, signals).detach();
  } catch (const std::system_error&) {  // no memory for it: the first signal ends the process
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  }
}

void StopAfter(std::chrono::milliseconds time) {
  Watch& watch = TheWatch();
  const std::scoped_lock lock(watch.mutex);
  watch.deadline.reset();
  if (time.count() == 0) return;
  watch.deadline = Clock::now() + time;
  const auto seconds = static_cast<double>(time.count()) / 1000;
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  watch.deadline_reason = "the time of --timeout " + text + " s is over";
}

std::unique_lock<std::mutex> HoldWatch() { return std::unique_lock(TheWatch().mutex); }

bool Stopped() { return TheWatch().stopped.load(std::memory_order_relaxed); }

std::string StopReason() {
  Watch& watch = TheWatch();
  const std::scoped_lock lock(watch.mutex);
  return watch.reason;
}

Interruptible::Interruptible(std::function<void()> interrupt) : interrupt_(std::move(interrupt)) {
  Watch& watch = TheWatch();
  const std::scoped_lock lock(watch.mutex);
  watch.interrupts.push_back(&interrupt_);
}

// Blocks while another thread calls `interrupt`.
Interruptible::~Interruptible() {
  Watch& watch = TheWatch();
  const std::scoped_lock lock(watch.mutex);
  std::erase(watch.interrupts, &interrupt_);
}

Waiting::Waiting() { ++TheWatch().waiting; }
Waiting::~Waiting() { --TheWatch().waiting; }

}  // namespace iommucheck::tool
