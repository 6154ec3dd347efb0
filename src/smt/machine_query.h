// SPDX-License-Identifier: Apache-2.0
//
// The solver on one machine (`query --on`): the shortest run on it that violates a property, or
// none up to a bound.
#pragma once

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/smt/machine_parts.h"
#include "src/smt/query.h"

namespace iommucheck::smt {

struct MachineResult {
  // `found`: the machine as it was given, with the run; the model has played it. proved_devices is
  // the most devices that a circuit had.
  QueryResult query;
  // All devices of the machine were in the circuit, but for those that no driver can take. If not,
  // some stood for the rest: what was found was played on all of it, and "none" is argued.
  bool whole = true;
  int refuted = 0;  // runs on a part of the machine that the model refuted on all of it
};

// Machines of no more devices than this are encoded whole.
inline constexpr int kMaxWholeDevices = 8;

// Searches by iterative deepening over bounds.steps; bounds.devices is not used. `machine` gives
// the kernel, the topology and its names; its ops are not used. Preconditions: the topology passes
// Validate() and is inside of the kernel's assumptions. Errors: InvalidArgument for bounds out of
// range; Internal when the solver fails, or when the model does not take a run on just those devices for
// which the solver found it.
absl::StatusOr<MachineResult> QueryMachine(Property property, const Case& machine,
                                           const Bounds& bounds, bool want_smt2 = false,
                                           const Proved& proved = {},
                                           int whole_devices = kMaxWholeDevices);

}  // namespace iommucheck::smt
