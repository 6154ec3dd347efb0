// SPDX-License-Identifier: Apache-2.0
//
// The solver: the smallest machine and run that violate a property, or none up to a bound. The
// encoding is written from what the kernel versions do, not from model/step.cc, so that each can
// catch the other's mistakes. Beside src/certificate/ the only folder that includes CaDiCaL.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/state.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/case/verdict.h"

namespace iommucheck::smt {

struct Bounds {
  int devices = 3;       // 1 to kMaxBoundDevices
  int steps = 6;         // 1 to kMaxBoundSteps
  uint64_t budget = 0;   // solver resources (below) for the whole query; 0: no limit
  int proved_steps = 0;  // known: no run of so many steps, on as many devices, violates it
  friend bool operator==(const Bounds&, const Bounds&) = default;
};
inline constexpr int kMaxBoundDevices = 6;
inline constexpr int kMaxBoundSteps = 12;

// The version of CaDiCaL that this process runs with, such as "1.5.3" or "sc2021".
std::string CadicalVersion();

// Resources count the work of CaDiCaL: a clause is one, and a conflict, which takes about as much time
// as so many of Z3's resource units (rlimit), is as many.
inline constexpr uint64_t kResourcesAConflict = 1000;

struct QueryResult {
  Verdict verdict = Verdict::kUnknown;
  // kViolated: the smallest case: fewest steps, then fewest devices. No smaller one exists.
  Case found;
  // Each size (steps, devices) that was shown to have no violation is covered by these.
  int proved_steps = 0;
  int proved_devices = 0;
  std::string reason;      // kUnknown: why
  uint64_t resources = 0;  // solver resources used
  int checks = 0;          // solver calls
  std::string smt2;        // the last check as SMT-LIB2, when asked for
};

// Whether every violation takes an op of this kind: a register of each of two drivers, and to reuse
// a domain two set-container and a set-iommu, one of these last. props/judges_props.cc tests it.
bool Needed(Property property, OpKind kind);
// How many steps these are: no shorter run violates the property.
int StepsNeeded(Property property);

// Searches by iterative deepening from the smallest. Errors: InvalidArgument for bounds out of
// range, Internal when the solver fails.
// A rule that is `open` may be dropped, too: the kernel of the case found says which are.
// With a `refusing` kernel: the smallest case that violates the property on `kernel` and not on the
// refusing one. The refusing kernel may stop at a step that is impossible there, or outside of its
// assumptions; up to then no step violates the property there. Of the cases of that size, one in
// which it takes every step is preferred. Machines are within the assumptions of both kernels.
absl::StatusOr<QueryResult> Query(Property property, const KernelSpec& kernel, const Bounds& bounds,
                                  bool want_smt2 = false, RuleSet open = {},
                                  const std::optional<KernelSpec>& refusing = std::nullopt);

// All cases of the smallest size.
struct Enumeration {
  bool complete = false;  // there are no more; else `reason` says why it ended
  std::string reason;
  uint64_t resources = 0;
  int checks = 0;
};

// Calls `take` with the cases that violate the property at the last of so many steps, on so many
// devices, until it returns false. A link is: a device is behind an instance, or behind one before
// another; is an alias of another device; shares a slot with it. For each run, and buses of the
// devices, there is a case for each set of links that violates it with some attributes of drivers,
// instances and devices where no smaller one does; its attributes are the plainest that do. Many of
// these are the same but for names and the order of steps (src/case/variants.h).
// Precondition: no run of fewer steps violates the property.
absl::StatusOr<Enumeration> EnumerateSize(Property property, const KernelSpec& kernel, int devices,
                                          int steps, uint64_t budget,
                                          const std::function<bool(const Case&)>& take);

// The place of an op in the order in which one would set up a machine: drivers, firmware
// descriptions, what else happens to devices and groups, containers. Nothing but the looks of the
// case that is shown depends on it.
int SetUpTurn(OpKind kind);

// The rest of a budget of which so much is used: 1 where it is used up, since 0 is no limit.
uint64_t BudgetLeft(uint64_t budget, uint64_t used);

// The outcome of a case, as the encoding has it.
struct Replay {
  bool supported = true;  // false: the case has something that is not encoded; see `reason`
  std::string reason;
  std::vector<int> errors;             // one an op: 0 or a negative errno
  bool possible = true;                // false: some op is not possible, or outside an assumption
  int impossible_at = 0;               // 1-based
  std::vector<uint8_t> device_driver;  // at the end, a device: DriverId or kNoId
  std::vector<uint8_t> device_hw_driver;  // driver of the domain the hardware points at, or kNoId
  std::vector<uint8_t> device_vfio;       // the same small number for devices whose groups share a
                                          // type1 domain, kNoId: none
  bool violated[kEncodedPropertyCount] = {};  // during the run
};
absl::StatusOr<Replay> ReplayInSolver(const Case& c);

}  // namespace iommucheck::smt
