// SPDX-License-Identifier: Apache-2.0
//
// Properties of VFIO type1: groups on domains, mappings, valid IOVAs, pins.
#include <algorithm>
#include <bit>
#include <cerrno>

#include "model/property_checks.h"

namespace iommucheck {
namespace {

bool IsReserved(const Region& region) {  // whether user space cannot map it
  return region.type != Region::Type::kNone && region.type != Region::Type::kDirectRelaxable;
}

uint64_t ReservedOf(const StepView& v, const State& s, GroupId group) {
  uint64_t pages = 0;
  for (DeviceId dev = s.groups[group].devices; dev != kNoId; dev = s.devices[dev].next)
    for (const Region& region : v.topology.devices[dev].regions)
      if (IsReserved(region)) pages |= MaskOf(region);
  return pages;
}

// The pages that all domains of a container can map.
uint64_t AperturesOf(const StepView& v, const ContainerState& c) {
  uint64_t pages = ~uint64_t{0};
  for (DomainId d = c.domains; d != kNoId; d = v.after.domains[d].next)
    if (const InstanceId i = v.after.domains[d].instance; i != kNoId)
      pages &= ApertureOf(v.topology.instances[i]);
  return pages;
}

// The pages that the groups on the container's domains reserve.
uint64_t ReservedIn(const StepView& v, const ContainerState& c) {
  uint64_t pages = 0;
  for (DomainId d = c.domains; d != kNoId; d = v.after.domains[d].next)
    for (GroupId g = 0; g < v.after.groups_end; ++g)
      if (v.after.groups[g].vfio_domain == d) pages |= ReservedOf(v, v.after, g);
  return pages;
}

uint64_t UsableIova(const StepView& v, const ContainerState& c) {
  return AperturesOf(v, c) & ~ReservedIn(v, c);
}

// The pages of the container's mappings that its domains should translate.
uint64_t WantedOf(const ContainerState& c) {
  uint64_t pages = 0;
  for (const Dma& dma : MappingsOf(c))
    if (dma.iommu_mapped) pages |= MaskOf(dma.at);
  return pages;
}

uint64_t MappedBy(const ContainerState& c) {
  uint64_t pages = 0;
  for (const Dma& dma : MappingsOf(c)) pages |= MaskOf(dma.at);
  return pages;
}

struct Memory {
  uint32_t pins = 0;    // pins that the mappings account for
  uint32_t locked = 0;  // the pages of these pins, each counted once
};

Memory MemoryOf(const State& s) {
  Memory memory;
  for (const ContainerState& c : s.containers)
    for (const Dma& dma : MappingsOf(c)) {
      if (dma.zero_page) continue;  // reserved pages are no pins of user memory
      const auto pages = static_cast<uint32_t>(std::popcount(MaskOf(dma.at)));
      const auto pfns = static_cast<uint32_t>(std::popcount(c.pfns & MaskOf(dma.at)));
      memory.pins += (dma.iommu_mapped ? pages : 0) + pfns;
      memory.locked += dma.iommu_mapped ? pages : pfns;
    }
  return memory;
}

bool Joins(OpKind kind) { return kind == OpKind::kSetContainer || kind == OpKind::kSetIommu; }

// A failed call may leave blocking domains allocated, and may attach a device that waited for its
// first DMA.
Found FailedCallGoesBack(const StepView& v) {
  if (!Joins(v.op.kind) || v.result.error == 0) return std::nullopt;
  const State& was = v.before;
  const State& is = v.after;
  const Found device = AnyDevice(v, [&](DeviceId dev, const DeviceState& d) -> Found {
    if (d.hw == was.devices[dev].hw || was.devices[dev].attach_deferred) return std::nullopt;
    return Violation{.why = "it is not on the domain that it was on before the call",
                     .device = dev,
                     .domain = d.hw};
  });
  if (device) return device;
  const Found group = AnyGroup(is, [&](GroupId id, const GroupState& g) -> Found {
    const GroupState& old = was.groups[id];
    if (g.domain == old.domain && g.owner == old.owner && g.vfio_domain == old.vfio_domain &&
        g.container == old.container && g.emulated_listed == old.emulated_listed)
      return std::nullopt;
    return Violation{.why = "it is not as it was before the call", .group = id};
  });
  if (group) return group;
  const Found container = AnyContainer(is, [&](ContainerId id, const ContainerState& c) -> Found {
    const ContainerState& old = was.containers[id];
    if (c.dmas == old.dmas && c.domains == old.domains && c.iommu == old.iommu &&
        c.iova == old.iova && c.pfns == old.pfns)
      return std::nullopt;
    return Violation{.why = "it is not as it was before the call", .container = id};
  });
  if (container || (is.pins == was.pins && is.locked_vm == was.locked_vm)) return container;
  return Violation{.why = "as much memory is not locked as before the call"};
}

// Whether VFIO has a device in the group, by which the group has a file.
bool HasVfioDevice(const State& s, GroupId group) {
  for (DeviceId d = s.groups[group].devices; d != kNoId; d = s.devices[d].next)
    if (s.devices[d].bound == BoundTo::kVfio) return true;
  return false;
}

// Of SET_CONTAINER and SET_IOMMU. No rule is needed to refuse a group of which VFIO has no device, so
// that there is no file to open (-ENOENT), and a type that no backend has (-ENODEV).
Found RefusedForAReason(const StepView& v) {
  const int error = -v.result.error;
  if (!Joins(v.op.kind) || error == 0 || v.result.struck != 0) return std::nullopt;
  if (v.op.kind == OpKind::kSetContainer ? error == ENOENT && !HasVfioDevice(v.before, v.op.a)
                                         : error == ENODEV)
    return std::nullopt;
  for (const Event& e : v.events)
    if (e.error == error || (e.kind == Event::Kind::kRefused && e.error != 0) ||
        e.kind == Event::Kind::kOops || e.kind == Event::Kind::kWait)
      return std::nullopt;
  return Violation{.why = "no rule and no driver has refused it"};
}

Found FailedMapChangesNothing(const StepView& v) {
  const bool maps = v.op.kind == OpKind::kMap || v.op.kind == OpKind::kUnmap ||
                    v.op.kind == OpKind::kPin || v.op.kind == OpKind::kUnpin;
  if (!maps || v.result.error == 0 || v.result.outcome != Outcome::kDone) return std::nullopt;
  const State& was = v.before;
  const State& is = v.after;
  const Found container = AnyContainer(is, [&](ContainerId id, const ContainerState& c) -> Found {
    if (c == was.containers[id]) return std::nullopt;
    return Violation{.why = "it is not as it was before the call", .container = id};
  });
  if (container) return container;
  for (DomainId domain = 0; domain < is.domains_end; ++domain)
    if (is.mapped[domain] != was.mapped[domain])
      return Violation{.why = "it maps other pages than before the call", .domain = domain};
  if (is.pins == was.pins && is.zero_pins == was.zero_pins && is.locked_vm == was.locked_vm)
    return std::nullopt;
  return Violation{.why = "as much memory is not pinned or locked as before the call"};
}

Found ContainerGroupsAreOnTheirDomain(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (g.kind != DeviceKind::kReal) return std::nullopt;
    const bool joined = g.container != kNoId && v.after.containers[g.container].iommu;
    if (g.vfio_domain == kNoId && !joined) return std::nullopt;
    const Violation found = {.why = "group->domain is not the domain that type1 has it on",
                             .group = group,
                             .domain = g.vfio_domain,
                             .container = g.container};
    if (g.vfio_domain == kNoId || !joined || g.domain != g.vfio_domain) return found;
    for (DomainId d = v.after.containers[g.container].domains; d != kNoId;
         d = v.after.domains[d].next)
      if (d == g.vfio_domain) return std::nullopt;
    return found;
  });
}

