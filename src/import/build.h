// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/rules.h"
#include "src/import/machine.h"
#include "src/import/sysfs.h"

namespace iommucheck::import {

// The machine that a tree shows: all of it, before Reduce(). What drivers do is taken from the
// catalogue as of `version`, the kernel asked about.
Machine BuildMachine(const Found& found, KernelVersion version);

}  // namespace iommucheck::import
