// SPDX-License-Identifier: Apache-2.0
//
// Any archive is either refused, or it becomes a machine that the model accepts.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/finding.h"
#include "fuzz/imported.h"
#include "src/import/import.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  iommucheck::fuzzing::SetTarget(*argc, *argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iommucheck;
  fuzzing::NoteInput(data, size);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto found = import::ReadSnapshot(bytes, "input");
  if (found.ok()) fuzzing::ExpectValidMachines(*found);
  return 0;
}
