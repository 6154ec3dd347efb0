// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/rules.h"
#include "src/import/machine.h"
#include "src/import/sysfs.h"

namespace iommucheck::import {

// The machine that a tree shows, in full, before Reduce(). The behaviour of the drivers is that of
// the catalogue for `version`, the kernel that the question is about.
Machine BuildMachine(const Found& found, KernelVersion version);

}  // namespace iommucheck::import
