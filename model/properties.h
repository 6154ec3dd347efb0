// SPDX-License-Identifier: Apache-2.0
//
// The sentences that must hold in every reachable state, read from states and events alone.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "model/rules.h"
#include "model/state.h"
#include "model/step.h"
#include "model/topology.h"

namespace iommucheck {

enum class Property : uint8_t { kNoCrossDriverAttach, kNoCrossDriverReuse };
inline constexpr int kPropertyCount = 2;
inline constexpr std::array<Property, kPropertyCount> kProperties = {Property::kNoCrossDriverAttach,
                                                                     Property::kNoCrossDriverReuse};

std::string_view PropertyName(Property property);
std::string_view PropertySentence(Property property);
std::optional<Property> FindProperty(std::string_view name);

// The first event of a step that violates the property, or nullptr.
const Event* FindViolation(Property property, std::span<const Event> events);

// Whether the state itself has a device on a domain of another driver.
bool HasForeignDomain(const Topology& topology, const State& state);

// What a kernel promises: the property holds on it once `assumptions` are added.
struct Promise {
  KernelVersion version;
  Property property;
  std::span<const Rule> assumptions;
};
std::span<const Promise> Promises();

}  // namespace iommucheck
