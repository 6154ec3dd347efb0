// SPDX-License-Identifier: Apache-2.0
#include "model/properties.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <type_traits>
#include <vector>

#include "model/property_checks.h"

namespace iommucheck {
namespace {

bool IsForeign(const Event& e) {
  return e.kind == Event::Kind::kAttachDev && e.error == 0 && e.driver != e.device_driver;
}

const Event* FindForeignAttach(std::span<const Event> events) {
  const auto it = std::ranges::find_if(events, IsForeign);
  return it == events.end() ? nullptr : &*it;
}

// A type1 domain exists already unless this call of vfio_iommu_type1_attach_group() allocated it.
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

Found FromEvent(const Event* event) {
  if (event == nullptr) return std::nullopt;
  return Violation{.why = "the domain is of another driver",
                   .event = event,
                   .device = event->device,
                   .group = event->group,
                   .domain = event->domain};
}

Found NoCrossDriverAttach(const StepView& v) { return FromEvent(FindForeignAttach(v.events)); }
Found NoCrossDriverReuse(const StepView& v) { return FromEvent(FindForeignReuse(v.events)); }

constexpr bool kEncoded = true;
using enum KernelVersion;
using enum Property;
constexpr PropertyInfo kEventRows[] = {
    {kNoCrossDriverAttach,
     "no-cross-driver-attach",
     "every device's attached domain was allocated by the driver that serves the device",
     {NoCrossDriverAttach, kReadsEvents},
     kOneDriverAGroup,
     kEncoded},
    {kNoCrossDriverReuse,
     "no-cross-driver-reuse",
     "attaching a group never puts a device on an already existing domain of another driver",
     {NoCrossDriverReuse, kReadsEvents},
     kOneDriverAGroup,
     kEncoded},
};

// Whether one of the first entries changed. They have no padding, as states.
template <typename Entries>
bool Differ(const Entries& a, const Entries& b, size_t count) {
  static_assert(std::has_unique_object_representations_v<Entries>);
  return std::memcmp(a.data(), b.data(), count * sizeof(a[0])) != 0;
}

// In the order of Property.
std::span<const PropertyInfo* const> AllInfos() {
  static const std::vector<const PropertyInfo*> kInfos = [] {
    std::vector<const PropertyInfo*> infos;
    for (const auto rows : {std::span<const PropertyInfo>(kEventRows), CoreProperties(),
                            VfioProperties(), Type1Properties()})
      for (const PropertyInfo& row : rows) infos.push_back(&row);
    return infos;
  }();
  return kInfos;
}

}  // namespace

const PropertyInfo& InfoOf(Property property) { return *AllInfos()[static_cast<size_t>(property)]; }

std::string_view PropertyName(Property property) { return InfoOf(property).name; }

std::string_view PropertySentence(Property property) { return InfoOf(property).sentence; }

std::optional<Property> FindProperty(std::string_view name) {
  for (const PropertyInfo* const info : AllInfos())
    if (info->name == name) return info->property;
  return std::nullopt;
}

const Event* FindViolation(Property property, std::span<const Event> events) {
  assert(InfoOf(property).encoded);
  return property == kNoCrossDriverAttach ? FindForeignAttach(events) : FindForeignReuse(events);
}

std::optional<Violation> FindViolation(Property property, const StepView& view) {
  return InfoOf(property).check.find(view);
}

Reads ChangedBy(const StepView& v) {
  const State& was = v.before;
  const State& is = v.after;
  const size_t groups = std::max(was.groups_end, is.groups_end);
  const size_t domains = std::max(was.domains_end, is.domains_end);
  Reads changed = kReadsStep;
  if (!v.events.empty()) changed |= kReadsEvents;
  if (Differ(was.devices, is.devices, v.topology.devices_count)) changed |= kReadsDevices;
  if (Differ(was.groups, is.groups, groups)) changed |= kReadsGroups;
  if (Differ(was.domains, is.domains, domains)) changed |= kReadsDomains;
  if (Differ(was.mapped, is.mapped, domains)) changed |= kReadsMapped;
  if (Differ(was.containers, is.containers, kMaxContainers)) changed |= kReadsContainers;
  if (was.pins != is.pins || was.zero_pins != is.zero_pins || was.locked_vm != is.locked_vm)
    changed |= kReadsMemory;
  return changed;
}

bool HasForeignDomain(const Topology& topology, const State& state) {
  return std::ranges::any_of(
      std::span(state.devices).first(topology.devices_count), [&](const DeviceState& d) {
        return d.hw != kNoId && d.instance != kNoId &&
               state.domains[d.hw].driver != topology.instances[d.instance].driver;
      });
}

std::span<const Promise> Promises() {
  static const std::vector<Promise> kPromises = [] {
    std::vector<Promise> promises;
    for (const PropertyInfo* const info : AllInfos())
      for (const KernelVersion v : kKernelVersions)
        for (const PromiseRange& range : info->promised.ranges())
          if (range.versions.has(v))
            promises.push_back({v, info->property, range.assumptions, range.without});
    return promises;
  }();
  return kPromises;
}

bool IsPromised(KernelVersion version, Property property) {
  return std::ranges::any_of(InfoOf(property).promised.ranges(), [&](const PromiseRange& range) {
    return range.versions.has(version);
  });
}

}  // namespace iommucheck
