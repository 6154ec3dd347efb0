// SPDX-License-Identifier: Apache-2.0
//
// The property of all targets that read a real system.
#pragma once

#include "fuzz/finding.h"
#include "model/topology.h"
#include "src/import/grouping.h"
#include "src/import/import.h"

namespace iommucheck::fuzzing {

// Ends the process with a finding unless every machine that is made of `found` is one that the model
// accepts, and something is said of each of its groups. What ToSystem() refuses is no machine.
inline void ExpectValidMachines(const import::Found& found) {
  for (const import::GroupStory& story : import::WhyGroups(found, "all"))
    if (story.devices.empty() || (story.because.empty() && story.unknown.empty()))
      Fail("a group has devices, and something is said of it", ReproduceText());
  for (const KernelVersion version : {KernelVersion::kV6_0, KernelVersion::kV7_1}) {
    const auto system = import::ToSystem(found, version);
    if (!system.ok()) continue;
    if (const auto valid = Validate(system->topology); !valid.ok())
      Fail("an imported machine passes Validate()", valid.ToString() + "\n" + ReproduceText());
  }
}

}  // namespace iommucheck::fuzzing
