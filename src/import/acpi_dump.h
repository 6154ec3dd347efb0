// SPDX-License-Identifier: Apache-2.0
//
// ACPI tables in files: binary ones, the text that the program acpidump prints, folders of both.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/import/sysfs.h"
#include "src/import/tree.h"

namespace iommucheck::import {

// Whether the bytes begin like an ACPI table of any kind, or like the text of acpidump (which may
// have empty lines before).
bool IsAcpiTable(std::string_view bytes);
bool IsAcpiDump(std::string_view text);
// Whether files of the folder itself are tables, as in /sys/firmware/acpi/tables.
bool IsAcpiFolder(const Tree& tree, const std::string& folder);

// Reads one or more binary tables, one after the other, or a text. Errors: InvalidArgument
// "expected WHAT at byte N, found WHAT", "line N: expected WHAT, found WHAT".
absl::StatusOr<AcpiTables> ReadAcpiFile(std::string_view bytes);
// Reads all tables of a folder. Errors: "NAME: ..." of a file in it.
absl::StatusOr<AcpiTables> ReadAcpiFolder(const Tree& tree, const std::string& folder);

// The machine that the tables describe, before any kernel has booted on it. Errors: InvalidArgument,
// "table DMAR: expected WHAT at byte N, found WHAT".
absl::StatusOr<Found> DescribeTables(const AcpiTables& tables);

}  // namespace iommucheck::import
