// SPDX-License-Identifier: Apache-2.0
#include "src/case/encoded.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_format.h"
#include "model/attributes.h"
#include "src/case/spelling.h"

namespace iommucheck {

std::optional<Property> FindEncodedProperty(std::string_view name) {
  const std::optional<Property> property = FindProperty(name);
  return property && IsEncoded(*property) ? property : std::nullopt;
}

const std::string& AnEncodedProperty() {
  static const std::string kNames = OneOf(NamesOf(kEncodedProperties, PropertyName));
  return kNames;
}

std::span<const Promise> EncodedPromises() {
  static const std::vector<Promise> kPromises = [] {
    std::vector<Promise> promises;
    std::ranges::copy_if(Promises(), std::back_inserter(promises),
                         [](const Promise& promise) { return IsEncoded(promise.property); });
    return promises;
  }();
  return kPromises;
}

RuleSet EncodedRules() {
  RuleSet rules;
  for (const RuleInfo& info : EncodedRuleInfos()) rules.add(info.rule);
  return rules;
}

std::span<const RuleInfo> EncodedRuleInfos() {
  static const std::vector<RuleInfo> kInfos = [] {
    std::vector<RuleInfo> infos;
    std::ranges::copy_if(AllRules(), std::back_inserter(infos),
                         [](const RuleInfo& info) { return info.encoded; });
    return infos;
  }();
  return kInfos;
}

bool IsEncoded(const Op& op) {
  const OpInfo& info = InfoOf(op.kind);
  const bool type1v2 = info.b != Operand::kIommuType || op.b == 0;
  return info.is(OpInfo::kEncoded) && op.flags == 0 && type1v2 &&
         std::ranges::all_of(op.faults,
                             [](const Fault& fault) { return InfoOf(fault.kind).encoded; });
}

Topology EncodedPart(Topology topology) {
  for (const AttributeInfo& attribute : AllAttributes()) {
    if (attribute.encoded()) continue;
    for (int n = 0; n < CountOf(topology, attribute.owner); ++n)
      MakePlain(attribute, EntryOf(topology, attribute.owner, n));
  }
  return topology;
}

absl::Status CheckEncoded(const KernelSpec& kernel) {
  for (const RuleInfo& info : AllRules()) {
    if (IsEncoded(info.rule)) continue;
    const bool dropped = kernel.dropped.has(info.rule);
    if (!dropped && !kernel.added.has(info.rule)) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "expected a rule that is encoded, found %s, which is in the model alone; replay and judge "
        "%s it, by the kernel line of a case",
        Quote(info.id), dropped ? "drop" : "add"));
  }
  return absl::OkStatus();
}

absl::Status CheckEncoded(const Topology& t, const Names& names) {
  for (const AttributeInfo& attribute : AllAttributes()) {
    if (attribute.encoded()) continue;
    for (int n = 0; n < CountOf(t, attribute.owner); ++n)
      if (IsSaid(attribute, t, names, n))
        return absl::InvalidArgumentError(absl::StrFormat(
            "expected a machine that is encoded, found what is in the model alone: %s of %s",
            attribute.word, EntryName(attribute.owner, n, names)));
  }
  return absl::OkStatus();
}

bool IsEncoded(const Topology& topology) { return EncodedPart(topology) == topology; }

}  // namespace iommucheck
