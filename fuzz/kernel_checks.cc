// SPDX-License-Identifier: Apache-2.0
#include "fuzz/kernel_checks.h"

#include <linux/vfio.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "fuzz/check.h"

namespace iommucheck::fuzzing {
namespace {

void Maps(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("argsz", c.Map(kBase, kPage, 3, 31), -EINVAL);
  c.Is("unknown flag", c.Map(kBase, kPage, 11), -EINVAL);
  c.Is("neither read nor write", c.Map(kBase, kPage, 0), -EINVAL);
  c.Is("no size", c.Map(kBase, 0), -EINVAL);
  c.Is("iova not aligned", c.Map(kBase + 0x800, kPage), -EINVAL);
  c.Is("size not aligned", c.Map(kBase, 0x800), -EINVAL);
  c.Is("vaddr not aligned", c.Map(kBase, kPage, 3, 32, 0x800), -EINVAL);
  c.IsEither("wraps around", c.Map(0 - 2 * kPage, 4 * kPage), -EINVAL, -EOVERFLOW);
  c.IsEither("vaddr wraps around", c.Map(kBase, 4 * kPage, 3, 32, 0 - c.extra().memory - 2 * kPage),
             -EINVAL, -EOVERFLOW);
  c.Is("MSI", c.Map(0xfee00000, kPage), -EINVAL);
  c.Is("into MSI", c.Map(0xfedff000, 2 * kPage), -EINVAL);
  c.Is("out of MSI", c.Map(0xfeeff000, 2 * kPage), -EINVAL);
  c.Is("before MSI", c.Map(0xfedff000, kPage), 0);
  c.Is("after MSI", c.Map(0xfef00000, kPage), 0);
  c.Is("map", c.Map(kBase, 2 * kPage), 0);
  c.Is("the same", c.Map(kBase, 2 * kPage), -EEXIST);
  c.Is("overlap", c.Map(kBase + kPage, 2 * kPage), -EEXIST);
  c.Is("no vaddr is invalid", c.Map(kBase, 2 * kPage, VFIO_DMA_MAP_FLAG_VADDR), -EINVAL);
  c.Is("adjacent", c.Map(kBase + 2 * kPage, kPage), 0);
  c.Is("fifth", c.Map(0, kPage, 1), 0);
  c.Is("no entry is left", c.Map(2 * kBase, kPage), -ENOSPC);
  c.Is("a hole", c.Unmap(0, kPage), 0);
  c.Is("no memory", c.Map(2 * kBase, kPage, 3, 32, uint64_t{1700} * kPage), -EFAULT);
}

void Apertures(Check& c) {
  c.OpenContainer(kNarrow);
  c.Is("below", c.Map(kNarrowStart - kPage, kPage), -EINVAL);
  c.Is("into", c.Map(kNarrowStart - kPage, 2 * kPage), -EINVAL);
  c.Is("first", c.Map(kNarrowStart, kPage), 0);
  c.Is("out of", c.Map(kNarrowEnd + 1 - 2 * kPage, 3 * kPage), -EINVAL);
  c.Is("last", c.Map(kNarrowEnd + 1 - kPage, kPage), 0);
  c.Is("above", c.Map(kNarrowEnd + 1, kPage), -EINVAL);
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("leave", c.Leave(kNarrow), 0);
  c.Is("below, without it", c.Map(kNarrowStart - kPage, kPage), 0);
  c.Is("its aperture does not hold the mappings", c.Enter(kNarrow), -EINVAL);
  c.Is("unmap", c.Unmap(kNarrowStart - kPage, kPage), 0);
  c.Is("enter again", c.Enter(kNarrow), 0);
  c.Is("above again", c.Map(kNarrowEnd + 1, kPage), -EINVAL);
  c.Is("leave again", c.Leave(kNarrow), 0);
  c.Is("above, without it", c.Map(kNarrowEnd + 1, kPage), 0);
}

void Unmaps(Check& c) {
  c.OpenContainer(kPlain);
  const auto map_two = [&c] {
    c.Is("map", c.Map(kBase, 3 * kPage), 0);
    c.Is("map", c.Map(kBase + 3 * kPage, kPage), 0);
  };
  map_two();
  c.Is("argsz", c.Unmap(kBase, kPage, 0, 23), -EINVAL);
  c.Is("unknown flag", c.Unmap(kBase, kPage, 8), -EINVAL);
  c.Is("no size", c.Unmap(kBase, 0), -EINVAL);
  c.Is("not aligned", c.Unmap(kBase, 0x800), -EINVAL);
  c.Is("iova not aligned", c.Unmap(kBase + 0x800, kPage), -EINVAL);
  c.IsEither("wraps around", c.Unmap(0 - kPage, 2 * kPage), -EINVAL, -EOVERFLOW);
  c.Is("all of a range", c.Unmap(0, kPage, VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL);
  c.Is("all from an address", c.Unmap(kBase, 0, VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL);
  c.Is("its second half", c.Unmap(kBase + kPage, 2 * kPage), -EINVAL);
  c.Is("its first half", c.Unmap(kBase, kPage), -EINVAL);
  c.Is("one and a half", c.Unmap(kBase + kPage, 3 * kPage), -EINVAL);
  c.Unmaps("nothing", 2 * kBase, kPage, 0, 0);
  c.Unmaps("the first", kBase, 3 * kPage, 0, 3 * kPage);
  c.Unmaps("the second, in a larger range", kBase, 64 * kPage, 0, kPage);
  map_two();
  c.Unmaps("both", kBase, 4 * kPage, 0, 4 * kPage);
  map_two();
  c.Unmaps("all", 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, 4 * kPage);
  c.Unmaps("all of nothing", 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, 0);
  // A dirty bitmap goes with neither of these flags, and needs tracking.
  c.Is("map", c.Map(kBase, kPage), 0);
  for (const uint32_t other : {VFIO_DMA_UNMAP_FLAG_ALL, VFIO_DMA_UNMAP_FLAG_VADDR})
    c.Is("flags", c.Unmap(kBase, kPage, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | other, 48), -EINVAL);
}

// In the first version of type1, which splits no mapping either, a part stands for the whole.
void UnmapsOfVersion1(Check& c) {
  c.OpenContainer(kPlain, VFIO_TYPE1_IOMMU);
  c.Is("map", c.Map(kBase, 4 * kPage), 0);
  c.Unmaps("from inside", kBase + kPage, kPage, 0, 0);
  c.Unmaps("from its start", kBase, kPage, 0, 4 * kPage);
}

void Addresses(Check& c) {
  constexpr uint32_t kVaddr = VFIO_DMA_UNMAP_FLAG_VADDR;
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(kBase, 2 * kPage), 0);
  c.Is("map", c.Map(kBase + 2 * kPage, kPage), 0);
  c.Unmaps("one vaddr", kBase, 2 * kPage, kVaddr, 2 * kPage);
  c.Is("the same again", c.Unmap(kBase, 2 * kPage, kVaddr), -EINVAL);
  c.Is("all, of which one is invalid", c.Unmap(0, 0, kVaddr | VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL);
  c.Is("another group", c.Enter(kNarrow), -EBUSY);
  c.Is("another start", c.Map(kBase + kPage, kPage, VFIO_DMA_MAP_FLAG_VADDR), -EINVAL);
  c.Is("another size", c.Map(kBase, kPage, VFIO_DMA_MAP_FLAG_VADDR), -EINVAL);
  c.Is("with access", c.Map(kBase, 2 * kPage, VFIO_DMA_MAP_FLAG_VADDR | 3), -EINVAL);
  c.Is("a vaddr", c.Map(kBase, 2 * kPage, VFIO_DMA_MAP_FLAG_VADDR), 0);
  c.Is("a second time", c.Map(kBase, 2 * kPage, VFIO_DMA_MAP_FLAG_VADDR), -EINVAL);
  c.Unmaps("all", 0, 0, kVaddr | VFIO_DMA_UNMAP_FLAG_ALL, 3 * kPage);
  c.Unmaps("mappings without vaddr", kBase, 3 * kPage, 0, 3 * kPage);
  c.Is("another group after that", c.Enter(kNarrow), 0);
}

void Tracking(Check& c) {
  constexpr uint32_t kStart = VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
  constexpr uint32_t kStop = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
  constexpr uint32_t kGet = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
  const DirtyArgument both = Check::Range(kBase, 8 * kPage);
  const auto get = [&c, &both](auto change) {
    DirtyArgument range = both;
    change(range);
    return c.Dirty(kGet, range);
  };
  c.OpenContainer(kPlain);
  c.Is("map", c.Map(kBase, 3 * kPage), 0);
  c.Is("map", c.Map(kBase + 3 * kPage, 5 * kPage), 0);
  c.Is("get before start", c.Dirty(kGet, both), -EINVAL);
  c.Is("stop before start", c.Dirty(kStop), 0);
  c.Is("argsz", c.Dirty(kStart, {}, 7), -EINVAL);
  for (const uint32_t flags : {0U, 8U, kStart | kStop, kStart | kGet, kStop | kGet, kStart | 8U})
    c.Is("flags", c.Dirty(flags, both), -EINVAL);
  c.Is("start", c.Dirty(kStart), 0);
  c.Is("start again", c.Dirty(kStart), 0);
  // A device behind an IOMMU may have written to every page.
  c.DirtyIs("both", kBase, 8 * kPage, 0xff);
  // Pages after a mapping that does not begin with its range stay dirty: docs/findings.md.
  const auto restart = [&c] {
    c.Is("stop", c.Dirty(kStop), 0);
    c.Is("start", c.Dirty(kStart), 0);
  };
  restart();
  c.DirtyIs("first", kBase, 3 * kPage, 0x7);
  c.DirtyIs("second", kBase + 3 * kPage, 5 * kPage, 0x1f);
  c.DirtyIs("second again", kBase + 3 * kPage, 5 * kPage, 0x1f);
  c.DirtyIs("more than both", kBase - 2 * kPage, 12 * kPage, 0x3fc);
  restart();
  c.DirtyIs("nothing", 2 * kBase, 4 * kPage, 0);
  c.DirtyIs("before", kBase - 2 * kPage, 2 * kPage, 0);
  c.DirtyIs("after", kBase + 8 * kPage, 2 * kPage, 0);
  c.Is("begins inside", c.Dirty(kGet, Check::Range(kBase + kPage, 2 * kPage)), -EINVAL);
  c.Is("ends inside", c.Dirty(kGet, Check::Range(kBase, 4 * kPage)), -EINVAL);
  c.Is("argsz of range", c.Dirty(kGet, both, 47), -EINVAL);
  c.Is("no size", get([](DirtyArgument& r) { r.size = 0; }), -EINVAL);
  c.Is("size", get([](DirtyArgument& r) { r.size += 0x800; }), -EINVAL);
  c.Is("iova", get([](DirtyArgument& r) { r.iova += 0x800; }), -EINVAL);
  c.IsEither("wraps", get([](DirtyArgument& r) { r.iova = 0 - 2 * kPage; }), -EINVAL, -EOVERFLOW);
  c.Is("page size", get([](DirtyArgument& r) { r.page_size = 2 * kPage; }), -EINVAL);
  c.Is("no room", get([](DirtyArgument& r) { r.bytes = 0; }), -EINVAL);
  c.Is("too little room", get([](DirtyArgument& r) { r.bytes = 7; }), -EINVAL);
  c.Is("just room", get([](DirtyArgument& r) { r.bytes = 8; }), 0);
  c.Is("too much room", get([](DirtyArgument& r) { r.bytes = uint64_t{1} << 29; }), -EINVAL);
  c.Is("no memory", get([&c](DirtyArgument& r) { r.bitmap = c.extra().memory + 1700 * kPage; }),
       -EFAULT);
  c.Is("stop", c.Dirty(kStop), 0);
  c.Is("get after stop", c.Dirty(kGet, both), -EINVAL);
}

// An emulated device dirties the pages that its driver pins or writes to, and no others.
void TrackingOfPins(Check& c) {
  constexpr uint8_t kFirst = 4;  // page of a case
  constexpr uint64_t kIova = HARNESS_PAGE_0 + kFirst * kPage;
  const auto pages = [&c](uint8_t kind, uint8_t first, uint8_t count) {
    const harness_op op{.kind = kind, .a = kEmulated, .first = first, .count = count, .flags = 3};
    return c.Pages(op);
  };
  c.OpenContainer(kEmulated);
  c.Is("get-device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("map", c.Map(kIova, 8 * kPage), 0);
  c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  c.DirtyIs("nothing yet", kIova, 8 * kPage, 0);
  c.Is("pin", pages(HARNESS_PIN, kFirst + 2, 2), 0);
  c.DirtyIs("pinned", kIova, 8 * kPage, 0xc);
  c.DirtyIs("still pinned", kIova, 8 * kPage, 0xc);
  c.Is("unpin", pages(HARNESS_UNPIN, kFirst + 2, 2), 0);
  c.DirtyIs("pinned until now", kIova, 8 * kPage, 0xc);
  c.DirtyIs("no more", kIova, 8 * kPage, 0);
  const auto rw = [&c](uint64_t iova, uint32_t count, bool write) {
    return c.Extra({.kind = HARNESS_EXTRA_DMA_RW,
                    .a = kEmulated,
                    .flags = write,
                    .count = count - 1,
                    .iova = iova});
  };
  c.Is("read", rw(kIova, 16, false), 0);
  c.DirtyIs("after a read", kIova, 8 * kPage, 0);
  c.Is("write", rw(kIova + 5 * kPage - 8, 16, true), 0);
  c.DirtyIs("after a write", kIova, 8 * kPage, 0x30);
  c.Is("write a page", rw(kIova + kPage, kPage, true), 0);
  c.DirtyIs("after a page", kIova, 8 * kPage, 0x2);
  c.Is("write beyond", rw(kIova + 8 * kPage - 8, 16, true), -EINVAL);
  c.DirtyIs("as far as it came", kIova, 8 * kPage, 0x80);
  c.Is("write nowhere", rw(kBase, 16, true), -EINVAL);
  c.Is("read-only", c.Map(kIova + 16 * kPage, kPage, 1), 0);
  c.Is("write to read-only", rw(kIova + 16 * kPage, 16, true), -EPERM);
  c.Is("read from read-only", rw(kIova + 16 * kPage, 16, false), 0);
  c.Is("write-only", c.Map(kIova + 18 * kPage, kPage, 2), 0);
  c.Is("read from write-only", rw(kIova + 18 * kPage, 16, false), -EPERM);
  c.Is("write to write-only", rw(kIova + 18 * kPage, 16, true), -EPERM);
  // An unmap says what was dirty.
  c.Is("pin", pages(HARNESS_PIN, kFirst + 1, 1), 0);
  c.Is("unpin", pages(HARNESS_UNPIN, kFirst + 1, 1), 0);
  DirtyArgument unmap = Check::Range(kIova, 8 * kPage);
  unmap.argsz = sizeof(unmap);
  unmap.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
  unmap.bitmap = c.extra().bitmap;
  const auto refused = [&](std::string_view what, auto change) {
    DirtyArgument other = unmap;
    change(other);
    c.Is(what, c.Ioctl(VFIO_IOMMU_UNMAP_DMA, other), -EINVAL);
  };
  refused("argsz", [](DirtyArgument& r) { r.argsz = 47; });
  refused("page size", [](DirtyArgument& r) { r.page_size = 2 * kPage; });
  refused("no room", [](DirtyArgument& r) { r.bytes = 0; });
  c.ClearBitmap();
  c.Is("unmap", c.Ioctl(VFIO_IOMMU_UNMAP_DMA, unmap), 0);
  c.Is("unmapped", c.Output<int64_t>(16), 8 * kPage);
  c.BitmapIs("unmap", 0x2);
  c.Is("stop", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP), 0);
  refused("without tracking", [](DirtyArgument&) {});
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

// A group behind an IOMMU dirties every page until it leaves; an emulated one, as of TrackingOfPins().
void TrackingOfGroups(Check& c) {
  c.OpenContainer(kEmulated);
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("enter", c.Enter(kNarrow), 0);
  c.Is("map", c.Map(kBase, 8 * kPage), 0);
  c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  c.DirtyIs("all", kBase, 8 * kPage, 0xff);
  c.Is("leave", c.Leave(kNarrow), 0);
  c.DirtyIs("one is left", kBase, 8 * kPage, 0xff);
  c.DirtyIs("one is still left", kBase, 8 * kPage, 0xff);
  c.Is("leave", c.Leave(kPlain), 0);
  c.DirtyIs("until it left", kBase, 8 * kPage, 0xff);
  c.DirtyIs("none since", kBase, 8 * kPage, 0);
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("leave", c.Leave(kEmulated), 0);
  c.DirtyIs("again", kBase, 8 * kPage, 0xff);
  c.DirtyIs("and again", kBase, 8 * kPage, 0xff);
}

// Devices of a group may have an owner in the kernel together; VFIO is another. The harness looks at
// the count of the owner's claims.
void Owners(Check& c) {
  const auto by_device = [&c](uint8_t kind, uint8_t device) {
    return c.Extra({.kind = kind, .a = device, .flags = 1});
  };
  c.Is("claim", by_device(HARNESS_EXTRA_CLAIM, kNarrow), 0);
  // Up to and including 6.1 only groups are claimed. Where devices are, the harness complains.
  if (by_device(HARNESS_EXTRA_CLAIM, kTwin) == -EPERM) {
    c.Is("release", by_device(HARNESS_EXTRA_RELEASE, kNarrow), 0);
    return;
  }
  c.Is("enter", c.Enter(kNarrow), -EPERM);
  c.Is("release", by_device(HARNESS_EXTRA_RELEASE, kNarrow), 0);
  c.Is("enter with one owner left", c.Enter(kNarrow), -EPERM);
  c.Is("release the last", by_device(HARNESS_EXTRA_RELEASE, kTwin), 0);
  c.OpenContainer(kNarrow);
  c.Is("claim under VFIO", by_device(HARNESS_EXTRA_CLAIM, kTwin), -EPERM);
}

void RangesAre(Check& c, std::string_view what, std::initializer_list<uint64_t> bounds) {
  c.Is(what, c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = 512}), 0);
  const size_t at = CapabilityAt(c, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
  c.Is(absl::StrCat(std::string(what), ": ranges"), at == 0 ? 0 : c.Output<uint32_t>(at + 8),
       static_cast<int64_t>(bounds.size() / 2));
  size_t place = at + 16;
  for (const uint64_t bound : bounds) {
    c.Is(what, c.Output<int64_t>(place), static_cast<int64_t>(bound));
    place += 8;
  }
}

void Info(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("argsz", c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = 15}), -EINVAL);
  c.Is("short", c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = 16}), 0);
  const auto whole = c.Output<uint32_t>(0);
  c.Is("short: flags", c.Output<uint32_t>(4), VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
  c.Is("short: page sizes", c.Output<int64_t>(8), kPage);
  c.Is("short: offset", c.Output<uint32_t>(16), 0);
  c.Is("too short", c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = whole - 1}), 0);
  c.Is("too short: argsz", c.Output<uint32_t>(0), whole);
  c.Is("too short: offset", c.Output<uint32_t>(16), 0);
  c.Is("whole", c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = whole}), 0);
  c.Is("offset", c.Output<uint32_t>(16), sizeof(vfio_iommu_type1_info));
  const size_t migration = CapabilityAt(c, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
  c.Is("dirty page sizes", c.Output<int64_t>(migration + 16), kPage);
  c.Is("largest bitmap", c.Output<int64_t>(migration + 24), 1 << 28);
  c.Is("version", c.Output<uint16_t>(migration + 2), 1);
  c.Is("flags", c.Output<uint32_t>(migration + 8), 0);
  const size_t left = CapabilityAt(c, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
  c.Is("entries left", c.Output<uint32_t>(left + 8), 5);
  c.Is("map", c.Map(kBase, kPage), 0);
  c.Is("again", c.Ioctl(VFIO_IOMMU_GET_INFO, vfio_iommu_type1_info{.argsz = 512}), 0);
  c.Is("entries left", c.Output<uint32_t>(CapabilityAt(c, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL) + 8), 4);
}

void Ranges(Check& c) {
  constexpr uint64_t kMsi = 0xfee00000;
  constexpr uint64_t kAfter = 0xfef00000;
  c.OpenContainer(kPlain);
  RangesAre(c, "plain", {0, kMsi - 1, kAfter, ~uint64_t{0}});
  c.Is("enter", c.Enter(kNarrow), 0);
  RangesAre(c, "narrow", {kNarrowStart, kMsi - 1, kAfter, kNarrowEnd});
  c.Is("leave", c.Leave(kNarrow), 0);
  RangesAre(c, "plain again", {0, kMsi - 1, kAfter, ~uint64_t{0}});
  c.Is("enter", c.Enter(kEmulated), 0);
  c.Is("leave", c.Leave(kPlain), 0);
  RangesAre(c, "no IOMMU", {0, ~uint64_t{0}});
}

void Extensions(Check& c) {
  struct {
    uint32_t extension;
    int empty;
    int grouped;  // and without a backend
    int plain;
    int emulated;
  } constexpr kExtensions[] = {
      {VFIO_TYPE1_IOMMU, 1, 1, 1, 1},   {VFIO_SPAPR_TCE_IOMMU, 0, 0, 0, 0},
      {VFIO_TYPE1v2_IOMMU, 1, 1, 1, 1}, {VFIO_DMA_CC_IOMMU, 0, 0, 1, 1},
      {VFIO_NOIOMMU_IOMMU, 1, 0, 0, 0}, {VFIO_UNMAP_ALL, 1, 1, 1, 1},
      {VFIO_UPDATE_VADDR, 0, 0, 1, 0},  {99, 0, 0, 0, 0},
  };
  for (const auto& e : kExtensions) c.Is("empty", c.Extension(e.extension), e.empty);
  c.Is("API", c.Ioctl(VFIO_GET_API_VERSION, uint64_t{0}), VFIO_API_VERSION);
  c.Is("no backend", c.Map(kBase, kPage), -EINVAL);
  c.Is("enter", c.Enter(kPlain), 0);
  for (const auto& e : kExtensions) c.Is("with a group", c.Extension(e.extension), e.grouped);
  c.Is("type", c.Case(HARNESS_SET_IOMMU, 0, VFIO_SPAPR_TCE_IOMMU), -ENODEV);
  c.Is("set-iommu", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), 0);
  for (const auto& e : kExtensions) c.Is("plain", c.Extension(e.extension), e.plain);
  c.Is("unknown", c.Ioctl(_IO(VFIO_TYPE, VFIO_BASE + 30), uint64_t{0}), -ENOTTY);
  c.Is("enter", c.Enter(kEmulated), 0);
  for (const auto& e : kExtensions) c.Is("emulated", c.Extension(e.extension), e.emulated);
  c.Is("enter", c.Enter(kNarrow), 0);
  c.Is("one domain does not enforce coherency", c.Extension(VFIO_DMA_CC_IOMMU), 0);
}

