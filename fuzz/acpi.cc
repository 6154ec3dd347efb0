// SPDX-License-Identifier: Apache-2.0
//
// Any bytes are either refused as ACPI tables, binary or as text, or become a machine that the model accepts.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/finding.h"
#include "model/topology.h"
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
  if (!found.ok()) return 0;
  for (const KernelVersion version : {KernelVersion::kV6_0, KernelVersion::kV7_1}) {
    const auto system = import::ToSystem(*found, version);
    if (!system.ok()) continue;
    if (const auto valid = Validate(system->topology); !valid.ok())
      fuzzing::Fail("an imported machine passes Validate()",
                    valid.ToString() + "\n" + fuzzing::ReproduceText());
  }
  return 0;
}
