// SPDX-License-Identifier: Apache-2.0
//
// Makes a random machine one that a kernel's assumptions allow.
#pragma once

#include "model/rules.h"
#include "model/topology.h"

namespace iommucheck {

// Changes the parts that break an assumption of `rules`, and nothing else. Afterwards
// BrokenAssumption() finds none, and Validate() passes if it did before.
void Repair(Topology& topology, RuleSet rules);

}  // namespace iommucheck
