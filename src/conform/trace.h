// SPDX-License-Identifier: Apache-2.0
//
// What a kernel did in a case, as its drivers saw it: each op's errno and the calls that the core
// made of the drivers, and where it left the machine. The model, the real code in a process and a
// booted kernel all give one, so that any two can be compared.
//
//   trace 1
//   kernel linux-source-6.12 6.12.117-1       (free text: who gave it)
//   case two-buses                            (any number of cases a file)
//   1 register iommu0 = 0                     (the op, "=", errno or 0)
//     probe dev0 iommu0                       (probe_device() took it, for this instance)
//     alloc d0 drvA drvA.ops dev0             (driver, domain-ops table, device; `-`: not said)
//     attach d0 dev0 = 0
//   2 set-container 0 c0 = -ENOMEM
//     alloc - drvA drvA.ops dev0 = -ENOMEM    (a failed allocation has no number)
//     detach d0 dev0                          (detach_dev(), up to 6.1)
//     free d0
//     release dev0                            (release_device())
//     map d1 0-3                              (iommu_map(), pages of IOVA; no line if it fails)
//     unmap d1 0-3                            (what iommu_unmap() found mapped)
//     cookie d1                               (iommu_get_msi_cookie())
//     held 4 pinned 4 locked                  (user memory after the op, if not as before)
//     oops                                    (the op and the case end here; the end is empty)
//     crash                                   (the same, of a process that died of the op)
//   end
//     groups dev0 dev1 | dev2                 (devices by group; those without are left out)
//     share dev0 dev2                         (devices of groups that are on one domain)
//     domains 3                               (allocated and not freed)
//     warns 0                                 (WARNs of the core)
//     pins 0                                  (only where the case can pin)
//     mappings 0
//     mapped d1 0-3 7 | d4 0                  (what each domain translates; only where known)
//     domain dev0 d3 | dev2 -                 (group->domain, by a group's first device)
//     default_domain dev0 d0 | dev2 d1        (as `domain`: all three or none)
//     owner_cnt dev0 1 owned | dev2 0         (owned: group->owner is set)
//
// Names are those of the case; domains are numbered in the order of their allocation, from 0 in
// each case. What is compared, and where the comparison is lenient:
//   - Every errno, and of the calls kind, order, driver, instance, device, domain and result.
//   - `alloc`: the table and the device only where both columns name them. Up to 6.10 the core
//     allocates by bus, default domains up to 6.1, and names no device; and a recorder need not
//     know the tables.
//   - `detach`: made up to 6.1 only, and never by the model of a later kernel. A trace that has one
//     where the other has none differs.
//   - Static identity and blocked domains are not allocated, so that drivers under test must have
//     none: with ops->blocked_domain no trace is comparable.
//   - To 6.1 the core asks for a blocking domain twice, as BLOCKED and as UNMANAGED. A driver under
//     test says no to the first without a word in the trace, as most drivers do.
//   - `warns`: the number, and only in total. What WARNs is in the text of the report.
//   - `pins`, `mappings`: only where both have them.
//   - `map`, `unmap`, `cookie`, `held`: only where both have `mapped`. A `map` or `unmap` that goes
//     on where the call before it in the op ended is one with it: drivers see the chunks of a
//     mapping, and type1 unmaps by chunks.
//   - `domain`, `default_domain`, `owner_cnt`: only where both have them.
//   - Ops: as many in both. Who runs real code asks the model first how many of the ops are
//     possible (TraceOf(case).steps), and runs those.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::conform {

struct Call {
  enum class Kind : uint8_t {
    kProbe,
    kAlloc,
    kAttach,
    kDetach,
    kFree,
    kRelease,
    kMap,
    kUnmap,
    kCookie,
    kHeld,
    kOops,
    kCrash,
  };
  static constexpr uint16_t kNoDomain = 0xffff;
  Kind kind{};
  DriverId driver = kNoId;      // alloc
  TableId table = kNoId;        // alloc
  InstanceId instance = kNoId;  // probe
  DeviceId device = kNoId;      // all but free
  uint16_t domain = kNoDomain;  // alloc, attach, detach, free, map, unmap, cookie; none: static
  int16_t error = 0;            // alloc, attach: 0 or a negative errno
  Pages pages{};                // map, unmap
  uint16_t pins = 0;            // held
  uint16_t locked = 0;          // held
  friend bool operator==(const Call&, const Call&) = default;
};

struct TraceStep {
  int error = 0;
  uint32_t calls_end = 0;  // its calls are those before, from the end of the step before on
  friend bool operator==(const TraceStep&, const TraceStep&) = default;
};

