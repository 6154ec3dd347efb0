// SPDX-License-Identifier: Apache-2.0
//
// What user space is promised about mappings where memory, limits and IOMMUs are not as they mostly are.
#include <linux/vfio.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

#include "fuzz/check.h"

namespace iommucheck::fuzzing {
namespace {

// --- memory: the layout is that of kernel/process/memory.h ---

constexpr uint64_t kScattered = 1024 * kPage;
constexpr uint64_t kReadOnly = 1534 * kPage;
constexpr uint64_t kZero = 1535 * kPage;
constexpr uint64_t kRegisters = 1536 * kPage;
constexpr uint32_t kRead = VFIO_DMA_MAP_FLAG_READ;
constexpr uint32_t kWrite = VFIO_DMA_MAP_FLAG_WRITE;

int MapAt(Check& c, uint64_t iova, uint64_t vaddr, uint64_t size = kPage,
          uint32_t flags = kRead | kWrite) {
  return c.Map(iova, size, flags, 32, vaddr);
}

void Memory(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("read-only memory", MapAt(c, kBase, kReadOnly), -EFAULT);
  c.Is("read-only memory, to read", MapAt(c, kBase, kReadOnly, kPage, kRead), 0);
  c.Is("write alone", MapAt(c, 2 * kBase, kReadOnly, kPage, kWrite), -EFAULT);
  // The zero page is nobody's, and not locked.
  c.Is("zero page", MapAt(c, 2 * kBase, kZero, kPage, kRead), 0);
  c.Is("with its neighbour", MapAt(c, 3 * kBase, kReadOnly, 2 * kPage, kRead), 0);
  c.Is("unmap", c.Unmap(3 * kBase, 2 * kPage), 0);
  c.Is("to the end of memory", MapAt(c, 3 * kBase, kReadOnly, 3 * kPage, kRead), 0);
  c.Is("unmap", c.Unmap(3 * kBase, 3 * kPage), 0);
}

// A device's registers have no page; some are not in the page table yet.
void Registers(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("there", MapAt(c, kBase, kRegisters), 0);
  c.Is("unmap", c.Unmap(kBase, kPage), 0);
  c.Is("faulted in", MapAt(c, kBase, kRegisters + kPage), 0);
  c.Is("after another try", MapAt(c, 2 * kBase, kRegisters + 7 * kPage), 0);
  c.Is("not written", MapAt(c, 3 * kBase, kRegisters + 12 * kPage), -EFAULT);
  c.Is("only read", MapAt(c, 3 * kBase, kRegisters + 12 * kPage, kPage, kRead), 0);
  c.Unmaps("all", 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, 3 * kPage);
  c.Is("several", MapAt(c, kBase, kRegisters + 16 * kPage, 9 * kPage), 0);
  c.Is("up to one that is not written", MapAt(c, 2 * kBase, kRegisters + 24 * kPage, 6 * kPage),
       -EFAULT);
  c.Is("into the hole", MapAt(c, 2 * kBase, 1660 * kPage, 8 * kPage), -EFAULT);
  c.Is("from memory on", MapAt(c, 2 * kBase, kReadOnly - 2 * kPage, 8 * kPage, kRead), 0);
}

// A device that is not mapped at once is unpinned in the pieces that it was pinned in.
void Scattered(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("map", MapAt(c, kBase, kScattered, 300 * kPage), 0);
  c.Unmaps("unmap", kBase, 300 * kPage, 0, 300 * kPage);
  c.Is("map of both", MapAt(c, kBase, kScattered - 300 * kPage, 600 * kPage), 0);
  c.Is("another group", c.Enter(kNarrow), 0);
  c.Unmaps("unmap", kBase, 600 * kPage, 0, 600 * kPage);
  c.Is("more pieces than a sync takes", MapAt(c, kBase, 400 * kPage, 1100 * kPage), 0);
  c.Unmaps("unmap", kBase, 1100 * kPage, 0, 1100 * kPage);
}

void SmallPages(harness_machine& m) {
  m.settings.small_pages = 1;
  for (harness_instance& i : m.instances) i.page_sizes = kPage | uint64_t{1} << 21;
}

// --- limits of locked memory ---

void TenPages(harness_machine& m) { m.settings.memlock = 10; }

void Limits(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("all", c.Map(kBase, 10 * kPage), 0);
  c.Is("one more", c.Map(2 * kBase, kPage), -ENOMEM);
  c.Is("registers are not locked", MapAt(c, 2 * kBase, kRegisters), 0);
  c.Is("the zero page neither", MapAt(c, 3 * kBase, kZero, kPage, kRead), 0);
  c.Is("unmap", c.Unmap(kBase, 10 * kPage), 0);
  c.Is("eleven", c.Map(kBase, 11 * kPage), -ENOMEM);
  c.Is("eleven in pieces", MapAt(c, kBase, kScattered, 11 * kPage), -ENOMEM);
  c.Is("six", c.Map(kBase, 6 * kPage), 0);
  c.Is("five", c.Map(4 * kBase, 5 * kPage), -ENOMEM);
  c.Is("four", c.Map(4 * kBase, 4 * kPage), 0);
  // A page that two mappings have counts twice.
  c.Is("the same", c.Map(5 * kBase, kPage), -ENOMEM);
}

int PagesOf(Check& c, uint8_t kind, uint8_t first, uint8_t count, uint8_t flags = 3) {
  return c.Pages({.kind = kind, .a = kEmulated, .first = first, .count = count, .flags = flags});
}

constexpr uint8_t kFirst = 4;  // page of a case
constexpr uint64_t kIova = HARNESS_PAGE_0 + kFirst * kPage;

// Pages that a driver pins count where no domain maps them, and each once.
void LimitsOfPins(Check& c) {
  c.OpenContainer(kEmulated);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map of more than may be locked", c.Map(kIova, 16 * kPage), 0);
  c.Is("pin across a hole", PagesOf(c, HARNESS_PIN, kFirst + 15, 2), -EINVAL);
  c.Is("pin", PagesOf(c, HARNESS_PIN, kFirst, 10), 0);
  c.Is("one more", PagesOf(c, HARNESS_PIN, kFirst + 10, 1), -ENOMEM);
  c.Is("the same", PagesOf(c, HARNESS_PIN, kFirst, 1), 0);
  c.Is("unpin", PagesOf(c, HARNESS_UNPIN, kFirst, 1), 0);
  c.Is("in its place", PagesOf(c, HARNESS_PIN, kFirst + 10, 1), 0);
  c.Is("two, of which one is pinned", PagesOf(c, HARNESS_PIN, kFirst + 9, 3), -ENOMEM);
  // A domain that comes maps all, and so locks all; but not what is locked already.
  c.Is("enter", c.Enter(kPlain), -ENOMEM);
  c.Is("map what is not pinned", MapAt(c, kIova + 20 * kPage, kRegisters, kPage), 0);
  c.Is("pin of registers", PagesOf(c, HARNESS_PIN, kFirst + 20, 1), -EINVAL);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

void TwelvePages(harness_machine& m) { m.settings.memlock = 12; }

void LimitsOfBoth(Check& c) {
  c.OpenContainer(kEmulated);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map", c.Map(kIova, 12 * kPage), 0);
  c.Is("pin", PagesOf(c, HARNESS_PIN, kFirst, 4), 0);
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("pin of what is mapped", PagesOf(c, HARNESS_PIN, kFirst + 4, 2), 0);
  c.Is("no more", c.Map(kBase, kPage), -ENOMEM);
  c.Is("unpin of what is mapped", PagesOf(c, HARNESS_UNPIN, kFirst + 4, 2), 0);
  c.Is("no more", c.Map(kBase, kPage), -ENOMEM);
  // What no domain maps any more stays locked where it is pinned.
  c.Is("leave", c.Leave(kPlain), 0);
  c.Is("pin", PagesOf(c, HARNESS_PIN, kFirst + 4, 8), 0);
  c.Is("map", c.Map(kIova + 16 * kPage, kPage), 0);
  c.Is("pin of more", PagesOf(c, HARNESS_PIN, kFirst + 16, 1), -ENOMEM);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

// --- another process takes over ---

int RunTask(Check& c, uint8_t task) { return c.Extra({.kind = HARNESS_EXTRA_TASK, .a = task}); }

void HandOver(Check& c) {
  constexpr uint32_t kVaddr = VFIO_DMA_MAP_FLAG_VADDR;
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(kBase, 6 * kPage), 0);
  c.Is("map", c.Map(2 * kBase, 3 * kPage), 0);
  c.Unmaps("no addresses", 0, 0, VFIO_DMA_UNMAP_FLAG_VADDR | VFIO_DMA_UNMAP_FLAG_ALL, 9 * kPage);
  c.Is("other task", RunTask(c, 1), 0);
  c.Is("no such mapping", c.Map(3 * kBase, kPage, kVaddr), -ENOENT);
  c.Is("its address", c.Map(kBase, 6 * kPage, kVaddr), 0);
  c.Is("more of its own", c.Map(3 * kBase, 2 * kPage), 0);
  c.Is("its address", c.Map(2 * kBase, 3 * kPage, kVaddr), -ENOMEM);
  c.Is("unmap", c.Unmap(3 * kBase, 2 * kPage), 0);
  c.Is("its address again", c.Map(2 * kBase, 3 * kPage, kVaddr), 0);
  c.Is("first task", RunTask(c, 0), 0);
  c.Is("its limit is free again", c.Map(3 * kBase, 10 * kPage), 0);
  c.Is("unmap of the other's", c.Unmap(kBase, 6 * kPage), 0);
}

// The process is gone, and its mappings are not.
void Gone(Check& c) {
  c.OpenContainer(kEmulated);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("other task", RunTask(c, 1), 0);
  c.Is("map", c.Map(kIova, 4 * kPage), 0);
  c.Is("pin", PagesOf(c, HARNESS_PIN, kFirst, 1), 0);
  c.Is("exit", c.Extra({.kind = HARNESS_EXTRA_GONE, .a = 1}), 0);
  c.Is("first task", RunTask(c, 0), 0);
  c.Is("pin", PagesOf(c, HARNESS_PIN, kFirst + 1, 1), -ENODEV);
  c.Is("read", c.Extra({.kind = HARNESS_EXTRA_DMA_RW, .a = kEmulated, .count = 7, .iova = kIova}),
       -EPERM);
  c.Is("unmap", c.Unmap(kIova, 4 * kPage), 0);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

// A thread of the kernel reads and writes the memory of whoever mapped it.
void KernelThreads(Check& c) {
  const auto rw = [&c](uint64_t iova, bool write) {
    return c.Extra(
        {.kind = HARNESS_EXTRA_DMA_RW, .a = kEmulated, .flags = write, .count = 15, .iova = iova});
  };
  c.OpenContainer(kEmulated);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map", c.Map(kIova, 4 * kPage), 0);
  c.Is("map", MapAt(c, kIova + 4 * kPage, 1700 * kPage), 0);
  c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  c.Is("kernel", RunTask(c, 2), 0);
  c.Is("read", rw(kIova, false), 0);
  c.Is("write", rw(kIova + 2 * kPage, true), 0);
  c.Is("no memory", rw(kIova + 4 * kPage, false), -EFAULT);
  c.Is("no memory to write", rw(kIova + 4 * kPage, true), -EFAULT);
  c.Is("another task", RunTask(c, 1), 0);
  c.Is("read", rw(kIova, false), -EFAULT);
  c.Is("first task", RunTask(c, 0), 0);
  c.DirtyIs("what was written", kIova, 5 * kPage, 4);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

// --- page sizes ---

void Pages16K(harness_machine& m) {
  m.instances[0].page_sizes = kPage | 1 << 14;
  m.instances[1].page_sizes = kPage | 1 << 21;
}

void PageSizes(Check& c) {
  const auto are = [&c](std::string_view what, uint64_t sizes) {
    c.Is(what, c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = 512}), 0);
    c.Is(what, c.Output<int64_t>(8), static_cast<int64_t>(sizes));
  };
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("set-iommu", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), 0);
  are("of one", kPage | 1 << 14);
  c.Is("another group", c.Enter(kNarrow), 0);
  are("of both", kPage);
  c.Is("leave", c.Leave(kPlain), 0);
  are("of the other", kPage | 1 << 21);
}

void Pages1K(harness_machine& m) { m.instances[0].page_sizes = 1 << 10 | 1 << 14; }

// Pages smaller than those of the processor do not show.
void TinyPages(Check& c) {
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("set-iommu", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), 0);
  c.Is("info", c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = 512}), 0);
  c.Is("page sizes", c.Output<int64_t>(8), kPage | 1 << 14);
  c.Is("a quarter", c.Map(kBase, kPage / 4), -EINVAL);
  c.Is("a page", c.Map(kBase, kPage), 0);
  c.Is("a page at another place", c.Map(kBase + kPage, 5 * kPage), 0);
  c.Is("unmap", c.Unmap(kBase, 6 * kPage), 0);
}

