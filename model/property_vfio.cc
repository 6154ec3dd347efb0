// SPDX-License-Identifier: Apache-2.0
//
// Properties of VFIO's groups, containers and devices.
#include <cerrno>

#include "model/property_checks.h"

namespace iommucheck {
namespace {

bool Succeeded(const StepView& v, OpKind kind) {
  return v.op.kind == kind && v.result.outcome == Outcome::kDone && v.result.error == 0;
}

bool IsNoIommu(const State& s, GroupId group) {
  return group != kNoId && s.groups[group].kind == DeviceKind::kNoIommu;
}

// The group that the op of user space names; kNoId: none.
GroupId GroupOf(const StepView& v) {
  switch (v.op.kind) {
    case OpKind::kOpen:
    case OpKind::kSetContainer:
      return v.op.a;
    case OpKind::kGetDevice:
      return v.before.devices[v.op.a].group;
    case OpKind::kSetIommu:
      return v.before.containers[v.op.a].groups;
    default:
      return kNoId;
  }
}

bool IsOnList(const State& s, ContainerId container, GroupId group) {
  int steps = 0;  // a list that two containers share may have a loop
  for (GroupId g = s.containers[container].groups; g != kNoId && steps < kMaxGroups;
       g = s.groups[g].next_in_container, ++steps)
    if (g == group) return true;
  return false;
}

Found GroupIsOpenedOnce(const StepView& v) {
  if (!Succeeded(v, OpKind::kOpen)) return std::nullopt;
  const GroupState& g = v.before.groups[v.op.a];
  if ((!g.open || g.dead) && g.container == kNoId) return std::nullopt;
  return Violation{.why = "it was open", .group = v.op.a};
}

Found NoIommuWantsPrivilege(const StepView& v) {
  const GroupId group = GroupOf(v);
  if (!IsNoIommu(v.before, group) || (v.op.flags & kUnprivileged) == 0 || !Succeeded(v, v.op.kind))
    return std::nullopt;
  return Violation{.why = "the user lacks CAP_SYS_RAWIO", .group = group};
}

Found NoIommuStaysApart(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (g.container == kNoId) return std::nullopt;
    const GroupId first = v.after.containers[g.container].groups;
    if (first == kNoId || IsNoIommu(v.after, first) == IsNoIommu(v.after, group))
      return std::nullopt;
    return Violation{.why = "the container has groups with an IOMMU and without",
                     .group = group,
                     .container = g.container};
  });
}

Found GroupHasOneContainer(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) {
    return AnyContainer(v.after, [&](ContainerId c, const ContainerState&) -> Found {
      if (IsOnList(v.after, c, group) == (g.container == c)) return std::nullopt;
      return Violation{
          .why = "the list of a container and the group differ", .group = group, .container = c};
    });
  });
}

Found SetIommuOnce(const StepView& v) {
  if (!Succeeded(v, OpKind::kSetIommu) || !v.before.containers[v.op.a].iommu) return std::nullopt;
  return Violation{.why = "the container has a driver already", .container = v.op.a};
}

Found OpenDeviceHasItsIommu(const StepView& v) {
  return AnyDevice(v, [&](DeviceId dev, const DeviceState& d) -> Found {
    if (d.open_in == kNoId) return std::nullopt;
    const ContainerId container = v.after.groups[d.open_in].container;
    if (container != kNoId && v.after.containers[container].iommu) return std::nullopt;
    return Violation{.why = "user space has it, and its group no container with a driver",
                     .device = dev,
                     .group = d.open_in,
                     .container = container};
  });
}

Found EmptyContainerHasNoDriver(const StepView& v) {
  return ContainerWhere(v, "it has no groups", [](const ContainerState& c) {
    return c.groups == kNoId && (c.iommu || c.domains != kNoId || c.dmas_count != 0);
  });
}

// One of VFIO's own rules may still refuse the call, and memory may run out.
Found EmulatedGroupsNeedNoIommu(const StepView& v) {
  const State& s = v.after;
  const Found asked = AnyEvent(v, [&](const Event& e) -> Found {
    const bool iommu = e.kind == Event::Kind::kAttachDev || e.kind == Event::Kind::kDetachDev ||
                       e.kind == Event::Kind::kMap;
    if (!iommu || e.group == kNoId || v.before.groups[e.group].kind != DeviceKind::kEmulated)
      return std::nullopt;
    return Violation{.why = "the IOMMU is asked", .event = &e, .group = e.group};
  });
  if (asked) return asked;
  const Found state = AnyGroup(s, [](GroupId group, const GroupState& g) -> Found {
    if (g.kind != DeviceKind::kEmulated ||
        (!g.owner && g.domain == kNoId && g.vfio_domain == kNoId))
      return std::nullopt;
    return Violation{.why = "it is claimed, or on a domain", .group = group, .domain = g.domain};
  });
  if (state || v.result.error == 0 || v.result.error == -ENOMEM || v.result.error == -ENOENT)
    return state;

  // The group that made the call fail: the last that was given to type1, or the one to be claimed.
  GroupId group = v.op.kind == OpKind::kSetContainer ? v.op.a : kNoId;
  for (const Event& e : v.events) {
    if (e.kind == Event::Kind::kRefused && e.error != 0) return std::nullopt;
    if (e.kind == Event::Kind::kAttachGroup) group = e.group;
  }
  const bool joins = v.op.kind == OpKind::kSetContainer || v.op.kind == OpKind::kSetIommu;
  if (!joins || group == kNoId || v.before.groups[group].kind != DeviceKind::kEmulated ||
      v.before.groups[group].devices == kNoId || v.result.outcome != Outcome::kDone)
    return std::nullopt;
  return Violation{.why = "it is refused for want of an IOMMU", .group = group};
}

using enum KernelVersion;
using enum Property;
constexpr PropertyInfo kVfioRows[] = {
    {kGroupIsOpenedOnce, "group-is-opened-once", "a group is open once at a time",
     GroupIsOpenedOnce, kEveryVersion},
    {kNoIommuWantsPrivilege, "noiommu-wants-privilege",
     "no user without CAP_SYS_RAWIO gets at a group without an IOMMU", NoIommuWantsPrivilege,
     kEveryVersion},
    {kNoIommuStaysApart,
     "noiommu-stays-apart",
     "no container has groups with an IOMMU and groups without",
     {NoIommuStaysApart, kReadsGroups | kReadsContainers},
     kEveryVersion},
    {kGroupHasOneContainer,
     "group-has-one-container",
     "a group is on the list of the container that it is in, and on no other",
     {GroupHasOneContainer, kReadsGroups | kReadsContainers},
     kEveryVersion},
    {kSetIommuOnce, "set-iommu-once", "a container is given a driver once", SetIommuOnce,
     kEveryVersion},
    {kOpenDeviceHasItsIommu,
     "open-device-has-its-iommu",
     "the group of a device that user space has is in a container with a driver",
     {OpenDeviceHasItsIommu, kReadsDevices | kReadsGroups | kReadsContainers},
     kEveryVersion},
    {kEmptyContainerHasNoDriver,
     "empty-container-has-no-driver",
     "a container without groups has no driver, no domains and no mappings",
     {EmptyContainerHasNoDriver, kReadsContainers},
     kEveryVersion},
    {kEmulatedGroupsNeedNoIommu, "emulated-groups-need-no-iommu",
     "a group of emulated devices joins and leaves without the IOMMU", EmulatedGroupsNeedNoIommu,
     kEveryVersion},
};

}  // namespace

std::span<const PropertyInfo> VfioProperties() { return kVfioRows; }

}  // namespace iommucheck
