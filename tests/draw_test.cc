// SPDX-License-Identifier: Apache-2.0
//
// That what is drawn is valid, keeps to its scope, and has every attribute, op and fault that is in
// the tables.
#include "src/draw/draw.h"

#include <gtest/gtest.h>

#include "src/case/encoded.h"
#include "tests/seen.h"

namespace iommucheck::draw {
namespace {

constexpr int kCases = 3000;

Seen Draw(const Shape& shape) {
  Seen seen;
  Words words(1);
  for (int n = 0; n < kCases; ++n) {
    const DecodedCase c = DrawCase(words, shape);
    EXPECT_TRUE(Validate(c.topology).ok()) << Validate(c.topology);
    EXPECT_TRUE(shape.scope != Scope::kEncoded || IsEncoded(c.topology));
    seen.Add(c);
    for (const Op& op : std::span(c.ops).first(static_cast<size_t>(c.ops_count))) {
      EXPECT_TRUE(Validate(op, c.topology).ok()) << Validate(op, c.topology);
      EXPECT_TRUE(shape.scope != Scope::kEncoded || IsEncoded(op));
    }
  }
  return seen;
}

TEST(WhatIsDrawn, HasAllThatTheTablesHave) { Draw({.scope = Scope::kWhole}).ExpectAll(); }

TEST(WhatIsDrawn, KeepsToWhatIsEncoded) {
  const Seen seen = Draw({});
  for (const AttributeInfo& attribute : AllAttributes())
    EXPECT_EQ(seen.attributes.contains(NameOf(attribute)), attribute.encoded())
        << NameOf(attribute);
  for (const OpInfo& op : AllOps())
    EXPECT_EQ(seen.ops.contains(op.kind), op.is(OpInfo::kEncoded)) << op.word;
}

TEST(WhatIsDrawn, KeepsToTheOpsThatRealCodePlays) {
  const Seen seen = Draw({.scope = Scope::kInProcess});
  for (const OpInfo& op : AllOps())
    EXPECT_EQ(seen.ops.contains(op.kind), op.is(OpInfo::kInProcess)) << op.word;
}

TEST(WhatIsDrawn, IsWithoutTheFaultsThatAreUnwanted) {
  EXPECT_EQ(Draw({.scope = Scope::kWhole, .without = kAllFaults}).faults,
            std::set{Fault::Kind::kNone});
}

TEST(WhatIsDrawn, IsTheSameForTheSameWords) {
  const auto draw = [](uint64_t seed) {
    Words words(seed);
    return ToCase(DrawRun(words, ProfileOf(KernelVersion::kV6_12), {.scope = Scope::kWhole}));
  };
  EXPECT_EQ(PrintCase(draw(7)), PrintCase(draw(7)));
  EXPECT_NE(PrintCase(draw(7)), PrintCase(draw(8)));
}

}  // namespace
}  // namespace iommucheck::draw