void WholePages(harness_machine& m) {
  m.drivers[0].whole_pages = 1;
  for (harness_instance& i : m.instances) i.page_sizes = kPage | 1 << 13;
}

// An IOMMU that unmaps whole large pages: type1 tries that, and unmaps page by page what it mapped so.
void UnmapsOfWholePages(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(kBase, 9 * kPage), 0);
  c.Unmaps("unmap", kBase, 9 * kPage, 0, 9 * kPage);
  c.Is("map", MapAt(c, kBase + kPage, kScattered + kPage, 9 * kPage), 0);
  c.Is("another group", c.Enter(kNarrow), 0);
  c.Unmaps("unmap", kBase, 16 * kPage, 0, 9 * kPage);
}

// --- versions and arguments ---

void Version1(Check& c) {
  c.OpenContainer(kEmulated, VFIO_TYPE1_IOMMU);
  c.Is("dirty pages", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), -EACCES);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map", c.Map(kIova, 2 * kPage), 0);
  c.Is("pin", PagesOf(c, HARNESS_PIN, kFirst, 1), -EACCES);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
  c.Unmaps("all", 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, 2 * kPage);
}

void BadPointers(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(kBase, kPage), 0);
  const auto container = [&c](uint32_t command, uint32_t flags, const DirtyArgument& argument) {
    return c.OnFile(HARNESS_EXTRA_IOCTL, 0, flags, command, argument);
  };
  constexpr DirtyArgument kNothing{};
  for (const uint32_t command :
       {VFIO_IOMMU_GET_INFO, VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA, VFIO_IOMMU_DIRTY_PAGES})
    c.Is("nowhere", container(command, HARNESS_NOWHERE, kNothing), -EFAULT);
  DirtyArgument argument = Check::Range(2 * kBase, kPage);
  argument.argsz = 24;
  c.Is("unmap", container(VFIO_IOMMU_UNMAP_DMA, HARNESS_READ_ONLY, argument), -EFAULT);
  argument.argsz = 16;
  c.Is("info", container(VFIO_IOMMU_GET_INFO, HARNESS_READ_ONLY, argument), -EFAULT);
  argument.argsz = 512;
  c.Is("capabilities", container(VFIO_IOMMU_GET_INFO, HARNESS_READ_ONLY, argument), -EFAULT);
  // Bitmaps.
  c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  argument = Check::Range(kBase, kPage);
  argument.bitmap = uint64_t{1} << 60;
  c.Is("no address", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, argument), -EINVAL);
  argument.argsz = 48;
  argument.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
  c.Is("no address", c.Ioctl(VFIO_IOMMU_UNMAP_DMA, argument), -EINVAL);
  argument.bitmap = c.extra().memory + 1700 * kPage;
  c.Is("no memory", c.Ioctl(VFIO_IOMMU_UNMAP_DMA, argument), -EFAULT);
  c.Is("it is still mapped", c.Map(kBase, kPage), -EEXIST);
  argument = Check::Range(kBase - kPage, 2 * kPage);
  argument.bitmap = c.extra().memory + 1700 * kPage;
  c.Is("no memory of a later page", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, argument),
       -EFAULT);
  // Groups.
  c.Is("status",
       c.OnFile(HARNESS_EXTRA_GROUP, kPlain, HARNESS_NOWHERE, VFIO_GROUP_GET_STATUS, kNothing),
       -EFAULT);
  c.Is("status",
       c.OnFile(HARNESS_EXTRA_GROUP, kPlain, HARNESS_READ_ONLY, VFIO_GROUP_GET_STATUS,
                vfio_group_status{.argsz = 8}),
       -EFAULT);
  c.Is("container",
       c.OnFile(HARNESS_EXTRA_GROUP, kNarrow, HARNESS_NOWHERE, VFIO_GROUP_SET_CONTAINER, kNothing),
       -EFAULT);
  c.Is("name",
       c.OnFile(HARNESS_EXTRA_GROUP, kPlain, HARNESS_NOWHERE, VFIO_GROUP_GET_DEVICE_FD, kNothing),
       -EFAULT);
}