Found CoherentDomainIsEnforced(const StepView& v) {
  return AnyDevice(v, [&](DeviceId dev, const DeviceState& d) -> Found {
    if (d.hw == kNoId || d.instance == kNoId || !v.after.domains[d.hw].coherent ||
        v.topology.instances[d.instance].enforces_coherency)
      return std::nullopt;
    return Violation{.why = "its IOMMU cannot", .device = dev, .domain = d.hw};
  });
}

Found NestingIsThere(const StepView& v) {
  return DomainWhere(v, "its driver cannot", [&](const ContainerState& c, DomainId d) {
    return c.type == IommuType::kNesting && !v.topology.drivers[v.after.domains[d].driver].nesting;
  });
}

Found MsiIsIsolated(const StepView& v) {
  if (v.topology.settings.unsafe_interrupts) return std::nullopt;
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (g.vfio_domain == kNoId) return std::nullopt;
    return AnyDeviceOf(v.after, group, [&](DeviceId dev, const DeviceState& d) -> Found {
      if (d.instance == kNoId || v.topology.instances[d.instance].isolates_msi) return std::nullopt;
      return Violation{.why = "its IOMMU does not", .device = dev, .group = group};
    });
  });
}

Found MsiCookieOnce(const StepView& v) {
  return AnyEvent(v, [](const Event& e) -> Found {
    if (e.kind != Event::Kind::kMsiCookie || e.error == 0) return std::nullopt;
    return Violation{.why = "it has one", .event = &e, .domain = e.domain};
  });
}

