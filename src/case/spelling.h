// SPDX-License-Identifier: Apache-2.0
//
// Spellings of the grammar that at least two of the parser, the printer and JSON need.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/attributes.h"
#include "model/op.h"
#include "model/topology.h"
#include "src/case/case.h"

namespace iommucheck {

// The word of an attribute in a statement, followed by '=' if it has a value.
std::string KeyOf(const AttributeInfo& attribute);
// Whether a case mentions the attribute of the owner's n-th entry.
bool IsSaid(const AttributeInfo& attribute, const Topology& topology, const Names& names, int n);
// The values of the attribute as a case spells them: none for a flag, one for each region,
// otherwise one.
std::vector<std::string> ValuesOf(const AttributeInfo& attribute, const Topology& topology,
                                  const Names& names, int n);

// One row for each kind of expectation: `expect SUBJECT ABOUT VERB OBJECT` in a case. Only those
// about devices and groups have a verb and an object.
struct ExpectationInfo {
  enum class About : uint8_t { kProperty, kAssumption, kDevice, kGroup };
  enum class Object : uint8_t { kNone, kDriver, kGroup };  // kDriver: or `none`
  Expectation::Kind kind;
  std::string_view name;  // in JSON
  std::string_view subject;
  About about;
  std::string_view verb{};
  Object object = Object::kNone;
};
// In the order of Expectation::Kind.
std::span<const ExpectationInfo> AllExpectations();
inline const ExpectationInfo& InfoOf(Expectation::Kind kind) {
  return AllExpectations()[static_cast<size_t>(kind)];
}
// What the expectation is about, and its object, as a case spells them.
std::string AboutText(const Expectation& e, const Names& names);
std::string ObjectText(const Expectation& e, const Names& names);
// Their keys in JSON.
std::string_view JsonKey(ExpectationInfo::About about);
std::string_view JsonKey(ExpectationInfo::Object object);

// "the settings", "driver smmu"
std::string EntryName(Owner owner, int n, const Names& names);

// An operand as a case spells it.
std::string OperandText(Operand operand, uint8_t value, const Names& names);

inline constexpr uint8_t kAllocError = 12;  // ENOMEM, the error of every failed allocation

// The index of the first private table. Each private table belongs to one driver alone and is named
// after it, and they are in the order of the drivers. The tables before it have `table` statements.
int FirstPrivateTable(const Topology& topology, const Names& names);
std::string PrivateTableName(std::string_view driver);

inline constexpr size_t kMaxNameLength = 31;
bool HasNameCharacters(std::string_view text);
// Whether the word is an attribute of a device where an instance's name may stand: absent, emulated
// or noiommu.
bool IsDeviceWord(std::string_view text);
// Whether it is a valid name, and no word with a meaning where a name may stand.
bool IsName(std::string_view text);

// The name of each row, or of each thing for which `name` has one.
template <typename Rows, typename Name>
std::vector<std::string> NamesOf(const Rows& rows, Name name) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const auto& row : rows) names.emplace_back(std::invoke(name, row));
  return names;
}
// "a, b or c"
std::string OneOf(std::span<const std::string> names);

// Text from a file, or a file's name, in a form that is safe for a terminal and for JSON: bytes
// that are not printable ASCII become \x1b and the like.
std::string Printable(std::string_view text);
// 'text' as errors show it: short, on one line.
std::string Quote(std::string_view text);
// "; did you mean X?" for the one candidate that is closest, or "".
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);
std::vector<std::string> ErrnoNames();       // "-EPERM" ..
std::vector<std::string> FaultErrnoNames();  // "EPERM" .., those that fit into a Fault

std::vector<std::string_view> SplitLines(std::string_view text);

}  // namespace iommucheck
