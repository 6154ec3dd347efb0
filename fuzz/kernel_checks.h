// SPDX-License-Identifier: Apache-2.0
//
// What the kernel promises user space about containers and groups (include/uapi/linux/vfio.h,
// Documentation/ABI/testing/sysfs-kernel-iommu_groups), checked in real kernel code, call by call.
#pragma once

#include <cstddef>
#include <string>

#include "kernel/harness.h"

namespace iommucheck::fuzzing {

size_t CountOfChecks();
// Returns what is wrong, line by line; "": nothing.
std::string RunCheck(const harness& real, size_t check);

}  // namespace iommucheck::fuzzing
