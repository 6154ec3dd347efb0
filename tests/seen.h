// SPDX-License-Identifier: Apache-2.0
//
// The attributes that are not plain, the ops, flags and faults that occur in generated cases.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <span>
#include <string>

#include "model/attributes.h"
#include "src/case/bytes.h"

namespace iommucheck {

inline std::string NameOf(const AttributeInfo& attribute) {
  return std::string(OwnerWord(attribute.owner)) + " " + std::string(attribute.word);
}
inline std::string NameOf(const OpInfo& op, const OpFlag& flag) {
  return std::string(op.word) + " " + std::string(flag.word);
}

struct Seen {
  std::set<std::string> attributes;
  std::set<OpKind> ops;
  std::set<std::string> flags;
  std::set<Fault::Kind> faults;

  void Add(const DecodedCase& c) {
    for (const AttributeInfo& attribute : AllAttributes())
      for (int i = 0; i < CountOf(c.topology, attribute.owner); ++i)
        if (!IsPlain(attribute, EntryOf(c.topology, attribute.owner, i)))
          attributes.insert(NameOf(attribute));
    for (const Op& op : std::span(c.ops).first(static_cast<size_t>(c.ops_count))) {
      ops.insert(op.kind);
      for (const OpFlag& flag : InfoOf(op.kind).flags)
        if ((op.flags & flag.bit) != 0) flags.insert(NameOf(InfoOf(op.kind), flag));
      for (const Fault& fault : op.faults) faults.insert(fault.kind);
    }
  }

  // Fails for each row of the tables that was not seen.
  void ExpectAll() const {
    for (const AttributeInfo& attribute : AllAttributes())
      EXPECT_TRUE(attributes.contains(NameOf(attribute))) << NameOf(attribute);
    for (const OpInfo& op : AllOps()) {
      EXPECT_TRUE(ops.contains(op.kind)) << op.word;
      for (const OpFlag& flag : op.flags)
        EXPECT_TRUE(flags.contains(NameOf(op, flag))) << NameOf(op, flag);
    }
    for (const FaultInfo& fault : AllFaults())
      EXPECT_TRUE(faults.contains(fault.kind)) << fault.word;
  }
};

}  // namespace iommucheck
