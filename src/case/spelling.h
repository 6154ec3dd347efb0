// SPDX-License-Identifier: Apache-2.0
//
// Words of the grammar that more than one of parser, printer and JSON need.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/attributes.h"
#include "model/op.h"
#include "model/topology.h"
#include "src/case/case.h"

namespace iommucheck {

// The word of an attribute in a statement, with '=' where a value follows.
std::string KeyOf(const AttributeInfo& attribute);
// Whether a case says it of the n-th entry of the attribute's owner.
bool IsSaid(const AttributeInfo& attribute, const Topology& topology, const Names& names, int n);
// Its values as a case spells them: none of a flag, some of regions, else one.
std::vector<std::string> ValuesOf(const AttributeInfo& attribute, const Topology& topology,
                                  const Names& names, int n);

// "the settings", "driver smmu"
std::string EntryName(Owner owner, int n, const Names& names);

// An operand as a case spells it.
std::string OperandText(Operand operand, uint8_t value, const Names& names);

inline constexpr uint8_t kAllocError = 12;  // ENOMEM, what a failed allocation always is

// The tables from this one on are private: each is of one driver alone, is named after it, and
// they are in the order of the drivers. The tables before have `table` statements.
int FirstPrivateTable(const Topology& topology, const Names& names);
std::string PrivateTableName(std::string_view driver);

inline constexpr size_t kMaxNameLength = 31;
bool HasNameCharacters(std::string_view text);
// An attribute of a device, where the name of an instance may stand: absent, emulated or noiommu.
bool IsDeviceWord(std::string_view text);
// Also not a word that has a meaning where a name may stand.
bool IsName(std::string_view text);

// Text from a file or a file's name, as it may go to a terminal or into JSON: bytes that are not
// printable ASCII are shown as \x1b, and never sent.
std::string Printable(std::string_view text);
// 'text' as errors show it: short, on one line.
std::string Quote(std::string_view text);
// "; did you mean X?" for the one candidate that is closest, or "".
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);
std::vector<std::string> ErrnoNames();       // "-EPERM" ..
std::vector<std::string> FaultErrnoNames();  // "EPERM" .., those that fit a Fault

std::vector<std::string_view> SplitLines(std::string_view text);

}  // namespace iommucheck
