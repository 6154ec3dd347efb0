// SPDX-License-Identifier: Apache-2.0
//
// The part of the model that the encodings, the proofs and the explorer know: everything that
// chooses a group's domain. Only the model has the rest (docs/model.md says which, and why).
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
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
// The properties whose rows say that they are encoded. The engines have one place for each, by its
// number.
inline constexpr std::array kEncodedProperties = {Property::kNoCrossDriverAttach,
                                                  Property::kNoCrossDriverReuse};
inline constexpr int kEncodedPropertyCount = kEncodedProperties.size();
// nullopt if there is no such property, or it is not encoded. Code that reads a property's name
// from the user and asks an encoding calls this.
std::optional<Property> FindEncodedProperty(std::string_view name);
// The names of the encoded properties, for errors: "no-cross-driver-attach or .."
const std::string& AnEncodedProperty();
// The promises of the encoded properties.
std::span<const Promise> EncodedPromises();

inline bool IsEncoded(Rule rule) { return InfoOf(rule).encoded; }
RuleSet EncodedRules();
// The rows of the encoded rules, in the order of AllRules().
std::span<const RuleInfo> EncodedRuleInfos();

// Whether the op is of an encoded kind, without flags, of type 1 version 2, and its faults hit only
// encoded calls.
bool IsEncoded(const Op& op);
// Whether every attribute that is not encoded has its plain value: settings, regions, apertures and
// so on.
bool IsEncoded(const Topology& topology);
// The machine with all of these attributes made plain. Devices without an IOMMU have no instances
// then.
Topology EncodedPart(Topology topology);

// OK, or InvalidArgument, "expected .., found ..". The error names the first rule that is dropped
// or added, or the first entry of the machine, that only the model has.
absl::Status CheckEncoded(const KernelSpec& kernel);
absl::Status CheckEncoded(const Topology& topology, const Names& names);

}  // namespace iommucheck
