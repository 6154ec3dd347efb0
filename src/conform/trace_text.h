// SPDX-License-Identifier: Apache-2.0
//
// Traces as text, in the form that src/conform/trace.h describes, and the records of machines that
// have played a script (src/conform/script.h).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::conform {

// A field of a call's line.
enum class Field : uint8_t {
  kNone,
  kDomain,  // d0; `-`: a static domain, or the allocation failed
  kDriver,
  kTable,  // `-`: unknown
  kInstance,
  kDevice,
  kDeviceIfSaid,     // `-`: unknown
  kPages,            // 3, or 0-3
  kPins,             // "4 pinned"
  kLocked,           // "4 locked"
  kError,            // "= 0", "= -EBUSY"
  kErrorIfNoDomain,  // the error of an allocation that failed
};
// The line of a call: its word, then its fields in this order.
struct CallForm {
  Call::Kind kind;
  std::string_view word;
  std::array<Field, 5> fields;
};
// By kind.
inline constexpr auto kCallForms = std::to_array<CallForm>({
    {Call::Kind::kProbe, "probe", {Field::kDevice, Field::kInstance}},
    {Call::Kind::kAlloc,
     "alloc",
     {Field::kDomain, Field::kDriver, Field::kTable, Field::kDeviceIfSaid,
      Field::kErrorIfNoDomain}},
    {Call::Kind::kAttach, "attach", {Field::kDomain, Field::kDevice, Field::kError}},
    {Call::Kind::kDetach, "detach", {Field::kDomain, Field::kDevice}},
    {Call::Kind::kFree, "free", {Field::kDomain}},
    {Call::Kind::kRelease, "release", {Field::kDevice}},
    {Call::Kind::kMap, "map", {Field::kDomain, Field::kPages}},
    {Call::Kind::kUnmap, "unmap", {Field::kDomain, Field::kPages}},
    {Call::Kind::kCookie, "cookie", {Field::kDomain}},
    {Call::Kind::kSetPasid, "set_pasid", {Field::kDomain, Field::kDevice, Field::kError}},
    {Call::Kind::kHeld, "held", {Field::kPins, Field::kLocked}},
    {Call::Kind::kOops, "oops", {}},
    {Call::Kind::kCrash, "crash", {}},
});

// A line and the index of its op; for lines of the end, the number of ops.
struct Line {
  size_t step;
  std::string text;
  const Call* call = nullptr;  // in the trace; nullptr: an op, or a line of the end
};
// The lines of a trace, without those that `other` cannot have because its source does not see
// mappings or groups. `c` has the names. The pointers are into `trace`.
std::vector<Line> LinesOf(const Case& c, const Trace& trace, const Trace& other);
// The text of all lines.
std::vector<std::string> TraceLines(const Case& c, const Trace& trace);

// The first two lines of a file.
std::string PrintTraceHeader(std::string_view kernel);
// One case of a trace file.
std::string PrintTrace(const Case& c, const Trace& trace, std::string_view name);

struct TraceFile {
  std::string kernel;
  struct Entry {
    std::string name;
    Trace trace;
  };
  std::vector<Entry> entries;
};
// Cases by name.
using Cases = std::map<std::string, Case, std::less<>>;
// `cases` has those of the text. Errors: "FILE:LINE:COLUMN: expected .., found ..".
absl::StatusOr<TraceFile> ParseTraces(std::string_view text, std::string_view file,
                                      const Cases& cases);

// What the real code of several kernels answered to the cases of the corpus, each played as a case
// of that kernel without assumptions:
//
//   answers 1
//   kernel v5.15 5.15 5.15.0            (the profile, and the build that answered)
//   case two-buses                      (by name, in order)
//   of v5.15 v5.18                      (these answered what follows: a trace without its header)
//   1 register iommu0 = 0
//   ...
//   done                                (the last line)
struct Answers {
  using Of = std::map<KernelVersion, Trace>;
  std::map<KernelVersion, std::string> kernels;
  std::map<std::string, Of, std::less<>> cases;
};
absl::StatusOr<Answers> ParseAnswers(std::string_view text, std::string_view file,
                                     const Cases& cases);
// `cases` has all cases of the answers.
std::string PrintAnswers(const Answers& answers, const Cases& cases);

struct Record {
  std::vector<TraceFile::Entry> entries;
  // How many WARNs and oopses happened in each function of the kernel.
  std::map<std::string, int> functions;
};
// As ParseTraces(). A case that was cut off is left out.
absl::StatusOr<Record> ParseRecord(std::string_view text, std::string_view file,
                                   const Cases& cases);

}  // namespace iommucheck::conform
