// SPDX-License-Identifier: Apache-2.0
//
// Reads device trees: the IOMMUs that one describes and the devices behind them, as
// drivers/iommu/of_iommu.c and of_map_id() of Linux do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/import/sysfs.h"
#include "src/import/tree.h"

namespace iommucheck::import {

inline constexpr size_t kMaxDeviceTreeBytes = size_t{16} << 20;
inline constexpr int kMaxDeviceTreeNodes = 100'000;

// Whether the bytes begin like a flattened device tree.
bool IsDeviceTree(std::string_view bytes);
// Whether the text begins like the source of one ("/dts-v1/;", after comments).
bool IsDeviceTreeSource(std::string_view text);

// Reads a flattened device tree (a .dtb, /sys/firmware/fdt). What it says of IOMMUs and cannot be
// understood becomes a gap. Errors: InvalidArgument "expected WHAT, found WHAT", with the offset,
// where it is no whole tree.
absl::StatusOr<Found> ReadDeviceTree(std::string_view bytes);
// Reads one that Linux shows as folders and files, as in /proc/device-tree. Errors:
// InvalidArgument, where the folder is the root of none.
absl::StatusOr<Found> ReadDeviceTreeFolder(const Tree& tree, const std::string& root);
// Whether a property of this name is looked at; others are not kept.
bool IsReadProperty(std::string_view name);
// The IOMMUs of such a tree that are not switched off.
std::vector<FoundNode> NodesOf(const Found& tree);
// Whether the folder is the root of such a tree.
bool IsDeviceTreeFolder(const Tree& tree, const std::string& root);
// Compiles a source by the program dtc. Errors: InvalidArgument, what dtc said, or that it is not
// there.
absl::StatusOr<std::string> CompileDeviceTree(const std::string& path);

}  // namespace iommucheck::import
