// SPDX-License-Identifier: Apache-2.0
//
// Records what ReadFound() reads of a system, and nothing else.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "src/import/tree.h"

namespace iommucheck::import {

// A tar, compressed by gzip, of the parts of a tree that has sys/ and proc/ in it. No serial number
// and no address of a network device is among them. The same tree gives the same bytes. Errors:
// InvalidArgument "expected WHAT, found WHAT": no sysfs, links in a cycle, an ACPI table that cannot
// be read.
absl::StatusOr<std::string> TakeSnapshot(const Tree& tree);

}  // namespace iommucheck::import