// The files `type` and `reserved_regions` of a group in sysfs.
void Sysfs(Check& c) {
  const auto store = [&c](uint32_t type) {
    return c.Extra({.kind = HARNESS_EXTRA_STORE_TYPE, .a = kPlain, .count = type});
  };
  const auto shows = [&c](const std::string& type) {
    c.Is("show", c.Extra({.kind = HARNESS_EXTRA_SHOW, .a = kPlain}), 0);
    const std::string expected = type + "\n0x00000000fee00000 0x00000000feefffff msi\n";
    if (c.OutputText() != expected) c.Fail(absl::StrCat("shows ", c.OutputText()), 0, 1);
  };
  shows("DMA");
  c.Is("identity", store(0), 0);
  shows("identity");
  c.Is("DMA", store(1), 0);
  shows("DMA");
  c.Is("DMA-FQ", store(2), 0);
  shows("DMA-FQ");
  c.Is("identity", store(0), 0);
  c.Is("auto", store(3), 0);
  shows("DMA");
  c.Is("other", store(4), -EINVAL);
  c.Is("bind", c.Case(HARNESS_BIND, kPlain), 0);
  c.IsEither("under a driver", store(0), -EPERM, -EBUSY);
  c.Is("DMA-FQ under a driver", store(2), 0);
  shows("DMA-FQ");
  c.Is("unbind", c.Case(HARNESS_UNBIND, kPlain), 0);
  c.OpenContainer(kPlain);
  c.IsEither("under VFIO", store(0), -EPERM, -EBUSY);
  shows("DMA-FQ");
}

