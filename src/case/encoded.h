// SPDX-License-Identifier: Apache-2.0
//
// What the encodings, the proofs and the explorer know of the model: all that chooses a group's
// domain. The rest is in the model alone (docs/model.md says what, and why).
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/topology.h"
#include "src/case/case.h"

namespace iommucheck {

// Ops whose rows say so, for the engines, which have one place for each: its place in this list.
inline constexpr std::array kEncodedOps = {
    OpKind::kRegister,  OpKind::kUnregister,   OpKind::kAdd,      OpKind::kRemove,
    OpKind::kConfigure, OpKind::kSetContainer, OpKind::kSetIommu, OpKind::kUnsetContainer};
inline constexpr int kEncodedOpCount = kEncodedOps.size();
// Precondition: the op is encoded.
constexpr int EncodedIndex(OpKind kind) {
  return static_cast<int>(std::ranges::find(kEncodedOps, kind) - kEncodedOps.begin());
}

inline bool IsEncoded(Property property) { return InfoOf(property).encoded; }
// Those whose rows say so, for the engines, which have one place for each, by its number.
inline constexpr std::array kEncodedProperties = {Property::kNoCrossDriverAttach,
                                                  Property::kNoCrossDriverReuse};
inline constexpr int kEncodedPropertyCount = kEncodedProperties.size();
// nullopt: there is no such property, or it is not encoded. Whoever reads a property's name from
// the user and asks an encoding asks this.
std::optional<Property> FindEncodedProperty(std::string_view name);
inline constexpr char kAnEncodedProperty[] = "no-cross-driver-attach or no-cross-driver-reuse";
// Of the encoded properties.
std::span<const Promise> EncodedPromises();

inline bool IsEncoded(Rule rule) { return InfoOf(rule).encoded; }
RuleSet EncodedRules();
// The same with what is known of them, in the order of AllRules().
std::span<const RuleInfo> EncodedRuleInfos();

// An op of such a kind without flags, of type 1 version 2, whose faults strike what is encoded.
bool IsEncoded(const Op& op);
// A machine without settings, regions, apertures or whatever else matters to these alone.
bool IsEncoded(const Topology& topology);
// The machine with all of that as it is where nobody says anything. Devices without an IOMMU have
// no instances then.
Topology EncodedPart(Topology topology);

// OK, or InvalidArgument, "expected .., found ..", with the first rule dropped or added, or the
// first entry of the machine, that is in the model alone.
absl::Status CheckEncoded(const KernelSpec& kernel);
absl::Status CheckEncoded(const Topology& topology, const Names& names);

}  // namespace iommucheck
