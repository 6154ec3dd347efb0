// SPDX-License-Identifier: Apache-2.0
//
// That what is drawn is valid, keeps to its scope, and has every attribute, op and fault that is in
// the tables.
#include "src/draw/draw.h"

#include <gtest/gtest.h>

#include <set>
#include <span>
#include <string>

#include "model/attributes.h"
#include "src/case/encoded.h"

namespace iommucheck::draw {
namespace {

constexpr int kCases = 3000;

struct Seen {
  std::set<std::string> attributes;
  std::set<OpKind> ops;
  std::set<Fault::Kind> faults;
};

std::string NameOf(const AttributeInfo& attribute) {
  return std::string(OwnerWord(attribute.owner)) + " " + std::string(attribute.word);
}

Seen Draw(const Shape& shape) {
  Seen seen;
  Words words(1);
  for (int n = 0; n < kCases; ++n) {
    const DecodedCase c = DrawCase(words, shape);
    EXPECT_TRUE(Validate(c.topology).ok()) << Validate(c.topology);
    EXPECT_TRUE(shape.scope != Scope::kEncoded || IsEncoded(c.topology));
    for (const AttributeInfo& attribute : AllAttributes())
      for (int i = 0; i < CountOf(c.topology, attribute.owner); ++i)
        if (!IsPlain(attribute, EntryOf(c.topology, attribute.owner, i)))
          seen.attributes.insert(NameOf(attribute));
    for (const Op& op : std::span(c.ops).first(static_cast<size_t>(c.ops_count))) {
      EXPECT_TRUE(Validate(op, c.topology).ok()) << Validate(op, c.topology);
      EXPECT_TRUE(shape.scope != Scope::kEncoded || IsEncoded(op));
      seen.ops.insert(op.kind);
      for (const Fault& fault : op.faults) seen.faults.insert(fault.kind);
    }
  }
  return seen;
}

TEST(WhatIsDrawn, HasAllThatTheTablesHave) {
  const Seen seen = Draw({.scope = Scope::kWhole});
  for (const AttributeInfo& attribute : AllAttributes())
    EXPECT_TRUE(seen.attributes.contains(NameOf(attribute))) << NameOf(attribute);
  for (const OpInfo& op : AllOps()) EXPECT_TRUE(seen.ops.contains(op.kind)) << op.word;
  for (const FaultInfo& fault : AllFaults())
    EXPECT_TRUE(seen.faults.contains(fault.kind)) << fault.word;
}

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
