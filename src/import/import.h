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

// Files that say something about the same machine, and count instead of what PATH has of it; "":
// none.
struct Sources {
  std::string acpi;   // a table, a text of acpidump, or a folder of tables
  std::string dtb;    // a device tree, in any form
  std::string lspci;  // the text of lspci, of which bridges and ACS are taken

  [[nodiscard]] bool given() const { return !acpi.empty() || !dtb.empty() || !lspci.empty(); }
};

// Reads a folder (one that has sys/ in it, or is a sysfs itself, with proc/version beside it; the
// folder of a device tree; one of ACPI tables), a tar of such a folder, a device tree, an ACPI table,
// the text of acpidump, or one of listing.h. Errors: InvalidArgument, "PATH: what was expected": none of these, too
// large, links that form a cycle.
absl::StatusOr<Found> ReadTree(const std::string& path, const Sources& sources = {});
// Reads a tar in memory; errors give `name` as its path.
absl::StatusOr<Found> ReadSnapshot(std::string_view bytes, const std::string& name);
// The machine, with drivers as the kernel in question has them; what the model has no room for is a
// gap. Errors: those of Validate().
absl::StatusOr<System> ToSystem(const Found& found, KernelVersion version,
                                Keep keep = Keep::kTwoOfAKind);
// Whether ReadTree() can read the path: a folder, or a file that begins like one that it reads.
bool IsSystem(const std::string& path);

}  // namespace iommucheck::import
