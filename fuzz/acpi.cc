// SPDX-License-Identifier: Apache-2.0
//
// Any bytes are either refused as ACPI tables, binary or as text, or become a machine that the model accepts.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/finding.h"
#include "fuzz/imported.h"
#include "src/import/acpi_dump.h"
#include "src/import/import.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  iommucheck::fuzzing::SetTarget(*argc, *argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iommucheck;
  fuzzing::NoteInput(data, size);
  const auto tables =
      import::ReadAcpiFile(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!tables.ok()) return 0;
  const auto found = import::DescribeTables(*tables);
  if (found.ok()) fuzzing::ExpectValidMachines(*found);
  return 0;
}
