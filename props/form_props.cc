// SPDX-License-Identifier: Apache-2.0
//
// A case says the same in each of its forms.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "props/generators.h"
#include "src/case/bytes.h"
#include "src/case/run.h"

namespace iommucheck {
namespace {

// With the errnos that the model gives written down, so that there is more to read back.
Case PlayedCase(const Shape& shape = kWhole) {
  Case c = ToCase(*Scenarios(DrawAnyKernel, shape));
  ExpectAsPlayed(c, Play(c));
  return c;
}

RC_GTEST_PROP(ACase, PrintsAndParsesBackEqual, ()) {
  const Case c = PlayedCase({.drivers = 6, .instances = 10, .devices = 20, .whole = true});
  const auto again = ParseCase(PrintCase(c), "printed");
  if (!again.ok()) RC_FAIL(again.status().ToString() + "\n" + PrintCase(c));
  RC_ASSERT(PrintCase(*again) == PrintCase(c));
  RC_ASSERT(*again == c);
}

RC_GTEST_PROP(ACase, IsTheSameInJson, ()) {
  const Case c = PlayedCase({.drivers = 6, .instances = 10, .devices = 20, .whole = true});
  const auto again = CaseFromJson(CaseToJson(c), "json");
  if (!again.ok()) RC_FAIL(again.status().ToString() + "\n" + CaseToJson(c));
  RC_ASSERT(*again == c);
}

RC_GTEST_PROP(ACase, IsTheSameInBytes, ()) {
  const Case c = ToCase(
      *Scenarios(DrawAnyKernel, {.drivers = 4, .instances = 6, .devices = 8, .whole = true}));
  const auto bytes = EncodeBytes(c);
  if (!bytes.ok()) RC_FAIL(bytes.status().ToString());
  DecodedCase decoded;
  DecodeBytes(*bytes, decoded);
  RC_ASSERT(ToCase(decoded) == c);
}

RC_GTEST_PROP(ACase, HoldsWhatItsOwnRunGave, ()) {
  const Case c = PlayedCase();
  RC_ASSERT(Mismatches(c, Play(c)).empty());
}

}  // namespace
}  // namespace iommucheck