// --- what the group of a container brings ---

void Conflicts(harness_machine& m) {
  m.devices[kNarrow].regions[1] = {HARNESS_RESERVED, 0x200000, 0x4000};
  m.devices[kTwin].regions[1] = {HARNESS_DIRECT_RELAXABLE, 0x300000, 0x1000};
}

void ReservedRegions(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("before", c.Map(0x1fe000, 2 * kPage), 0);
  c.Is("after", c.Map(0x204000, kPage), 0);
  c.Is("relaxable", c.Map(0x300000, kPage), 0);
  c.Is("enter", c.Enter(kNarrow), 0);
  c.Is("in it", c.Map(0x201000, kPage), -EINVAL);
  c.Is("its first page", c.Map(0x200000, kPage), -EINVAL);
  c.Is("its last page", c.Map(0x203000, kPage), -EINVAL);
  c.Is("leave", c.Leave(kNarrow), 0);
  for (const uint64_t iova : {0x200000, 0x203000}) {
    c.Is("map", c.Map(iova, kPage), 0);
    c.Is("its page is mapped", c.Enter(kNarrow), -EINVAL);
    c.Is("unmap", c.Unmap(iova, kPage), 0);
  }
  c.Is("enter again", c.Enter(kNarrow), 0);
}

void Interrupts(harness_machine& m) {
  m.instances[0].isolates_msi = 0;
  m.devices[kPlain].regions[0] = {HARNESS_SW_MSI, 0x8000000, 0x100000};
  m.devices[kNarrow].regions[1] = {HARNESS_SW_MSI, 0x8000000, 0x100000};
}