// As in vfio_iommu_has_sw_msi(): a hardware MSI region wins over software MSI regions.
Found MsiIsMapped(const StepView& v) {
  return AnyGroup(v.after, [&](GroupId group, const GroupState& g) -> Found {
    if (g.vfio_domain == kNoId || v.after.domains[g.vfio_domain].msi_cookie) return std::nullopt;
    bool software = false;
    bool hardware = false;
    for (DeviceId dev = g.devices; dev != kNoId; dev = v.after.devices[dev].next)
      for (const Region& region : v.topology.devices[dev].regions) {
        software |= region.type == Region::Type::kSwMsi;
        hardware |= region.type == Region::Type::kMsi;
      }
    if (!software || hardware) return std::nullopt;
    return Violation{
        .why = "its domain has no MSI cookie", .group = group, .domain = g.vfio_domain};
  });
}

Found UnmapTakesWholeMappings(const StepView& v) {
  if (v.op.kind != OpKind::kUnmap || (v.op.flags & (kAll | kVaddr)) != 0) return std::nullopt;
  const ContainerState& before = v.before.containers[v.op.a];
  const ContainerState& after = v.after.containers[v.op.a];
  const int end = v.op.at.first + v.op.at.count;
  for (const Dma& dma : MappingsOf(before)) {
    if (std::ranges::find(MappingsOf(after), dma.at, &Dma::at) != MappingsOf(after).end()) continue;
    const bool ends_in = dma.at.first + dma.at.count <= end || before.type == IommuType::kType1;
    if (dma.at.first >= v.op.at.first && ends_in) continue;
    return Violation{.why = "it took one in part", .container = v.op.a};
  }
  return std::nullopt;
}

Found MappingsAreApart(const StepView& v) {
  constexpr auto kWhy = "one is empty, meets the one before it, or wraps around";
  return ContainerWhere(v, kWhy, [](const ContainerState& c) {
    int end = 0;
    for (const Dma& dma : MappingsOf(c)) {
      if (dma.at.count == 0 || dma.at.first < end) return true;
      end = dma.at.first + dma.at.count;
    }
    return end > kPages;
  });
}

Found MappingsKeepTheirLimit(const StepView& v) {
  return ContainerWhere(v, "it has more than dma_entry_limit", [&](const ContainerState& c) {
    return c.dmas_count > v.topology.settings.dma_entries;
  });
}

Found MappedInEveryDomain(const StepView& v) {
  return DomainWhere(v, "it lacks a mapping", [&](const ContainerState& c, DomainId d) {
    return (MappedBy(c) & ~v.after.mapped[d]) != 0;
  });
}

