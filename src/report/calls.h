// SPDX-License-Identifier: Apache-2.0
//
// The ops of a case as the kernel's people call them, and those that user space takes by a system
// call. The forms that a case is exported to and the report about it share them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

// How user space makes the kernel take an op.
enum class Call : uint8_t {
  kBoot,    // not at all: it is part of the boot, if it comes before the first system call
  kUser,    // a system call
  kNoCall,  // none does
};
Call CallOf(OpKind kind);

// Why the ops of the case, after the boot, are not the system calls of one user: "expected .., found
// OP at step N". "": they are, and there is one.
std::string WhyNoCalls(const Case& c, const Run& run);

// The group of each device once the machine has booted; -1: none.
std::vector<int> GroupsAfterBoot(const Case& c, const Run& run);
// The number of groups that these are.
int CountGroups(const std::vector<int>& groups);

// Whether the case maps or unmaps the last page of the address space. Its pages are then the last 64
// that 64 bits address; else those from kLowBase on.
bool MapsTheEnd(const Case& c);
inline constexpr uint64_t kLowBase = uint64_t{16} << 20U;
// The IOVA of a page where the pages of the machine have this size.
uint64_t IovaOf(const Case& c, int page, uint64_t page_size);

// Flags as linux/vfio.h names them, "VFIO_DMA_MAP_FLAG_READ | ..", "0" for none. Preconditions: kMap;
// kUnmap.
std::string MapFlags(const Op& op);
std::string UnmapFlags(const Op& op);
// "VFIO_TYPE1v2_IOMMU"; "99" for one that no backend knows.
std::string IommuTypeText(const Op& op);

// "ioctl(c0, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)", "drvA probes iommuA: iommu_device_register()". Pages
// are of 4 KiB.
std::string OpInWords(const Case& c, const Op& op);
// What the case makes fail in it: "attach_dev() for 00:04.1 fails with -EIO, 2 times"; "" for nothing.
std::string FaultsInWords(const Case& c, const Op& op);

// Whether the kernel oopses in it; its errno then says nothing.
bool Oopses(const PlayedStep& step);

}  // namespace iommucheck::report
