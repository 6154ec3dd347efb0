// SPDX-License-Identifier: Apache-2.0
#include "src/conform/findings.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace iommucheck::conform {
namespace {

// Whether the core passes a domain that it has freed to a driver, by one of these calls.
bool UsesFreedDomain(const State& before, std::span<const Event> events,
                     std::initializer_list<Event::Kind> calls) {
  std::array<bool, kMaxDomains> freed{};
  for (const Event& e : events) {
    if (e.domain == kNoId) continue;
    if (e.kind == Event::Kind::kFree) freed[e.domain] = true;
    if (e.kind == Event::Kind::kAlloc) freed[e.domain] = false;
    if (std::ranges::find(calls, e.kind) != calls.end() &&
        (freed[e.domain] || before.domains[e.domain].type == DomainType::kFreed))
      return true;
  }
  return false;
}

// Whether type1 maps a trial that it cannot unmap in halves, and concludes that there are
// superpages.
bool KeepsTrial(const Topology& topology, const State& before, std::span<const Event> events) {
  // Few steps map for a group, and the pass below costs more than a look.
  if (std::ranges::none_of(
          events, [](const Event& e) { return e.kind == Event::Kind::kMap && e.group != kNoId; }))
    return false;
  std::array<InstanceId, kMaxDomains> bound{};
  for (DomainId d = 0; d < kMaxDomains; ++d) bound[d] = before.domains[d].instance;
  for (const Event& e : events) {
    if (e.kind == Event::Kind::kAlloc && e.domain != kNoId) bound[e.domain] = kNoId;
    if (e.kind == Event::Kind::kAttachDev && e.error == 0 && bound[e.domain] == kNoId)
      bound[e.domain] = before.devices[e.device].instance;
    if (e.kind == Event::Kind::kMap && e.error == 0 && e.group != kNoId &&
        bound[e.domain] != kNoId && (topology.instances[bound[e.domain]].page_sizes & 3U) == 2)
      return true;
  }
  return false;
}

// Whether the last page may be a range of valid IOVAs of its own: vfio_test_domain_fgsp() rounds its
// address up to that of two pages, and comes to 0.
bool LastPageStandsAlone(const Topology& topology) {
  const auto begins_there = [](const Instance& i) { return i.aperture_first == kLastPage; };
  const auto ends_before = [](const Region& r) { return r.last == kLastPage - 1; };
  return std::ranges::any_of(std::span(topology.instances).first(topology.instances_count),
                             begins_there) ||
         std::ranges::any_of(
             std::span(topology.devices).first(topology.devices_count),
             [&](const Device& d) { return std::ranges::any_of(d.regions, ends_before); });
}

// Whether the step comes to a group again of which a walk that failed has released a device: a driver
// that ignores what bus_set_iommu() says goes on to the next bus.
bool WalksOnFromDeadList(std::span<const Event> events) {
  std::array<GroupId, kMaxDevices> joined;
  joined.fill(kNoId);
  std::array<bool, kMaxGroups> left{};
  for (const Event& e : events) {
    if (e.kind == Event::Kind::kProbe && e.group != kNoId) {
      if (left[e.group]) return true;
      joined[e.device] = e.group;
    }
    if (e.kind == Event::Kind::kRelease && joined[e.device] != kNoId) left[joined[e.device]] = true;
  }
  return false;
}

}  // namespace

const char* FindingBefore(const Topology& topology, const State& before,
                          std::span<const Event> events, bool sanitized) {
  // Few steps have any of these calls, and the passes over the others cost more than a look.
  unsigned kinds = 0;
  for (const Event& e : events) kinds |= 1U << static_cast<unsigned>(e.kind);
  const auto any = [kinds](Event::Kind kind) {
    return (kinds >> static_cast<unsigned>(kind) & 1U) != 0;
  };
  if (sanitized &&
      UsesFreedDomain(before, events, {Event::Kind::kAttachDev, Event::Kind::kDetachDev}))
    return "6.1.y: group->domain may point at a freed domain";
  if (any(Event::Kind::kAttachPasid) &&
      UsesFreedDomain(before, events, {Event::Kind::kAttachPasid}))
    return "A PASID whose domain was freed by its owner";
  if (any(Event::Kind::kRelease) && WalksOnFromDeadList(events))
    return "6.1.y and 6.12.y: a bus walk that fails leaves groups on a list head of its stack";
  if (any(Event::Kind::kAttachGroup) && LastPageStandsAlone(topology))
    return "VFIO's trial is at address 0 where the last page is a range of its own";
  return nullptr;
}

const char* FindingOfTrial(const Topology& topology, const State& before,
                           std::span<const Event> events) {
  return KeepsTrial(topology, before, events)
             ? "An IOMMU whose smallest page is larger than the CPU's: a WARN each map and unmap"
             : nullptr;
}

const char* FindingOfUnmap(const State& before, const Op& op) {
  if (op.kind != OpKind::kUnmap || before.containers[op.a].type != IommuType::kType1)
    return nullptr;
  int met = 0;
  bool cuts = false;
  const ContainerState& c = before.containers[op.a];
  for (const Dma& dma : std::span(c.dmas).first(c.dmas_count)) {
    if ((MaskOf(dma.at) & MaskOf(op.at)) == 0) continue;
    ++met;
    cuts |= dma.at.first < op.at.first;
  }
  return cuts && met > 1 ? "5.10: which mappings an unmap of version 1 takes" : nullptr;
}

const char* FindingOfBind(const Topology& topology, const State& before, const Op& op) {
  const Device& device = topology.devices[op.a];
  const GroupId group = before.devices[op.a].group;
  if (op.kind != OpKind::kBind || device.kind != DeviceKind::kReal || group == kNoId)
    return nullptr;
  const GroupState& g = before.groups[group];
  const bool vfios = g.open || g.container != kNoId;
  return vfios && before.bus_notifiers[static_cast<size_t>(device.bus)] == 0
             ? "Up to 5.18: VFIO does not hear of drivers on a bus without a notifier"
             : nullptr;
}

bool IsNeverUnmapped(const Op& op, int error) {
  return op.kind == OpKind::kMap && error == 0 && op.at.first + op.at.count == kPages;
}

const char* FindingAfter(const Op& op, int error, const State& after, std::span<const Call> calls) {
  // The place of the mapping in the kernel's tree would decide which other findings follow.
  if (IsNeverUnmapped(op, error))
    return "A mapping that ends at the top of the address space is never unmapped";
  // A driver that ignores what bus_set_iommu() says registers all the same; the walk that failed has
  // released the devices that it came to.
  const bool failed =
      error != 0 || std::ranges::find(calls, Call::Kind::kRelease, &Call::kind) != calls.end();
  if (op.kind != OpKind::kRegister || !failed) return nullptr;
  const auto waits = [&after](GroupId group) {
    return group != kNoId && after.groups[group].default_domain == kNoId;
  };
  // The group of the device, or that in which its instance puts all of them, is there still.
  const auto waits_for_domain = [&after, &waits](const Call& call) {
    return call.kind == Call::Kind::kProbe &&
           (waits(after.devices[call.device].group) || waits(after.instance_group[call.instance]));
  };
  return std::ranges::any_of(calls, waits_for_domain)
             ? "6.1.y and 6.12.y: a bus walk that fails leaves groups on a list head of its stack"
             : nullptr;
}

}  // namespace iommucheck::conform