Found NoStaleTranslation(const StepView& v) {
  constexpr auto kWhy = "it maps what nobody asks for any more";
  return DomainWhere(v, kWhy, [&](const ContainerState& c, DomainId d) {
    return (v.after.mapped[d] & ~WantedOf(c)) != 0;
  });
}

Found MappingsLieOffReserved(const StepView& v) {
  return ContainerWhere(v, "one meets a reserved region", [&](const ContainerState& c) {
    return (MappedBy(c) & ReservedIn(v, c)) != 0;
  });
}

Found MappingsLieInApertures(const StepView& v) {
  return ContainerWhere(v, "one is beyond an aperture", [&](const ContainerState& c) {
    return (MappedBy(c) & ~AperturesOf(v, c)) != 0;
  });
}

Found ValidIovaCanBeMapped(const StepView& v) {
  constexpr auto kWhy = "a page that is listed is reserved, or beyond an aperture";
  return ContainerWhere(v, kWhy,
                        [&](const ContainerState& c) { return (c.iova & ~UsableIova(v, c)) != 0; });
}

Found NoValidIovaIsLost(const StepView& v) {
  constexpr auto kWhy = "a page that is not listed could be mapped";
  return ContainerWhere(v, kWhy,
                        [&](const ContainerState& c) { return (UsableIova(v, c) & ~c.iova) != 0; });
}

Found AttachMapsNothingReserved(const StepView& v) {
  return AnyEvent(v, [&](const Event& e) -> Found {
    if (e.kind != Event::Kind::kMap || e.group == kNoId || e.error != 0) return std::nullopt;
    if ((MaskOf(e.pages) & ReservedOf(v, v.before, e.group)) == 0) return std::nullopt;
    return Violation{
        .why = "the pages are reserved", .event = &e, .group = e.group, .domain = e.domain};
  });
}

Found NoLeakedPin(const StepView& v) {
  const State& s = v.after;
  const uint32_t pins = MemoryOf(s).pins;
  if (s.zero_pins != 0) return Violation{.why = "the zero page is pinned"};
  constexpr auto kWhy = "an emulated device has pinned what is not mapped";
  const Found pfns =
      ContainerWhere(v, kWhy, [](const ContainerState& c) { return (c.pfns & ~MappedBy(c)) != 0; });
  if (pfns || s.pins == pins) return pfns;
  return Violation{.why = s.pins > pins ? "more pages are pinned than mappings have"
                                        : "a mapping has pages that are not pinned"};
}

// Follows the order of a step: which page of user memory each IOVA of a container leads to, how
// often each page is pinned, and what each domain maps.
class MemoryWalk {
 public:
  explicit MemoryWalk(const StepView& v) : v_(v), mapped_(v.before.mapped) {
    leads_to_.fill({});
    for (auto& pages : leads_to_) pages.fill(kNoPage);
    AddMappings(v.after, false);
    AddMappings(v.before, true);
  }

  // Takes the next event; a domain that maps a page which nothing pins any longer, or kNoId.
  DomainId Take(const Event& e) {
    if (e.kind == Event::Kind::kMap && e.error == 0) mapped_[e.domain] |= MaskOf(e.pages);
    if (e.kind == Event::Kind::kUnmap) mapped_[e.domain] &= ~MaskOf(e.pages);
    if (e.kind == Event::Kind::kFree) mapped_[e.domain] = 0;
    if (e.kind == Event::Kind::kPin && e.error == 0) Count(e.pages, 1);
    if (e.kind != Event::Kind::kUnpin) return kNoId;
    Count(e.pages, -1);
    for (const State* s : {&v_.before, &v_.after})
      for (ContainerId c = 0; c < kMaxContainers; ++c)
        for (DomainId d = s->containers[c].domains; d != kNoId; d = s->domains[d].next)
          if (MapsAny(c, mapped_[d], e.pages)) return d;
    return kNoId;
  }

 private:
  static constexpr uint8_t kNoPage = 0xff;

