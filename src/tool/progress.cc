// SPDX-License-Identifier: Apache-2.0
#include "src/tool/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <mutex>

#include "src/tool/fork.h"

namespace iommucheck::tool {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kQuiet = std::chrono::seconds(1);
constexpr auto kEvery = std::chrono::milliseconds(200);
constexpr size_t kUsualColumns = 80;

struct Line {
  std::mutex mutex;
  bool terminal = isatty(STDERR_FILENO) != 0;
  const Clock::time_point start = Clock::now();
  Clock::time_point drawn = start;
  std::string text;
  bool shown = false;
};

// Never destroyed: the thread that watches signals outlives main().
Line& TheLine() {
  static Line& line = *new Line;
  return line;
}

size_t Columns() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kUsualColumns;
}

// A line that cannot be drawn is no error.
void Draw(const std::string& text) {
  const std::string out = "\r\033[K" + text;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, out.data(), out.size());
}

}  // namespace

std::unique_lock<std::mutex> HoldProgress() { return std::unique_lock(TheLine().mutex); }

void SilenceProgress() { TheLine().terminal = false; }

void Progress(const std::string& text) {
  Line& line = TheLine();
  if (!line.terminal) return;
  const std::scoped_lock lock(line.mutex);
  line.text = text;
  if (text.empty() && line.shown) {
    Draw("");
    line.shown = false;
  }
}

void RefreshProgress() {
  Line& line = TheLine();
  if (!line.terminal) return;
  const std::scoped_lock lock(line.mutex);
  const Clock::time_point now = Clock::now();
  if (line.text.empty() || now - line.start < kQuiet || now - line.drawn < kEvery) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - line.start).count();
  const std::string time = " (" + std::to_string(seconds) + " s)";
  // A line that wraps could not be removed again.
  const size_t room = Columns() > time.size() ? Columns() - time.size() - 1 : 0;
  Draw(line.text.substr(0, room) + time);
  line.drawn = now;
  line.shown = true;
}

}  // namespace iommucheck::tool