void IsolatedInterrupts(Check& c) {
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("not isolated", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), -EPERM);
  c.Is("leave", c.Leave(kPlain), 0);
  // A real range of MSIs goes before one of software.
  c.OpenContainer(kNarrow);
  c.Is("cookies", c.Cookies(), 0);
}

void UnsafeInterrupts(harness_machine& m) {
  Interrupts(m);
  m.settings.unsafe_interrupts = 1;
}

void SoftwareInterrupts(Check& c) {
  c.Is("enter", c.Enter(kPlain), 0);
  c.MayFail(
      "set-iommu", HARNESS_ARM_ALLOC, -ENOMEM,
      [&c] { return c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU); },
      [&c] {
        c.Is("leave", c.Leave(kPlain), 0);
        c.Is("enter", c.Enter(kPlain), 0);
      });
  if (c.Cookies() == 0) c.Fail("cookies", 0, 1);
  c.Is("map there", c.Map(0x8000000, kPage), -EINVAL);
}

void NoNesting(Check& c) {
  c.Is("enter", c.Enter(kPlain), 0);
  c.IsEither("nesting", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1_NESTING_IOMMU), -EINVAL, -ENODEV);
  c.Is("without", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), 0);
}

// Two apertures that have nothing in common.
void Apart(harness_machine& m) {
  m.instances[0].aperture_end = kNarrowStart - 1;
  m.devices[kPlain].regions[0] = {};
}