  void AddMappings(const State& s, bool count) {
    for (ContainerId c = 0; c < kMaxContainers; ++c)
      for (const Dma& dma : MappingsOf(s.containers[c])) {
        if (dma.zero_page) continue;  // no page of the user's
        for (int i = 0; i < dma.at.count && dma.at.first + i < kPages; ++i) {
          const int iova = dma.at.first + i;
          const int page = dma.vaddr + i;
          if (page >= kPages) break;
          leads_to_[c][iova] = static_cast<uint8_t>(page);
          const bool pinned = ((s.containers[c].pfns >> iova) & 1) != 0;
          if (count) pins_[page] += (dma.iommu_mapped ? 1 : 0) + (pinned ? 1 : 0);
        }
      }
  }

  void Count(Pages pages, int more) {
    for (int page = pages.first; page < pages.first + pages.count && page < kPages; ++page)
      pins_[page] += more;
  }

  [[nodiscard]] bool MapsAny(ContainerId c, uint64_t mapped, Pages memory) const {
    for (int iova = 0; iova < kPages; ++iova) {
      const uint8_t page = leads_to_[c][iova];
      if (((mapped >> iova) & 1) != 0 && page != kNoPage && page >= memory.first &&
          page < memory.first + memory.count && pins_[page] <= 0)
        return true;
    }
    return false;
  }

  const StepView& v_;
  std::array<uint64_t, kMaxDomains> mapped_;
  std::array<std::array<uint8_t, kPages>, kMaxContainers> leads_to_;
  std::array<int, kPages> pins_{};
};

Found NoUnpinWhileMapped(const StepView& v) {
  const auto unpins = [](const Event& e) { return e.kind == Event::Kind::kUnpin; };
  if (std::ranges::none_of(v.events, unpins)) return std::nullopt;
  MemoryWalk walk(v);
  return AnyEvent(v, [&](const Event& e) -> Found {
    const DomainId domain = walk.Take(e);
    if (domain == kNoId) return std::nullopt;
    return Violation{.why = "a domain maps it still", .event = &e, .domain = domain};
  });
}

Found StaleVaddrsAreCounted(const StepView& v) {
  return AnyContainer(v.after, [](ContainerId container, const ContainerState& c) -> Found {
    if (std::ranges::count(MappingsOf(c), true, &Dma::vaddr_invalid) == c.vaddr_invalid_count)
      return std::nullopt;
    return Violation{.why = "vaddr_invalid_count is another number", .container = container};
  });
}

Found MappedExactlyWithADomain(const StepView& v) {
  return AnyContainer(v.after, [](ContainerId container, const ContainerState& c) -> Found {
    for (const Dma& dma : MappingsOf(c))
      if (dma.iommu_mapped != (c.domains != kNoId))
        return Violation{.why = dma.iommu_mapped ? "a mapping is pinned for no domain"
                                                 : "a mapping is in no domain",
                         .container = container};
    return std::nullopt;
  });
}

Found NoPinByStaleVaddr(const StepView& v) {
  const auto stale = [&](const ContainerState& c) { return c.vaddr_invalid_count != 0; };
  ContainerId container = kNoId;
  if (v.op.kind == OpKind::kSetContainer) container = v.op.b;
  if (v.op.kind == OpKind::kPin && v.before.devices[v.op.a].group != kNoId)
    container = v.before.groups[v.before.devices[v.op.a].group].container;
  if (container == kNoId || !stale(v.before.containers[container])) return std::nullopt;
  return AnyEvent(v, [&](const Event& e) -> Found {
    if (e.kind != Event::Kind::kPin || e.error != 0) return std::nullopt;
    return Violation{.why = "a mapping has no valid vaddr", .event = &e, .container = container};
  });
}

Found LockedMemoryBalances(const StepView& v) {
  const uint32_t locked = MemoryOf(v.after).locked;
  if (v.after.locked_vm == locked) return std::nullopt;
  return Violation{.why = v.after.locked_vm > locked ? "the user pays for pages that are not pinned"
                                                     : "pages are pinned that nobody pays for"};
}

