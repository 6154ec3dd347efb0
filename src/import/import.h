// SPDX-License-Identifier: Apache-2.0
//
// Reads a real system: turns a /sys tree, or a snapshot tar of one (also compressed), into a
// topology.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/import/machine.h"
#include "src/import/vfio_facts.h"

namespace iommucheck::import {

// The machine of the tree, and the facts that the tree does not show and had to be assumed. Texts
// from files are unchanged: see Printable().
struct System : Account {
  Topology topology;  // the machine at boot: nothing is registered or probed
  Names names;
  int devices_found = 0;  // devices that are behind an instance
};

// Limits of a snapshot: names and contents; the unpacked tar; and the number of files, folders and
// links.
inline constexpr size_t kMaxSnapshotBytes = size_t{64} << 20;
inline constexpr size_t kMaxStreamBytes = size_t{128} << 20;
inline constexpr int kMaxSnapshotEntries = 200'000;

// How many of the devices to keep that no step of the model can tell apart.
enum class Keep : uint8_t {
  kAllThatFit,  // all, if the model has room for all; otherwise as below
  kTwoOfAKind,  // two of a kind; the assumptions say so
};

// Reads a folder (one that has sys/ in it, or is a sysfs itself, with proc/version beside it) or a
// tar. Errors: InvalidArgument, "PATH: what was expected": not a tar, no sysfs, too large, links
// that form a cycle.
// `vfio` is filled in, too, where it is given.
absl::StatusOr<Found> ReadTree(const std::string& path, VfioFacts* vfio = nullptr);
// Reads a tar in memory; errors give `name` as its path.
absl::StatusOr<Found> ReadSnapshot(std::string_view bytes, const std::string& name,
                                   VfioFacts* vfio = nullptr);
// The machine, with drivers as the kernel in question has them. Errors: InvalidArgument, "what was
// expected": the machine is larger than the model.
absl::StatusOr<System> ToSystem(const Found& found, KernelVersion version,
                                Keep keep = Keep::kTwoOfAKind);
// Whether ReadTree() can read the path: a folder, or a file that begins like a tar or a compressed
// file.
bool IsSystem(const std::string& path);

}  // namespace iommucheck::import