void DisjointApertures(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("above", c.Enter(kNarrow), -EINVAL);
  c.Is("leave", c.Leave(kPlain), 0);
  c.OpenContainer(kNarrow);
  c.Is("below", c.Enter(kPlain), -EINVAL);
}

void Touching(harness_machine& m) {
  m.instances[0].aperture_end = kNarrowStart + kPage - 1;
  m.devices[kPlain].regions[0] = {};
}

void TouchingApertures(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(0, kPage), 0);
  c.Is("below the other", c.Enter(kNarrow), -EINVAL);
  c.Is("unmap", c.Unmap(0, kPage), 0);
  c.Is("enter", c.Enter(kNarrow), 0);
  c.Is("the one page of both", c.Map(kNarrowStart, kPage), 0);
  c.Is("another", c.Map(kNarrowStart + kPage, kPage), -EINVAL);
  c.Is("leave", c.Leave(kPlain), 0);
  c.Is("another, without it", c.Map(kNarrowStart + kPage, kPage), 0);
  c.Is("it cannot come back", c.Enter(kPlain), -EINVAL);
}

// --- failures in the middle ---

// A group that enters a container with mappings, when the n-th page is not mapped or not pinned.
void FailingEntries(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(kBase, 3 * kPage), 0);
  c.Is("map", MapAt(c, 2 * kBase, kScattered, 3 * kPage), 0);
  c.MayFail(
      "enter", HARNESS_ARM_MAP, -ENOMEM, [&c] { return c.Enter(kNarrow); },
      [&c] { c.Is("leave", c.Leave(kNarrow), 0); });
  c.Unmaps("unmap", 2 * kBase, 3 * kPage, 0, 3 * kPage);
  c.FailsUntil0("map in two domains", HARNESS_ARM_MAP, -ENOMEM,
                [&c] { return MapAt(c, 2 * kBase, kScattered, 3 * kPage); });
  c.FailsUntil0("map", HARNESS_ARM_PIN, -ENOMEM,
                [&c] { return MapAt(c, 3 * kBase, kScattered, 3 * kPage); });
}