constexpr NamedCheck kChecks[] = {{"maps", Maps},
                                  {"apertures", Apertures},
                                  {"unmaps", Unmaps},
                                  {"unmaps of version 1", UnmapsOfVersion1},
                                  {"addresses", Addresses},
                                  {"tracking", Tracking},
                                  {"tracking of pins", TrackingOfPins},
                                  {"owners", Owners},
                                  {"tracking of groups", TrackingOfGroups},
                                  {"info", Info},
                                  {"ranges", Ranges},
                                  {"extensions", Extensions},
                                  {"sysfs", Sysfs}};

// The promises to drivers want instances that find their devices without firmware.
void ForDrivers(harness_machine& m) {
  for (uint8_t i = 0; i < m.instances_count; ++i) m.instances[i].fwnode = 0;
}

std::array<std::span<const NamedCheck>, 3> UserChecks() {
  return {kChecks, VfioChecks(), Type1Checks()};
}

size_t CountOfUserChecks() {
  size_t count = 0;
  for (const std::span<const NamedCheck> checks : UserChecks()) count += checks.size();
  return count;
}

const NamedCheck* UserCheck(size_t check) {
  for (const std::span<const NamedCheck> checks : UserChecks()) {
    if (check < checks.size()) return &checks[check];
    check -= checks.size();
  }
  return nullptr;
}

uint32_t PromiseOf(size_t check) { return static_cast<uint32_t>(check - CountOfUserChecks()); }

}  // namespace

size_t CountOfChecks(const harness& real) {
  size_t count = CountOfUserChecks();
  for (uint32_t n = 0; real.extra->promise(n) != nullptr; ++n) ++count;
  return count;
}

const char* NameOfCheck(const harness& real, size_t check) {
  const NamedCheck* const user = UserCheck(check);
  return user != nullptr ? user->name : real.extra->promise(PromiseOf(check));
}

const char* LackedByCheck(const harness& real, size_t check) {
  return UserCheck(check) != nullptr ? nullptr : real.extra->lacks(PromiseOf(check));
}

std::string RunCheck(const harness& real, size_t check) {
  if (const NamedCheck* const user = UserCheck(check)) {
    Check c(real, user->change);
    user->run(c);
    return c.End();
  }
  Check c(real, ForDrivers);
  const char* const wrong = real.extra->check(PromiseOf(check));
  const std::string found = wrong == nullptr ? "" : wrong;
  // After a wild pointer nothing can be torn down.
  return found == "oops" ? found : found + c.End();
}

}  // namespace iommucheck::fuzzing
