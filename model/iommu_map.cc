// SPDX-License-Identifier: Apache-2.0
//
// What domains translate (drivers/iommu/iommu.c, dma-iommu.c).
//
// ABSTRACTION: a domain is the set of the pages that it maps. Where they lead, their permissions
// and the size of the page-table entries are lost, and with the size, that an unmap may have to
// take a large page whole.
#include <algorithm>
#include <bit>

#include "model/kernel.h"

namespace iommucheck {
namespace {

// iommu_map(): both ends must be aligned to the domain's smallest page.
bool Aligned(Pages pages, uint8_t page_sizes) {
  const int mask = (1 << std::countr_zero(page_sizes)) - 1;
  return ((pages.first | pages.count) & mask) == 0;
}

bool IsDirect(Region::Type type) {
  return type == Region::Type::kDirect || type == Region::Type::kDirectRelaxable;
}

}  // namespace

uint64_t ApertureOf(const Kernel& k, DomainId domain) {
  const InstanceId i = k.domain(domain).instance;
  if (i == kNoId) return ~uint64_t{0};
  const Instance& instance = k.topology.instances[i];
  return MaskOf({instance.aperture_first,
                 static_cast<uint8_t>(instance.aperture_last - instance.aperture_first + 1)});
}

uint8_t PageSizesOf(const Kernel& k, DomainId domain) {
  const InstanceId i = k.domain(domain).instance;
  return i == kNoId ? uint8_t{1} : k.topology.instances[i].page_sizes;
}

int iommu_map(Kernel& k, DomainId domain, Pages pages, GroupId group) {
  int ret = k.inject(Fault::Kind::kMap, Kernel::Next(k.maps));
  if (ret == 0 && !Aligned(pages, PageSizesOf(k, domain))) ret = -EINVAL;
  k.emit({.kind = Event::Kind::kMap,
          .error = static_cast<uint8_t>(-ret),
          .group = group,
          .domain = domain,
          .type = k.domain(domain).type,
          .pages = pages});
  if (ret == 0) k.state.mapped[domain] |= MaskOf(pages);
  return ret;
}

uint64_t iommu_unmap(Kernel& k, DomainId domain, Pages pages) {
  const uint64_t unmapped = k.state.mapped[domain] & MaskOf(pages);
  k.state.mapped[domain] &= ~unmapped;
  k.emit({.kind = Event::Kind::kUnmap,
          .domain = domain,
          .type = k.domain(domain).type,
          .pages = pages});
  return unmapped;
}

// ABSTRACTION: CONFIG_IOMMU_DMA is on, and there is memory for the cookie.
int iommu_get_msi_cookie(Kernel& k, DomainId domain) {
  DomainState& d = k.domain(domain);
  const int ret = d.msi_cookie ? -EEXIST : 0;
  d.msi_cookie = true;
  k.emit({.kind = Event::Kind::kMsiCookie,
          .error = static_cast<uint8_t>(-ret),
          .domain = domain,
          .type = d.type});
  return ret;
}

// From 6.6 on this is also where dev->iommu->require_direct is set.
int CreateDirectMappings(Kernel& k, DomainId domain, DeviceId dev) {
  for (const Region& region : k.topology.devices[dev].regions) {
    if (region.type == Region::Type::kDirect && k.has(Rule::kCoreRequireDirect))
      k.device(dev).require_direct = true;
    if (!IsDirect(region.type) || k.domain(domain).identity || !k.has(Rule::kCoreDirectMapped))
      continue;
    // Both ends are rounded up to the domain's smallest page.
    const int page = 1 << std::countr_zero(PageSizesOf(k, domain));
    const int first = (region.first + page - 1) / page * page;
    const int end = std::min((region.last + page) / page * page, kPages);
    const Pages pages = {static_cast<uint8_t>(first), static_cast<uint8_t>(end - first)};
    // Pages that another device's region has mapped are left out; the rest is one mapping each.
    // ABSTRACTION: two regions that overlap in part are mapped as a whole.
    if ((MaskOf(pages) & ~k.state.mapped[domain]) == 0) continue;
    if (const int ret = iommu_map(k, domain, pages); ret != 0) return ret;
  }
  return 0;
}

}  // namespace iommucheck