void FailingPins(Check& c) {
  c.OpenContainer(kEmulated);
  c.Is("map", c.Map(kBase, 3 * kPage), 0);
  c.Is("map", MapAt(c, 2 * kBase, kScattered, 3 * kPage), 0);
  for (const uint8_t arm : {HARNESS_ARM_PIN, HARNESS_ARM_MAP}) {
    const auto leave = [&c] { c.Is("leave", c.Leave(kPlain), 0); };
    c.MayFail("enter", arm, -ENOMEM, [&c] { return c.Enter(kPlain); }, leave);
    leave();
  }
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map", c.Map(kIova, 4 * kPage), 0);
  c.FailsUntil0("pin", HARNESS_ARM_PIN, -ENOMEM,
                [&c] { return PagesOf(c, HARNESS_PIN, kFirst, 3); });
  c.Is("unpin", PagesOf(c, HARNESS_UNPIN, kFirst, 3), 0);
  c.FailsUntil0("pin", HARNESS_ARM_ALLOC, -ENOMEM,
                [&c] { return PagesOf(c, HARNESS_PIN, kFirst, 3); });
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

// Bitmaps of two mappings that share a word, one of them written to.
void TrackingOfNeighbours(Check& c) {
  c.OpenContainer(kEmulated);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map", c.Map(kIova, 3 * kPage), 0);
  c.Is("map", c.Map(kIova + 3 * kPage, 4 * kPage), 0);
  c.Is("pin before the start", PagesOf(c, HARNESS_PIN, kFirst + 1, 1), 0);
  c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  // What comes after a mapping that does not begin with its range stays dirty: docs/findings.md.
  const auto restart = [&c] {
    c.Is("stop", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP), 0);
    c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  };
  c.DirtyIs("pinned before", kIova, 7 * kPage, 0x2);
  restart();
  c.Is("pin in the second", PagesOf(c, HARNESS_PIN, kFirst + 5, 2), 0);
  c.DirtyIs("both", kIova, 7 * kPage, 0x62);
  restart();
  c.DirtyIs("the second alone", kIova + 3 * kPage, 4 * kPage, 0xc);
  c.DirtyIs("the second alone", kIova + 3 * kPage, 4 * kPage, 0xc);
  restart();
  // The wider range, in which what is before the mappings is not the kernel's.
  c.DirtyIs("from before", kIova - 2 * kPage, 9 * kPage, 0x188);
  c.Is("argsz", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP, {}, 8), 0);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

constexpr NamedCheck kChecks[] = {{"memory", Memory},
                                  {"registers", Registers},
                                  {"scattered memory", Scattered},
                                  {"scattered memory in small pages", Scattered, SmallPages},
                                  {"limits", Limits, TenPages},
                                  {"limits of pins", LimitsOfPins, TenPages},
                                  {"limits of pins and maps", LimitsOfBoth, TwelvePages},
                                  {"hand-over", HandOver, TenPages},
                                  {"a process that is gone", Gone, TenPages},
                                  {"kernel threads", KernelThreads},
                                  {"page sizes", PageSizes, Pages16K},
                                  {"tiny pages", TinyPages, Pages1K},
                                  {"unmaps of whole pages", UnmapsOfWholePages, WholePages},
                                  {"version 1", Version1},
                                  {"bad pointers", BadPointers},
                                  {"reserved regions of a group", ReservedRegions, Conflicts},
                                  {"isolated interrupts", IsolatedInterrupts, Interrupts},
                                  {"interrupts of software", SoftwareInterrupts, UnsafeInterrupts},
                                  {"no nesting", NoNesting},
                                  {"disjoint apertures", DisjointApertures, Apart},
                                  {"touching apertures", TouchingApertures, Touching},
                                  {"entries that fail", FailingEntries},
                                  {"pins that fail", FailingPins},
                                  {"tracking of neighbours", TrackingOfNeighbours}};

}  // namespace

std::span<const NamedCheck> Type1Checks() { return kChecks; }

}  // namespace iommucheck::fuzzing
