// SPDX-License-Identifier: Apache-2.0
//
// Texts that people paste: lspci (-vvnn, -xxxx), listings of IOMMU groups, the log of a boot. They
// say a part of what a machine is; the rest is not known.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "src/import/sysfs.h"

namespace iommucheck::import {

inline constexpr size_t kMaxListingBytes = size_t{16} << 20;

// Whether one of the first lines of the text is of such a form. What is after a '#' is a comment.
bool IsListing(std::string_view head);

// Reads such a text, with the ACPI tables or the device tree beside it, where they are given. Lines
// of other forms are passed over. Errors: InvalidArgument "line N: expected WHAT, found WHAT".
absl::StatusOr<Found> ReadListing(std::string_view text, const Beside& beside = {});

}  // namespace iommucheck::import
