// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>  // NOLINT(modernize-deprecated-headers): fdopen()

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/conform/compare.h"
#include "src/conform/harness.h"
#include "src/conform/process.h"
#include "src/conform/real_run.h"

namespace iommucheck::conform {
namespace {

// The child sends its trace and the result through a pipe. It flushes after each op, so that the
// parent has the trace so far even if the next op crashes.
template <typename T>
void Put(std::FILE* out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::fwrite(&value, sizeof(value), 1, out);
}
template <typename Values>
void PutAll(std::FILE* out, const Values& values) {
  Put(out, values.size());
  for (const auto& value : values) Put(out, value);
}

// These return false if the bytes end first.
template <typename T>
bool Get(std::string_view& in, T& value) {
  if (in.copy(reinterpret_cast<char*>(&value), sizeof(value)) < sizeof(value)) return false;
  in.remove_prefix(sizeof(value));
  return true;
}
template <typename Values>
bool GetAll(std::string_view& in, Values& values) {
  size_t count = 0;
  if (!Get(in, count)) return false;
  for (size_t i = 0; i < count; ++i) {
    typename Values::value_type value{};
    if (!Get(in, value)) return false;
    values.push_back(value);
  }
  return true;
}

enum class Part : uint8_t { kStep, kEnd, kResult };

void PutEnd(std::FILE* out, const Trace& trace) {
  Put(out, Part::kEnd);
  Put(out, trace.group);
  Put(out, trace.share);
  Put(out, trace.domains);
  Put(out, trace.warns);
  PutAll(out, trace.mapped);
  Put(out, trace.groups);
}

bool GetEnd(std::string_view& in, Trace& trace) {
  return Get(in, trace.group) && Get(in, trace.share) && Get(in, trace.domains) &&
         Get(in, trace.warns) && GetAll(in, trace.mapped) && Get(in, trace.groups);
}

void PutTexts(std::FILE* out, const std::vector<std::string>& texts) {
  Put(out, texts.size());
  for (const std::string& text : texts) PutAll(out, text);
}

bool GetTexts(std::string_view& in, std::vector<std::string>& texts) {
  size_t count = 0;
  bool whole = Get(in, count);
  for (; whole && count != 0; --count) whole = GetAll(in, texts.emplace_back());
  return whole;
}

void PutWarns(std::FILE* out, const std::vector<Harness::Warn>& warns) {
  Put(out, warns.size());
  for (const Harness::Warn& warn : warns) {
    PutAll(out, warn.function);
    PutAll(out, warn.file);
    Put(out, warn.line);
  }
}

bool GetWarns(std::string_view& in, std::vector<Harness::Warn>& warns) {
  size_t count = 0;
  bool whole = Get(in, count);
  for (; whole && count != 0; --count) {
    Harness::Warn& warn = warns.emplace_back();
    whole = GetAll(in, warn.function) && GetAll(in, warn.file) && Get(in, warn.line);
  }
  return whole;
}

// Reads all parts that were written completely. Returns the kind of the last of them, or nothing.
std::optional<Part> GetParts(std::string_view in, Trace& trace, Harness::Result& result) {
  std::optional<Part> last;
  for (Part part{}; Get(in, part); last = part) {
    if (part == Part::kStep) {
      TraceStep step;
      std::vector<Call> calls;
      if (!Get(in, step) || !GetAll(in, calls)) break;
      trace.steps.push_back(step);
      trace.calls.insert(trace.calls.end(), calls.begin(), calls.end());
    } else if (part == Part::kEnd) {
      if (!GetEnd(in, trace)) break;
    } else if (!GetWarns(in, result.warns) || !GetTexts(in, result.leaks)) {
      break;
    }
  }
  return last;
}

}  // namespace

absl::StatusOr<Harness::Result> Harness::PlayApart(const Case& c, size_t ops, Trace& trace,
                                                   const Trace* like) {
  const absl::StatusOr<ProcessEnd> end = RunApart([&](int fd) {
    std::FILE* const out = fdopen(fd, "w");
    if (out == nullptr) std::abort();
    RealRun run;
    run.Begin(*real_, c.topology, ProfileOf(c.kernel), trace);
    RealRun::Outcome outcome = RealRun::Outcome::kDone;
    for (size_t i = 0; i < ops && outcome == RealRun::Outcome::kDone; ++i) {
      outcome = run.Take(c.ops[i].op);
      if (outcome == RealRun::Outcome::kNotPossible) break;
      Put(out, Part::kStep);
      Put(out, trace.steps[i]);
      PutAll(out, trace.CallsOf(i));
      std::fflush(out);
      if (like != nullptr && !SameStep(*like, trace, i)) break;
    }
    if (outcome != RealRun::Outcome::kOops) {
      run.End();
      PutEnd(out, trace);
      std::fflush(out);
    }
    const Result result = Finish(c, trace);
    Put(out, Part::kResult);
    PutWarns(out, result.warns);
    PutTexts(out, result.leaks);
    std::fflush(out);
  });
  if (!end.ok()) return end.status();
  Result result;
  trace.Clear();
  trace.has_mapped = trace.has_groups = true;
  const std::optional<Part> last = GetParts(end->sent, trace, result);
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
