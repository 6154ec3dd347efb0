// SPDX-License-Identifier: Apache-2.0
//
// A real system in: a /sys tree, or a snapshot tar (also gzipped) of one, becomes a topology.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "src/case/case.h"

namespace iommucheck::import {

// What the tree says, and what it does not say and had to be assumed.
struct System {
  std::string kernel_release;            // from proc/version, as it stands; empty: not there
  std::optional<KernelVersion> nearest;  // the newest profile that is not newer than it
  Topology topology;                     // at boot: what the kernel registered and probed is undone
  Names names;
  // What the running kernel had made of it, for comparison with the model.
  struct Device {
    std::string driver;    // the IOMMU driver that serves it; empty: none
    std::string instance;  // the instance under /sys/class/iommu
    int group = -1;        // iommu_group number, -1: none
  };
  std::vector<Device> as_found;          // by DeviceId
  std::vector<std::string> assumptions;  // sentences; printed with the answer
  int devices_found = 0;                 // before devices that are alike were left out
};

inline constexpr size_t kMaxSnapshotBytes = size_t{64} << 20;  // unpacked
inline constexpr int kMaxSnapshotEntries = 200'000;

// What is kept of devices that no step of the model tells apart.
enum class Keep : uint8_t {
  kAllThatFit,  // all, where the model has room for all; else as below
  kTwoOfAKind,  // two of a kind; the assumptions say so
};

// Reads a folder (one that has sys/ in it, or is a sysfs itself) or a tar. Errors: InvalidArgument,
// "PATH: what was expected": not a tar, no IOMMU instances, too large, links that form a cycle.
absl::StatusOr<System> ReadSystem(const std::string& path, Keep keep = Keep::kTwoOfAKind);
// The same from a tar in memory; `name` stands for the path in errors.
absl::StatusOr<System> ReadSnapshot(std::string_view bytes, const std::string& name,
                                    Keep keep = Keep::kTwoOfAKind);
// Whether the path is for ReadSystem(): a folder, or a file that begins as a tar does, or a gzip.
bool IsSystem(const std::string& path);

}  // namespace iommucheck::import
