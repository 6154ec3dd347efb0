// SPDX-License-Identifier: Apache-2.0
//
// The solver on one machine that is given: the shortest run on it that violates a property, or none
// up to a bound.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/smt/query.h"

namespace iommucheck::smt {

struct MachineResult {
  // `found`: the machine as it was given, with the run; the model has played it. proved_devices is
  // the number of devices in the circuit.
  QueryResult query;
  // All devices of the machine were in the circuit, but for those that no driver can take. If not,
  // some stood for the rest: what was found was played on all of it, and "none" is argued.
  bool whole = true;
  int refuted = 0;  // runs on a part of the machine that the model refuted on all of it
};

// Whether the property is known to hold, in runs of any length, on a machine that is a part of the
// one asked about; or, where no attach is refused, that a first violation can only be a reuse.
// Empty: of none.
enum class Known : uint8_t { kHolds, kHoldsButForReuse };
using Proved = std::function<bool(const Topology& part, Known what)>;

// Machines of no more devices than this are encoded whole.
inline constexpr int kMaxWholeDevices = 8;

// Searches by iterative deepening over bounds.steps; bounds.devices says nothing. `machine` gives
// the kernel, the topology and its names; its ops are not looked at.
// Preconditions: the topology passes Validate() and is inside of the kernel's assumptions.
// Errors: InvalidArgument for bounds out of range; Internal when Z3 fails, or when the model does
// not take a run on just those devices for which the solver found it.
absl::StatusOr<MachineResult> QueryMachine(Property property, const Case& machine,
                                           const Bounds& bounds, bool want_smt2 = false,
                                           const Proved& proved = {},
                                           int whole_devices = kMaxWholeDevices);

}  // namespace iommucheck::smt
