// SPDX-License-Identifier: Apache-2.0
//
// What the kernel promises user space about containers, groups and devices (include/uapi/linux/vfio.h,
// Documentation/ABI/testing/sysfs-kernel-iommu_groups), and drivers about the core and VFIO
// (kernel/process/promises.h), checked in real kernel code, call by call.
#pragma once

#include <cstddef>
#include <string>

#include "kernel/harness.h"

namespace iommucheck::fuzzing {

size_t CountOfChecks(const harness& real);
const char* NameOfCheck(const harness& real, size_t check);
// What this kernel does not have for it; nullptr: nothing, and the check is played.
const char* LackedByCheck(const harness& real, size_t check);
// Returns what is wrong, line by line; "": nothing.
std::string RunCheck(const harness& real, size_t check);

}  // namespace iommucheck::fuzzing
