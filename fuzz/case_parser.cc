// SPDX-License-Identifier: Apache-2.0
//
// Any text is either refused with an error that names the place, or it is a case that prints and
// parses back equal.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/finding.h"
#include "src/case/case.h"

namespace {

using namespace iommucheck;

void ExpectEqual(const absl::StatusOr<Case>& again, const Case& c, const char* sentence) {
  if (!again.ok())
    fuzzing::Fail(sentence,
                  again.status().ToString() + "\n" + PrintCase(c) + fuzzing::ReproduceText());
  if (*again != c)
    fuzzing::Fail(sentence,
                  PrintCase(c) + "--- became ---\n" + PrintCase(*again) + fuzzing::ReproduceText());
}

void ExpectRoundTrips(const Case& c) {
  ExpectEqual(ParseCase(PrintCase(c), "text"), c, "a printed case parses back equal");
  ExpectEqual(CaseFromJson(CaseToJson(c), "json"), c, "a case's JSON parses back equal");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  iommucheck::fuzzing::SetTarget(*argc, *argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzzing::NoteInput(data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto c = ParseCase(text, "input"); c.ok()) ExpectRoundTrips(*c);
  if (const auto c = CaseFromJson(text, "input"); c.ok()) ExpectRoundTrips(*c);
  return 0;
}
