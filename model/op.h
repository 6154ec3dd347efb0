// SPDX-License-Identifier: Apache-2.0
//
// One step that firmware, a driver, the admin or user space takes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "model/topology.h"

namespace iommucheck {

enum class OpKind : uint8_t {
  kRegister,        // a: instance. The driver probes it: iommu_device_register(), and up to 6.0
                    //    the driver's bus_set_iommu() claims
  kUnregister,      // a: instance. The driver lets go of it
  kAdd,             // a: device. device_add(): the bus notifier probes it
  kRemove,          // a: device. device_del(): unbound from VFIO, then released
  kConfigure,       // a: device. A driver binds: dma_configure() applies the firmware description
  kSetContainer,    // a: group, b: container. VFIO_GROUP_SET_CONTAINER
  kSetIommu,        // a: container. VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU
  kUnsetContainer,  // a: group. VFIO_GROUP_UNSET_CONTAINER
};
inline constexpr int kOpKindCount = static_cast<int>(OpKind::kUnsetContainer) + 1;
std::string_view OpName(OpKind kind);

// EPROBE_DEFER of include/linux/errno.h, which user space's errno.h does not have.
inline constexpr int kEProbeDefer = 517;

// What a driver may answer freely is an input of the op.
struct Fault {
  enum class Kind : uint8_t {
    kNone,
    kAttach,  // the first `count` attach_dev() calls for device `target` fail
    kAlloc,   // the `target`-th domain allocation of the op fails, counted from 1
    kProbe,   // probe_device() for device `target` fails
  };
  Kind kind = Kind::kNone;
  uint8_t target = 0;
  uint8_t count = 1;  // attach only; 255: every call
  uint8_t error = 0;  // a positive errno; allocations fail as ENOMEM where the kernel sees an errno
  friend bool operator==(const Fault&, const Fault&) = default;
};
inline constexpr int kMaxFaults = 2;

struct Op {
  OpKind kind = OpKind::kRegister;
  uint8_t a = 0;
  uint8_t b = 0;
  std::array<Fault, kMaxFaults> faults{};
  friend bool operator==(const Op&, const Op&) = default;
};

// OK if the op names things the topology has and its faults are well formed.
absl::Status Validate(const Op& op, const Topology& topology);

}  // namespace iommucheck