// The pages that a domain translates, a bit each.
struct Mapped {
  uint16_t domain = Call::kNoDomain;
  uint64_t pages = 0;
  friend bool operator==(const Mapped&, const Mapped&) = default;
};

// What the core keeps of a group. Domains by number; -1: none, or one that nobody allocated.
struct GroupEnd {
  int16_t domain = -1;
  int16_t default_domain = -1;
  int16_t owner_cnt = 0;
  bool owned = false;
  friend bool operator==(const GroupEnd&, const GroupEnd&) = default;
};

struct Trace {
  std::vector<TraceStep> steps;
  std::vector<Call> calls;
  // The first device of the device's group; kNoId: in none.
  std::array<DeviceId, kMaxDevices> group;
  // The first device of all groups whose group->domain is the device's group's; kNoId: no other's.
  std::array<DeviceId, kMaxDevices> share;
  int domains = 0;
  int warns = 0;
  std::optional<int> pins;
  std::optional<int> mappings;
  bool has_mapped = false;                   // who gave the trace sees mappings and pins
  std::vector<Mapped> mapped{};              // of domains that translate any, by number
  bool has_groups = false;                   // who gave the trace sees what is in a group
  std::array<GroupEnd, kMaxDevices> groups;  // of the group whose first device it is

  Trace() { Clear(); }
  void Clear();  // as new; keeps what is allocated
  [[nodiscard]] std::span<const Call> CallsOf(size_t step) const;
  // The last op was the end of it: no end was reached.
  [[nodiscard]] bool crashed() const {
    return !calls.empty() && calls.back().kind == Call::Kind::kCrash;
  }
  [[nodiscard]] bool oops() const {
    return !calls.empty() && calls.back().kind == Call::Kind::kOops;
  }
  friend bool operator==(const Trace&, const Trace&) = default;
};

// What the model does with the case. Ends before the first op that is not possible or outside of
// an assumption, and after an oops: `steps` may be shorter than the case's ops.
Trace TraceOf(const Case& c);
Trace TraceOf(const Case& c, const Run& run);

// Fills what the end says of groups, by SetSharing()'s `group`.
void SetGroups(int devices, const std::function<GroupEnd(int)>& end_of, Trace& trace);

// Fills group and share. `group_of` and `domain_of` give a device's group and group->domain as any
// number, -1 for none.
void SetSharing(int devices, const std::function<int(int)>& group_of,
                const std::function<int(int)>& domain_of, Trace& trace);

// The same for a caller that steps the model itself.
class TraceBuilder {
 public:
  TraceBuilder(Trace& trace, Era era) : trace_(trace), era_(era) {
    trace_.Clear();
    number_.fill(Call::kNoDomain);
  }
  void Step(const StepResult& result, std::span<const Event> events, const State& after);
  void End(const Topology& topology, const State& state);

 private:
  void AddPages(Call::Kind kind, DomainId domain, uint64_t pages);
  void AddHeld(const State& after);

  Trace& trace_;
  Era era_;
  uint32_t step_calls_ = 0;  // calls before the step
  uint16_t pins_ = 0;
  uint16_t locked_ = 0;
  std::array<uint64_t, kMaxDomains> mapped_{};  // by the calls so far
  std::array<uint16_t, kMaxDomains> number_;    // of the model's ids, which are used again
  uint16_t allocated_ = 0;
};

// One case of a trace file. `c` gives the names.
std::string PrintTrace(const Case& c, const Trace& trace, std::string_view name);

// The lines of it, without the name.
std::vector<std::string> TraceLines(const Case& c, const Trace& trace);

struct TraceFile {
  std::string kernel;
  struct Entry {
    std::string name;
    Trace trace;
  };
  std::vector<Entry> entries;
};
std::string PrintTraceHeader(std::string_view kernel);
// `find` gives the case of a name, or nullptr. Errors: "FILE:LINE:COLUMN: expected .., found ..".
absl::StatusOr<TraceFile> ParseTraces(std::string_view text, std::string_view file,
                                      const std::function<const Case*(std::string_view)>& find);

// Whether two traces of a case agree, without a word on where: the fast path.
bool Agree(const Trace& a, const Trace& b);

// What two traces of a case have in common, and where they part.
struct Comparison {
  bool agree = true;
  size_t step = 0;     // 0-based op of the first difference; as many as there are ops: at the end
  size_t prefix = 0;   // lines that agree before it
  std::string text;    // both columns up to the first difference, at most 75 wide; nothing is cut
  std::string a_line;  // the lines that differ first, in one piece; "": this one has no more
  std::string b_line;
};
Comparison Compare(const Case& c, const Trace& a, std::string_view a_name, const Trace& b,
                   std::string_view b_name);

}  // namespace iommucheck::conform
