// SPDX-License-Identifier: Apache-2.0
//
// A trace is a case as the drivers of a kernel see it: the errno of each op, the calls that the
// core makes to the drivers, and the final state of the machine. The model, the real code in a
// process and a booted kernel all make traces, so that any two of them can be compared.
//
//   trace 1
//   kernel linux-source-6.12 6.12.117-1       (free text: the source of the trace)
//   case two-buses                            (any number of cases a file)
//   1 register iommu0 = 0                     (the op, "=", errno or 0)
//     probe dev0 iommu0                       (probe_device() succeeds, for this instance)
//     alloc d0 drvA drvA.ops dev0             (driver, domain-ops table, device; `-`: unknown)
//     attach d0 dev0 = 0
//   2 set-container 0 c0 = -ENOMEM
//     alloc - drvA drvA.ops dev0 = -ENOMEM    (a failed allocation has no number)
//     detach d0 dev0                          (detach_dev(), up to and including 6.1)
//     free d0
//     release dev0                            (release_device())
//     map d1 0-3                              (iommu_map(), pages of IOVA; no line if it fails)
//     unmap d1 0-3                            (the pages that iommu_unmap() found mapped)
//     cookie d1                               (iommu_get_msi_cookie())
//     set_pasid d1 dev0 = 0                   (set_dev_pasid())
//     held 4 pinned 4 locked                  (user memory after the op, if it has changed)
//     oops                                    (the op and the case end here; the end is empty)
//     crash                                   (as `oops`, for a process that died of the op)
//   end
//     groups dev0 dev1 | dev2                 (devices by group; those without are left out)
//     share dev0 dev2                         (devices of groups that are on one domain)
//     domains 3                               (allocated and not freed)
//     warns 0                                 (WARNs of the core)
//     mapped d1 0-3 7 | d4 0                  (the pages that each domain maps; where known)
//     domain dev0 d3 | dev2 -                 (group->domain, by a group's first device)
//     default_domain dev0 d0 | dev2 d1        (as `domain`: all three or none)
//     owner_cnt dev0 1 owned | dev2 0         (owned: group->owner is set)
//
// Names are those of the case; domains are numbered in the order of their allocation, from 0 in
// each case. src/conform/compare.h says which parts are compared, and where leniently.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/op.h"
#include "model/topology.h"

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
    kSetPasid,
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
  uint16_t domain = kNoDomain;  // all but probe, release, held; none: static
  int16_t error = 0;            // alloc, attach, set_pasid: 0 or a negative errno
  Pages pages{};                // map, unmap
  uint16_t pins = 0;            // held
  uint16_t locked = 0;          // held
  friend bool operator==(const Call&, const Call&) = default;
};
// Whether traces from sources that do not see mappings lack such calls (Trace::has_mapped).
bool IsOfMappings(const Call& call);

struct TraceStep {
  int error = 0;
  uint32_t calls_end = 0;  // the step's calls are those from the end of the step before to here
  friend bool operator==(const TraceStep&, const TraceStep&) = default;
};

// The pages that a domain maps, a bit each.
struct Mapped {
  uint16_t domain = Call::kNoDomain;
  uint64_t pages = 0;
  friend bool operator==(const Mapped&, const Mapped&) = default;
};

// A group's state in the core. Domains by number; -1: none, or one that nobody allocated.
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
  // The first device in the group of each device; kNoId: it is in no group.
  std::array<DeviceId, kMaxDevices> group;
  // The first device whose group is on the same domain as this device's group (group->domain);
  // kNoId: no other group is.
  std::array<DeviceId, kMaxDevices> share;
  int domains = 0;
  int warns = 0;
  bool has_mapped = false;                   // the source of the trace sees mappings and pins
  std::vector<Mapped> mapped{};              // of the domains that map any page, by number
  bool has_groups = false;                   // the source of the trace sees the state of groups
  std::array<GroupEnd, kMaxDevices> groups;  // each group's entry is at its first device

  Trace() { Clear(); }
  void Clear();  // empties the trace, but keeps its buffers
  [[nodiscard]] std::span<const Call> CallsOf(size_t step) const;
  [[nodiscard]] bool oops() const {
    return !calls.empty() && calls.back().kind == Call::Kind::kOops;
  }
  friend bool operator==(const Trace&, const Trace&) = default;
};

// Takes the lowest range out of a set of pages that is not empty.
Pages TakeRange(uint64_t& pages);

// The group of a device at the end: any number that identifies it, -1: none; and its state.
struct DeviceEnd {
  int group = -1;
  GroupEnd state;
};
// Fills `group` and `share`, and `groups` if the trace has it.
void SetGroups(std::span<const DeviceEnd> devices, Trace& trace);

}  // namespace iommucheck::conform
