// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck export`: a case as a program that does its system calls on a real machine.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck::report {

// A C program that needs nothing but the headers of the C library and linux/vfio.h. It is told which
// devices of the machine are those of the case, does what user space does in the case, compares each
// errno and, if the case maps, the pages in locked_vm at the end, and prints KTAP: skipped where the machine has not got these groups, or the devices are not
// bound to vfio-pci. What firmware and drivers do before the first system call is the machine's boot.
//
// Errors: InvalidArgument, "expected .., found OP at step N", for ops that no user space can make the
// kernel take, such as a driver that goes, and for failures that a case makes up.
absl::StatusOr<std::string> CProgram(const Case& c, const std::string& name);

}  // namespace iommucheck::report
