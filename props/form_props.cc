// SPDX-License-Identifier: Apache-2.0
//
// A case has the same meaning in each of its forms.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <sstream>

#include "props/generators.h"
#include "src/case/bytes.h"
#include "src/case/run.h"

namespace iommucheck {
namespace {

// With the model's errnos as expectations, so that there is more to read back.
Case PlayedCase(const Shape& shape = kWhole) {
  Case c = ToCase(*Scenarios(DrawAnyKernel, shape));
  const Run run = Play(c);
  for (size_t i = 0; i < run.steps.size(); ++i)
    if (run.steps[i].result.outcome == Outcome::kDone)
      c.ops[i].expected = run.steps[i].result.error;
  return c;
}

RC_GTEST_PROP(ACase, PrintsAndParsesBackEqual, ()) {
  const Case c =
      PlayedCase({.drivers = 6, .instances = 10, .devices = 20, .scope = draw::Scope::kWhole});
  const auto again = ParseCase(PrintCase(c), "printed");
  if (!again.ok()) RC_FAIL(again.status().ToString() + "\n" + PrintCase(c));
  RC_ASSERT(PrintCase(*again) == PrintCase(c));
  RC_ASSERT(*again == c);
}

RC_GTEST_PROP(ACase, IsTheSameInJson, ()) {
  const Case c =
      PlayedCase({.drivers = 6, .instances = 10, .devices = 20, .scope = draw::Scope::kWhole});
  const auto again = CaseFromJson(CaseToJson(c), "json");
  if (!again.ok()) RC_FAIL(again.status().ToString() + "\n" + CaseToJson(c));
  RC_ASSERT(*again == c);
}

RC_GTEST_PROP(ACase, IsTheSameInBytes, ()) {
  const Case c = ToCase(*Scenarios(
      DrawAnyKernel, {.drivers = 4, .instances = 6, .devices = 8, .scope = draw::Scope::kWhole}));
  const auto bytes = EncodeBytes(c);
  if (!bytes.ok()) RC_FAIL(bytes.status().ToString());
  DecodedCase decoded;
  DecodeBytes(*bytes, decoded);
  RC_ASSERT(ToCase(decoded) == c);
}

RC_GTEST_PROP(ACase, HoldsWhatItsOwnRunGave, ()) {
  const Case played = ToCase(*Scenarios(DrawAnyKernel, kWhole));
  const Case c = Asserted(played, Play(played));
  RC_ASSERT(Mismatches(c, Play(c)).empty());
}

// Text that rapidcheck prints for a failure can be used as a test without changes.
RC_GTEST_PROP(AScenario, IsShownAsACaseThatAssertsItsRun, ()) {
  std::ostringstream shown;
  showValue(*Scenarios(DrawAnyKernel, kWhole), shown);
  const auto c = ParseCase(shown.str(), "shown");
  if (!c.ok()) RC_FAIL(c.status().ToString() + "\n" + shown.str());
  const Run run = Play(*c);
  RC_ASSERT(Mismatches(*c, run).empty());
  for (const CaseOp& op : c->ops) RC_ASSERT(op.expected.has_value() || run.outside.has_value());
  RC_ASSERT(c->expectations.size() >= Violated(*c, run).size());
}

}  // namespace
}  // namespace iommucheck
