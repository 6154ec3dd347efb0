// SPDX-License-Identifier: Apache-2.0
//
// Which IOVAs are valid in a container: the apertures of its domains without the reserved regions
// of its groups (drivers/vfio/vfio_iommu_type1.c).
//
// The kernel's list of ranges is a set of pages here. Ranges never touch, since a reserved page
// lies between any two; a copy of the list allocates once for each range.
#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "model/kernel.h"

namespace iommucheck {
namespace {

Pages RangeAt(uint64_t pages, int first) {
  return {static_cast<uint8_t>(first), static_cast<uint8_t>(std::countr_one(pages >> first))};
}

// Calls `visit` for each range, lowest first, until it returns an error.
template <typename Visit>
int ForEachRange(uint64_t pages, Visit visit) {
  for (int first = 0; first < kPages; ++first) {
    if (((pages >> first) & 1U) == 0) continue;
    const Pages range = RangeAt(pages, first);
    if (const int ret = visit(range); ret != 0) return ret;
    first += range.count;
  }
  return 0;
}

// All pages from the lowest to the highest of the set.
uint64_t Hull(uint64_t pages) {
  if (pages == 0) return 0;
  return (~uint64_t{0} << std::countr_zero(pages)) & (~uint64_t{0} >> std::countl_zero(pages));
}

int Insert(Kernel& k) { return k.kmalloc() ? 0 : -ENOMEM; }  // vfio_iommu_iova_insert()

bool IsListEmpty(const Kernel& k, ContainerId container) {
  const ContainerState& c = k.state.containers[container];
  return c.domains == kNoId && !c.iova_kept;
}

// The pages of the container's mappings that vfio_find_dma() finds.
uint64_t Mapped(Kernel& k, ContainerId container) {
  uint64_t pages = 0;
  for (const Dma& dma : DmaList(k, container))
    if (!EndIsZero(k, dma.at)) pages |= MaskOf(dma.at);
  return pages;
}

bool Exempt(Region::Type type) {  // IOMMU_RESV_DIRECT_RELAXABLE gives way to user space
  return type == Region::Type::kNone || type == Region::Type::kDirectRelaxable;
}

// Reserved regions sorted by start and type; adjacent regions of one type are merged
// (iommu_insert_resv_region()). ABSTRACTION: there is memory for them.
class RegionList {
 public:
  void AddGroup(const Kernel& k, GroupId group) {  // iommu_get_group_resv_regions()
    for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next)
      for (const Region& region : iommu_get_resv_regions(k, dev))
        if (!Exempt(region.type)) Add(region);
  }
  [[nodiscard]] std::span<const Region> regions() const { return std::span(list_).first(count_); }

 private:
  void Add(Region region) {
    const auto touches = [&](const Region& r) {
      return r.type == region.type && r.first <= region.last + 1 && region.first <= r.last + 1;
    };
    for (size_t i = 0; i < count_;) {
      if (!touches(list_[i])) {
        ++i;
        continue;
      }
      region.first = std::min(region.first, list_[i].first);
      region.last = std::max(region.last, list_[i].last);
      std::copy(list_.begin() + i + 1, list_.begin() + count_, list_.begin() + i);
      --count_;
      i = 0;
    }
    size_t at = 0;
    while (at < count_ &&
           std::pair(list_[at].first, list_[at].type) < std::pair(region.first, region.type))
      ++at;
    std::copy_backward(list_.begin() + at, list_.begin() + count_, list_.begin() + count_ + 1);
    list_[at] = region;
    ++count_;
  }

  std::array<Region, size_t{kMaxDevices} * kMaxRegions> list_;
  size_t count_ = 0;
};

// Removes a region from the list. If it splits a range, the parts replace the range.
int Exclude(Kernel& k, IovaList& list, uint64_t region) {
  const int ret = ForEachRange(list.pages, [&](Pages range) {
    const uint64_t pages = MaskOf(range);
    if ((pages & region) == 0) return 0;
    const uint64_t below = pages & ((region & -region) - 1);
    const uint64_t above = pages & ~region & ~below;
    if (below != 0)
      if (const int error = Insert(k); error != 0) return error;
    if (above != 0)
      if (const int error = Insert(k); error != 0) return error;
    return 0;
  });
  if (ret == 0) list.pages &= ~region;
  return ret;
}

// An empty list means all pages, so resv_exclude() refuses a list that it has emptied.
int RefuseIfEmpty(IovaList& list) {
  if (list.pages != 0) return 0;
  list = {};
  return -EINVAL;
}

int ExcludeAll(Kernel& k, IovaList& list, const RegionList& resv) {
  for (const Region& region : resv.regions())
    if (const int ret = Exclude(k, list, MaskOf(region)); ret != 0) return ret;
  return RefuseIfEmpty(list);
}

}  // namespace

