// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck export`: a case as a program that does its system calls on a real machine, in one of
// these forms.
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

// A test of tools/testing/selftests/vfio (v6.18 and later) on its libvfio and kselftest_harness.h, with
// each of its IOMMU modes. In the modes of type1 each errno is that of the model for that type; those
// of iommufd, which the model does not have, are told about, and skipped where they differ. Devices are
// on PCI. Errors: as above, and "expected devices on pci, found ..".
absl::StatusOr<std::string> KselftestProgram(const Case& c, const std::string& name);

// A program of syzkaller: the calls of its sys/linux/dev_vfio.txt for containers, and openat() and
// ioctl() as such for groups and devices, of which it has no description. Expected errnos stand in
// comments. Errors: as above, and for put-device: no description returns a device's file.
absl::StatusOr<std::string> SyzProgram(const Case& c);

}  // namespace iommucheck::report
