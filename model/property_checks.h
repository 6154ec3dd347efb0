// SPDX-License-Identifier: Apache-2.0
//
// Code that the checks of properties share, and where their rows are. For property_*.cc and
// properties.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/properties.h"

namespace iommucheck {

using Found = std::optional<Violation>;

// --- walks over a state; `find` returns a violation, and this ends the walk ---

template <typename Find>
Found AnyGroup(const State& s, Find find) {  // the live groups
  for (GroupId g = 0; g < s.groups_end; ++g) {
    if (!s.groups[g].live) continue;
    if (const Found found = find(g, s.groups[g])) return found;
  }
  return std::nullopt;
}

template <typename Find>
Found AnyDeviceOf(const State& s, GroupId group, Find find) {
  for (DeviceId dev = s.groups[group].devices; dev != kNoId; dev = s.devices[dev].next)
    if (const Found found = find(dev, s.devices[dev])) return found;
  return std::nullopt;
}

template <typename Find>
Found AnyDevice(const StepView& v, Find find) {
  for (DeviceId dev = 0; dev < v.topology.devices_count; ++dev)
    if (const Found found = find(dev, v.after.devices[dev])) return found;
  return std::nullopt;
}

template <typename Find>
Found AnyContainer(const State& s, Find find) {
  for (ContainerId c = 0; c < kMaxContainers; ++c)
    if (const Found found = find(c, s.containers[c])) return found;
  return std::nullopt;
}

// The first container of which `is` is true; of a container's domains, the first.
template <typename Is>
Found ContainerWhere(const StepView& v, std::string_view why, Is is) {
  return AnyContainer(v.after, [&](ContainerId id, const ContainerState& c) -> Found {
    return is(c) ? Found({.why = why, .container = id}) : std::nullopt;
  });
}
template <typename Is>
Found DomainWhere(const StepView& v, std::string_view why, Is is) {
  return AnyContainer(v.after, [&](ContainerId id, const ContainerState& c) -> Found {
    for (DomainId d = c.domains; d != kNoId; d = v.after.domains[d].next)
      if (is(c, d)) return Violation{.why = why, .domain = d, .container = id};
    return std::nullopt;
  });
}

template <typename Find>
Found AnyEvent(const StepView& v, Find find) {
  for (const Event& e : v.events)
    if (const Found found = find(e)) return found;
  return std::nullopt;
}

inline std::span<const Dma> MappingsOf(const ContainerState& c) {
  return std::span(c.dmas).first(c.dmas_count);
}

// Whether the op may make the driver fail attach_dev for the device.
inline bool HasAttachFault(const Op& op, DeviceId dev) {
  for (const Fault& fault : op.faults)
    if ((fault.kind == Fault::Kind::kAttach && fault.target == dev) ||
        fault.kind == Fault::Kind::kAttachCall)
      return true;
  return false;
}

// --- assumptions of promises; running random machines showed that they are needed, tests check
// them ---

// kSlotsStay: up to and including 6.0 devices stay probed while the slot of their bus stays.
// kOneDriverGroups: from 6.8 on the core tests only the first device of a group, so all devices of
// a group must have one driver.
inline constexpr std::array kSlotsStay = {Rule::kAssumeBusOpsNotReplaced};
inline constexpr std::array kOneDriverGroups = {Rule::kAssumeHomogeneousGroups};
// If the driver may refuse one device of a group, nothing is promised about the others.
inline constexpr std::array kOneInstance = {Rule::kAssumeOneInstanceGroups,
                                            Rule::kAssumeBusOpsNotReplaced};
inline constexpr std::array kOneInstanceNoHotAdd = {Rule::kAssumeOneInstanceGroups,
                                                    Rule::kAssumeBusOpsNotReplaced,
                                                    Rule::kAssumeNoHotAddWhenAttached};
inline constexpr std::array kNoHotAdd = {Rule::kAssumeNoHotAddWhenAttached};
// Up to and including 5.15 type1 asks the slot of the bus for reserved regions: without ops, none.
inline constexpr std::array kSlotsStayNoHotAdd = {Rule::kAssumeBusOpsNotReplaced,
                                                  Rule::kAssumeNoHotAddWhenAttached};
inline constexpr std::array kNoUnregister = {Rule::kAssumeNoUnregisterWhileServing};
// With larger pages only, type1 leaves in place what it mapped to try superpages, and undoes a failed
// replay by pages that nobody pinned.
inline constexpr std::array kCommonPage = {Rule::kAssumeCommonPageSize};
inline constexpr std::array kCommonPageOneInstance = {
    Rule::kAssumeCommonPageSize, Rule::kAssumeBusOpsNotReplaced, Rule::kAssumeOneInstanceGroups};
inline constexpr std::array kCommonPageNoUnregister = {Rule::kAssumeCommonPageSize,
                                                       Rule::kAssumeNoUnregisterWhileServing};
inline constexpr std::array kDriversCome = {Rule::kAssumeNoDriverBeforeIommu};
inline constexpr std::array kOneErrno = {Rule::kDriverEinvalOnly};
inline constexpr std::array kUnmapTop = {Rule::kType1UnmapTop};
inline constexpr std::array kCommonPageUnmapTop = {Rule::kAssumeCommonPageSize,
                                                   Rule::kType1UnmapTop};
inline constexpr std::array kNoHotAddUnmapTop = {Rule::kAssumeNoHotAddWhenAttached,
                                                 Rule::kType1UnmapTop};
inline constexpr std::array kSlotsStayNoHotAddUnmapTop = {
    Rule::kAssumeBusOpsNotReplaced, Rule::kAssumeNoHotAddWhenAttached, Rule::kType1UnmapTop};

// No device gets on a domain of another driver.
inline constexpr PromisedOn kOneDriverAGroup =
    PromisedOn(Until(KernelVersion::kV6_1), kSlotsStay)
        .And(Since(KernelVersion::kV6_1).Until(KernelVersion::kV6_8))
        .And(Since(KernelVersion::kV6_8), kOneDriverGroups);

inline constexpr FaultSet kAttachFaults =
    FaultBit(Fault::Kind::kAttach) | FaultBit(Fault::Kind::kAttachCall);
inline constexpr FaultSet kAllocFaults = FaultBit(Fault::Kind::kAlloc);
inline constexpr FaultSet kMapFaults = FaultBit(Fault::Kind::kMap);

// --- the rows of each file, in the order of Property; the checks of events are in properties.cc
// ---

std::span<const PropertyInfo> CoreProperties();
std::span<const PropertyInfo> VfioProperties();
std::span<const PropertyInfo> Type1Properties();

}  // namespace iommucheck