int vfio_iommu_iova_get_copy(Kernel& k, ContainerId container, IovaList& copy) {
  copy = {};
  if (IsListEmpty(k, container)) return 0;
  const uint64_t pages = k.state.containers[container].iova;
  const int ret = ForEachRange(pages, [&](Pages) { return Insert(k); });
  if (ret == 0) copy = {.pages = pages, .empty = false};
  return ret;
}

void vfio_iommu_iova_insert_copy(Kernel& k, ContainerId container, const IovaList& copy) {
  ContainerState& c = k.state.containers[container];
  c.iova = copy.pages;
  c.iova_kept = c.domains == kNoId && !copy.empty;
}

bool vfio_iommu_aper_conflict(Kernel& k, ContainerId container, uint64_t aperture) {
  if (IsListEmpty(k, container)) return false;
  const uint64_t hull = Hull(k.state.containers[container].iova);
  if ((hull & aperture) == 0) return true;
  uint64_t lost = hull & ~aperture;
  // If the list ends with the address space, the end of the lost range there is 0, and
  // vfio_find_dma() finds no mapping in it.
  if ((lost >> kLastPage) != 0 && !k.has(Rule::kType1UnmapTop))
    lost &= (aperture & -aperture) - 1;  // the pages below the aperture
  return (Mapped(k, container) & lost) != 0;
}

int vfio_iommu_aper_resize(Kernel& k, IovaList& list, uint64_t aperture) {
  if (list.empty) {
    if (const int ret = Insert(k); ret != 0) return ret;
    list = {.pages = aperture, .empty = false};
    return 0;
  }
  list.pages &= aperture;
  return 0;
}

void vfio_iommu_aper_expand(Kernel& k, ContainerId container, IovaList& list) {
  if (list.empty) return;
  uint64_t aperture = ~uint64_t{0};
  for (DomainId d = k.state.containers[container].domains; d != kNoId; d = k.domain(d).next)
    aperture &= ApertureOf(k, d);
  // The first range grows down and the last one up; the holes stay until resv_refresh().
  const uint64_t holes = Hull(list.pages) & ~list.pages;
  list.pages = aperture & ~holes;
}

bool vfio_iommu_resv_conflict(Kernel& k, ContainerId container, GroupId group) {
  RegionList resv;
  resv.AddGroup(k, group);
  return std::ranges::any_of(resv.regions(), [&](const Region& region) {
    if (region.last == kLastPage && !k.has(Rule::kType1UnmapTop)) return false;  // its end is 0
    return (Mapped(k, container) & MaskOf(region)) != 0;
  });
}

int vfio_iommu_resv_exclude(Kernel& k, IovaList& list, GroupId group) {
  RegionList resv;
  resv.AddGroup(k, group);
  return ExcludeAll(k, list, resv);
}

int vfio_iommu_resv_refresh(Kernel& k, ContainerId container, IovaList& list) {
  if (list.empty) {
    if (k.has(Rule::kType1DetachEmptyCopy)) return -EINVAL;
    k.oops(Oops::kEmptyList, "vfio_iommu_resv_refresh");
  }
  RegionList resv;
  for (DomainId d = k.state.containers[container].domains; d != kNoId; d = k.domain(d).next)
    for (GroupId g = 0; g < k.state.groups_end; ++g)
      if (k.group(g).vfio_domain == d) resv.AddGroup(k, g);
  const uint64_t hull = Hull(list.pages);
  list = {};
  if (const int ret = vfio_iommu_aper_resize(k, list, hull); ret != 0) return ret;
  return ExcludeAll(k, list, resv);
}

bool vfio_iommu_has_sw_msi(const Kernel& k, GroupId group) {
  // A region of hardware MSIs wins over those of software MSIs.
  bool sw_msi = false;
  for (DeviceId dev = k.first_device(group); dev != kNoId; dev = k.device(dev).next)
    for (const Region& region : iommu_get_resv_regions(k, dev)) {
      if (region.type == Region::Type::kMsi) return false;
      sw_msi |= region.type == Region::Type::kSwMsi;
    }
  return sw_msi;
}

bool vfio_iommu_iova_dma_valid(const Kernel& k, ContainerId container, Pages pages) {
  return (MaskOf(pages) & ~k.state.containers[container].iova) == 0;
}

}  // namespace iommucheck
