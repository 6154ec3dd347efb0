// SPDX-License-Identifier: Apache-2.0
//
// The assumptions that one machine fulfils: a proof for all machines that fulfil them is one for
// this machine.
#pragma once

#include "model/rules.h"
#include "model/topology.h"

namespace iommucheck::prove {

// Rules that the kernel has not and that change no run on the machine: the assumptions about
// topologies that it is inside of and a proof can use; driver.same_instance where every driver
// refuses all that the rule does; assume.bus_ops_not_replaced where no driver can replace the ops
// of a bus that devices are on.
RuleSet FactsOf(const KernelProfile& kernel, const Topology& machine);

// Drivers that have an instance; a violation is between two.
int DriversOf(const Topology& machine);

}  // namespace iommucheck::prove