Found LockedMemoryKeepsItsLimit(const StepView& v) {
  const uint8_t limit = v.topology.settings.memlock;
  if (limit == kNoLimit || v.after.locked_vm <= limit) return std::nullopt;
  return Violation{.why = "more is locked than RLIMIT_MEMLOCK"};
}

using enum KernelVersion;
using enum Property;
constexpr PropertyInfo kType1Rows[] = {
    {kFailedCallGoesBack, "failed-call-goes-back",
     "a call that joins a container or sets its driver, and fails, leaves all as it was",
     FailedCallGoesBack,
     PromisedOn(Since(kV5_19).Until(kV6_6), kCommonPageOneInstance)
         .Without(kAttachFaults)
         .And(Since(kV6_6).Until(kV6_8), kCommonPageOneInstance)
         .Without(kAttachFaults | kAllocFaults)
         .And(Since(kV6_8).Until(kV6_18), kCommonPage)
         .Without(kAttachFaults)
         .And(Since(kV6_18), kCommonPageOneInstance)
         .Without(kAttachFaults)},
    {kRefusedForAReason, "refused-for-a-reason",
     "joining a container or setting its driver fails only where a rule or a driver refuses it",
     RefusedForAReason, Since(kV6_12)},
    {kFailedMapChangesNothing, "failed-map-changes-nothing",
     "a map, unmap, pin or unpin that fails leaves mappings, domains and pins as they were",
     FailedMapChangesNothing, PromisedOn(Since(kV6_0), kCommonPageUnmapTop)},
    {kContainerGroupsAreOnTheirDomain,
     "container-groups-are-on-their-domain",
     "a group in a container with a driver is on one of its domains, as type1 has it",
     {ContainerGroupsAreOnTheirDomain, kReadsGroups | kReadsDomains | kReadsContainers},
     PromisedOn(Since(kV5_19).Until(kV6_6)).And(Since(kV6_6), kNoUnregister)},
    {kCoherentDomainIsEnforced,
     "coherent-domain-is-enforced",
     "a domain that enforces cache coherency has only devices whose IOMMUs can",
     {CoherentDomainIsEnforced, kReadsDevices | kReadsDomains},
     PromisedOn(Since(kV5_19), kNoHotAdd)},
    {kNestingIsThere,
     "nesting-is-there",
     "a container with nesting has only domains whose drivers can",
     {NestingIsThere, kReadsDomains | kReadsContainers},
     Until(kV6_18)},
    {kMsiIsIsolated,
     "msi-is-isolated",
     "a device that type1 has isolates its interrupts, unless unsafe ones are allowed",
     {MsiIsIsolated, kReadsDevices | kReadsGroups},
     PromisedOn(Until(kV6_6), kOneInstanceNoHotAdd).And(Since(kV6_6), kNoHotAdd)},
    {kMsiCookieOnce,
     "msi-cookie-once",
     "no domain is given an MSI cookie twice",
     {MsiCookieOnce, kReadsEvents},
     kEveryVersion},
    {kMsiIsMapped,
     "msi-is-mapped",
     "a group whose interrupts software maps is on a domain with an MSI cookie",
     {MsiIsMapped, kReadsDevices | kReadsGroups | kReadsDomains}},
    {kUnmapTakesWholeMappings, "unmap-takes-whole-mappings",
     "an unmap takes mappings that start in what it names, and with version 2 end there",
     UnmapTakesWholeMappings, PromisedOn(kEveryVersion, kUnmapTop)},
    {kMappingsAreApart,
     "mappings-are-apart",
     "the mappings of a container are not empty, do not meet and do not wrap around",
     {MappingsAreApart, kReadsContainers},
     PromisedOn(kEveryVersion, kUnmapTop)},
    {kMappingsKeepTheirLimit,
     "mappings-keep-their-limit",
     "a container has no more mappings than dma_entry_limit",
     {MappingsKeepTheirLimit, kReadsContainers},
     kEveryVersion},
    {kMappedInEveryDomain,
     "mapped-in-every-domain",
     "every domain of a container has each of its mappings",
     {MappedInEveryDomain, kReadsDomains | kReadsMapped | kReadsContainers},
     PromisedOn(kEveryVersion, kUnmapTop)},
    {kNoStaleTranslation,
     "no-stale-translation",
     "a domain of a container maps nothing but its mappings",
     {NoStaleTranslation, kReadsDomains | kReadsMapped | kReadsContainers},
     PromisedOn(Since(kV6_18), kUnmapTop)},
    {kMappingsLieOffReserved,
     "mappings-lie-off-reserved",
     "no mapping of a container meets a reserved region of a device in it",
     {MappingsLieOffReserved, kReadsDevices | kReadsGroups | kReadsDomains | kReadsContainers},
     PromisedOn(Until(kV5_18), kSlotsStayNoHotAddUnmapTop).And(Since(kV5_18), kNoHotAddUnmapTop)},
    {kMappingsLieInApertures,
     "mappings-lie-in-apertures",
     "every mapping of a container is within the aperture of each of its domains",
     {MappingsLieInApertures, kReadsDomains | kReadsContainers}},
    {kValidIovaCanBeMapped,
     "valid-iova-can-be-mapped",
     "every IOVA listed as valid is within all apertures and off every reserved region",
     {ValidIovaCanBeMapped, kReadsDevices | kReadsGroups | kReadsDomains | kReadsContainers},
     PromisedOn(Until(kV5_18), kSlotsStayNoHotAdd).And(Since(kV5_18), kNoHotAdd)},
    {kNoValidIovaIsLost,
     "no-valid-iova-is-lost",
     "every IOVA within all apertures and off every reserved region is listed as valid",
     {NoValidIovaIsLost, kReadsDevices | kReadsGroups | kReadsDomains | kReadsContainers}},
    {kAttachMapsNothingReserved,
     "attach-maps-nothing-reserved",
     "attaching a group maps nothing in its reserved regions, not even for a moment",
     {AttachMapsNothingReserved, kReadsEvents},
     PromisedOn(Since(kV6_1_y), kUnmapTop)},
    {kNoLeakedPin,
     "no-leaked-pin",
     "every page that is pinned belongs to a mapping, and is counted",
     {NoLeakedPin, kReadsContainers | kReadsMemory},
     PromisedOn(Since(kV6_0), kCommonPageUnmapTop)},
    {kNoUnpinWhileMapped,
     "no-unpin-while-mapped",
     "no page is unpinned for the last time while a domain maps it",
     {NoUnpinWhileMapped, kReadsEvents},
     PromisedOn(kEveryVersion, kUnmapTop)},
    {kStaleVaddrsAreCounted,
     "stale-vaddrs-are-counted",
     "a container counts its mappings that have no valid vaddr",
     {StaleVaddrsAreCounted, kReadsContainers},
     kEveryVersion},
    {kMappedExactlyWithADomain,
     "mapped-exactly-with-a-domain",
     "the mappings of a container are pinned and mapped exactly while it has a domain",
     {MappedExactlyWithADomain, kReadsContainers},
     PromisedOn(kEveryVersion, kUnmapTop)},
    {kNoPinByStaleVaddr,
     "no-pin-by-stale-vaddr",
     "no group that joins and no driver pins a page while a mapping of the container has no valid "
     "vaddr",
     {NoPinByStaleVaddr, kReadsEvents},
     Since(kV6_1_y)},
    {kLockedMemoryBalances,
     "locked-memory-balances",
     "the user pays for each page that is pinned, once",
     {LockedMemoryBalances, kReadsContainers | kReadsMemory},
     PromisedOn(kEveryVersion, kCommonPageUnmapTop)},
    {kLockedMemoryKeepsItsLimit,
     "locked-memory-keeps-its-limit",
     "no more is locked than RLIMIT_MEMLOCK",
     {LockedMemoryKeepsItsLimit, kReadsMemory},
     PromisedOn(kEveryVersion, kCommonPage)},
};

}  // namespace

std::span<const PropertyInfo> Type1Properties() { return kType1Rows; }

}  // namespace iommucheck
