// SPDX-License-Identifier: Apache-2.0
//
// The mappings of user space, and the pages that type1 pins for it
// (drivers/vfio/vfio_iommu_type1.c).
//
// ABSTRACTION: there is one process. Its memory is present, contiguous and made of struct pages;
// only the zero page is reserved. Dirty pages are not tracked.
#include <algorithm>
#include <bit>

#include "model/kernel.h"

namespace iommucheck {
namespace {

DomainId FirstDomain(const Kernel& k, ContainerId container) {
  return k.state.containers[container].domains;
}

bool IsV2(const Kernel& k, ContainerId container) {
  return k.state.containers[container].type != IommuType::kType1;
}

// iommu->pgsize_bitmap: the page sizes that all domains support; single pages if there is no
// domain. vfio_update_pgsize_bitmap() keeps it up to date.
uint8_t PgsizeBitmap(const Kernel& k, ContainerId container) {
  if (FirstDomain(k, container) == kNoId) return 1;
  unsigned bitmap = ~0U;
  for (DomainId d = FirstDomain(k, container); d != kNoId; d = k.domain(d).next)
    bitmap &= PageSizesOf(k, d);
  return static_cast<uint8_t>(bitmap);
}

// The size of the smallest page that all domains support, 1 << __ffs(iommu->pgsize_bitmap). If no
// size is common, __ffs() of 0 is undefined. tzcnt and its like return the width of the register, by
// which no shift moves 1: a page of a byte, so that nothing has to be aligned.
int SmallestPage(Kernel& k, ContainerId container) {
  const uint8_t bitmap = PgsizeBitmap(k, container);
  if (bitmap != 0) return 1 << std::countr_zero(bitmap);
  k.oops(Oops::kUndefined, "__ffs");
  return 1;
}

// WARN_ON((pgsize - 1) & PAGE_MASK). ABSTRACTION: if no size is common, it is the compiler that says
// whether this fires; clang takes a shift by as much for one to the left.
void WarnOfLargePages(Kernel& k, ContainerId container, const char* where) {
  if ((PgsizeBitmap(k, container) & 1U) == 0) k.warn(where, kNoId);
}

bool Wraps(Pages pages) { return pages.first + pages.count > kPages; }
bool Meets(Pages a, Pages b) { return a.first < b.first + b.count && b.first < a.first + a.count; }

Dma* LinkDma(Kernel& k, ContainerId container, const Dma& dma) {  // vfio_link_dma()
  ContainerState& c = k.state.containers[container];
  Dma* const end = c.dmas.data() + c.dmas_count;
  Dma* const at =
      std::find_if(c.dmas.data(), end, [&](const Dma& d) { return d.at.first > dma.at.first; });
  std::copy_backward(at, end, end + 1);
  *at = dma;
  ++c.dmas_count;
  return at;
}

// --- pins ---

// dma->pfn_list
uint64_t PfnList(const Kernel& k, ContainerId container, const Dma& dma) {
  return k.state.containers[container].pfns & MaskOf(dma.at);
}

int PinsOf(const Dma& dma, uint64_t pages) { return dma.zero_page ? 0 : std::popcount(pages); }

bool AllowsMemlock(const Kernel& k, int npage) {  // RLIMIT_MEMLOCK, for `npage` more pages
  const uint8_t limit = k.topology.settings.memlock;
  return npage == 0 || limit == kNoLimit || k.state.locked_vm + npage <= limit;
}

int CheckMemlock(Kernel& k, int npage) {
  if (AllowsMemlock(k, npage)) return 0;
  return k.has(Rule::kType1Memlock) ? k.refuse(Rule::kType1Memlock, -ENOMEM) : 0;
}

// No event says that the zero page is pinned or unpinned: it is no page of the user's.
void EmitPin(Kernel& k, const Dma& dma, Pages at, int ret) {
  if (dma.zero_page && ret == 0) return;
  k.emit({.kind = Event::Kind::kPin,
          .error = static_cast<uint8_t>(-ret),
          .pages = {static_cast<uint8_t>(dma.vaddr + at.first - dma.at.first), at.count}});
}

// vaddr_get_pfns() of memory that was never written, `count` pages of it: nobody unpins the zero page
// later, since it is reserved.
int GetZeroPfns(Kernel& k, int count) {
  const int ret = k.inject(Fault::Kind::kPin, Kernel::Next(k.pins));
  if (ret == 0 && !k.has(Rule::kType1UnpinZero)) k.state.zero_pins += static_cast<uint32_t>(count);
  return ret;
}

// vfio_pin_pages_remote() of such memory. No page of it comes after another, so that a call takes one.
// The first fills the batch for all others; without batches each looks at the page after its own.
int PinZeroPages(Kernel& k, const Dma& dma, Pages left) {
  const bool batches = k.has(Rule::kType1PinBatches);
  if (batches && left.first != dma.at.first) return 0;
  const int ret = GetZeroPfns(k, batches ? left.count : 1);
  EmitPin(k, dma, left, ret);
  if (!batches && ret == 0 && left.count > 1) GetZeroPfns(k, 1);
  return ret;
}

// vfio_pin_pages_remote(): pins a chunk of pages that are contiguous in memory, by one call or,
// without rule type1.pin_batches, one for each page. If a later page cannot be pinned, the chunk
// ends before it.
int PinPages(Kernel& k, ContainerId container, const Dma& dma, Pages& chunk) {
  const uint8_t batch = k.has(Rule::kType1PinBatches) ? chunk.count : uint8_t{1};
  Pages pinned = {chunk.first, 0};
  int npage = 0;
  int ret = 0;
  while (ret == 0 && pinned.count < chunk.count) {
    const Pages next = {static_cast<uint8_t>(pinned.first + pinned.count), batch};
    ret = k.inject(Fault::Kind::kPin, Kernel::Next(k.pins));
    if (ret != 0 && pinned.count != 0) {
      ret = 0;
      chunk.count = pinned.count;
      break;
    }
    // Pages that emulated devices have pinned are accounted to the user already; reserved pages are
    // not accounted at all.
    npage += PinsOf(dma, MaskOf(next) & ~PfnList(k, container, dma));
    // Page by page: where locked_vm has wrapped below 0, the first is refused, and the sum is not.
    if (ret == 0) ret = CheckMemlock(k, std::min(npage, 1));
    if (ret == 0) ret = CheckMemlock(k, npage);
    pinned.count = static_cast<uint8_t>(pinned.count + batch);
  }
  EmitPin(k, dma, chunk, ret);
  if (ret != 0) return ret;
  k.state.pins += PinsOf(dma, MaskOf(chunk));
  k.state.locked_vm += npage;
  return 0;
}

// vfio_unpin_pages_remote(); the pages that emulated devices have pinned stay accounted.
void UnpinPages(Kernel& k, ContainerId container, const Dma& dma, uint64_t pages,
                bool do_accounting) {
  if (pages == 0 || dma.zero_page) return;
  const uint64_t accounted = pages & ~PfnList(k, container, dma);
  k.state.pins -= PinsOf(dma, pages);
  if (do_accounting) k.state.locked_vm -= PinsOf(dma, accounted);
  const auto first = static_cast<uint8_t>(std::countr_zero(pages));
  k.emit({.kind = Event::Kind::kUnpin,
          .pages = {static_cast<uint8_t>(dma.vaddr + first - dma.at.first),
                    static_cast<uint8_t>(std::popcount(pages))}});
}

// The pages that type1 maps at once: all that are left that are contiguous in memory.
Pages ChunkAt(const Dma& dma, Pages left) { return dma.zero_page ? Pages{left.first, 1} : left; }

// Pins them first.
int PinChunk(Kernel& k, ContainerId container, const Dma& dma, Pages left, Pages& chunk) {
  return dma.zero_page ? PinZeroPages(k, dma, left) : PinPages(k, container, dma, chunk);
}

void Skip(Pages& left, Pages chunk) {
  left.first = static_cast<uint8_t>(left.first + chunk.count);
  left.count = static_cast<uint8_t>(left.count - chunk.count);
}

// --- unmap ---

// vfio_unmap_unpin(): the translations of the first domain tell which pages are pinned. Returns how
// many it has unpinned, and takes them off the user's account with `do_accounting` alone.
int UnmapUnpin(Kernel& k, ContainerId container, Dma& dma, bool do_accounting) {
  const DomainId domain = FirstDomain(k, container);
  if (dma.at.count == 0 || domain == kNoId) return 0;
  for (DomainId d = k.domain(domain).next; d != kNoId; d = k.domain(d).next)
    if (k.has(Rule::kType1UnmapEveryDomain)) iommu_unmap(k, d, dma.at);
  uint64_t unmapped = 0;
  // If a mapping ends with the address space, its end is 0 and the loop finds no page before it.
  if (!EndIsZero(k, dma.at)) {
    // A domain with fgsp has no page as small as the one that is to be unmapped first.
    if (!k.domain(domain).fgsp) unmapped = iommu_unmap(k, domain, dma.at);
    if (unmapped != MaskOf(dma.at)) k.warn("vfio_unmap_unpin", kNoId);
    UnpinPages(k, container, dma, unmapped, do_accounting);
  }
  dma.iommu_mapped = false;
  return PinsOf(dma, unmapped);
}

void SetVaddrInvalid(Kernel& k, ContainerId container, Dma& dma, bool invalid) {
  if (dma.vaddr_invalid == invalid) return;
  dma.vaddr_invalid = invalid;
  uint8_t& count = k.state.containers[container].vaddr_invalid_count;
  count = static_cast<uint8_t>(invalid ? count + 1 : count - 1);
}

void RemoveDma(Kernel& k, ContainerId container, Dma& dma) {  // vfio_remove_dma()
  ContainerState& c = k.state.containers[container];
  SetVaddrInvalid(k, container, dma, false);
  if (PfnList(k, container, dma) != 0) k.warn("vfio_remove_dma", kNoId);
  UnmapUnpin(k, container, dma, true);
  std::copy(&dma + 1, c.dmas.data() + c.dmas_count, &dma);
  c.dmas[--c.dmas_count] = {};
}

// vfio_pin_page_external() and vfio_add_to_pfn_list().
int PinExternal(Kernel& k, ContainerId container, const Dma& dma, Pages page, bool do_accounting) {
  int ret = dma.zero_page ? GetZeroPfns(k, 1) : k.inject(Fault::Kind::kPin, Kernel::Next(k.pins));
  const int npage = do_accounting && k.has(Rule::kType1PinAccounts) ? PinsOf(dma, MaskOf(page)) : 0;
  if (ret == 0) ret = CheckMemlock(k, npage);
  if (ret == 0 && !k.kmalloc()) ret = -ENOMEM;
  EmitPin(k, dma, page, ret);
  if (ret != 0) return ret;
  k.state.containers[container].pfns |= MaskOf(page);
  k.state.pins += PinsOf(dma, MaskOf(page));
  k.state.locked_vm += npage;
  return 0;
}

// vfio_unpin_page_external()
void UnpinExternal(Kernel& k, ContainerId container, const Dma& dma, uint64_t pages) {
  const uint64_t pinned = PfnList(k, container, dma) & pages;
  if (pinned == 0) return;
  k.state.containers[container].pfns &= ~pinned;
  k.state.pins -= PinsOf(dma, pinned);
  // If the container has a domain, the mapping accounts for the pages.
  if (FirstDomain(k, container) == kNoId && k.has(Rule::kType1PinAccounts))
    k.state.locked_vm -= PinsOf(dma, pinned);
}

// The fix that put these refusals in took the waits away: a kernel that has one of them never waits.
bool WaitsForVaddr(const Kernel& k) {
  return !k.has(Rule::kType1VaddrBusy) && !k.has(Rule::kType1VaddrNoEmulated) &&
         !k.has(Rule::kType1PinVaddrBusy);
}

// ABSTRACTION: a fatal signal ends the wait.
int vfio_wait(Kernel& k, const char* where, GroupId group = kNoId) {
  k.emit({.kind = Event::Kind::kWait, .group = group, .where = where});
  return -EFAULT;
}

// vfio_find_dma_valid() of each page: it may lie in no mapping, or in one without a valid vaddr.
int FindDmaValid(Kernel& k, ContainerId container, Pages pages) {
  for (int n = 0; n < pages.count; ++n) {
    const Pages page = {static_cast<uint8_t>(pages.first + n), 1};
    const Dma* const dma = vfio_find_dma(k, container, page);
    if (dma == nullptr) return -EINVAL;
    if (dma->vaddr_invalid) return vfio_wait(k, "vfio_find_dma_valid");
  }
  return 0;
}

// ABSTRACTION: the drivers of emulated devices unpin everything that they are told to.
void NotifyDmaUnmap(Kernel& k, ContainerId container, Dma& dma) {  // vfio_notify_dma_unmap()
  if (k.has(Rule::kType1UnmapNotifies)) UnpinExternal(k, container, dma, MaskOf(dma.at));
}

// --- map ---

// Unmaps from the domain before `failed` back to the first.
void UnmapBefore(Kernel& k, ContainerId container, DomainId failed, Pages pages) {
  while (failed != FirstDomain(k, container)) {
    DomainId before = FirstDomain(k, container);
    while (k.domain(before).next != failed) before = k.domain(before).next;
    iommu_unmap(k, before, pages);
    failed = before;
  }
}

// vfio_iommu_map(); `paddr` as in iommu_map().
int MapEveryDomain(Kernel& k, ContainerId container, Pages pages, uint8_t paddr) {
  for (DomainId d = FirstDomain(k, container); d != kNoId; d = k.domain(d).next) {
    const int ret = iommu_map(k, d, pages, kNoId, paddr);
    if (ret == 0) continue;
    if (k.has(Rule::kType1MapUnwind)) UnmapBefore(k, container, d, pages);
    return ret;
  }
  return 0;
}

// The mapping grows by each chunk that is pinned and mapped; if one fails, the mapping is removed.
int PinMapDma(Kernel& k, ContainerId container, Dma& dma, Pages left) {  // vfio_pin_map_dma()
  int ret = 0;
  while (left.count != 0) {
    Pages chunk = ChunkAt(dma, left);
    ret = PinChunk(k, container, dma, left, chunk);
    if (ret != 0) break;
    ret = MapEveryDomain(k, container, chunk,
                         static_cast<uint8_t>(dma.vaddr + chunk.first - dma.at.first));
    if (ret != 0) {
      UnpinPages(k, container, dma, MaskOf(chunk), true);
      break;
    }
    dma.at.count = static_cast<uint8_t>(dma.at.count + chunk.count);
    Skip(left, chunk);
  }
  dma.iommu_mapped = true;
  if (ret != 0) RemoveDma(k, container, dma);
  return ret;
}

int UpdateVaddr(Kernel& k, ContainerId container, Dma* dma) {  // VFIO_DMA_MAP_FLAG_VADDR
  if (dma == nullptr) return -ENOENT;
  if (!dma->vaddr_invalid || dma->at != k.op.at) return -EINVAL;
  dma->vaddr = k.op.vaddr;
  SetVaddrInvalid(k, container, *dma, false);
  return 0;
}

// --- the phases of an unmap ---

// Checks and completes the range to unmap: everything, or whole pages that do not wrap around.
int UnmapRange(Kernel& k, ContainerId container, bool all, Pages& at) {
  const int smallest = SmallestPage(k, container);
  if ((at.first & (smallest - 1)) != 0) return -EINVAL;
  if (all) {
    if (at != Pages{}) return -EINVAL;
    at.count = kPages;
  } else if (at.count == 0 || (at.count & (smallest - 1)) != 0) {
    return -EINVAL;
  } else if (Wraps(at)) {
    return k.has(Rule::kType1Overflow) ? -EOVERFLOW : -EINVAL;
  }
  WarnOfLargePages(k, container, "vfio_dma_do_unmap");
  return 0;
}

// Whether a mapping crosses the beginning or the end of the range.
bool CutsOne(Kernel& k, ContainerId container, Pages at) {
  const Dma* const first = vfio_find_dma(k, container, {at.first, 1});
  if (first != nullptr && first->at.first != at.first) return true;
  const auto last_page = static_cast<uint8_t>(at.first + at.count - 1);
  const Dma* const last = vfio_find_dma(k, container, {last_page, 1});
  return last != nullptr && last->at.first + last->at.count != at.first + at.count;
}

// Invalidates the vaddr of the i-th mapping. If it has none, the mappings before it get theirs
// back.
int InvalidateVaddr(Kernel& k, ContainerId container, size_t i, Pages at) {
  const auto list = DmaList(k, container);
  if (!list[i].vaddr_invalid) {
    SetVaddrInvalid(k, container, list[i], true);
    return 0;
  }
  for (Dma& before : list.first(i))
    if (Meets(before.at, at)) SetVaddrInvalid(k, container, before, false);
  return -EINVAL;
}

// --- replay ---

// Maps the pages of a mapping in one more domain. `trial`: pages that VFIO's trial has left mapped in
// it, to memory of the kernel that no user has pinned; the replay maps over them.
int ReplayDma(Kernel& k, ContainerId container, DomainId domain, GroupId group, Dma& dma,
              uint64_t& trial) {
  if (EndIsZero(k, dma.at)) return 0;
  if (dma.iommu_mapped && FirstDomain(k, container) == kNoId) {
    k.warn("vfio_iommu_replay", group);
    return -EINVAL;
  }
  for (Pages left = dma.at; left.count != 0;) {
    Pages chunk = ChunkAt(dma, left);
    if (!dma.iommu_mapped)
      if (const int ret = PinChunk(k, container, dma, left, chunk); ret != 0) return ret;
    const auto paddr = static_cast<uint8_t>(dma.vaddr + chunk.first - dma.at.first);
    if (const int ret = iommu_map(k, domain, chunk, group, paddr); ret != 0) {
      if (!dma.iommu_mapped) UnpinPages(k, container, dma, MaskOf(chunk), true);
      return ret;
    }
    trial &= ~MaskOf(chunk);
    Skip(left, chunk);
  }
  return 0;
}

// `trial` as in ReplayDma().
void UnwindReplay(Kernel& k, ContainerId container, DomainId domain, const Dma& dma,
                  uint64_t trial) {
  if (dma.iommu_mapped) {
    iommu_unmap(k, domain, dma.at);
    return;
  }
  if (EndIsZero(k, dma.at)) return;
  const uint64_t mapped = k.state.mapped[domain] & MaskOf(dma.at);
  if (mapped == 0) return;
  const Pages pages = {static_cast<uint8_t>(std::countr_zero(mapped)),
                       static_cast<uint8_t>(std::popcount(mapped))};
  // The kernel tries for ever to unmap less than a page of the IOMMU, which cannot work, and comes
  // to unpin nothing.
  if (iommu_unmap(k, domain, pages) == 0) {
    k.oops(Oops::kEndlessLoop, "vfio_iommu_replay");
    return;
  }
  UnpinPages(k, container, dma, mapped & ~trial, true);
  k.state.locked_vm -= PinsOf(dma, mapped & trial & ~PfnList(k, container, dma));
}

// The first even page of the first range that has more than two pages from there on; -1: none.
int RoomForTrial(uint64_t pages) {
  for (int first = 0; first < kPages; ++first) {
    const int end = first + std::countr_one(pages >> first);
    const int start = (first + 1) & -2;
    if (end - start > 2) return start;
    if (end > first) first = end;
  }
  return -1;
}

}  // namespace

bool EndIsZero(const Kernel& k, Pages pages) {
  return pages.first + pages.count == kPages && !k.has(Rule::kType1UnmapTop);
}

std::span<Dma> DmaList(Kernel& k, ContainerId container) {
  ContainerState& c = k.state.containers[container];
  return std::span(c.dmas).first(c.dmas_count);
}

Dma* vfio_find_dma(Kernel& k, ContainerId container, Pages pages) {
  const auto list = DmaList(k, container);
  if (EndIsZero(k, pages)) return nullptr;
  const auto it = std::ranges::find_if(
      list, [&](const Dma& d) { return Meets(d.at, pages) && !EndIsZero(k, d.at); });
  return it == list.end() ? nullptr : &*it;
}

int vfio_dma_do_map(Kernel& k, ContainerId container) {
  const Op& op = k.op;
  const auto prot = static_cast<uint8_t>(op.flags & (kRead | kWrite));
  const bool set_vaddr = (op.flags & kVaddr) != 0;
  if (set_vaddr && !k.has(Rule::kType1UpdateVaddr)) return -EINVAL;  // vfio_iommu_type1_map_dma()
  const bool wraps = (Wraps(op.at) || Wraps({op.vaddr, op.at.count})) && k.has(Rule::kType1MapWrap);
  if (k.has(Rule::kType1Overflow)) {
    if (op.at.count == 0) return -EINVAL;
    if (wraps) return k.refuse(Rule::kType1MapWrap, -EOVERFLOW);
  }
  if ((prot != 0) == set_vaddr && k.has(Rule::kType1UpdateVaddr)) return -EINVAL;

  const int smallest = SmallestPage(k, container);
  WarnOfLargePages(k, container, "vfio_dma_do_map");
  if (prot == 0 && !set_vaddr) return -EINVAL;
  if (op.at.count == 0) return -EINVAL;
  if (((op.at.first | op.at.count | op.vaddr) & (smallest - 1)) != 0 && k.has(Rule::kType1MapAlign))
    return k.refuse(Rule::kType1MapAlign, -EINVAL);
  if (wraps) return k.refuse(Rule::kType1MapWrap, -EINVAL);

  Dma* const found = vfio_find_dma(k, container, op.at);
  if (set_vaddr) return UpdateVaddr(k, container, found);
  if (found != nullptr && k.has(Rule::kType1MapOverlap))
    return k.refuse(Rule::kType1MapOverlap, -EEXIST);

  const ContainerState& c = k.state.containers[container];
  if (c.dmas_count >= k.topology.settings.dma_entries && k.has(Rule::kType1MapEntries))
    return k.refuse(Rule::kType1MapEntries, -ENOSPC);
  if (!vfio_iommu_iova_dma_valid(k, container, op.at) && k.has(Rule::kType1MapInList))
    return k.refuse(Rule::kType1MapInList, -EINVAL);
  // ABSTRACTION: the memory for mappings ends with the model's capacity.
  if (!k.kmalloc() || c.dmas_count == kMaxDmas) return -ENOMEM;

  const bool unmapped = FirstDomain(k, container) == kNoId;
  Dma* const dma = LinkDma(k, container,
                           {.at = {op.at.first, unmapped ? op.at.count : uint8_t{0}},
                            .vaddr = op.vaddr,
                            .prot = prot,
                            .zero_page = (op.flags & (kZeroPage | kWrite)) == kZeroPage});
  return unmapped ? 0 : PinMapDma(k, container, *dma, op.at);
}

// ABSTRACTION: without rule type1.unmap_in_order the kernel takes the mappings of an unmap in the
// order of its tree. Lost are that order, and which mappings go before one that a container of
// version 1 does not cut.
int vfio_dma_do_unmap(Kernel& k, ContainerId container) {
  const Op& op = k.op;
  const bool invalidate_vaddr = (op.flags & kVaddr) != 0;
  const bool all = (op.flags & kAll) != 0;
  if ((invalidate_vaddr && !k.has(Rule::kType1UpdateVaddr)) ||
      (all && !k.has(Rule::kType1UnmapAll)))
    return -EINVAL;  // vfio_iommu_type1_unmap_dma()
  if (invalidate_vaddr && k.state.containers[container].emulated != 0 &&
      k.has(Rule::kType1VaddrNoEmulated))
    return k.refuse(Rule::kType1VaddrNoEmulated, -EBUSY);

  Pages at = op.at;
  if (const int ret = UnmapRange(k, container, all, at); ret != 0) return ret;
  const bool v2 = IsV2(k, container);
  if (v2 && !all && k.has(Rule::kType1UnmapNoSplit) && CutsOne(k, container, at))
    return k.refuse(Rule::kType1UnmapNoSplit, -EINVAL);

  for (size_t i = 0; i < DmaList(k, container).size();) {
    Dma& dma = DmaList(k, container)[i];
    if (!Meets(dma.at, at) || (EndIsZero(k, dma.at) && !k.has(Rule::kType1UnmapInOrder))) {
      ++i;
      continue;
    }
    if (!all && EndIsZero(k, at)) break;
    if (!v2 && at.first > dma.at.first && k.has(Rule::kType1UnmapNoSplit)) break;
    if (invalidate_vaddr) {
      if (const int ret = InvalidateVaddr(k, container, i, at); ret != 0) return ret;
      ++i;
      continue;
    }
    if (PfnList(k, container, dma) != 0) NotifyDmaUnmap(k, container, dma);
    RemoveDma(k, container, dma);
  }
  return 0;
}

int vfio_iommu_replay(Kernel& k, ContainerId container, DomainId domain, GroupId group) {
  if (!k.has(Rule::kType1Replay)) return 0;
  // Reached if attach has not refused already.
  if (k.state.containers[container].vaddr_invalid_count != 0 && WaitsForVaddr(k))
    return vfio_wait(k, "vfio_wait_all_valid", group);
  uint64_t trial = k.state.mapped[domain];
  const auto list = DmaList(k, container);
  for (size_t i = 0; i < list.size(); ++i) {
    const int ret = ReplayDma(k, container, domain, group, list[i], trial);
    if (ret == 0) continue;
    if (!k.has(Rule::kType1ReplayUnwind)) return ret;
    for (size_t n = i + 1; n-- > 0;) UnwindReplay(k, container, domain, list[n], trial);
    return ret;
  }
  for (Dma& dma : list) dma.iommu_mapped = true;
  return 0;
}

void vfio_test_domain_fgsp(Kernel& k, DomainId domain, const IovaList& list, GroupId group) {
  if (!k.has(Rule::kType1FgspProbe)) return;
  Pages trial = {0, 2};
  if (k.has(Rule::kType1FgspInList)) {
    const int first = RoomForTrial(list.pages);
    if (first < 0) return;
    trial.first = static_cast<uint8_t>(first);
  }
  if (iommu_map(k, domain, trial, group) != 0) return;
  // The kernel unmaps one page, and if that worked the other. An IOMMU of larger pages unmaps
  // neither, which the kernel takes for one that splits no page.
  if ((PageSizesOf(k, domain) & 1U) != 0)
    iommu_unmap(k, domain, trial);
  else
    k.domain(domain).fgsp = true;
}

void vfio_iommu_unmap_unpin_all(Kernel& k, ContainerId container) {
  while (!DmaList(k, container).empty()) RemoveDma(k, container, DmaList(k, container).front());
}

void vfio_iommu_unmap_unpin_reaccount(Kernel& k, ContainerId container) {
  for (Dma& dma : DmaList(k, container)) {
    const int locked = PinsOf(dma, PfnList(k, container, dma));
    const int npage = locked - UnmapUnpin(k, container, dma, false);
    // vfio_lock_acct(), whose -ENOMEM nobody looks at.
    if (npage < 0 || AllowsMemlock(k, npage)) k.state.locked_vm += npage;
  }
}

int vfio_iommu_type1_pin_pages(Kernel& k, ContainerId container) {
  const Op& op = k.op;
  if (op.at.count == 0) return -EINVAL;  // vfio_pin_pages()
  if (!IsV2(k, container)) return -EACCES;
  if (Wraps(op.at) && k.has(Rule::kType1Overflow)) return -EOVERFLOW;
  if (k.state.containers[container].vaddr_invalid_count != 0) {
    if (k.has(Rule::kType1PinVaddrBusy)) return k.refuse(Rule::kType1PinVaddrBusy, -EBUSY);
    if (WaitsForVaddr(k))
      if (const int ret = FindDmaValid(k, container, op.at); ret != 0) return ret;
  }
  const bool do_accounting = FirstDomain(k, container) == kNoId;
  const auto prot = static_cast<uint8_t>((op.flags & kWrite) != 0 ? kRead | kWrite : kRead);

  uint64_t fresh = 0;
  for (int n = 0; n < op.at.count; ++n) {
    const Pages page = {static_cast<uint8_t>(op.at.first + n), 1};
    Dma* const dma = vfio_find_dma(k, container, page);
    int ret = 0;
    if (dma == nullptr)
      ret = -EINVAL;
    else if ((dma->prot & prot) != prot)
      ret = -EPERM;
    else if ((PfnList(k, container, *dma) & MaskOf(page)) != 0)
      continue;  // ABSTRACTION: one reference, however often a page is pinned
    else
      ret = PinExternal(k, container, *dma, page, do_accounting);
    if (ret == 0) {
      fresh |= MaskOf(page);
      continue;
    }
    for (Dma& pinned : DmaList(k, container)) UnpinExternal(k, container, pinned, fresh);
    return ret;
  }
  return 0;
}

// ABSTRACTION: the errno up to and including 5.19, which is for the driver alone, is left out.
int vfio_iommu_type1_unpin_pages(Kernel& k, ContainerId container) {
  const auto warn = [&k](const char* where) {
    if (k.has(Rule::kType1UnpinWarns)) k.warn(where, kNoId);
  };
  if (k.op.at.count == 0) {
    warn("vfio_unpin_pages");
    return 0;
  }
  if (!IsV2(k, container) || (Wraps(k.op.at) && k.has(Rule::kType1Overflow))) {
    warn("vfio_iommu_type1_unpin_pages");
    return 0;
  }
  for (int n = 0; n < k.op.at.count; ++n) {
    const Pages page = {static_cast<uint8_t>(k.op.at.first + n), 1};
    Dma* const dma = vfio_find_dma(k, container, page);
    if (dma == nullptr) {
      warn("vfio_iommu_type1_unpin_pages");
      break;
    }
    UnpinExternal(k, container, *dma, MaskOf(page));
  }
  return 0;
}

void vfio_iommu_type1_unpin_all(Kernel& k, ContainerId container) {
  for (Dma& dma : DmaList(k, container)) UnpinExternal(k, container, dma, MaskOf(dma.at));
}

}  // namespace iommucheck
