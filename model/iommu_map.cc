// SPDX-License-Identifier: Apache-2.0
//
// The pages that domains map (drivers/iommu/iommu.c, dma-iommu.c).
//
// ABSTRACTION: a domain is the set of the pages that it maps. Lost are the physical addresses, the
// permissions and the sizes of the page-table entries; without the sizes the model does not see
// that an unmap may have to remove a whole large page.
#include <bit>

#include "model/kernel.h"

namespace iommucheck {
namespace {

// iommu_map(): both ends must be aligned to the domain's smallest page.
bool Aligned(Pages pages, uint8_t page_sizes, uint8_t paddr = 0) {
  const int mask = (1 << std::countr_zero(page_sizes)) - 1;
  return ((pages.first | pages.count | paddr) & mask) == 0;
}

bool IsDirect(Region::Type type) {
  return type == Region::Type::kDirect || type == Region::Type::kDirectRelaxable;
}

// Maps the part of a direct region that is not mapped yet, by runs of pages or, without the rule,
// page by page. Both ends are rounded up to the domain's pages.
int MapDirect(Kernel& k, DomainId domain, const Region& region) {
  const int size = 1 << std::countr_zero(PageSizesOf(k, domain));
  const auto align = [size](int page) { return (page + size - 1) & -size; };
  const int end = align(region.last + 1);
  int run = 0;  // pages before `page` that are still to be mapped
  for (int page = align(region.first); page <= end; page += size) {
    const bool maps = page < end && ((k.state.mapped[domain] >> page) & 1U) == 0;
    if (run != 0 && (!maps || !k.has(Rule::kCoreDirectRuns))) {
      const Pages pages = {static_cast<uint8_t>(page - run), static_cast<uint8_t>(run)};
      if (const int ret = iommu_map(k, domain, pages); ret != 0) return ret;
      run = 0;
    }
    if (maps) run += size;
  }
  return 0;
}

}  // namespace

uint64_t ApertureOf(const Kernel& k, DomainId domain) {
  const InstanceId i = k.domain(domain).instance;
  return i == kNoId ? ~uint64_t{0} : ApertureOf(k.topology.instances[i]);
}

uint8_t PageSizesOf(const Kernel& k, DomainId domain) {
  const InstanceId i = k.domain(domain).instance;
  return i == kNoId ? uint8_t{1} : k.topology.instances[i].page_sizes;
}

int iommu_map(Kernel& k, DomainId domain, Pages pages, GroupId group, uint8_t paddr) {
  int ret = k.inject(Fault::Kind::kMap, Kernel::Next(k.maps));
  if (ret == 0 && !Aligned(pages, PageSizesOf(k, domain), paddr)) ret = -EINVAL;
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
  if (!Aligned(pages, PageSizesOf(k, domain))) return 0;
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

bool HasNoOps(const Kernel& k, DeviceId dev) {
  return k.has(Rule::kAllocOpsPerDriver) && !k.fwnode_era() &&
         k.state.bus_ops[static_cast<size_t>(k.topology.devices[dev].bus)] == kNoId;
}

std::span<const Region> iommu_get_resv_regions(const Kernel& k, DeviceId dev) {
  if (HasNoOps(k, dev)) return {};
  return k.topology.devices[dev].regions;
}

// From 6.6 on this is also where dev->iommu->require_direct is set.
int CreateDirectMappings(Kernel& k, DomainId domain, DeviceId dev) {
  for (const Region& region : iommu_get_resv_regions(k, dev)) {
    if (region.type == Region::Type::kDirect && k.has(Rule::kCoreRequireDirect))
      k.device(dev).require_direct = true;
    if (!IsDirect(region.type) || k.domain(domain).identity || !k.has(Rule::kCoreDirectMapped))
      continue;
    if (const int ret = MapDirect(k, domain, region); ret != 0) return ret;
  }
  return 0;
}

}  // namespace iommucheck
