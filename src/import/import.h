// SPDX-License-Identifier: Apache-2.0
//
// A real system in: a /sys tree, or a snapshot tar (also compressed) of one, becomes a topology.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/import/gap.h"
#include "src/import/machine.h"
#include "src/import/sysfs.h"

namespace iommucheck::import {

// What the tree says of a machine, and what it does not say and had to be assumed. Texts from files
// are as they stand there: see Printable().
struct System {
  Topology topology;  // at boot: what the kernel registered and probed is undone
  Names names;
  // All that was found, before what is alike was left out of the topology.
  std::vector<std::string> instances_found;
  std::vector<std::string> instance_drivers_found;  // by the same indices
  std::vector<AsFound> as_found;
  int devices_found = 0;                 // those behind an instance
  std::vector<std::string> assumptions;  // sentences; printed with the answer
  // What a violation could hide in: as long as there are any, nothing is known to hold.
  std::vector<Gap> gaps;
};

// Limits of a snapshot: names and contents; the tar, unpacked; and files, folders and links.
inline constexpr size_t kMaxSnapshotBytes = size_t{64} << 20;
inline constexpr size_t kMaxStreamBytes = size_t{128} << 20;
inline constexpr int kMaxSnapshotEntries = 200'000;

// What is kept of devices that no step of the model tells apart.
enum class Keep : uint8_t {
  kAllThatFit,  // all, where the model has room for all; else as below
  kTwoOfAKind,  // two of a kind; the assumptions say so
};

// Reads a folder (one that has sys/ in it, or is a sysfs itself, with proc/version beside it) or a
// tar. Errors: InvalidArgument, "PATH: what was expected": not a tar, no sysfs, too large, links
// that form a cycle.
absl::StatusOr<Found> ReadTree(const std::string& path);
// The same from a tar in memory; `name` stands for the path in errors.
absl::StatusOr<Found> ReadSnapshot(std::string_view bytes, const std::string& name);
// The machine, with its drivers as the kernel asked about has them. Errors: InvalidArgument,
// "what was expected": larger than the model has room for.
absl::StatusOr<System> ToSystem(const Found& found, KernelVersion version,
                                Keep keep = Keep::kTwoOfAKind);
// Whether the path is for ReadTree(): a folder, or a file that begins as a tar or a compressed file
// does.
bool IsSystem(const std::string& path);

}  // namespace iommucheck::import
