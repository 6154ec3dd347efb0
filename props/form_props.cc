// SPDX-License-Identifier: Apache-2.0
//
// A case has the same meaning in each of its forms.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <sstream>

#include "fuzz/case_mutator.h"
#include "props/generators.h"
#include "props/labels.h"
#include "src/case/bytes.h"
#include "src/case/run.h"

namespace iommucheck {
namespace {

// With the model's errnos as expectations, so that there is more to read back.
Case PlayedCase() {
  const Shape large{.drivers = 6, .instances = 10, .devices = 20, .scope = draw::Scope::kWhole};
  Case c = ToCase(*Scenarios(DrawAnyKernel, large));
  const Run run = Play(c);
  for (size_t i = 0; i < run.steps.size(); ++i)
    if (run.steps[i].result.outcome == Outcome::kDone)
      c.ops[i].expected = run.steps[i].result.error;
  return c;
}

// Puts any values into what has no meaning.
void Scramble(Case& c, Words& words) {
  for (Driver& d : c.topology.drivers)
    for (size_t i = 1; i < kBusCount; ++i) {
      Bus& one = d.claim_order[i - 1];
      Bus& other = d.claim_order[i];
      const bool has_order = d.claims[static_cast<size_t>(one)] != Claim::kNone &&
                             d.claims[static_cast<size_t>(other)] != Claim::kNone;
      if (!has_order && words.OneIn(2)) std::swap(one, other);
    }
  for (int i = c.topology.drivers_count; i < kMaxDrivers; ++i)
    c.topology.drivers[i].unwinds = words.OneIn(2);
  for (CaseOp& said : c.ops) {
    Op& op = said.op;
    const OpInfo& info = InfoOf(op.kind);
    if (info.b == Operand::kNone) op.b = words.Below(kMaxContainers);
    if (!info.is(OpInfo::kHasPages)) op.at = {words.Below(kPages), words.Below(kPages + 1)};
    if (!info.is(OpInfo::kHasVaddr)) op.vaddr = words.Below(kPages);
    for (Fault& fault : op.faults) {
      if (!InfoOf(fault.kind).has_count) fault.count = words.Below(256);
      if (!InfoOf(fault.kind).has_errno) fault.error = words.Below(256);
    }
    if (op.faults[1].kind == Fault::Kind::kNone && words.OneIn(2))
      std::swap(op.faults[0], op.faults[1]);
  }
}

RC_GTEST_PROP(ACase, IsMadeNormalWhateverHasNoMeaning, ()) {
  const Case c = PlayedCase();
  Case scrambled = c;
  Words words(*rc::gen::arbitrary<uint64_t>());
  Scramble(scrambled, words);
  Normalize(scrambled);
  RC_ASSERT(scrambled == c);
}

RC_GTEST_PROP(ACase, PrintsAndParsesBackEqual, ()) {
  const Case c = PlayedCase();
  const Case again = ParseCase(PrintCase(c), "printed").value();
  RC_ASSERT(PrintCase(again) == PrintCase(c));
  RC_ASSERT(again == c);
}

RC_GTEST_PROP(ACase, IsTheSameInJson, ()) {
  const Case c = PlayedCase();
  RC_ASSERT(CaseFromJson(CaseToJson(c), "json").value() == c);
}

RC_GTEST_PROP(ACase, IsTheSameInBytes, ()) {
  const Case c = ToCase(*Scenarios(
      DrawAnyKernel, {.drivers = 4, .instances = 6, .devices = 8, .scope = draw::Scope::kWhole}));
  DecodedCase decoded;
  DecodeBytes(EncodeBytes(c).value(), decoded);
  RC_ASSERT(ToCase(decoded) == c);
}

RC_GTEST_PROP(ACase, HoldsWhatItsOwnRunGave, ()) {
  const Case played = ToCase(*Scenarios(DrawAnyKernel, kWhole));
  const Case c = Asserted(played, Play(played));
  RC_ASSERT(Mismatches(c, Play(c)).empty());
}

TEST(AScenario, IsShownAsItWasDrawnBeforeItIsMadeSmaller) {
  const rc::Shrinkable<Scenario> drawn = Scenarios(DrawAnyKernel, kWhole)(rc::Random(7), 0);
  std::ostringstream wanted;
  showValue(drawn.value(), wanted);
  testing::internal::CaptureStderr();
  const auto smaller = drawn.shrinks();
  EXPECT_NE(testing::internal::GetCapturedStderr().find(wanted.str()), std::string::npos);
}

// Text that rapidcheck prints for a failure can be used as a test without changes.
RC_GTEST_PROP(AScenario, IsShownAsACaseThatAssertsItsRun, ()) {
  std::ostringstream shown;
  showValue(*Scenarios(DrawAnyKernel, kWhole), shown);
  const Case c = ParseCase(shown.str(), "shown").value();
  const Run run = Play(c);
  RC_ASSERT(Mismatches(c, run).empty());
  for (const CaseOp& op : c.ops) RC_ASSERT(op.expected.has_value() || run.outside.has_value());
  RC_ASSERT(c.expectations.size() >= Violated(c, run).size());
}

// Also of random bytes, and into little room: it stays within it, and what it makes is canonical.
RC_GTEST_PROP(AMutatedCase, IsACase, (uint64_t seed)) {
  static Label changed("the mutator changes the case", 500);
  Words words(seed);
  std::vector<uint8_t> bytes =
      EncodeBytes(ToCase(*Scenarios(
                      DrawAnyKernel,
                      {.drivers = 4, .instances = 6, .devices = 8, .scope = draw::Scope::kWhole})))
          .value();
  if (words.OneIn(4))
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(words.Next());
  const std::vector<uint8_t> before = bytes;
  const size_t room = bytes.size() + words.Below(40);
  bytes.resize(room);
  const size_t size =
      fuzzing::MutateCase(bytes.data(), before.size(), room, static_cast<unsigned>(words.Next()),
                          fuzzing::Scope::kWhole);
  RC_ASSERT(size <= room);
  bytes.resize(size);
  if (!changed(bytes != before)) return;
  DecodedCase decoded;
  DecodeBytes(bytes, decoded);
  std::vector<uint8_t> again;
  RC_ASSERT(EncodeBytes(decoded, again) == nullptr);
  RC_ASSERT(again == bytes);
}

RC_GTEST_PROP(ACrossedCase, HasTheMachineOfTheFirst, (uint64_t seed)) {
  const auto draw = [] {
    return EncodeBytes(
               ToCase(*Scenarios(
                   DrawAnyKernel,
                   {.drivers = 4, .instances = 6, .devices = 8, .scope = draw::Scope::kWhole})))
        .value();
  };
  const std::vector<uint8_t> a = draw();
  const std::vector<uint8_t> b = draw();
  std::vector<uint8_t> out(a.size() + seed % 100);
  const size_t size = fuzzing::CrossOverCases(a.data(), a.size(), b.data(), b.size(), out.data(),
                                              out.size(), static_cast<unsigned>(seed));
  RC_ASSERT(size <= out.size());
  DecodedCase first;
  DecodedCase crossed;
  DecodeBytes(a, first);
  DecodeBytes(std::span(out).first(size), crossed);
  RC_ASSERT(crossed.topology == first.topology);
  RC_ASSERT(crossed.kernel == first.kernel);
}

}  // namespace
}  // namespace iommucheck
