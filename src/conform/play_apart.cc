// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/conform/harness.h"
#include "src/conform/process.h"

namespace iommucheck::conform {
namespace {

// Sends a trace and its result from a child through a pipe. The child writes after each op, so that
// the parent has the trace so far even if the next op crashes.
class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}

  template <typename T>
  void Put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Write(&value, sizeof(value));
  }
  template <typename T>
  void PutAll(std::span<const T> values) {
    Put(values.size());
    for (const T& value : values) Put(value);
  }
  void PutTexts(const std::vector<std::string>& texts) {
    Put(texts.size());
    for (const std::string& text : texts) PutAll(std::span<const char>(text));
  }

 private:
  void Write(const void* data, size_t size) const {
    const auto* at = static_cast<const char*>(data);
    while (size != 0) {
      const ssize_t written = write(fd_, at, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) _exit(1);  // the reader has gone
      at += written;
      size -= static_cast<size_t>(written);
    }
  }
  int fd_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // False if the bytes end first.
  template <typename T>
  bool Get(T& value) {
    if (bytes_.size() < sizeof(value)) return false;
    std::memcpy(&value, bytes_.data(), sizeof(value));
    bytes_.remove_prefix(sizeof(value));
    return true;
  }
  template <typename Values>
  bool GetAll(Values& values) {
    size_t count = 0;
    if (!Get(count)) return false;
    for (size_t i = 0; i < count; ++i) {
      typename Values::value_type value{};
      if (!Get(value)) return false;
      values.push_back(value);
    }
    return true;
  }
  bool GetTexts(std::vector<std::string>& texts) {
    size_t count = 0;
    if (!Get(count)) return false;
    for (size_t i = 0; i < count; ++i)
      if (!GetAll(texts.emplace_back())) return false;
    return true;
  }

 private:
  std::string_view bytes_;
};

enum class Part : uint8_t { kStep, kEnd, kResult };

void PutEnd(const Trace& trace, Writer& out) {
  out.Put(Part::kEnd);
  out.Put(trace.group);
  out.Put(trace.share);
  out.Put(trace.domains);
  out.Put(trace.warns);
  out.PutAll(std::span(trace.mapped));
  out.Put(trace.groups);
}

bool GetEnd(Reader& in, Trace& trace) {
  return in.Get(trace.group) && in.Get(trace.share) && in.Get(trace.domains) &&
         in.Get(trace.warns) && in.GetAll(trace.mapped) && in.Get(trace.groups);
}

// Reads all parts that were written completely. Returns the kind of the last of them, or nothing.
std::optional<Part> GetParts(Reader in, Trace& trace, Harness::Result& result) {
  std::optional<Part> last;
  for (Part part{}; in.Get(part); last = part) {
    if (part == Part::kStep) {
      TraceStep step;
      std::vector<Call> calls;
      if (!in.Get(step) || !in.GetAll(calls)) break;
      trace.steps.push_back(step);
      trace.calls.insert(trace.calls.end(), calls.begin(), calls.end());
    } else if (part == Part::kEnd) {
      if (!GetEnd(in, trace)) break;
    } else if (!in.GetTexts(result.warns) || !in.GetTexts(result.leaks)) {
      break;
    }
  }
  return last;
}

}  // namespace

absl::StatusOr<Harness::Result> Harness::PlayApart(const Case& c, size_t ops, Trace& trace) {
  const absl::StatusOr<ProcessEnd> end = RunApart([&](int fd) {
    Writer out(fd);
    size_t steps = 0;
    const bool oops = PlayOps(c, ops, trace, [&] {
      for (; steps < trace.steps.size(); ++steps) {
        out.Put(Part::kStep);
        out.Put(trace.steps[steps]);
        out.PutAll(trace.CallsOf(steps));
      }
    });
    if (!oops) PutEnd(trace, out);
    const Result result = Finish(c, trace);
    out.Put(Part::kResult);
    out.PutTexts(result.warns);
    out.PutTexts(result.leaks);
  });
  if (!end.ok()) return end.status();
  Result result;
  trace.Clear();
  trace.has_mapped = trace.has_groups = true;
  const std::optional<Part> last = GetParts(Reader(end->sent), trace, result);
  if (last == Part::kResult && end->death.empty()) return result;
  result.crash = end->death.empty() ? "exit status 0" : end->death;
  result.said = end->said;
  if (last == Part::kEnd || last == Part::kResult || trace.oops()) {
    result.crash += ", in the teardown";
    return result;
  }
  absl::StrAppend(&result.crash, ", in op ", trace.steps.size() + 1);
  trace.calls.push_back({.kind = Call::Kind::kCrash});
  trace.steps.push_back({-EFAULT, static_cast<uint32_t>(trace.calls.size())});
  return result;
}

}  // namespace iommucheck::conform
