// SPDX-License-Identifier: Apache-2.0
#include "model/properties.h"

#include <algorithm>

namespace iommucheck {
namespace {

constexpr std::array<std::string_view, kPropertyCount> kNames = {"no-cross-driver-attach",
                                                                 "no-cross-driver-reuse"};

// Each holds only where devices stay probed while their bus's slot does, up to 6.0, and where
// groups are of one driver, from 6.8: the core tests the first device of a group alone.
constexpr std::array kSlotsStay = {Rule::kAssumeBusOpsNotReplaced};
constexpr std::array kOneDriverGroups = {Rule::kAssumeHomogeneousGroups};

constexpr auto kPromises = [] {
  std::array<Promise, kKernelVersionCount * kPropertyCount> promises{};
  size_t n = 0;
  for (KernelVersion v : kKernelVersions)
    for (Property p : kProperties) {
      std::span<const Rule> assumptions;
      if (v <= KernelVersion::kV6_0) assumptions = kSlotsStay;
      if (v >= KernelVersion::kV6_8) assumptions = kOneDriverGroups;
      promises[n++] = {v, p, assumptions};
    }
  return promises;
}();

bool IsForeign(const Event& e) {
  return e.kind == Event::Kind::kAttachDev && e.error == 0 && e.driver != e.device_driver;
}

const Event* FindForeignAttach(std::span<const Event> events) {
  const auto it = std::ranges::find_if(events, IsForeign);
  return it == events.end() ? nullptr : &*it;
}

// A type1 domain is already existing unless this very vfio_iommu_type1_attach_group() allocated it.
const Event* FindForeignReuse(std::span<const Event> events) {
  bool in_type1_attach = false;
  DomainId fresh = kNoId;
  for (const Event& e : events) {
    if (e.kind == Event::Kind::kAttachGroup) {
      in_type1_attach = true;
      fresh = kNoId;
    } else if (e.kind == Event::Kind::kAlloc && e.type == DomainType::kPaging) {
      fresh = e.domain;
    } else if (in_type1_attach && IsForeign(e) && e.type == DomainType::kPaging &&
               e.domain != fresh) {
      return &e;
    }
  }
  return nullptr;
}

}  // namespace

std::string_view PropertyName(Property property) { return kNames[static_cast<size_t>(property)]; }

std::string_view PropertySentence(Property property) {
  switch (property) {
    case Property::kNoCrossDriverAttach:
      return "every device's attached domain was allocated by the driver that serves the device";
    case Property::kNoCrossDriverReuse:
      return "attaching a group never puts a device on an already existing domain of another "
             "driver";
  }
  return "";
}

std::optional<Property> FindProperty(std::string_view name) {
  const auto* it = std::ranges::find(kNames, name);
  if (it == kNames.end()) return std::nullopt;
  return kProperties[static_cast<size_t>(it - kNames.begin())];
}

const Event* FindViolation(Property property, std::span<const Event> events) {
  switch (property) {
    case Property::kNoCrossDriverAttach:
      return FindForeignAttach(events);
    case Property::kNoCrossDriverReuse:
      return FindForeignReuse(events);
  }
  return nullptr;
}

bool HasForeignDomain(const Topology& topology, const State& state) {
  return std::ranges::any_of(
      std::span(state.devices).first(topology.devices_count), [&](const DeviceState& d) {
        return d.hw != kNoId && d.instance != kNoId &&
               state.domains[d.hw].driver != topology.instances[d.instance].driver;
      });
}

std::span<const Promise> Promises() { return kPromises; }

}  // namespace iommucheck
